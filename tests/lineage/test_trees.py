"""Both ways from every kind of thing, whatever the history looks like."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import UsageError
from plusone.base.ids import new_id
from plusone.base.records import RunInput
from plusone.lineage.nodes import Branch
from plusone.lineage.trees import trace
from plusone.store import Store, migrate, open_store
from plusone.tracking.artifacts import log_bytes
from plusone.tracking.inputs import add_inputs
from tests.lineage.history import History


def names(branches: Sequence[Branch]) -> list[str]:
    """The kinds and relations of a tree, in one line for each branch."""
    found: list[str] = []
    for branch in branches:
        found.append(f"{branch.relation} {branch.thing.kind} {branch.thing.title}".strip())
        found += [f"  {line}" for line in names(branch.branches)]
    return found


def walk(branches: Sequence[Branch]) -> Iterator[Branch]:
    for branch in branches:
        yield branch
        yield from walk(branch.branches)


@pytest.fixture
def story(history: History) -> tuple[History, str, str]:
    """A pipeline that was released, and a script that read its holdout and kept a report."""
    run = history.run("release", code={"pipeline.py": "x"}, model="m")
    package = history.release("m", run, number=1, tests={"tests/test_m.py": history.store.blobs.put_bytes(b"test")})
    history.step(run, "rows", [], ["rows"])
    history.step(run, "split", ["rows"], ["train_set", "holdout"])
    history.step(run, "train", ["train_set"], [], package=package)
    script = history.run("report", source="script")
    holdout = history.dataset("holdout")
    add_inputs(history.store, [RunInput(run_id=script, name="holdout", digest=holdout.digest, source_type="dataset")])
    log_bytes(history.store, script, "report.html", b"report")
    return history, run, script


def test_a_release_goes_back_to_its_sources(story: tuple[History, str, str]):
    found = trace(story[0].store, "m@1")
    assert names(found.made_by) == [
        "packaged as package",
        "  made by step train",
        "    from dataset train_set",
        "      made by step split",
        "        from dataset rows",
        "          made by step rows",
        "made in run release",
    ]
    assert found.made == ()


def test_a_dataset_goes_forth_to_releases_and_reports(story: tuple[History, str, str]):
    found = trace(story[0].store, "rows")
    assert names(found.made) == [
        "read by step split",
        "  made dataset holdout",
        "    read by run report",
        "      keeps file report.html",
        "  made dataset train_set",
        "    read by step train",
        "      made package",
        "        released as release",
    ]
    assert names(found.made_by) == ["made by step rows"]


def test_a_report_a_test_and_a_code_file_too(story: tuple[History, str, str]):
    history, run, script = story
    store = history.store
    assert names(trace(store, f"{script}:report.html").made_by)[:3] == [
        "kept by run report",
        "  read dataset holdout",
        "    made by step split",
    ]
    assert names(trace(store, store.blobs.put_bytes(b"x")).made)[0] == "code of run release"
    assert names(trace(store, run).made)[-1] == "released as release"
    from plusone.lineage.edges import made
    from plusone.lineage.finding import content

    links = made(store, content(store, store.blobs.put_bytes(b"test")), 5).links
    assert [(link.relation, link.thing.id) for link in links] == [("test of", "m@1")]


def test_a_dataset_is_made_by_the_run_that_made_it_and_taken_over_by_the_next(history: History):
    first = history.run("first")
    history.step(first, "rows", [], ["rows"])
    second = history.run("second", resumed_from=first)
    history.step(second, "rows", [], ["rows"], cached=True)
    assert names(trace(history.store, "rows").made_by) == ["made by step rows"]
    assert names(trace(history.store, "rows").made) == ["taken over by run second"]
    assert names(trace(history.store, second).made_by) == [
        "took over dataset rows",
        "  made by step rows",
        "went on after run first",
    ]
    assert names(trace(history.store, first).made) == [
        "made dataset rows",
        "  taken over by run second",
        "gone on with by run second",
    ]


def test_the_bytes_of_a_dataset_are_a_file_and_the_other_way_round(history: History):
    run = history.run("pipeline")
    history.step(run, "rows", [], ["rows"])
    rows = history.dataset("rows")
    script = history.run("script")
    log_bytes(history.store, script, "copy", history.store.blobs.get(rows.blob))
    assert names(trace(history.store, "rows").made_by) == ["made by step rows", "kept by run script"]
    assert names(trace(history.store, f"{script}:copy").made_by) == ["kept by run script", "made by step rows"]


def test_what_is_wide_is_cut_with_a_count(history: History):
    history.step(history.run(), "rows", [], ["rows"])
    for number in range(12):
        history.step(history.run(), f"use{number}", ["rows"], [f"made{number}"])
    found = trace(history.store, "rows", count=5)
    assert (len(found.made), found.more_made) == (5, 7)
    assert trace(history.store, "rows", count=12).more_made == 0


def test_what_is_deep_is_cut_and_says_so(history: History):
    for number in range(8):
        history.step(history.run(), f"s{number}", [f"d{number}"], [f"d{number + 1}"])
    first = history.dataset("d0").digest
    found = trace(history.store, first, depth=3)
    lines = list(walk(found.made))
    assert [branch.thing.title for branch in lines] == ["s0", "d1", "s1"]
    assert [branch.more for branch in lines] == [0, 0, -1]
    assert len(list(walk(trace(history.store, first, depth=50).made))) == 16
    for depth, count in ((0, 1), (51, 1), (1, 0), (1, 1001)):
        with pytest.raises(UsageError, match="expected a depth"):
            trace(history.store, first, depth=depth, count=count)


@pytest.fixture(scope="module")
def store_of_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store for many histories: to make one for each takes longer than all that is done with it."""
    store = open_store(tmp_path_factory.mktemp("any") / "store")
    yield store
    store.close()


@pytest.mark.slow
@given(seed=st.integers(0, 10**6))
def test_any_history_even_one_in_circles_is_told_once(store_of_many: Store, seed: int):
    rng = random.Random(seed)
    store = store_of_many
    history = History(store)
    mine = new_id()  # no data in common with the other histories
    data = [f"{mine}-{number}" for number in range(4)]
    for number in range(6):
        run = history.run()
        history.step(
            run,
            f"s{number}",
            rng.sample(data, rng.randint(0, 3)),
            rng.sample(data, rng.randint(1, 3)),
            cached=rng.random() < 0.3,
        )
    for name in history.datasets:
        if store.db.one("lineage_named", name=name) is None:
            continue
        found = trace(store, name, depth=50)
        for branches in (found.made_by, found.made):
            told = [branch for branch in walk(branches) if not branch.seen]
            ids = [(branch.thing.kind, branch.thing.id) for branch in told]
            assert len(ids) == len(set(ids))
            assert (found.thing.kind, found.thing.id) not in ids


def test_a_store_of_before_has_its_lineage_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # As 0001 left it: two runs with equal code, their steps as JSON only.
    whole = migrate.migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: [file for file in whole if file.stem.startswith("0001")])
    open_store(tmp_path).close()
    monkeypatch.undo()
    connection = sqlite3.connect(tmp_path / "plusone.db")
    code = {"commit": None, "dirty": False, "diff": None, "files": {"pipeline.py": "c" * 64}}
    inputs, outputs = json.dumps({"rows": "a" * 64}), json.dumps({"train_set": "b" * 64})
    for run, status in (("01a", "done"), ("01b", "cached")):
        connection.execute(
            "INSERT INTO run (id, name, status, started_at, settings, code) "
            "VALUES (?, 'release', 'done', 't', '{}', ?)",
            (run, json.dumps(code)),
        )
        connection.execute(
            "INSERT INTO step_run VALUES (?, 'split', 'f', ?, ?, ?, '{}', 't', 0.0)", (run, status, inputs, outputs)
        )
    connection.commit()
    connection.close()
    store = open_store(tmp_path)
    found = trace(store, "b" * 64)
    assert names(found.made_by) == ["made by step split", "  from file rows"]
    assert names(found.made) == ["taken over by run release"]
    assert len(trace(store, "c" * 64).made) == 2
    store.close()
