"""Child processes that die, print without end, fork and are orphaned; and the parent that notices all of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plusone.base.errors import Unavailable
from plusone.execution import local
from plusone.execution.local import Child

Start = Callable[..., Child]


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for: {what}"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def start(tmp_path: Path, repository: Path, lines: list[str]) -> Iterator[Start]:
    started: list[Child] = []

    def start_one(**more: Any) -> Child:
        options: dict[str, Any] = {
            "folder": repository,
            "log": tmp_path / "logs" / "out.log",
            "on_line": lines.append,
        }
        started.append(Child("tests.execution.work", **(options | more)))
        return started[-1]

    yield start_one
    for child in started:
        child.close()


def test_requests_are_answered_in_order_in_the_given_folder_with_the_given_variables(
    start: Start, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUSONE_TEST_VARIABLE", "of the parent")
    child = start()
    for number in range(3):
        reply = child.ask({"do": "echo", "number": number, "text": "\u2028 é \n"})
        assert reply["got"]["number"] == number
        assert reply["got"]["text"] == "\u2028 é \n"
        assert (reply["folder"], reply["variable"]) == (str(repository), "of the parent")
    other = start(environment={"PLUSONE_TEST_VARIABLE": "its own"})
    assert other.ask({"do": "echo"})["variable"] == "its own"
    assert child.pid != other.pid != os.getpid()


def test_events_come_before_the_reply_in_order(start: Start) -> None:
    seen: list[int] = []
    reply = start().ask({"do": "events", "count": 500}, on_event=lambda event: seen.append(event["number"]))
    assert (seen, reply) == (list(range(500)), {"done": True})


@pytest.mark.parametrize(
    ("request_", "how", "code"),
    [
        ({"do": "die", "code": 0}, "exit code 0", 0),
        ({"do": "die", "code": 3}, "exit code 3", 3),
        ({"do": "die", "signal": signal.SIGKILL}, "signal SIGKILL", -9),
        ({"do": "die", "signal": signal.SIGSEGV}, "signal SIGSEGV", -11),
        ({"do": "no such thing"}, "exit code 1", 1),
    ],
)
def test_a_child_that_dies_is_an_error_that_says_how(
    start: Start, tmp_path: Path, request_: dict, how: str, code: int
) -> None:
    child = start()
    for _ in range(2):
        with pytest.raises(Unavailable, match=f"ended with {how}") as caught:
            child.ask(request_)
        assert caught.value.details == {"exit": code}
    child.close()
    printed = (tmp_path / "logs" / "out.log").read_text()
    assert "last words" in printed if request_["do"] == "die" else "KeyError" in printed


def test_the_death_of_a_child_is_seen_though_what_it_forked_lives_on(
    start: Start, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_PATIENCE_S", 0.5)
    child = start()
    with pytest.raises(Unavailable, match="SIGKILL"):
        child.ask({"do": "fork_and_die"})
    (forked,) = [int(line.split()[1]) for line in lines]
    os.kill(forked, signal.SIGKILL)


def test_a_child_that_can_not_reply_any_more_is_ended(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_PATIENCE_S", 0.5)
    child = start()
    with pytest.raises(Unavailable, match="SIGKILL"):
        child.ask({"do": "close_all"})
    assert is_gone(child.pid)


def test_output_of_any_kind_and_length_streams_and_is_kept(start: Start, tmp_path: Path, lines: list[str]) -> None:
    pieces = [b"one\n", b"\xff\x00binary\r\n", "é".encode(), b"no end"]
    with start() as child:
        for piece in pieces:
            child.ask({"do": "write", "hex": piece.hex()})
    assert (tmp_path / "logs" / "out.log").read_bytes() == b"".join(pieces)
    assert lines == ["one", "\ufffd\0binary", "éno end"]


def test_megabytes_without_a_line_end_neither_block_the_child_nor_wait_for_it(
    start: Start, tmp_path: Path, lines: list[str]
) -> None:
    child = start()
    assert child.ask({"do": "write", "hex": (b"x" * 65536).hex(), "times": 50})
    wait_for(lambda: len("".join(lines)) > 3_000_000, "the first megabytes, though their line has no end")
    child.close()
    assert len("".join(lines)) == 50 * 65536 == (tmp_path / "logs" / "out.log").stat().st_size
    assert max(map(len, lines)) <= 65536


def test_someone_who_looks_on_and_fails_does_not_stop_the_work(start: Start, tmp_path: Path) -> None:
    called: list[str] = []

    def fail(line: str) -> None:
        called.append(line)
        raise BrokenPipeError

    child = start(on_line=fail)
    assert child.ask({"do": "write", "hex": (b"x" * 999 + b"\n").hex(), "times": 500}) == {"done": True}
    child.close()
    assert (tmp_path / "logs" / "out.log").stat().st_size == 500_000
    assert len(called) == 1


def test_a_full_disk_under_the_log_does_not_stop_the_work(start: Start, lines: list[str]) -> None:
    child = start(log=Path("/dev/full"))
    assert child.ask({"do": "write", "hex": (b"x" * 999 + b"\n").hex(), "times": 500}) == {"done": True}
    wait_for(lambda: len(lines) == 500, "every line, though none could be kept")


_PARENT = """
import sys
from pathlib import Path
from typing import Any
from plusone.execution.local import Child
child = Child("tests.execution.work", folder=Path.cwd(), log=Path(sys.argv[1]))
child.ask({"do": "wait"}, on_event=lambda event: print(event["pid"], flush=True))
"""


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, repository: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path / "log")], cwd=repository, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert not is_gone(child)
    parent.kill()
    parent.communicate()
    wait_for(lambda: is_gone(child), "the end of the orphan")


def test_nothing_leaks(start: Start, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        child = start()
        child.ask({"do": "echo"})
        child.close()
        assert is_gone(child.pid)
    with pytest.raises(Unavailable, match="No process could be started"):
        start(folder=tmp_path / "none")
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_a_child_starts_gets_none_of_its_pipes(start: Start) -> None:
    opened = start().ask({"do": "descriptors"})["open"]
    assert [int(number) for number in re.findall(r"\d+", opened)] == [0, 1, 2]
