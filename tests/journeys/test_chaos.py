"""What happens when something else breaks: predictions go on, every answer is right, and no label is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.app.app import App
from plusone.release import lifecycle
from tests.contracts.servers import Postgres, Seaweed
from tests.journeys.breaking_workers import BREAKING
from tests.journeys.projects import environment, make_project, run, run_json
from tests.journeys.steady import Answers, Labels, Steady, answers_of
from tests.journeys.test_team_store import project_file
from tests.journeys.up import Up
from tests.release.invariants import check_invariants
from tests.serving.serving_folder import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

THREADS = 4
CONNECTIONS = THREADS + 1


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with four releases that passed: 2 live, 1 previous, 3 and 4 never live; to be copied."""
    folder = tmp_path_factory.mktemp("released")
    root = make_project(folder / "p", serve={"load_timeout_s": 3.0})
    for words in ([], ["--set", "C=0.25"], ["--set", "C=0.5", "--no-promote"], ["--set", "C=0.1", "--no-promote"]):
        run_json(root, "release", *words)
    return root


@pytest.fixture(scope="module")
def answers(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return answers_of(released, tmp_path_factory.mktemp("packages"))


@pytest.fixture
def project(released: Path, tmp_path: Path) -> Path:
    shutil.copytree(released, tmp_path / "p")
    return tmp_path / "p"


def _troubles(up: Up) -> list[str]:
    return [event["message"] for event in up.events if event["event"] == "trouble"]


def _count(up: Up, event: str) -> int:
    return sum(one["event"] == event for one in up.events)


def _workers(up: Up) -> list[int]:
    return sorted(pid for pid in up.processes() if _is_worker(pid))


def _is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"plusone.serving.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _package(project: Path, number: int) -> str:
    with App(project) as app:
        return app.get_release(target=f"m@{number}").release.package


def _promoted(project: Path, number: int) -> str:
    """Promote a release and return what became of it."""
    done = run(project, "promote", f"m@{number}", "--json")
    return str(json.loads(done.stdout)["served"]["state"])


def test_a_store_that_is_locked_then_gone_then_garbage(project: Path, answers: Answers):
    file = project / ".plusone" / "plusone.db"
    with Up(project, workers=2) as up:
        up.wait_for("ready")
        with Steady(up.port, answers, threads=THREADS) as steady, Labels(up.port) as labels:
            labels.more()
            # Locked: nothing can be written, and a worker that dies meanwhile is started again all the same.
            with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                killed = _workers(up)[0]
                os.kill(killed, signal.SIGKILL)
                until(lambda: len(set(_workers(up)) - {killed}) == 2, "the next worker", seconds=30)
                assert steady.more() == {2}
                labels.more()
                other.execute("ROLLBACK")
            until(lambda: run_json(project, "status")["servers"] != [], "the store is written again", seconds=30)
            for content in (None, b"garbage" * 1000):
                before = len(_troubles(up))
                away = [(path, project / path.name) for path in file.parent.glob("plusone.db*")]
                for path, elsewhere in away:
                    path.rename(elsewhere)
                if content is not None:
                    file.write_bytes(content)
                until(lambda before=before: len(_troubles(up)) > before, f"the trouble: {up.events}", seconds=30)
                assert steady.more() == {2}
                labels.more()
                told = len(_troubles(up))
                recovered = _count(up, "recovered")
                for path, elsewhere in away:
                    elsewhere.rename(path)
                until(lambda count=recovered: _count(up, "recovered") > count, "it recovers", seconds=90)
                assert told - before <= 2, "each trouble is told once"
            assert _promoted(project, 3) == "served"
            assert steady.more() == {3}
            assert up.process.poll() is None
        steady.check(failures=CONNECTIONS)
    labels.check(project)
    with App(project) as app:
        check_invariants(app.store)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MB."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"not run: a small disk can't be made here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(place: Path) -> Path:
    """Fill the disk to its last byte; return the file."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as stream:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while stream.write(b"\0" * size) == size:
                    pass
    return filler


def test_a_full_disk(released: Path, small_disk: Path, answers: Answers):
    project = small_disk / "p"
    shutil.copytree(released, project)
    with Up(project, workers=2) as up:
        up.wait_for("ready")
        with Steady(up.port, answers, threads=THREADS) as steady, Labels(up.port) as labels:
            labels.more()
            filler = _fill(small_disk)
            until(lambda: bool(_troubles(up)), "the trouble", seconds=60)
            assert steady.more(200) == {2}
            labels.more(of=lambda labels: labels.refused)
            killed = _workers(up)[0]
            os.kill(killed, signal.SIGKILL)
            until(lambda: len(set(_workers(up)) - {killed}) == 2, "the next worker", seconds=30)
            assert steady.more(200) == {2}
            assert up.process.poll() is None
            filler.unlink()
            up.wait_for("recovered", seconds=90)
            labels.more()
            assert _promoted(project, 3) == "served"
            assert steady.more() == {3}
        steady.check(failures=CONNECTIONS)
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(60) == 0
    labels.check(project)


def test_a_folder_that_is_read_only(released: Path, small_disk: Path, answers: Answers):
    """As a disk is after an error: nothing can be written, all that is there can be read."""
    project = small_disk / "p"
    shutil.copytree(released, project)
    with Up(project, workers=2) as up:
        up.wait_for("ready")
        with Steady(up.port, answers, threads=THREADS) as steady:
            steady.more()
            # A file system with files open for writing can't be made read-only: another one is laid over the store.
            over = ["mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", str(project / ".plusone")]
            subprocess.run(over, check=True)
            try:
                until(lambda: bool(_troubles(up)), "the trouble", seconds=60)
                assert steady.more(200) == {2}
                assert up.process.poll() is None
            finally:
                subprocess.run(["umount", "-l", str(project / ".plusone")], check=True)
            up.wait_for("recovered", seconds=90)
            assert _promoted(project, 3) == "served"
            assert steady.more() == {3}
        steady.check()


def test_a_database_server_and_a_bucket_that_stop_and_start(
    servers: tuple[Postgres, Seaweed], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    postgres, seaweed = servers
    project = make_project(tmp_path / "p", files={"pyproject.toml": project_file(tmp_path)})
    for words in ([], ["--set", "C=0.25"], ["--set", "C=0.5", "--no-promote"]):
        run_json(project, "release", *words)
    answers = answers_of(project, tmp_path_factory.mktemp("packages"))
    with Up(project, workers=1) as up:
        up.wait_for("ready")
        with Steady(up.port, answers, threads=THREADS) as steady, Labels(up.port) as labels:
            labels.more()
            postgres.stop()
            until(lambda: bool(_troubles(up)), "the trouble", seconds=60)
            assert steady.more() == {2}
            labels.more()
            postgres.start()
            up.wait_for("recovered", seconds=90)
            # What goes live now is only in the bucket, and the bucket comes back while it is asked for.
            shutil.rmtree(project / ".plusone" / "blobs")
            seaweed.stop()
            with App(project) as app:
                lifecycle.promote(app.store, "m@3", by="mover")
            assert steady.more() == {2}
            seaweed.start()
            until(lambda: steady.answers[-1][2] == 3, "the release from the bucket", seconds=90)
            assert up.process.poll() is None
        steady.check()
    labels.check(project)


def test_releases_that_hang_or_crash_while_they_load_and_a_loop_that_stands_still(
    project: Path, answers: Answers, tmp_path: Path
):
    orders = tmp_path / "orders"
    orders.mkdir()
    path = os.pathsep.join([str(BREAKING), environment().get("PYTHONPATH", "")])
    with Up(project, workers=2, env={"TESTS_BREAKING": str(orders), "PYTHONPATH": path}) as up:
        up.wait_for("ready")
        (orders / _package(project, 3)).write_text("hang")
        (orders / _package(project, 4)).write_text("segfault")
        with Steady(up.port, answers, threads=THREADS) as steady, Labels(up.port) as labels:
            labels.more()
            assert _promoted(project, 3) == "taken back"
            assert "did not load within 3 s" in up.wait_for("taken back")["error"]
            assert steady.failures == []
            assert _promoted(project, 4) == "taken back"
            assert "SIGSEGV" in up.wait_for("taken back", count=2)["error"]
            until(lambda: len(_workers(up)) == 2, "both workers", seconds=30)
            assert steady.more() == {2}
            (hung, other) = _workers(up)
            os.kill(hung, signal.SIGUSR2)
            until(lambda: hung not in _workers(up) and len(_workers(up)) == 2, "the hung one's place", seconds=60)
            assert other in _workers(up)
            assert steady.more() == {2}
        steady.check(failures=2 * CONNECTIONS)
    labels.check(project)
    with App(project) as app:
        check_invariants(app.store)


def test_kills_of_everything_and_a_damaged_package(project: Path, answers: Answers):
    up = Up(project, workers=1)
    ports = (up.port, up.control_port)
    with up:
        up.wait_for("ready")
        with Steady(up.port, answers, threads=THREADS) as steady, Labels(up.port) as labels:
            labels.more()
            # The files of the live release are damaged, and then its only worker dies.
            model = up.serving / "packages" / _package(project, 2) / "model.onnx"
            whole = model.read_bytes()
            model.unlink()
            model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            os.kill(_workers(up)[0], signal.SIGKILL)
            assert up.wait_for("repaired")["model"] == "m"
            assert steady.more() == {2}
            assert model.read_bytes() == whole
            assert len(steady.failures) <= THREADS
            # A swap whose control process is killed as soon as it is decided.
            with App(project) as app:
                lifecycle.promote(app.store, "m@3", by="mover")
                up.process.kill()
                up.process.wait()
            assert steady.more() <= {2, 3}
            with Up(project, workers=1, ports=ports) as second:
                second.wait_for("ready")
                until(lambda: steady.more(20) == {3}, "the release that was decided", seconds=60)
                # Workers are killed while they swap.
                for number in (2, 3):
                    with App(project) as app:
                        lifecycle.promote(app.store, f"m@{number}", by="mover")
                    time.sleep(0.03)
                    os.kill(_workers(second)[-1], signal.SIGKILL)
                    until(lambda number=number: steady.more(20) == {number}, f"release {number}", seconds=60)
                steady.__exit__()
                labels.__exit__()
        steady.check(failures=3 * CONNECTIONS)
    labels.check(project)
