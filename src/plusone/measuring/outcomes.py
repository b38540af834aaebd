"""How a check says more than passed or failed, and where it leaves what it measured.

A comparison calls `record` whatever comes of it; the plugin opens one `recording` around each test. Outside of a
recording (in a notebook, say) what is recorded goes nowhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..base.errors import PlusoneError

__all__ = ["CheckFailed", "Inconclusive", "NotApplicable", "is_outcome", "record", "recording", "warn"]


class CheckFailed(AssertionError):
    """A comparison has failed, beyond what chance explains."""


class Inconclusive(AssertionError):
    """The data can't tell whether the comparison holds: the interval has the limit inside."""


class NotApplicable(Exception):
    """The check has nothing to be compared with, e.g. no release is live yet: it counts for nothing."""


def is_outcome(found: Any) -> bool:
    """Return whether what was raised is what a check says, and no fault of plusone's own.

    A module says `__tracebackhide__ = is_outcome`, and pytest shows the line of the test, not ours, beside such a
    message. `found` is pytest's ExceptionInfo.
    """
    said = (CheckFailed, Inconclusive, NotApplicable, PlusoneError)
    return found is not None and isinstance(found.value, said)


_open: list[list[dict[str, Any]]] = []


@contextlib.contextmanager
def recording() -> Iterator[list[dict[str, Any]]]:
    """Give the list that `record` fills until the block ends. Recordings nest: the innermost is filled."""
    measured: list[dict[str, Any]] = []
    _open.append(measured)
    try:
        yield measured
    finally:
        # By identity: two empty lists are equal.
        _open[:] = [other for other in _open if other is not measured]


def warn(message: str, **measured: Any) -> None:
    """Keep with the test that is running what a person should look at and what closes no gate."""
    record({"warning": message, **measured})


def record(measured: dict[str, Any]) -> None:
    """Keep one measurement with the test that is running. Its values are plain JSON values."""
    if _open:
        _open[-1].append(measured)
