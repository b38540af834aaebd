"""What gc frees, what it never touches, and that it may be killed or overtaken at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import plusone
from plusone.app.app import App
from plusone.base.errors import BrokenArtifact, Conflict, NotFound, UsageError
from plusone.base.plans import parse_plan
from plusone.base.records import Code, Release, Run
from plusone.data.datasets import save
from plusone.lineage import collecting
from plusone.lineage.checking import check_store
from plusone.lineage.collecting import collect, needed_now, only_one, plan
from plusone.lineage.kept import forget, keep, list_kept
from plusone.packaging import keeping
from plusone.release import lifecycle, rollout
from plusone.store import Store, open_store
from plusone.store.rows import to_row
from plusone.tracking.artifacts import list_artifacts, log_bytes, read_artifact, remove_artifact
from plusone.tracking.changing import change_run
from plusone.tracking.runs import OpenRun, get_run, start_run
from tests.release.written import PASSED, Written

AT_ONCE: dict[str, Any] = {"older_than_s": 0.0, "grace_s": -3600.0}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Written]:
    written = Written(tmp_path / "p")
    yield written
    written.close()


def blobs_of(store: Store) -> int:
    return len(list(store.blobs.folder.glob("??/*")))


def whole(store: Store, release: Release) -> bool:
    """Whether the release could be loaded: every file of its package is there and is what it was."""
    package = keeping.describe(release.package, store.blobs)
    try:
        for file in package.files:
            store.blobs.verify(file.digest)
    except BrokenArtifact:
        return False
    return True


def ended(store: Store, name: str, text: bytes) -> str:
    """Add a run that has ended and kept one file; return its id."""
    code = Code(files={"a.py": store.blobs.put_bytes(b"code of " + text)}, diff=store.blobs.put_bytes(b"diff " + text))
    run = start_run(store, name=name, code=code, environment=store.blobs.put_bytes(b"lock " + text))
    log_bytes(store, run.record.id, "f", text)
    run.output.write_bytes(b"log " + text)
    run.finish("done")
    return run.record.id


def test_only_decided_releases_that_nothing_routes_to_lose_their_files(project: Written):
    retired, previous, live = (project.release(live=True) for _ in range(3))
    failed = project.release(checks=[*PASSED, ("model", "failed")])
    passed, kept = project.release(), project.release()
    lifecycle.reject(project.store, f"m@{kept.number}", by="a", reason="b")
    keep(project.store, f"m@{kept.number}", by="a", reason="b")
    planned = plan(project.store, **AT_ONCE)
    freed = collect(project.store, **AT_ONCE)
    assert (planned.kinds, planned.releases) == (freed.kinds, freed.releases)
    # A release of which only checks were written is a candidate; this helper decides nothing about the failed one.
    assert set(freed.releases) == {f"m@{retired.number}"}
    assert not whole(project.store, retired)
    for release in (previous, live, failed, passed, kept):
        assert whole(project.store, release), release
    assert collect(project.store, **AT_ONCE).count == 0


@pytest.mark.parametrize("step", ["shadow 1m", "5% 1m"])
def test_what_is_being_rolled_out_keeps_its_files_and_what_was_rolled_back_loses_them(project: Written, step: str):
    project.release(live=True)
    candidate = project.release()
    rollout.begin(project.store, "m@2", parse_plan([step], "the plan"), by="a")
    assert collect(project.store, **AT_ONCE).releases == ()
    assert whole(project.store, candidate)
    lifecycle.roll_back(project.store, "m", by="a")
    assert collect(project.store, **AT_ONCE).releases == ("m@2",)


def test_a_freed_release_is_still_shown_and_says_so_and_takes_no_traffic(project: Written):
    for _ in range(3):
        project.release(live=True)
    collect(project.store, **AT_ONCE)
    with App(project.root) as app:
        found = app.get_release(target="m@1")
        assert found.freed_at
        assert found.package.model == "m"
        assert app.get_release(target="m@2").freed_at is None
        assert app.compare_releases(a="m@1", b="3").model == "m"
        for call in (lambda: app.promote(target="m@1"), lambda: app.roll_back(target="m@1")):
            with pytest.raises(Conflict, match=r"m@1 may not go live: plusone gc freed its files on 20"):
                call()
        assert project.stages() == {1: "retired", 2: "previous", 3: "live"}
        app.roll_back(target="m")
    with pytest.raises(Conflict):
        lifecycle.promote(project.store, "m@1", by="a", reason="b", override=True)


def test_what_could_not_be_loaded_is_not_taken_back_to_a_freed_one(project: Written):
    one, _, three = (project.release(live=True) for _ in range(3))
    collect(project.store, **AT_ONCE)
    route = lifecycle.current_route(project.store.db, "m")
    assert route
    lifecycle.take_back(project.store, "m", route.version, error="broken")
    route = lifecycle.current_route(project.store.db, "m")
    assert route
    assert route.shares[0].release == 2
    lifecycle.take_back(project.store, "m", route.version, error="broken")
    route = lifecycle.current_route(project.store.db, "m")
    assert route
    assert route.shares == ()
    assert (one.number, three.number) == (1, 3)


def test_runs_hold_what_they_reach_while_they_run_are_young_or_kept(project: Written):
    store = project.store
    under_way = start_run(store, name="under way")
    log_bytes(store, under_way.record.id, "f", b"under way")
    kept, old = ended(store, "kept", b"kept"), ended(store, "old", b"old")
    keep(store, kept, by="a", reason="b")
    assert plan(store, grace_s=-3600.0).count == 0, "a young run holds all of its own"
    freed = collect(store, **AT_ONCE)
    assert {kind: part.count for kind, part in freed.kinds.items()} == {
        "code": 1, "environment": 1, "file": 1, "log": 1, "unknown": 1,
    }  # fmt: skip
    assert read_artifact(store, kept, "f") == b"kept"
    assert read_artifact(store, under_way.record.id, "f") == b"under way"
    assert [one.path for one in list_artifacts(store, old)] == ["f"], "the record of it stays"
    with pytest.raises(BrokenArtifact, match="missing"):
        read_artifact(store, old, "f")
    for digest in (get_run(store, kept).code.diff, get_run(store, kept).environment, get_run(store, kept).log):
        assert digest
        assert store.blobs.has(digest)
    under_way.finish("done")


def test_a_store_is_in_order_without_what_was_freed_and_not_without_what_was_not(project: Written):
    store = project.store
    for _ in range(3):
        project.release(live=True)
    ended(store, "old", b"old")

    def faults() -> int:
        return len(check_store(store, deep=False, on_progress=lambda *_: None, needed=needed_now(store)).faults)

    assert needed_now(store) is None
    assert collect(store, **AT_ONCE).count
    assert faults() == 0
    ended(store, "new", b"new")
    store.blobs.remove(list_artifacts(store, ended(store, "lost", b"lost"))[0].blob)
    assert faults() == 1


def test_what_is_young_waits_for_its_record(project: Written):
    store = project.store
    digest = store.blobs.put_bytes(b"on its way")
    assert plan(store, older_than_s=0.0).waiting == 1
    assert collect(store, older_than_s=0.0).count == 0
    os.utime(store.blobs.path(digest), (1000.0, 1000.0))
    assert collect(store, older_than_s=0.0).kinds["unknown"].count == 1
    assert not store.blobs.has(digest)


def test_a_deleted_run_loses_points_and_files_and_stays_as_a_record(project: Written):
    store = project.store
    with plusone.run("r", folder=project.root) as run:
        run.log(loss=1.0)
        run.log_table([{"x": 1}])
    shared = log_bytes(store, run.id, "shared", b"shared")
    other = ended(store, "other", b"x")
    log_bytes(store, other, "same", b"shared")
    change_run(store, run.id, deleted=True)
    assert plan(store).deleted_runs == (), "it can be brought back for as long as runs are young"
    keep(store, other, by="a", reason="b")
    assert plan(store, **AT_ONCE).deleted_runs == (run.id,)
    assert get_run(store, run.id).id
    freed = collect(store, **AT_ONCE)
    assert freed.deleted_runs == (run.id,)
    assert freed.kinds["file"].count == 1
    assert list_artifacts(store, run.id) == []
    assert store.db.all("series_chunk_list", run_id=run.id, key=None) == []
    assert get_run(store, run.id).metrics == {}
    assert get_run(store, run.id).name == "r"
    assert store.blobs.get(shared.blob) == b"shared"
    assert collect(store, **AT_ONCE).deleted_runs == ()


def test_a_kept_dataset_stays_and_goes_when_it_is_forgotten(project: Written):
    store = project.store
    dataset = save([1, 2, 3], store.blobs)
    with store.db.write() as tx:
        tx.execute("dataset_add", **to_row(dataset))
        old = Run(id="0" * 26, name="old", status="done", started_at="2020-01-01T00:00:00.000000Z")
        tx.execute("run_add", **to_row(old))
        tx.execute(
            "step_dataset_add", run_id=old.id, step="s", role="output", name="d", digest=dataset.digest, reused=0
        )
    made = keep(store, dataset.digest[:12], by="ann", reason="reference")
    assert (made.thing, [one.by for one in list_kept(store)]) == (dataset.digest, ["ann"])
    collect(store, **AT_ONCE)
    assert store.blobs.has(dataset.blob)
    forget(store, dataset.digest[:12])
    assert collect(store, **AT_ONCE).kinds["dataset"].count == 1
    assert not store.blobs.has(dataset.blob)
    with pytest.raises(NotFound, match="is not kept"):
        forget(store, dataset.digest)


def test_what_can_not_be_kept_is_refused(project: Written):
    project.release()
    for text, reason, error in (("m@1", " ", UsageError), ("nothing", "x", NotFound), ("m@9", "x", NotFound)):
        with pytest.raises(error):
            keep(project.store, text, by="a", reason=reason)
    with only_one(project.store):
        with pytest.raises(Conflict, match="goes on"):
            keep(project.store, "m@1", by="a", reason="x")
        with pytest.raises(Conflict, match="goes on"):
            collect(project.store)
    assert list_kept(project.store) == []


def test_what_killed_processes_left_goes_when_it_is_old(project: Written):
    store = project.store
    serving = store.folder / "serving"
    places = [store.blobs.folder / ".tmp-a", store.folder / ".tmp-package-b", serving / "packages" / ".tmp-c"]
    copy = store.blobs.folder / "files" / ("0" * 64) / "data.csv"
    for place in places[1:]:
        (place / "deep").mkdir(parents=True)
        (place / "deep" / "f").write_text("12345")
    copy.parent.mkdir(parents=True)
    copy.write_text("123")
    places[0].write_text("12")
    assert collect(store, older_than_s=0.0).count == 0, "they may belong to a living process"
    freed = collect(store, **AT_ONCE)
    assert (freed.kinds["temporary"].count, freed.kinds["temporary"].size_bytes) == (4, 15)
    assert not any(place.exists() for place in (*places, copy))


_KILLED = """
import os, signal, sys
from pathlib import Path
from typing import Any
from plusone.lineage import collecting
from plusone.store import open_store
collecting._BATCH = 1
left = [int(sys.argv[2])]
def progress(done, total):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
collecting.collect(open_store(Path(sys.argv[1])), older_than_s=0.0, grace_s=-3600.0, on_progress=progress)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 3, 7])
def test_killed_in_the_middle_the_store_is_in_order_and_the_next_one_ends_it(project: Written, after: int):
    releases = [project.release(live=True) for _ in range(4)]
    for number in range(4):
        ended(project.store, "old", b"%d" % number)
    planned = plan(project.store, **AT_ONCE)
    command = [sys.executable, "-c", _KILLED, str(project.store.folder), str(after)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    with App(project.root) as app:
        for release in releases:
            detail = app.get_release(target=f"m@{release.number}")
            assert whole(app.store, release) or detail.freed_at, "what was promised is there"
        with pytest.raises(Conflict, match="freed its files"):
            app.promote(target="m@1")
    assert all(whole(project.store, release) for release in releases[2:])
    freed = collect(project.store, **AT_ONCE)
    assert freed.count == planned.count - after
    assert collect(project.store, **AT_ONCE).count == 0
    assert all(whole(project.store, release) for release in releases[2:])


_SWEEPER = """
import sys
from pathlib import Path
from typing import Any
from plusone.lineage import collecting
from plusone.store import open_store
store = open_store(Path(sys.argv[1]))
collecting._BATCH = 3
print("up", flush=True)
freed = 0
while not Path(sys.argv[2]).exists():
    freed += collecting.collect(store, older_than_s=0.0, grace_s=60.0).count
    if freed:
        Path(sys.argv[3]).touch()
print(freed, flush=True)
"""


@pytest.mark.slow
def test_whoever_stores_bytes_that_gc_is_about_to_free_keeps_them(project: Written, tmp_path: Path):
    """A writer that logs the same files again and again, while gc frees them as soon as nothing refers to them."""
    store, stop, met = project.store, tmp_path / "stop", tmp_path / "met"
    run: OpenRun = start_run(store, name="r")
    sweeper = subprocess.Popen(
        [sys.executable, "-c", _SWEEPER, *map(str, (store.folder, stop, met))], stdout=subprocess.PIPE, text=True
    )
    assert sweeper.stdout
    assert sweeper.stdout.readline() == "up\n"
    began, turns = time.monotonic(), 0
    while time.monotonic() < began + 2.0 or (not (met.exists() and turns > 50) and time.monotonic() < began + 60.0):
        turns += 1
        data = b"data %d" % (turns % 7)
        made = log_bytes(store, run.record.id, "f", data)
        assert store.blobs.get(made.blob) == data
        remove_artifact(store, run.record.id, "f")
        if turns % 2:  # as if it had been lying there for long
            os.utime(store.blobs.path(made.blob), (1000.0, 1000.0))
    stop.touch()
    freed = int(sweeper.stdout.readline())
    sweeper.stdout.close()
    assert sweeper.wait(60) == 0
    assert turns > 50
    assert freed > 0, "the two never met"
    run.finish("done")


def test_a_record_written_while_gc_goes_on_is_seen(project: Written, monkeypatch: pytest.MonkeyPatch):
    store = project.store
    runs = [ended(store, "old", b"%d" % number) for number in range(3)]
    monkeypatch.setattr(collecting, "_BATCH", 1)
    other = open_store(store.folder)
    refer: list[str] = []

    def progress(done: int, total: int) -> None:
        # After the first batch another process makes every file of the last run one of a run under way.
        if not refer:
            refer.append(start.record.id)
            with other.db.write() as tx:
                for one in list_artifacts(other, runs[2]):
                    tx.execute("artifact_put", **to_row(msgspec.structs.replace(one, owner=start.record.id)))

    start = start_run(other, name="under way")
    held = [one.blob for one in list_artifacts(store, runs[2])]
    order = sorted(blob.digest for blob in store.blobs.list())
    collect(store, **AT_ONCE, on_progress=progress)
    if order[0] not in held:
        assert read_artifact(store, start.record.id, "f") == b"2"
    start.finish("done")
    other.close()
