"""Which findings of plusone's own checks have one cause, so that people read it once. Records in, records out.

Each check keeps its record and its outcome; this is about lists of what closes a gate and of what warns. Said once is

- what several checks say in the same words, the names of tables aside;
- what one check finds in the same columns of several tables: a source, and the training data that is made of it;
- that a candidate is worse than the live release: that a linear model gains more, that slices lose, that more is lost
  from training to holdout and that probabilities are off come of it;
- that a table is harder than the one the live release was made with, for both models.

Of the project's tests those are said once that broke before they ran, in the same words: a model that nobody can load
breaks them all. What ran and failed is never put together: nobody here knows what it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..base.records import Check
from ..checks.verdict import BUILT_IN, closes, is_built_in

__all__ = ["HARDER", "WORSE", "Cause", "causes_of", "only_message", "reasons_of"]

WORSE = "worse than live"
HARDER = "a harder table"
"""What a warning says of its cause, where its words do not: `warn(..., cause=HARDER)`."""
_FOLLOW = {"baseline", "slices", "calibration", "overfit"}
"""What comes of a candidate that is worse than the live release, on the same table."""
_MOST = 6
_SET_UP = "in set-up: "
"""What `checks.phases` says before what a test broke of that did not begin."""
_ALIKE = 800
"""Characters that are compared of two messages: they are cut at 900, and one has more before its text."""


class Cause(NamedTuple):
    """What is said once: by the check that says it best, and by which others."""

    check: Check
    said: str
    """The text: why the check closes the gate, or what it warns of."""
    closing: bool
    others: tuple[str, ...]
    """The names of the other checks, without what all of plusone's own begin with."""

    @property
    def also(self) -> str:
        """The other checks in words, with a blank before them; '' when there are none."""
        more = f" and {len(self.others) - _MOST} more" if len(self.others) > _MOST else ""
        return f" (also said by {', '.join(self.others[:_MOST])}{more})" if self.others else ""


class _Finding(NamedTuple):
    check: Check
    said: str
    closing: bool
    cause: str
    columns: tuple[str, ...]

    @property
    def kind(self) -> str:
        return self.check.test.removeprefix(BUILT_IN).partition("[")[0]

    @property
    def table(self) -> str:
        return self.check.test.partition("[")[2].removesuffix("]")

    @property
    def words(self) -> str:
        text = self.said.removeprefix(f"{self.check.test}: ")
        return text.replace(self.table, "\0") if self.table else text

    def is_told_by(self, others: Sequence[_Finding]) -> bool:
        """Whether those, which are of one cause, say what it says."""
        first = others[0]
        if self.words == first.words:
            return True
        if any(one.check is self.check for one in others):
            return False  # two things that one check says are two
        same_columns = self.columns and (self.kind, self.columns) == (first.kind, first.columns)
        return bool(same_columns or (self.cause == HARDER == first.cause and self.table == first.table))

    def broke_like(self, other: _Finding) -> bool:
        """Whether neither ran, for the same reason. One of plusone's own that can't begin fails in these words."""
        if not (self.closing and other.closing) or other.check.outcome != "broken":
            return False
        if self.check.outcome != "broken" and not is_built_in(self.check.test):
            return False
        ours, theirs = (one.message.removeprefix(_SET_UP)[:_ALIKE] for one in (self.check, other.check))
        return ours == theirs and ours != ""

    def follows(self, other: _Finding) -> bool:
        """Whether it comes of what the other found: that the candidate is worse than the live release."""
        if other.kind != "performance" or other.table != self.table:
            return False
        shown = other.cause == WORSE or (other.closing and other.check.outcome == "failed")
        # What closes the gate comes of what closes it, and what broke of nothing.
        told = not self.closing or (other.closing and self.check.outcome == "failed")
        return shown and told and (self.kind in _FOLLOW or (self.check is other.check and other.closing))


def causes_of(checks: Iterable[Check]) -> list[Cause]:
    """Return what closes the gate and what warns, each cause once: first what closes, in the order of the checks."""
    groups: list[list[_Finding]] = []
    # What says that a table is harder for both models goes before what says it of one.
    for one in sorted(_findings(checks), key=lambda one: (not one.closing, one.kind != "live_holds")):
        own = is_built_in(one.check.test)
        ours = [group for group in groups if own and is_built_in(group[0].check.test)]
        same = (group for group in ours if one.is_told_by(group))
        broke = (group for group in groups if one.broke_like(group[0]))
        group = next(broke, None) or next(same, None) or next((group for group in ours if one.follows(group[0])), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return [_cause(found) for found in groups]


def reasons_of(checks: Iterable[Check], problems: Sequence[str]) -> list[tuple[str, Check | None]]:
    """Return why a gate is closed, each cause once, and the check that says it; None for what is the session's own.

    Args:
        problems: all of them, as `problems_of` returns them.
    """
    checks = tuple(checks)
    of = {problem: check for check in checks if (problem := closes(check))}
    causes = {cause.said: cause for cause in causes_of(checks) if cause.closing}
    found: list[tuple[str, Check | None]] = []
    for problem in problems:
        if problem in causes:
            found.append((problem + causes[problem].also, causes[problem].check))
        elif problem not in of:
            found.append((problem, None))
    return found


def only_message(check: Check) -> str:
    """Return the one sentence that a check of plusone's own says, when it passed or had nothing to do; else ''."""
    if not is_built_in(check.test) or check.outcome not in ("passed", "not applicable"):
        return ""
    if check.outcome == "not applicable":
        return "" if check.measured else check.message
    if len(check.measured) != 1 or "warning" in check.measured[0] or "figure" in check.measured[0]:
        return ""
    return str(check.measured[0].get("message", ""))


def _findings(checks: Iterable[Check]) -> Iterable[_Finding]:
    for check in checks:
        if why := closes(check):
            failed = [one for one in check.measured if one.get("outcome") == "failed"]
            columns = tuple(sorted({str(one["column"]) for one in failed if one.get("column")}))
            yield _Finding(check, why, True, "", columns)
        for one in check.measured:
            if "warning" in one:
                columns = (str(one["column"]),) if one.get("column") else ()
                yield _Finding(check, str(one["warning"]), False, str(one.get("cause", "")), columns)


def _cause(found: Sequence[_Finding]) -> Cause:
    first = found[0]
    others = dict.fromkeys(one.check.test for one in found[1:] if one.check.test != first.check.test)
    return Cause(first.check, first.said, first.closing, tuple(name.removeprefix(BUILT_IN) for name in others))
