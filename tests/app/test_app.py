"""Operations of App that the doors do not tell apart: waiting for servers, who decides, and what is found again."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.app.app import App
from plusone.app.following import follow
from plusone.base import clock
from plusone.base.errors import BrokenArtifact, NoStore, NotFound
from plusone.base.ids import new_id
from plusone.base.records import ServerReport, WorkerReport
from plusone.base.rollouts import Look
from plusone.release import lifecycle
from plusone.release.rollout import record
from plusone.store.rows import to_row
from tests.release.written import Written, write_project


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    project = Written(tmp_path / "p")
    project.release(live=True)
    project.release()
    project.release()
    yield project
    project.close()


@pytest.fixture
def app(written: Written) -> Iterator[App]:
    with App(written.root) as app:
        yield app


def _report(written: Written, *versions: int, at: str | None = None, server: str = "") -> str:
    """Report a server whose workers serve these versions of the route of m."""
    report = ServerReport(
        id=server or new_id(),
        host="h",
        pid=1,
        address="http://127.0.0.1:1",
        control="http://127.0.0.1:2",
        workers=tuple(
            WorkerReport(pid=1, slot=slot, ready=True, generation="g", versions={"m": version})
            for slot, version in enumerate(versions)
        ),
        started_at=clock.now(),
        heartbeat_at=at or clock.now(),
    )
    with written.store.db.write() as tx:
        tx.execute("server_report", **to_row(report), evidence="{}")
    return report.id


def test_a_move_without_a_server_returns_at_once_and_says_so(app: App):
    moved = app.promote(target="m@2", wait_s=60)
    assert moved.served is not None
    assert (moved.served.state, moved.served.waited_s < 10) == ("not yet served", True)


def test_a_server_that_has_not_reported_for_a_while_is_not_waited_for(app: App, written: Written):
    _report(written, 1, at="2020-01-01T00:00:00.000000Z")
    moved = app.promote(target="m@2", wait_s=60)
    assert moved.served is not None
    assert moved.served.state == "not yet served"
    assert app.status().servers == ()


def test_a_move_waits_for_every_worker_of_every_server_and_no_longer(app: App, written: Written):
    first, second = _report(written, 1, 1), _report(written, 1)
    moved = app.promote(target="m@2", wait_s=0.05)
    assert moved.served is not None
    assert (moved.served.state, moved.served.workers) == ("waiting", 3)
    assert moved.route is not None
    _report(written, 2, 2, server=first)
    assert follow(app.store, moved.route, wait_s=0.05).message == "1 of 3 workers do not serve it yet"
    late = threading.Timer(0.2, lambda: _report(written, 2, server=second))
    late.start()
    assert follow(app.store, moved.route, wait_s=30).state == "served"
    late.join()


def test_what_could_not_be_loaded_is_told_to_whoever_waits(app: App, written: Written):
    _report(written, 1)
    late = threading.Timer(0.2, lambda: lifecycle.take_back(written.store, "m", 2, error="the file is damaged"))
    late.start()
    moved = app.promote(target="m@2", wait_s=30)
    late.join()
    assert moved.served is not None
    assert moved.served.state == "taken back"
    assert "the file is damaged" in moved.served.message


def test_somebody_elses_next_move_is_not_taken_for_a_failure_of_mine(app: App, written: Written):
    server = _report(written, 1)

    def other() -> None:
        lifecycle.promote(written.store, "m@3", by="somebody else")
        _report(written, 3, server=server)

    late = threading.Timer(0.2, other)
    late.start()
    moved = app.promote(target="m@2", wait_s=30)
    late.join()
    assert moved.served is not None
    assert moved.served.state == "served", "a later version than mine is served, and mine could be loaded"


def test_a_decision_names_who_took_it(app: App, monkeypatch: pytest.MonkeyPatch):
    assert app.promote(target="m@2", by="ann").decisions[0].by == "ann"
    monkeypatch.setenv("PLUSONE_BY", "the nightly job")
    assert app.roll_back().decisions[0].by == "the nightly job"
    monkeypatch.delenv("PLUSONE_BY")
    assert app.promote(target="m@3").decisions[0].by


def test_looking_at_a_project_without_a_store_makes_none(tmp_path: Path):
    root = write_project(tmp_path / "p")
    with pytest.raises(NoStore) as error:
        App(root, create=False)
    assert error.value.exit_code == 2, "nobody has made a release yet: no fault of plusone"
    assert "plusone release" in error.value.mend
    assert not (root / ".plusone").exists()


def test_a_release_whose_package_is_damaged_is_still_listed_and_says_so_when_asked(app: App):
    package = app.list_releases()[1].package
    blob = app.store.blobs.path(package)
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes() + b" ")
    assert len(app.status().models[0].releases) == 3
    with pytest.raises(BrokenArtifact, match=package):
        app.get_release(target="m@2")


def test_runs_are_paged_from_the_newest_on(app: App):
    runs = [run.id for run in app.list_runs()]
    assert runs == sorted(runs, reverse=True)
    assert [run.id for run in app.list_runs(count=1)] == runs[:1]
    assert [run.id for run in app.list_runs(before=runs[0])] == runs[1:]
    assert app.list_runs(before=runs[-1]) == []
    assert len(app.list_runs(count=-5)) == 1
    assert app.get_run(run_id=runs[0][:-1]).run.id == runs[0]


def test_a_rollout_and_its_looks_are_found_by_the_model_and_by_the_id(written: Written):
    store = written.store
    with App(written.root) as app:
        with pytest.raises(NotFound, match="no rollout of m yet"):
            app.get_rollout()
        begun = app.begin_rollout(target="m@2", plan=["5% 1m"], by="ann").rollout
        assert begun is not None
        record(store, begun, Look(seq=0, at="", step=1, action="go on", figures={"n": 1}), "{}")
        found = app.get_rollout(model="m")
        assert (found.id, found.looks) == (begun.id, 1)
        assert app.list_rollouts() == app.list_rollouts(model="m") == [found]
        assert app.list_looks(rollout=begun.id) == [found.look]
        assert app.list_looks(rollout=begun.id, before=10**40, count=10**40) == [found.look]
        assert app.list_looks(rollout=begun.id, before=2) == []
        assert app.status().models[0].live == 1


def test_what_one_operation_needs_is_loaded_by_that_operation_alone():
    """Every command imports App, and most of what a command takes is imports."""
    asked = "import sys, plusone.app.app; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    )
    assert "plusone.release.lifecycle" in loaded
    needless = {
        "importlib.metadata", "numpy", "plusone.pipeline", "plusone.predictions.late", "plusone.release.making",
        "plusone.report.page", "pyarrow", "pytest", "rich", "xml.etree",
    }  # fmt: skip
    assert not needless & loaded
