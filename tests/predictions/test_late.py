"""Labels from a file or a list: all or none, again adds nothing, and an error names the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import InvalidInput, UsageError
from plusone.base.records import Output
from plusone.predictions.late import read_file, take_labels
from plusone.store import Store
from tests.predictions.written import labels_kept

YES_NO = Output(name="late", kind="classes", classes=(False, True))
WORDS = Output(name="w", kind="classes", classes=("1", "a,b", "true"))
NUMBER = Output(name="y", kind="number")


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_labels_are_written_once_and_corrected(store: Store):
    rows = [{"id": "a", "label": 1}, {"id": "b", "label": 2, "at": "2026-01-01T00:00:00Z"}]
    for _ in range(2):
        assert take_labels(store, "m", rows, NUMBER).accepted == 2
    take_labels(store, "m", [{"id": "a", "label": 7}], NUMBER)
    assert labels_kept(store) == {"a": ["1.0", "7.0"], "b": ["2.0"]}


def test_more_labels_than_a_request_may_have_are_taken(store: Store):
    assert take_labels(store, "m", ({"id": str(n), "label": n} for n in range(12_345)), NUMBER).accepted == 12_345
    assert len(labels_kept(store)) == 12_345


@pytest.mark.parametrize("wrong", [{"id": "b", "label": "x"}, {"id": "a", "label": 2}, {"label": 1}, None])
def test_none_is_written_unless_all_fit(store: Store, wrong: Any):
    with pytest.raises(InvalidInput, match="Label 1"):
        take_labels(store, "m", [{"id": "a", "label": 1}, wrong], NUMBER)
    assert labels_kept(store) == {}


def test_a_csv_file_is_read_with_classes_by_their_names(tmp_path: Path):
    text = "\ufefflabel,id,at\r\nTRUE,a,\r\n\r\nfalse,b,2026-01-01T00:00:00Z\r\n"
    assert read_file(written(tmp_path, "x.CSV", text), YES_NO) == [
        {"label": True, "id": "a"},
        {"label": False, "id": "b", "at": "2026-01-01T00:00:00Z"},
    ]
    found = read_file(written(tmp_path, "w.csv", 'id,label\na,1\nb,"a,b"\nc,true\n'), WORDS)
    assert [row["label"] for row in found] == ["1", "a,b", "true"]
    assert read_file(written(tmp_path, "n.csv", "id,label\na,1e3\n"), NUMBER) == [{"id": "a", "label": 1000.0}]


SEVERAL = Output(
    name="late,gate", kind="labels", classes=(False, True, "1", "B"), names=("late", "gate"), width=2, sizes=(2, 2)
)


def test_a_csv_file_has_a_column_for_each_of_several_targets_or_objects(tmp_path: Path):
    expected = [{"id": "a", "label": {"late": True, "gate": "1"}}, {"id": "b", "label": {"late": False, "gate": "B"}}]
    text = "gate,id,late,at\n1,a,TRUE,\nB,b,false,\n"
    assert read_file(written(tmp_path, "x.csv", text), SEVERAL) == expected
    text = 'id,label\na,"{""late"": true, ""gate"": ""1""}"\nb,"{""gate"":""B"",""late"":false}"\n'
    assert read_file(written(tmp_path, "y.csv", text), SEVERAL) == expected
    vector = Output(name="u,v", kind="vector", names=("u", "v"), width=2)
    assert read_file(written(tmp_path, "z.csv", "id,u,v\na,1,2.5\n"), vector)[0]["label"] == {"u": 1, "v": 2.5}
    with pytest.raises(UsageError, match=r"expected id, label \(or late, gate\) and perhaps at"):
        read_file(written(tmp_path, "w.csv", "id,late\na,true\n"), SEVERAL)
    with pytest.raises(UsageError, match=r"line 2: .*an object with late"):
        read_file(written(tmp_path, "v.csv", "id,late,gate\na,true,C\n"), SEVERAL)


def test_a_jsonl_file_is_read(tmp_path: Path):
    text = '{"id": "a", "label": true}\n\n{"id": "b", "label": false, "at": "2026-01-01T00:00:00Z"}'
    assert [row["id"] for row in read_file(written(tmp_path, "x.jsonl", text), YES_NO)] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.txt", "", ".csv or .jsonl"),
        ("none.csv", None, "can't be read"),
        ("x.csv", "", "no labels"),
        ("x.csv", "id,label\n", "no labels"),
        ("x.csv", "id,value\na,1\n", "line 1: the columns are id, value"),
        ("x.csv", "id,label,id\na,1,b\n", "line 1"),
        ("x.csv", "id,label\na,true\nb\n", "line 3: 1 cells, expected 2"),
        ("x.csv", "id,label\na,true\nb,maybe\n", "line 3: .*'maybe' can't be the label"),
        ("x.csv", 'id,label\n"a,true\n', "line 2"),
        ("x.csv", "id,label\na,true\na,false\n", "line 3: 'a' has another label in line 2"),
        ("x.csv", "id,label,at\na,true,soon\n", "line 2: .*is no time"),
        ("x.csv", "id,label\na,nan\n", "line 2"),
        ("x.jsonl", "{}\n", "line 1: .*missing"),
        ("x.jsonl", '\n{"id": "a", "label": 1}\n', "line 2"),
        ("x.jsonl", '{"id": "a", "label": true}\n{', "line 2: no JSON"),
        ("x.jsonl", "[" * 100_000, "line 1"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(tmp_path: Path, name: str, text: str | None, said: str):
    path = tmp_path / name if text is None else written(tmp_path, name, text)
    with pytest.raises(UsageError, match=said):
        read_file(path, YES_NO)


@given(st.binary(max_size=200), st.sampled_from(["f.csv", "f.jsonl"]))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str):
    path = tmp_path_factory.mktemp("late") / name
    path.write_bytes(data)
    for output in (YES_NO, WORDS, NUMBER):
        try:
            found = read_file(path, output)
        except UsageError:
            continue
        assert found
