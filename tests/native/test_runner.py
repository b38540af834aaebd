"""A model in a process of its own that dies, hangs, raises, prints and lies."""

from __future__ import annotations

import gc
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from plusone.base.errors import BrokenArtifact, PlusoneError, TooSlow, Unavailable
from plusone.graphs.layout import Columns
from plusone.native import runner as running
from plusone.native.runner import NativeRunner
from plusone.packaging.artifact import read
from tests.native.conftest import Events, is_there, until

DIE, EXIT, HANG, HANG_IN_C, RAISE, PRINT, EAT, CLOSE, FORK, START = (float(number) for number in range(901, 911))


def columns(*values: float) -> Columns:
    """Return rows of these x, with z = 1."""
    x = np.array(values, dtype=np.float64)
    return Columns(len(x), {"numbers": np.column_stack([x, np.ones(len(x))])})


def answers(runner: NativeRunner, *values: float) -> list[float]:
    return runner.run(columns(*values)).numbers.tolist()


def test_it_answers_one_row_and_many(runner: NativeRunner):
    assert answers(runner, 2.0) == [4.0]
    x = np.linspace(0.0, 1.0, 300_000)  # more than a socket holds
    assert (runner.run(columns(*x)).numbers == x + 1.0 + 1.0).all()


@pytest.mark.slow
def test_threads_share_it(runner: NativeRunner):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: answers(runner, float(number)), range(200)))
    assert found == [[number + 2.0] for number in range(200)]


@pytest.mark.slow
@pytest.mark.parametrize("death", [DIE, EXIT, CLOSE])
def test_a_death_costs_the_request_that_it_had_and_the_next_is_answered(runner: NativeRunner, death: float):
    before = runner.pid
    assert before is not None
    with pytest.raises(Unavailable, match="died") as refused:
        answers(runner, 1.0, death)
    assert refused.value.status == 503
    assert answers(runner, 1.0) == [3.0]
    assert runner.pid not in (None, before)
    assert not is_there(before)


@pytest.mark.slow
def test_a_death_between_two_requests_costs_none(runner: NativeRunner):
    assert answers(runner, 1.0) == [3.0]
    assert runner.pid is not None
    os.kill(runner.pid, signal.SIGKILL)
    until(lambda: not is_there(runner.pid or 0), "its end")
    assert answers(runner, 1.0) == [3.0]


@pytest.mark.slow
def test_one_that_dies_again_and_again_is_started_ever_less_often(runner: NativeRunner, events: Events):
    for _ in range(2):  # the first costs nothing: the next is started at once
        with pytest.raises(Unavailable, match="died"):
            answers(runner, DIE)
    started = len(events.of("model_process_started"))
    with pytest.raises(Unavailable, match="the next attempt is in"):
        answers(runner, 1.0)
    assert len(events.of("model_process_started")) == started == 2
    until(lambda: _answers_again(runner), "an answer after the pause")


def _answers_again(runner: NativeRunner) -> bool:
    try:
        return answers(runner, 1.0) == [3.0]
    except Unavailable:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("kind", [HANG, HANG_IN_C])
def test_a_hang_is_ended_by_the_time_limit(runner: NativeRunner, kind: float):
    pid = runner.pid
    assert pid is not None
    runner.limit(0.3)
    began = time.monotonic()
    with pytest.raises(TooSlow):
        answers(runner, kind)
    assert time.monotonic() - began < 5.0
    assert not is_there(pid)
    runner.limit(30.0)
    assert answers(runner, 1.0) == [3.0]


def test_whoever_waits_behind_a_hang_is_told_in_time(runner: NativeRunner):
    runner.limit(1.0)
    caught: list[PlusoneError] = []

    def ask() -> None:
        try:
            answers(runner, HANG)
        except PlusoneError as error:
            caught.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert [type(error) for error in caught] == [TooSlow] * 3


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [(RAISE, "ValueError"), (EAT, "MemoryError")])
def test_what_a_model_raises_is_logged_and_its_process_goes_on(
    runner: NativeRunner, events: Events, kind: float, name: str
):
    pid = runner.pid
    with pytest.raises(PlusoneError, match=f"raised a {name}") as caught:
        answers(runner, kind)
    assert "wild.py" not in str(caught.value.as_dict())
    (logged,) = events.of("model_raised")
    assert logged["error"].startswith(f"{name}: ")
    assert "wild.py" in logged["cause"]
    assert answers(runner, 1.0) == [3.0]
    assert runner.pid == pid


def test_what_it_prints_goes_to_the_log_and_not_too_much_of_it(runner: NativeRunner, events: Events):
    assert answers(runner, PRINT) == [PRINT + 2.0]
    assert answers(runner, 1.0) == [3.0]
    until(lambda: bool(events.of("model_printed")), "a line")
    lines = [fields["line"] for fields in events.of("model_printed")]
    assert lines[0].startswith("to stdout xxx")
    assert len(lines) < 100
    assert max(map(len, lines)) <= 500


def test_what_it_starts_ends_with_it(runner: NativeRunner):
    assert answers(runner, FORK) == [FORK + 2.0]
    assert answers(runner, START) == [START + 2.0]
    group = runner.pid
    assert group is not None
    members = _members(group)
    assert len(members) == 3
    runner.close()
    until(lambda: not any(map(is_there, members)), "the end of all of them")


def _members(group: int) -> list[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=,pgid="], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid, owner in map(str.split, listed.splitlines()) if int(owner) == group]


def test_it_ends_when_nobody_has_the_runner_any_more(wild: Path, events: Events):
    runner = NativeRunner(wild, read(wild), Path(sys.executable), log=events)
    pid = runner.pid
    assert pid is not None
    gc.disable()  # nothing must hold it in a circle
    try:
        del runner
        until(lambda: not is_there(pid), "its end")
    finally:
        gc.enable()


def test_closed_it_answers_no_more(runner: NativeRunner):
    runner.close()
    runner.close()
    with pytest.raises(Unavailable, match="was ended"):
        answers(runner, 1.0)


@pytest.mark.slow
def test_memory_and_descriptors_stay_as_they_were(runner: NativeRunner):
    many = columns(*np.linspace(0.0, 1.0, 100_000))
    for _ in range(20):
        runner.run(many)
    before, descriptors = _memory(), len(os.listdir("/proc/self/fd"))
    for number in range(40):
        runner.run(many)
        if number % 10 == 0:
            with pytest.raises(Unavailable):
                answers(runner, DIE)
            until(lambda: _answers_again(runner), "an answer")
    assert _memory() - before < 32 * 1024 * 1024
    assert len(os.listdir("/proc/self/fd")) == descriptors


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


PARENT = """
import sys, time
from pathlib import Path
import numpy as np
from plusone.graphs.layout import Columns
from plusone.native.runner import NativeRunner
from plusone.packaging.artifact import read

folder = Path(sys.argv[1])
runner = NativeRunner(folder, read(folder), Path(sys.executable))
print(runner.pid, flush=True)
if sys.argv[2] != "0":
    runner.run(Columns(1, {"numbers": np.array([[float(sys.argv[2]), 1.0]])}))
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("doing", [0.0, HANG, HANG_IN_C])
def test_killed_with_signal_9_its_parent_leaves_nothing(wild: Path, doing: float):
    with subprocess.Popen([sys.executable, "-c", PARENT, str(wild), str(doing)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_there(pid)
        time.sleep(0.3)  # it hangs by now
        parent.kill()
    until(lambda: not is_there(pid), "the end of the model's process", seconds=10.0)


# ---------------------------------------------------------------------------------- what only looks like a process


def _python(tmp_path: Path, program: str) -> Path:
    """Return something that is started like a Python, and runs `program`; `sock` is the socket."""
    body = f"#!{sys.executable}\nimport os, socket, struct, sys, time\nsock = socket.socket(fileno=int(sys.argv[-2]))\n"
    path = tmp_path / "python"
    path.write_text(body + program)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


GARBAGE: dict[str, str] = {
    "noise": "sock.recv(9999); sock.sendall(os.urandom(4096)); time.sleep(60)",
    "huge head": "sock.recv(9999); sock.sendall(struct.pack('<4sIQ', b'+1n1', 2**32 - 1, 0)); time.sleep(60)",
    "huge body": "sock.recv(9999); sock.sendall(struct.pack('<4sIQ', b'+1n1', 2, 2**63)); time.sleep(60)",
    "half a frame": "sock.recv(9999); sock.sendall(struct.pack('<4sIQ', b'+1n1', 500, 0) + b'{'); sys.exit(0)",
    "another request": "sock.recv(9999); sock.sendall(struct.pack('<4sIQ', b'+1n1', 38, 0) "
    '+ b\'{"kind":"done","request":9,"arrays":[]}\'.ljust(38)); time.sleep(60)',
    "nothing": "sys.exit(7)",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_from_the_process_is_an_error_and_ends_it(wild: Path, events: Events, tmp_path: Path, kind: str):
    with pytest.raises(Unavailable, match="died"):
        NativeRunner(wild, read(wild), _python(tmp_path, GARBAGE[kind]), log=events)
    (ended,) = events.of("model_process_ended")
    assert not is_there(ended["model_pid"])


LIAR = """
import importlib.util
from pathlib import Path
import numpy as np
spec = importlib.util.spec_from_file_location("wire", Path(sys.argv[-3]).with_name("wire.py"))
wire = importlib.util.module_from_spec(spec)
spec.loader.exec_module(wire)
stream = wire.Stream(sock)
answer = {}
while frame := stream.receive():
    stream.send({"kind": "done", "request": frame.meta["request"]}, answer)
    answer = ANSWER
"""


@pytest.mark.parametrize(
    "answer",
    [
        "{}",
        "{'numbers': np.zeros(3)}",
        "{'numbers': np.zeros((2, 1))}",
        "{'numbers': np.zeros(2, dtype=np.int64)}",
        "{'numbers': np.array(['a', 'b'], dtype=object)}",
        "{'numbers': np.zeros(1000000)}",
    ],
)
def test_an_answer_of_another_shape_is_refused(wild: Path, events: Events, tmp_path: Path, answer: str):
    runner = NativeRunner(wild, read(wild), _python(tmp_path, LIAR.replace("ANSWER", answer)), log=events)
    with pytest.raises(Unavailable):
        answers(runner, 1.0, 2.0)
    assert runner.pid is None
    runner.close()


def test_a_python_that_is_not_there_is_named(wild: Path, events: Events, tmp_path: Path):
    with pytest.raises(Unavailable, match="none/python"):
        NativeRunner(wild, read(wild), tmp_path / "none" / "python", log=events)


def test_a_module_that_is_missing_is_named(wild: Path, events: Events, tmp_path: Path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    with pytest.raises((BrokenArtifact, Unavailable)):
        NativeRunner(wild, read(wild), tmp_path / "bare" / "bin" / "python", log=events)
    assert any("numpy" in fields["line"] for fields in events.of("model_printed"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["project/wild.py", "state/state.json"])
def test_a_file_that_was_changed_is_refused_at_every_start(
    wild: Path, events: Events, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(running, "_FIRST_DELAY_S", 0.0)
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(wild), str(folder)], check=True)
    runner = NativeRunner(folder, read(folder), Path(sys.executable), log=events)
    assert answers(runner, 1.0) == [3.0]
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(Unavailable):
        answers(runner, DIE)
    with pytest.raises(BrokenArtifact, match="was changed"):
        answers(runner, 1.0)
    runner.close()
