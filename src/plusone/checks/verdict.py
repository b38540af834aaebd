"""Law 1 as a pure function: why a session of checks closes the gate. It reads records and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from ..base.records import Check, Session

__all__ = ["BUILT_IN", "closes", "is_built_in", "problems_of", "problems_so_far"]

BUILT_IN = "plusone::"
"""What the names of plusone's own checks begin with: pytest's ids begin with a file, so that no test has it."""
_COUNTS_FOR_NOTHING = ("passed", "not applicable")


def closes(check: Check) -> str:
    """Return why this one check closes the gate, '' when it does not.

    Open are: passed; not applicable; inconclusive when the test itself allows it; xfailed with a reason.
    Every other outcome closes, one that this version does not know among them.
    """
    if check.outcome in _COUNTS_FOR_NOTHING:
        return ""
    if check.outcome == "inconclusive" and check.allowed:
        return ""
    if check.outcome == "xfailed" and check.message.strip():
        return ""
    if check.outcome == "xfailed":
        return f"{check.test}: xfailed without a reason"
    return f"{check.test}: {check.outcome}" + (f": {check.message}" if check.message else "")


def is_built_in(test: str) -> bool:
    """Return whether a check is one of plusone's own."""
    return test.startswith(BUILT_IN)


def problems_so_far(checks: Iterable[Check], problems: Iterable[str]) -> list[str]:
    """Return what already closes the gate in a session that is not whole yet, e.g. after the tests on the data."""
    found = [*problems, *(closes(check) for check in checks)]
    return list(dict.fromkeys(text for text in found if text))


def problems_of(session: Session) -> list[str]:
    """Return why this session closes the gate, one line each. Empty: the gate is open (law 1).

    A session opens it when it has no problem of its own, no check of it closes (see `closes`), and at least one test
    of the project passed on the data and one on the model. 'Not applicable' and an allowed 'inconclusive' are no pass,
    and plusone's own checks do not stand for the project's.
    """
    problems = problems_so_far(session.checks, session.problems)
    for subject in ("data", "model"):
        mine = [check for check in session.checks if check.subject == subject and not is_built_in(check.test)]
        if any(check.outcome == "passed" for check in mine):
            continue
        uses = _USES[subject]
        what = f"of {len(mine)} that use {uses} none did" if mine else f"there is no test that uses {uses}"
        problems.append(f"no test passed on the {subject}: {what}")
    return problems


_USES = {"data": "a step output", "model": "`model` or `live`"}
