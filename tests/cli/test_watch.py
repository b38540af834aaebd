"""`plusone status --watch` as a program: in a terminal, in a pipe, and how it ends."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from tests.journeys.projects import environment
from tests.release.written import Written, write_project

PLUSONE = str(Path(sys.executable).with_name("plusone"))
WAIT_S = 60.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = Written(tmp_path_factory.mktemp("watch") / "p")
    for _ in range(2):
        written.release("flight-delays", live=True)
    written.close()
    return written.root


class Terminal:
    """A pseudo-terminal with `plusone status --watch` in it."""

    def __init__(self, project: Path, columns: int, *words: str, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        env = environment(**{"TERM": "xterm-256color", **variables})
        for name in ("COLUMNS", "LINES") + (() if "NO_COLOR" in variables else ("NO_COLOR",)):
            env.pop(name, None)
        command = [PLUSONE, "--project", str(project), "status", "--watch", "--every", "0.2", *words]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True, preexec_fn=_control
        )
        os.close(theirs)
        self.seen = ""

    def wait_for(self, text: str, times: int = 1) -> None:
        until = time.monotonic() + WAIT_S
        while click.unstyle(self.seen).count(text) < times:
            assert time.monotonic() < until, self.seen
            if not self._read():
                break
        assert click.unstyle(self.seen).count(text) >= times, self.seen

    def press_ctrl_c(self) -> int:
        os.write(self._ours, b"\x03")
        while self._read():
            pass
        return self.process.wait(WAIT_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], WAIT_S)
        assert ready, self.seen
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # a terminal that nobody writes to any more ends so
            return False
        self.seen += piece.decode("utf-8", "replace")
        return bool(piece)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)


def _control() -> None:
    """Make the terminal the one that ctrl-C comes from."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for one in opened:
        one.close()


def test_it_is_shown_in_place_until_ctrl_c_which_gives_the_cursor_back(project: Path, terminals: list[Terminal]):
    terminals.append(terminal := Terminal(project, 80))
    terminal.wait_for("route version 2, not yet served", times=2)
    assert terminal.press_ctrl_c() == 0
    assert "\x1b[1A" in terminal.seen, "the second look is where the first was"
    assert "\x1b[32m" in terminal.seen, "live is green"
    assert terminal.seen.rstrip().endswith("\x1b[?25h"), "the cursor is shown again"
    assert "Traceback" not in terminal.seen
    assert "stopped" not in terminal.seen


@pytest.mark.slow
@pytest.mark.parametrize("columns", [20, 40, 80])
def test_no_line_is_wider_than_the_terminal(project: Path, terminals: list[Terminal], columns: int):
    terminals.append(terminal := Terminal(project, columns))
    terminal.wait_for("p  ", times=2)
    assert terminal.press_ctrl_c() == 0
    lines = re.split(r"[\r\n]+|\x1b\[\d*[A-HJK]", terminal.seen)
    plain = [click.unstyle(line).replace("^C", "") for line in lines]
    assert max(map(len, plain)) <= columns, plain


def test_without_colours_where_they_are_not_wanted(project: Path, terminals: list[Terminal]):
    terminals.append(terminal := Terminal(project, 80, NO_COLOR="1"))
    terminal.wait_for("route version 2")
    assert terminal.press_ctrl_c() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", terminal.seen)


def test_a_dumb_terminal_gets_plain_lines(project: Path, terminals: list[Terminal]):
    terminals.append(terminal := Terminal(project, 80, TERM="dumb"))
    terminal.wait_for("flight-delays@2 live, answers 100 %")
    assert terminal.press_ctrl_c() == 0
    assert "\x1b[" not in click.unstyle(terminal.seen)


class Pipe:
    """`plusone status --watch` with a reader behind a pipe."""

    def __init__(self, project: Path, *words: str) -> None:
        self._ours, theirs = os.pipe()
        command = [PLUSONE, "--project", str(project), "status", "--watch", "--every", "0.2", *words]
        self.process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, text=True, env=environment())
        os.close(theirs)
        self._rest = b""

    def line(self) -> str:
        """The next line, without its end; empty when there is none any more."""
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._ours], [], [], WAIT_S)
            assert ready, "nothing was printed"
            piece = os.read(self._ours, 65536)
            if not piece:
                return ""
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def leave(self) -> None:
        os.close(self._ours)
        self._ours = -1

    def ended(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Its exit code and what it said of errors, after a signal."""
        if number is not None:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, err

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        if self._ours >= 0:
            self.leave()


@pytest.fixture
def piped() -> Iterator[Callable[..., Pipe]]:
    """Begin to watch a project through a pipe."""
    opened: list[Pipe] = []

    def begin(project: Path, *words: str) -> Pipe:
        opened.append(pipe := Pipe(project, *words))
        return pipe

    yield begin
    for one in opened:
        one.close()


Piped = Callable[..., Pipe]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_a_pipe_lines_come_at_once_and_a_signal_ends_it(project: Path, piped: Piped, number: signal.Signals):
    pipe = piped(project)
    assert pipe.line()[9:] == "No server is up. To start one: plusone up"
    assert pipe.line()[9:] == "flight-delays@2 live, answers 100 %"
    assert pipe.line()[9:] == "flight-delays@1 previous"
    assert pipe.line()[9:] == "flight-delays: not yet served"
    assert pipe.ended(number) == (0, "")
    assert pipe.line() == ""


def test_as_json_there_is_one_object_a_line_and_one_more_for_a_change(tmp_path: Path, piped: Piped):
    written = Written(tmp_path / "p")
    written.release(live=True)
    pipe = piped(written.root, "--json", "m")
    assert json.loads(pipe.line())["models"][0]["version"] == 1
    written.release(live=True)
    assert json.loads(pipe.line())["models"][0]["version"] == 2
    assert pipe.ended(signal.SIGINT) == (0, "")
    assert pipe.line() == ""
    written.close()


def test_a_reader_that_leaves_ends_it(tmp_path: Path, piped: Piped):
    written = Written(tmp_path / "p")
    written.release(live=True)
    pipe = piped(written.root, "--json")
    pipe.line()
    pipe.leave()
    written.release(live=True)
    assert pipe.ended() == (141, "")
    written.close()


def test_without_a_store_it_waits_for_one_and_makes_none(tmp_path: Path, piped: Piped):
    root = write_project(tmp_path / "p")
    pipe = piped(root)
    assert "There is no store in" in pipe.line()
    assert not (root / ".plusone").exists()
    written = Written(root)
    written.release(live=True)
    written.close()
    while "m@1 live" not in (line := pipe.line()):
        assert line
    assert pipe.ended(signal.SIGINT) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "says"),
    [(["cars"], "cars"), (["--every", "0"], "--every"), (["--every", "x"], "--every"), (["\udcff"], "")],
)
def test_mistakes_end_it_at_once(project: Path, piped: Piped, words: list[str], says: str):
    code, err = piped(project, *words).ended()
    assert code == 2
    assert says in err
    assert "Traceback" not in err
