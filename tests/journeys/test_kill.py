"""`kill -9` at the write boundaries of `plusone release`, in every process of it: nothing half-made is ever seen, and
the next `plusone release` finishes.

By default some boundaries, spread over the whole release; PLUSONE_KILL_EVERY=n walks every n-th, 1 all of them.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plusone.app.app import App
from plusone.store import open_store
from tests.journeys.projects import environment, make_project, ran, released_once, run_json
from tests.release.invariants import check_invariants, history

pytestmark = [pytest.mark.slow, pytest.mark.timeout(6 * 3600)]

KILLING = Path(__file__).parent / "killing"
RECORD_BYTES = 96
EVERY = int(os.environ.get("PLUSONE_KILL_EVERY", "0"))  # read at import: a fixture clears these variables
SPREAD = 6


class Killed:
    """A project, a release of which is killed at one boundary."""

    def __init__(self, folder: Path, live: Path | None) -> None:
        self.root = folder / "p"
        if live is None:
            make_project(self.root)
        else:
            subprocess.run(["cp", "-a", str(live), str(self.root)], check=True)
        self.counter = folder / "counter"

    def release(self, at: int) -> int:
        """Release, killed at boundary `at` (0: at none); return the exit code."""
        path = os.pathsep.join([str(KILLING), os.environ.get("PYTHONPATH", "")])
        variables = environment(
            PYTHONPATH=path,
            PLUSONE_KILL_COUNTER=str(self.counter),
            PLUSONE_KILL_AT=str(at),
            PLUSONE_KILL_ROOT=str(self.root),
        )
        with (self.root.parent / "output").open("wb") as output:
            command = [str(Path(sys.executable).with_name("plusone")), "release", "--set", "C=0.5"]
            process = subprocess.Popen(command, cwd=self.root, env=variables, stdout=output, stderr=output)
            return process.wait(600)

    def boundaries(self) -> list[str]:
        """Return what each boundary was: process id, role, and the call."""
        data = self.counter.read_bytes() if self.counter.exists() else b""
        return [
            data[at : at + RECORD_BYTES].decode("utf-8", "replace").strip() for at in range(0, len(data), RECORD_BYTES)
        ]

    def wait_for_children(self) -> None:
        """Fail when a process of the release is left after a while: nobody waits for what it would do."""
        mark = f"PLUSONE_KILL_COUNTER={self.counter}".encode()
        deadline = time.monotonic() + 90
        while left := _processes_with(mark):
            assert time.monotonic() < deadline, f"left behind: {left}"
            time.sleep(0.02)


def _processes_with(mark: bytes) -> list[int]:
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes() and (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found


def _consistent(root: Path) -> dict[str, list[str]]:
    """Check that all that can be seen is whole; return the steps that each run has finished."""
    store = root / ".plusone"
    if not (store / "plusone.db").exists():
        return {}
    with App(root) as app:
        app.status()
        finished = {one.id: [s.step for s in app.get_run(run_id=one.id).steps] for one in app.list_runs(count=100)}
        for release in app.list_releases():
            detail = app.get_release(target=f"{release.model}@{release.number}")
            assert len(detail.sessions) == 1
            assert detail.sessions[0].checks
            assert detail.decisions, "a release without the decision on its checks"
            assert release.stage != "candidate"
            assert release.metrics == {"rows": 100.0}
            assert app.get_run(run_id=release.run_id).run.log, "the log is kept"
            assert app.store.blobs.get(release.digest)
        check_invariants(app.store)
    connection = sqlite3.connect(store / "plusone.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    for blob in (store / "blobs").glob("[0-9a-f][0-9a-f]/*"):
        assert open_store(store).blobs.verify(blob.parent.name + blob.name)
    return finished


def _chosen(names: list[str]) -> list[int]:
    last = len(names)
    if EVERY:
        return list(range(1, last + 1, EVERY))
    # The release's own transaction is where most can be torn: its beginning and its end are among them.
    begin = max(n for n, name in enumerate(names, 1) if " release " in name and "before BEGIN" in name)
    commit = max(n for n, name in enumerate(names, 1) if " release " in name and "after COMMIT" in name)
    spread = {1 + round((last - 1) * (2 * part + 1) / (2 * SPREAD)) for part in range(SPREAD - 3)}
    return sorted(spread | {begin + 1, commit - 1, commit})


@pytest.mark.parametrize("first", [True, False], ids=["first release", "next release"])
def test_a_release_killed_at_any_write_boundary_is_finished_by_the_next(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, first: bool
):
    before = None if first else released_once(tmp_path_factory)
    (tmp_path / "whole").mkdir()
    counting = Killed(tmp_path / "whole", before)
    assert counting.release(0) == 0
    names = counting.boundaries()
    assert len(names) > 50
    chosen = _chosen(names)[:: 1 if first or EVERY else 2]
    faults: list[str] = []
    for at in chosen:
        try:
            _killed_and_finished(tmp_path / str(at), before, at)
        except AssertionError as error:
            faults.append(f"boundary {at} of {len(names)} ({names[min(at, len(names)) - 1]}): {error}")
            print(faults[-1], flush=True)
    print(f"{len(chosen)} of {len(names)} boundaries, {len(faults)} faults", flush=True)
    assert not faults, "\n\n".join(faults)


def _killed_and_finished(folder: Path, live: Path | None, at: int) -> None:
    folder.mkdir()
    killed = Killed(folder, live)
    before = ran(killed.root)
    code = killed.release(at)
    reached = killed.boundaries()
    if len(reached) < at:
        assert code == 0, "a release that has fewer boundaries this time was not killed"
        return
    in_parent = " release " in f" {reached[at - 1]} "
    assert code == -signal.SIGKILL if in_parent else code in (0, 1, 3), (code, reached[at - 1])
    finished = _consistent(killed.root)
    seen = history(open_store(killed.root / ".plusone")) if finished else {}
    # At once: what is left of the killed release may still be working.
    done = run_json(killed.root, "release", "--set", "C=0.5")
    assert done["outcome"] in ("live", "unchanged"), done["problems"]
    assert done["stage"] == "live"
    _consistent(killed.root)
    killed.wait_for_children()
    now = history(open_store(killed.root / ".plusone"))
    for kind, rows in seen.items():
        assert now[kind][: len(rows)] == rows, f"{kind} that were seen are there and unchanged"
    newest = max(finished, default="")
    steps = ran(killed.root)[len(before) :]
    for step in finished.get(newest, []):
        assert steps.count(step) <= 1, f"{step} was finished, and ran again"
    left = [str(place) for place in (killed.root / ".plusone" / "runs").glob("*/*") if place.name != "lock"]
    assert not left, f"left in the folder of living runs: {left}"
    assert not list((killed.root / ".plusone").glob(".tmp-*")), "left in the store's folder"
    subprocess.run(["rm", "-rf", str(folder)], check=True)
