"""The outcome of one test from the reports of its phases: set-up, call (subtests have several), tear-down."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ..base.errors import PlusoneError
from ..base.records import Outcome
from ..measuring.outcomes import CheckFailed, Inconclusive, NotApplicable

__all__ = ["Phases", "clean", "explain"]

_WORST_FIRST: tuple[Outcome, ...] = (
    "failed",
    "broken",
    "inconclusive",
    "skipped",
    "not run",
    "xfailed",
    "not applicable",
    "passed",
)
_MESSAGE = 900
_OUTPUT_BYTES = 20_000


def clean(text: str) -> str:
    """Return text that can be written as UTF-8: lone surrogates become '?'."""
    return text.encode("utf-8", "replace").decode("utf-8")


def explain(text: str) -> str:
    """Return `text` as one short paragraph."""
    line = " ".join(clean(text).split())
    return line if len(line) <= _MESSAGE else line[: _MESSAGE - 2] + " …"


class Phases:
    """Collects the reports of one test, and what it measured.

    A repeated run of the same test (a plugin may try again what failed) begins anew: the last attempt counts, and it is
    said that there were others.
    """

    def __init__(self, root: Path, measured: list[dict[str, Any]]) -> None:
        self._root = root
        self._measured = measured
        self._attempts: list[str] = []
        self._found: list[tuple[Outcome, str]] = []
        self._called = False
        self.duration_s = 0.0
        self.output = ""

    def begin(self) -> None:
        """Begin an attempt: of the one before it is kept how it ended."""
        if self._called or self._found:
            outcome, message = self._worst()
            self._attempts.append(f"{outcome}: {message}" if message else outcome)
        self._found, self._called = [], False
        self._measured.clear()

    def add(self, call: pytest.CallInfo[None], report: pytest.TestReport, outputs: Iterable[str]) -> None:
        """Take in one report."""
        self.duration_s += call.duration
        self._called = self._called or call.when == "call"
        outcome, message = _judge(call, report, outputs, self._root)
        if outcome != "passed" or message:
            self._found.append((outcome, message))
        self.output = _output(report, self.output)

    def verdict(self) -> tuple[Outcome, bool, str]:
        """Return outcome, whether an inconclusive one is allowed, and the message."""
        outcome, message = self._worst()
        if outcome == "passed" and not self._called:
            return "not run", False, ""
        if self._attempts:
            count = len(self._attempts) + 1
            self._measured.append({"warning": f"this is attempt {count}; the first one {explain(self._attempts[0])}"})
        unclear = [one for one in self._measured if one.get("outcome") == "inconclusive" and one.get("allowed")]
        if outcome == "passed" and unclear:
            return "inconclusive", True, explain(str(unclear[0].get("message", "")))
        return outcome, False, message

    def _worst(self) -> tuple[Outcome, str]:
        found = sorted(self._found, key=lambda one: _WORST_FIRST.index(one[0]))
        return found[0] if found else ("passed", "")


def _judge(
    call: pytest.CallInfo[None], report: pytest.TestReport, outputs: Iterable[str], root: Path
) -> tuple[Outcome, str]:
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, NotApplicable):
        return "not applicable", explain(str(error))
    expected = getattr(report, "wasxfail", None)
    if expected is not None:
        return _expected(call, report, str(expected).removeprefix("reason: ").strip())
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return "skipped", explain(reason.removeprefix("Skipped: "))
    if report.passed:
        return "passed", ""
    message = _message(error, call, report, outputs, root)
    if call.when != "call":
        return "broken", explain(f"in {'set-up' if call.when == 'setup' else 'tear-down'}: {message}")
    if isinstance(error, Inconclusive):
        return "inconclusive", explain(message)
    return "failed", explain(message)


def _expected(call: pytest.CallInfo[None], report: pytest.TestReport, reason: str) -> tuple[Outcome, str]:
    """Judge a test that is marked as one that fails."""
    if reason.startswith("[NOTRUN]"):
        return "not run", explain(f"xfail(run=False): {reason.removeprefix('[NOTRUN]').strip()}")
    if not reason:
        return "broken", 'xfail without a reason: write @pytest.mark.xfail(reason="...")'
    if report.passed:
        return "passed", explain(f"marked xfail, and it passes: {reason}")
    if call.when != "call" and not isinstance(getattr(call.excinfo, "value", None), pytest.xfail.Exception):
        return "broken", explain(f"the fixtures of an xfail test ({reason}) have an error: {_crash(call)}")
    return "xfailed", explain(reason)


def _crash(call: pytest.CallInfo[None]) -> str:
    return call.excinfo.exconly(tryshort=True)[:4000] if call.excinfo is not None else ""


def _message(
    error: BaseException | None,
    call: pytest.CallInfo[None],
    report: pytest.TestReport,
    outputs: Iterable[str],
    root: Path,
) -> str:
    if error is None or call.excinfo is None:
        return report.longreprtext  # a strict xfail that passes, or a failed subtest
    if isinstance(error, (CheckFailed, Inconclusive, PlusoneError)):
        return str(error)
    missing = getattr(error, "argname", None) if call.excinfo.typename == "FixtureLookupError" else None
    if missing:
        known = ", ".join(sorted(outputs)) or "none"
        return f"fixture {missing!r} not found. Step outputs: {known}."
    place = getattr(report.longrepr, "reprcrash", None)
    if place is None:
        return _crash(call)
    # Without asking for the working folder: the test may have left it, or removed it.
    where = f" ({str(place.path).removeprefix(f'{root}/')}:{place.lineno})"
    return _crash(call) + where


def _output(report: pytest.TestReport, before: str) -> str:
    """Return the traceback, then what the test printed; the end of each is kept."""
    trace = clean(report.longreprtext) if report.failed else ""
    trace = trace or before.partition(_CAPTURED)[0].rstrip()
    printed = "".join(f"--- {title} ---\n{text.rstrip()}\n" for title, text in report.sections)
    trace = _tail(trace, _OUTPUT_BYTES // 2)
    if not printed:
        return trace
    return f"{trace}\n\n{_CAPTURED}{_tail(clean(printed), _OUTPUT_BYTES // 2 - 100)}".lstrip()


_CAPTURED = "=== captured ===\n"


def _tail(text: str, size_bytes: int) -> str:
    data = text[-size_bytes:].encode("utf-8")
    if len(text) <= size_bytes and len(data) <= size_bytes:
        return text
    return "… " + data[-size_bytes + 4 :].decode("utf-8", "ignore")
