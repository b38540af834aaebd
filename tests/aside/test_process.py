"""The process beside a worker, asked over its socket by hand: it answers frames, and ends with the other end."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from plusone.aside.frames import Frame, FrameError, Kind, Parser, pack
from plusone.aside.process import Outcome, serve
from plusone.predictor import Predictor
from tests.aside.conftest import Packed, body_of, check_answer

WILD = Path(__file__).with_name("wild.py")


class Child:
    """A process and the worker's end of its socket."""

    def __init__(self, *command: str) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(60)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, *command, str(theirs.fileno())], pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE
            )
        self._parser = Parser()
        self._frames: list[Frame] = []

    def send(self, kind: Kind, number: int, meta: Mapping[str, Any] | None = None, body: bytes = b"") -> None:
        self.socket.sendall(pack(kind, number, meta, len(body)) + body)

    def next(self) -> Frame:
        """The next frame that the process sends."""
        while not self._frames:
            data = self.socket.recv(65536)
            assert data, "the process closed its socket"
            self._frames += self._parser.feed(data)
        return self._frames.pop(0)

    def end(self) -> tuple[int, str]:
        """Wait for the end of the process; return its exit code and what it printed."""
        _, printed = self.process.communicate(timeout=30)
        return self.process.returncode, printed.decode()


@pytest.fixture
def start() -> Iterator[Callable[..., Child]]:
    """Return a function that starts a process; what still runs in the end is killed."""
    children: list[Child] = []

    def run(*command: str) -> Child:
        child = Child(*(command or (str(WILD),)))
        children.append(child)
        return child

    yield run
    for child in children:
        child.socket.close()
        child.process.kill()
        child.process.communicate()


def meta_for(packed: Packed, kind: str, **options: Any) -> dict[str, Any]:
    return {"package": packed.digest, "folder": str(packed.folder), "kind": kind, "options": options}


def test_it_answers_and_ends_with_the_socket(packed: Packed, start: Callable[..., Child]) -> None:
    child = start("-m", "plusone.aside")
    for number, count in enumerate((1, 20_000)):
        child.send(Kind.PREDICT, number, meta_for(packed, "json"), body_of(count))
        parts: list[bytes] = []
        while (frame := child.next()).kind == Kind.PART:
            assert frame.request == number
            parts += frame.body
        assert (frame.kind, frame.meta["rows"], frame.meta["info"]) == (Kind.DONE, count, {})
        rows, invalid, counts = frame.meta["outputs"]
        assert (rows, invalid, sum(counts.values())) == (count, 0, count)
        check_answer(parts, count)
    assert Path(f"/proc/{child.process.pid}/oom_score_adj").read_text("ascii").strip() == "500"
    child.socket.close()
    assert child.end() == (0, "")


def test_it_lives_on_when_it_is_asked_to_end_but_not_by_its_worker(packed: Packed, start: Callable[..., Child]) -> None:
    child = start()
    child.send(Kind.LOAD, 1, meta_for(packed, ""))
    assert child.next().kind == Kind.DONE
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        child.process.send_signal(number)
    child.send(Kind.PREDICT, 2, meta_for(packed, "echo", size=2), b"abc")
    assert [child.next().body for _ in range(2)] == [[b"ab"], [b"c"]]
    assert child.next().meta["info"]["nice"] >= 5


def test_it_ends_while_it_hangs(packed: Packed, start: Callable[..., Child]) -> None:
    for kind in ("hang", "endless"):
        child = start()
        child.send(Kind.LOAD, 1, meta_for(packed, ""))
        assert child.next().kind == Kind.DONE
        child.send(Kind.PREDICT, 2, meta_for(packed, kind))
        child.socket.close()
        assert child.end() == (0, "")


def test_an_answer_is_ended_between_two_pieces(packed: Packed, start: Callable[..., Child]) -> None:
    child = start()
    child.send(Kind.PREDICT, 1, meta_for(packed, "endless"))
    assert child.next().kind == Kind.PART
    child.send(Kind.UNLOAD, 0, {"package": packed.digest})
    child.send(Kind.CANCEL, 1)
    while (frame := child.next()).kind == Kind.PART:
        pass
    assert (frame.kind, frame.meta["rows"]) == (Kind.DONE, 0)
    child.send(Kind.CANCEL, 1)
    child.send(Kind.PREDICT, 2, meta_for(packed, "echo", size=9), b"abc")
    assert child.next().body == [b"abc"]


@pytest.mark.slow
def test_garbage_ends_it(packed: Packed, start: Callable[..., Child]) -> None:
    chance = random.Random(3)
    load = pack(Kind.LOAD, 1, meta_for(packed, ""))
    for data in (
        b"GET / HTTP/1.1\r\nhost: example.test\r\n\r\n",
        chance.randbytes(4000),
        load[:8] + b"\xff" * 12,
        pack(Kind.DONE, 1),
        load + chance.randbytes(100),
    ):
        child = start()
        with contextlib.suppress(BrokenPipeError):
            child.socket.sendall(data)
        code, printed = child.end()
        assert code == 1
        assert "FrameError" in printed


def test_a_frame_that_breaks_off_ends_it_without_noise(packed: Packed, start: Callable[..., Child]) -> None:
    for size in (1, 30, 10_000):
        child = start()
        child.socket.sendall((pack(Kind.PREDICT, 1, meta_for(packed, "json"), 10**9) + bytes(10_000))[:size])
        child.socket.close()
        assert child.end() == (0, "")


PARENT = """
import asyncio, sys
from pathlib import Path
from plusone.aside import Aside

async def main():
    aside = Aside([sys.executable, sys.argv[3]])
    await aside.warm(sys.argv[1], Path(sys.argv[2]))
    task = asyncio.create_task(aside.predict(sys.argv[1], Path(sys.argv[2]), sys.argv[4], [b"x"], timeout_s=600))
    await asyncio.sleep(0)
    print(*aside.pids, flush=True)
    await task

asyncio.run(main())
"""


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie, which it is while nobody takes in its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hang", "endless"])
def test_it_ends_when_its_worker_is_killed(packed: Packed, kind: str) -> None:
    command = [sys.executable, "-c", PARENT, packed.digest, str(packed.folder), str(WILD), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    deadline, pause = time.monotonic() + 60, threading.Event()
    while is_running(pid):
        assert time.monotonic() < deadline, "the process outlives its worker"
        pause.wait(0.01)


def test_packages_that_were_not_used_for_long_are_let_go(packed: Packed, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(folder: Path, digest: str, **_: Any) -> Any:
        loaded.append(digest)
        return digest

    monkeypatch.setattr("plusone.aside.process.load", load)

    def name(predictor: Predictor, body: memoryview, options: Mapping[str, Any]) -> Generator[bytes, None, Outcome]:
        return Outcome(1, {"name": predictor})
        yield b""

    ours, theirs = socket.socketpair()
    with ours, theirs:
        digests = [str(number) for number in range(9)] + ["8", "1", "0", "3"]
        for digest in digests:
            ours.sendall(pack(Kind.PREDICT, 1, {"package": digest, "folder": "serving/packages/f", "kind": "name"}))
        ours.sendall(pack(Kind.UNLOAD, 0, {"package": "8"}))
        ours.sendall(pack(Kind.LOAD, 1, {"package": "8", "folder": "serving/packages/f"}))
        ours.shutdown(socket.SHUT_WR)
        serve(theirs, {"name": name})
        answers = [frame.meta["info"].get("name") for frame in Parser().feed(ours.recv(1 << 16))]
    assert answers == [*digests, None]
    # Eight are kept: the ninth made it let go of "0", and "0" then of the one used least lately, "2".
    assert loaded == [*digests[:9], "0", "8"]


def test_a_request_while_another_is_answered_is_a_fault(packed: Packed, start: Callable[..., Child]) -> None:
    child = start()
    child.send(Kind.PREDICT, 1, meta_for(packed, "endless"))
    child.send(Kind.PREDICT, 2, meta_for(packed, "echo", size=1))
    code, printed = child.end()
    assert code == 1
    assert "request 2 came while 1 is answered" in printed


def test_a_worker_sends_no_answers() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(pack(Kind.PART, 1))
        with pytest.raises(FrameError, match="sends no PART"):
            serve(theirs, {})
