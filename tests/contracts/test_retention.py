"""Lineage, keeping and freeing on every backend: the same queries, the same answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plusone.base import clock
from plusone.base.errors import NotFound
from plusone.base.records import Run, RunInput
from plusone.lineage.collecting import collect, plan
from plusone.lineage.kept import forget, keep, list_kept
from plusone.lineage.trees import trace
from plusone.store import Store
from plusone.tracking.artifacts import list_artifacts, log_bytes, read_artifact
from plusone.tracking.changing import change_run
from plusone.tracking.inputs import add_inputs
from plusone.tracking.runs import add_run
from tests.lineage.history import History

AGO = "2020-01-01T00:00:00.000000Z"


def old_run(store: Store, run_id: str) -> str:
    add_run(store, Run(id=run_id.ljust(26, "0"), name="old", status="done", started_at=AGO, finished_at=AGO))
    return run_id.ljust(26, "0")


def test_a_pipeline_is_traced_both_ways(store: Store):
    history = History(store)
    run = history.run("release", code={"pipeline.py": "x"})
    package = history.release("m", run, number=1)
    history.step(run, "split", ["rows"], ["train_set"])
    history.step(run, "train", ["train_set"], [], package=package)
    script = history.run("script")
    rows = history.dataset("rows").digest
    add_inputs(store, [RunInput(run_id=script, name="rows", digest=rows, source_type="dataset")])
    log_bytes(store, script, "a/b", b"report")
    found = trace(store, "m@1")
    assert found.made_by[0].branches[0].branches[0].thing.title == "train_set"
    assert [branch.thing.kind for branch in trace(store, rows[:10]).made] == ["step", "run"]
    assert trace(store, f"{script}:a/b").made_by[0].thing.id == script
    assert trace(store, store.blobs.put_bytes(b"x")[:12]).made[0].thing.id == run
    with pytest.raises(NotFound):
        trace(store, "nothing")


def test_what_nothing_needs_is_freed_and_what_is_kept_stays(store: Store, open_again: Callable[[], Store]):
    kept, gone, young = old_run(store, "01a"), old_run(store, "01b"), History(store).run("young")
    for run in (kept, gone, young):
        log_bytes(store, run, "f", run.encode())
    log_bytes(store, gone, "shared", kept.encode())
    keep(store, kept[:8], by="ann", reason="why")
    change_run(store, gone, deleted=True)
    assert plan(store).count == 0, "all of it is young"
    planned = plan(store, grace_s=-3600.0)
    assert (planned.count, planned.deleted_runs) == (0, ()), "it was deleted just now"
    with store.db.write() as tx:
        tx.execute("run_change", id=gone, name="old", status="done", finished_at=AGO, deleted_at=AGO)
    planned = plan(store, grace_s=-3600.0)
    freed = collect(open_again(), grace_s=-3600.0)
    assert planned.kinds == freed.kinds
    assert (freed.kinds["file"].count, freed.kinds["file"].size_bytes, freed.deleted_runs) == (1, 26, (gone,))
    assert list_artifacts(store, gone) == []
    assert read_artifact(store, kept, "f") == kept.encode()
    assert read_artifact(store, young, "f") == young.encode()
    assert collect(store, grace_s=-3600.0).count == 0
    forget(store, kept)
    assert list_kept(store) == []
    assert collect(store, grace_s=-3600.0).kinds["file"].count == 1


def test_a_blob_that_was_asked_for_is_not_removed(store: Store):
    digest = store.blobs.put_bytes(b"x")
    before = clock.ago(60)
    assert store.blobs.remove_old([digest, "0" * 64], before=before) == []
    assert store.blobs.renew(digest)
    assert [one.digest for one in store.blobs.remove_old([digest], before=clock.ago(-60))] == [digest]
    assert not store.blobs.renew(digest)
