"""The result of one pytest process: lines that the child appends as it goes, and the part that the parent reads.

Each line is whole JSON and is written at once, so a process that dies at any moment leaves every outcome it had, and
the name of the test that it died in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from ..base import clock
from ..base.records import Check, Record
from .verdict import closes

__all__ = ["Collected", "Line", "Part", "Writer", "read_part"]

Subject = Literal["data", "model", "code"]


class Collected(Record, frozen=True, kw_only=True):
    """One collected test of this model, as it was before anything was deselected."""

    test: str
    subject: Subject
    here: bool = True
    """Whether it belongs to this process: tests of the other subject are left to the other one."""
    deselected: bool = False
    """Whether something (`-k`, `-m`, a hook) took it out."""


class Part(Record, frozen=True, kw_only=True):
    """What one pytest process found out: on the data, or on the model."""

    subject: Literal["data", "model"]
    collected: tuple[Collected, ...] = ()
    checks: tuple[Check, ...] = ()
    problems: tuple[str, ...] = ()
    started_at: str = ""
    finished_at: str = ""


class Line(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the result file: any of its fields, at the moment it was known."""

    at: str
    collected: tuple[Collected, ...] | None = None
    running: str | None = None
    check: Check | None = None
    problem: str | None = None
    exit_code: int | None = None
    """Set in the last line."""


class Writer:
    """Appends lines to the result file. A forked child of a test writes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pid = os.getpid()

    def write(
        self,
        *,
        collected: tuple[Collected, ...] | None = None,
        running: str | None = None,
        check: Check | None = None,
        problem: str | None = None,
        exit_code: int | None = None,
    ) -> None:
        """Append one line, in one write."""
        if os.getpid() != self._pid:
            return
        line = Line(
            at=clock.now(), collected=collected, running=running, check=check, problem=problem, exit_code=exit_code
        )
        # Opened each time: a test that closes every descriptor it finds must not stop the record.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            data = memoryview(msgspec.json.encode(line) + b"\n")
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)


def read_part(path: Path, subject: Literal["data", "model"]) -> tuple[Part, str, int | None]:
    """Return the part, the test that was running when the file ended ('' when none was), and the exit code.

    The exit code is None when the process never came to its end. A torn last line is left out.
    Collected tests without an outcome are 'deselected' or 'not run'.
    """
    collected: tuple[Collected, ...] = ()
    checks: dict[str, Check] = {}
    problems: list[str] = []
    times: list[str] = []
    running, exit_code = "", None
    for line in _lines(path):
        times.append(line.at)
        collected = line.collected if line.collected is not None else collected
        running = line.running if line.running is not None else running
        if line.check is not None:
            # Two tests with one id: the one that closes the gate is kept.
            if line.check.test not in checks or closes(line.check):
                checks[line.check.test] = line.check
            running = "" if line.check.test == running else running
        if line.problem is not None:
            problems.append(line.problem)
        exit_code = line.exit_code if line.exit_code is not None else exit_code
    for test in collected:
        if test.here and test.test not in checks:
            checks[test.test] = _without_outcome(test, running)
    part = Part(
        subject=subject,
        collected=collected,
        checks=tuple(checks.values()),
        problems=tuple(dict.fromkeys(problems)),
        started_at=times[0] if times else "",
        finished_at=times[-1] if times else "",
    )
    return part, running, exit_code


def _without_outcome(test: Collected, running: str) -> Check:
    if test.test == running:
        return Check(
            test=test.test, subject=test.subject, outcome="broken", message="the test process ended while this test ran"
        )
    if test.deselected:
        return Check(
            test=test.test,
            subject=test.subject,
            outcome="deselected",
            message="collected, then left out by an option (-k, -m, --deselect) or a hook of the project",
        )
    return Check(
        test=test.test, subject=test.subject, outcome="not run", message="collected, but the session ended without it"
    )


def _lines(path: Path) -> list[Line]:
    try:
        data = path.read_bytes()
    except OSError:
        return []
    decoder = msgspec.json.Decoder(Line)
    lines: list[Line] = []
    for text in data.splitlines():
        try:
            lines.append(decoder.decode(text))
        except msgspec.MsgspecError:
            continue
    return lines
