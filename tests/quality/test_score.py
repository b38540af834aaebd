"""`plusone score`: shown with its evidence, recorded by hand, never changed."""

from __future__ import annotations

import json

import pytest

from tests.quality.released import add_checks, checked, run
from tests.release.written import Written


@pytest.fixture
def release(written: Written) -> str:
    made = written.release(checks=None, settings={"C": 1})
    add_checks(written, made, checked())
    return "m@1"


def test_it_shows_four_sections_evidence_the_smallest_and_the_next_step(
    written: Written, release: str, capsys: pytest.CaptureFixture[str]
):
    assert run("score") == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines() if line.endswith(" of 7")] == [
        "data", "model", "infrastructure", "monitoring",
    ]  # fmt: skip
    assert "  1 4 Quality is proven before it serves\n      check tests/test_model.py::test_good: passed" in said
    assert "score 0: a research project" in said
    assert "(Breck et al. 2017): model and monitoring\nnext, the cheapest: model-" in said
    assert "->" not in said
    assert run("score", "show", "m", "--steps") == 0
    assert "      -> plusone.check.fair(model, holdout, group)" in capsys.readouterr().out


def test_a_test_done_by_hand_counts_at_once(written: Written, release: str, capsys: pytest.CaptureFixture[str]):
    assert run("score", "record", "monitoring-1", "--note", "subscribed to both sources", "--by", "ann") == 0
    assert capsys.readouterr().out == "noted: monitoring-1 of m, by ann: half a point for 180 days\n"
    assert run("score", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    [point] = [one for one in found["points"] if one["test"] == "monitoring-1"]
    assert point["points"] == 0.5
    assert point["evidence"][0]["kind"] == "note"
    assert point["evidence"][0]["says"].startswith("ann, ")
    assert found["release"] == 1
    assert run("score", "notes") == 0
    assert "subscribed to both sources" in capsys.readouterr().out


def test_a_check_of_the_project_can_be_named_if_it_is_one(
    written: Written, release: str, capsys: pytest.CaptureFixture[str]
):
    words = ("score", "record", "data-4", "--note", "agreed with legal", "--check")
    assert run(*words, "tests/test_data.py::test_rows") == 0
    assert "1 point while tests/test_data.py::test_rows passes" in capsys.readouterr().out
    assert run("score", "--json") == 0
    points = {one["test"]: one["points"] for one in json.loads(capsys.readouterr().out)["points"]}
    assert points["data-4"] == 1
    for wrong in ("tests/test_data.py::test_none", "plusone::shift[train_set]", "plusone::shift", "tests/test_data.py"):
        assert run(*words, wrong) == 2
        assert "plusone checks m@1" in capsys.readouterr().err


def test_one_check_stands_for_one_of_the_28(written: Written, release: str, capsys: pytest.CaptureFixture[str]):
    """Or a single test that is always green would be worth 28 points."""
    check = "tests/test_data.py::test_rows"
    assert run("score", "record", "data-4", "--note", "agreed", "--check", check) == 0
    assert run("score", "record", "data-4", "--note", "agreed again", "--check", check) == 0
    capsys.readouterr()
    assert run("score", "record", "data-5", "--note", "that too", "--check", check) == 2
    assert "was named for data-4" in capsys.readouterr().err
    assert run("score", "record", "data-5", "--note", "by hand") == 0
    assert run("score", "record", "data-5", "--note", "x", "--check", "tests/test_model.py::test_good") == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("data-9", "--note", "x"), "data-1 to data-7"),
        (("", "--note", "x"), "data-1 to data-7"),
        (("data-1", "--note", ""), "needs a note"),
        (("data-1", "--note", "x" * 20_000), "at most 10,000"),
        (("data-1",), "--note"),
        (("data-1", "--note", "\udcff"), "Unicode"),
        (("data-1", "--note", "x", "--model", "none"), "no release of a model"),
    ],
)
def test_what_can_not_be_recorded_is_said(
    written: Written, release: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
):
    assert run("score", "record", *words) == 2
    assert says in capsys.readouterr().err
    assert written.store.db.all("score_note_list", model=None) == []


def test_without_notes_it_says_how_one_is_made(written: Written, release: str, capsys: pytest.CaptureFixture[str]):
    assert run("score", "notes") == 0
    assert "nobody recorded anything: plusone score record" in capsys.readouterr().out


def test_before_the_first_release_there_is_nothing_to_score(written: Written, capsys: pytest.CaptureFixture[str]):
    assert run("score") == 2
    assert "plusone release" in capsys.readouterr().err
