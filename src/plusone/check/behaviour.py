"""What a model does, by examples: cases it must get right, changes that must not matter, changes that must.

After CheckList: Ribeiro, Wu, Guestrin & Singh (2020), "Beyond accuracy: behavioral testing of NLP models with
CheckList", ACL: minimum functionality tests, invariance tests and directional expectation tests. They are for models of
every kind here: classes, numbers, vectors, rankings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from ..behaving.shares import Share
from ..measuring.concluding import OnInconclusive, check_arguments, check_range, conclude
from ..measuring.outcomes import is_outcome

if TYPE_CHECKING:
    from ..predictor import Predictor

__all__ = ["directional", "invariant", "minimum"]

__tracebackhide__ = is_outcome

Direction = Literal["up", "down", "not up", "not down"]

_NAMED = 3


def minimum(
    model: Predictor,
    cases: Any,
    *,
    expected: str = "expected",
    tolerance: float | None = None,
    relative: float | None = None,
    probability: float | None = None,
    first: int | None = None,
    at_least: float = 1.0,
) -> None:
    """Pass when `model` answers the cases of a table as expected: all of them, or the share `at_least`.

    Cases are no sample: what is judged are these rows, without an interval. Each that fails is named, by its column
    `case` if there is one, with its column `because`. The table is a CSV file (put it into the tests folder: it is kept
    with the release), a dataframe, a list of dicts or a dict of arrays: the model's fields, and what is expected.

    - A label: the answer is that label; with `probability` its probability is at least that.
    - A number: the answer is within `tolerance` + `relative` times the number expected.
    - A vector: likewise each of its numbers; a column for each name, or one of lists.
    - A ranking: the item, or each of a list of items, is among the `first` ones (default: all that are ranked).

    Args:
        expected: the column that holds it; default: `expected`, or where there is none that of the target.
        tolerance: in the unit of the number. A column `tolerance` says it for single cases.
        probability: 0 to 1. A column `probability` says it for single cases.
        at_least: the share of the cases that must pass, above 0.

    Raises:
        CheckFailed: fewer cases than that pass.
        UsageError: the table or an argument can't be used.
        InvalidInput: a case is no request that the model takes.
    """
    from ..behaving.expected import Expected
    from ..behaving.showing import case_line
    from ..measuring import figures

    given = {"tolerance": tolerance, "relative": relative, "probability": probability}
    check_arguments("closes", model=model, at_least=at_least, **given)
    check_range(0 < at_least <= 1, "a share above 0 and at most 1", at_least=(at_least, 0.95))
    asked = Expected(model.signature, cases, expected, given, first)
    found = asked.judge(model.run(model.columns(asked.table)))
    bad = [case for case in found if not case["passed"]]
    passed = len(found) - len(bad)
    allowed = math.floor((1 - at_least) * len(found) + 1e-9)
    text = f"{passed} of {len(found):,} cases are answered as expected"
    if at_least < 1:
        text += f"; expected are at least {len(found) - allowed:,}"
    if bad:
        text += f". Not so: {', '.join(case['case'] for case in bad)}" + "".join(case_line(case) for case in bad)
    measured: dict[str, Any] = {"check": "minimum", "rows": len(found), "passed": passed, "at_least": at_least}
    measured |= {"share": passed / len(found), "failed": [case["case"] for case in bad], "cases": (bad or found)[:100]}
    measured["figure"] = figures.bars(
        f"{asked.what}, by case",
        [c["case"] for c in found],
        [math.nan if c["value"] is None else c["value"] for c in found],
        limit=asked.limit,
    )
    conclude(text, "failed" if len(bad) > allowed else "passed", measured)


def invariant(
    model: Predictor,
    data: Any,
    change: Callable[[Any], Any],
    *,
    at_most: float = 0.0,
    tolerance: float | None = None,
    first: int | None = None,
    confidence: float = 0.95,
    inconclusive: OnInconclusive = "closes",
) -> None:
    """Pass when a change of the rows changes no answer, or is shown to change at most the share `at_most` of them.

    Only rows that the change left other than they were are counted. The share has the exact interval of Clopper &
    Pearson (1934): wholly at or below `at_most`: passed; wholly above: failed; else inconclusive. With `at_most=0`
    these rows are judged as they are: passed when no answer changed. The worst are shown before and after.

    By hand: no change among n rows leaves the upper end 1 - 0.025^(1/n); to show 'at most 5 %' takes 72 rows.

    Args:
        data: rows as a request carries them: a dataframe, Arrow table, list of dicts or dict of arrays. The truth is
            not needed.
        change: one of `plusone.check.perturb`, or any function that takes the table and returns it changed: as many
            rows, in the same order.
        at_most: 0 or more, below 1.
        tolerance: by how much an answer may move without counting as changed: of numbers in their unit (default 0); of
            classes the probability of any (default: only another label counts); of rankings the share of the items
            that are others (default 0), whatever their order.
        first: of rankings, how many items are looked at; default: all.

    Raises:
        CheckFailed: more answers change.
        Inconclusive: the rows are too few to tell, and `inconclusive` is 'closes'.
        UsageError: the data, the change or an argument can't be used.
        InvalidInput: the model does not take the rows, before or after the change.
    """
    from ..behaving.answers import check_first, distances
    from ..behaving.perturbed import Perturbed
    from ..behaving.showing import moves

    check_arguments(inconclusive, model=model, at_most=at_most, confidence=confidence, tolerance=tolerance)
    check_range(0 <= at_most < 1, "a share, 0 or more and below 1", at_most=(at_most, 0.05))
    check_range((tolerance or 0) >= 0, "0 or more", tolerance=(tolerance, 0.001))
    check_first(model.signature.output, first)
    asked = Perturbed(model, data, change)
    apart, moved = distances(model.signature.output, asked.before, asked.after, tolerance, first)
    moved = moved & asked.touched
    found = Share(int(moved.sum()), int(asked.touched.sum()), at_most, confidence)
    text = f"{asked.name} changes {found.count:,} of {found.rows:,} answers, {found.share:.2%}"
    if at_most > 0:
        text += f" ({confidence * 100:g}% interval {found.low:.2%} to {found.high:.2%})"
    text += f"; allowed are {at_most * 100:.4g}%" if at_most else "; allowed is none"
    measured: dict[str, Any] = {"check": "invariant", "change": asked.name, "rows": found.rows, "changed": found.count}
    measured |= {"share": found.share, "low": found.low, "high": found.high, "at_most": at_most, "tolerance": tolerance}
    measured |= {"confidence": confidence, "figure": moves(model, asked, apart)}
    _conclude(text, found, measured, asked.examples(apart, moved), inconclusive)


def directional(
    model: Predictor,
    data: Any,
    change: Callable[[Any], Any],
    expect: Direction,
    *,
    by: float = 0.0,
    of: Any = None,
    at_least: float = 1.0,
    confidence: float = 0.95,
    inconclusive: OnInconclusive = "closes",
) -> None:
    """Pass when a change of the rows moves the answers the way that is expected: all, or the share `at_least`.

    What moves is a number; of classes the probability of the class `of` (of two: the second, if left out), of several
    targets that of the pair `(TARGET, CLASS)`; of a vector the number named `of`; of a ranking the place of the item
    `of`, where up is towards the first. `up` and `down` mean by more than `by`, `not up` and `not down` by no more.
    Only rows that the change left other than they were are counted. With `at_least=1` they are judged as they are; else
    their share has an interval, as in `invariant`.

    Args:
        data, change: as for `invariant`.
        by: 0 or more, in the unit of what moves.
        at_least: the share of the answers that must move so, above 0.

    Raises:
        CheckFailed: too many answers move otherwise.
        Inconclusive: the rows are too few to tell, and `inconclusive` is 'closes'.
        UsageError: the data, the change or an argument can't be used.
        InvalidInput: the model does not take the rows, before or after the change.
    """
    import numpy as np

    from ..behaving.answers import quantity
    from ..behaving.perturbed import Perturbed
    from ..behaving.showing import histogram

    check_arguments(inconclusive, model=model, by=by, at_least=at_least, confidence=confidence)
    check_range(expect in _GOOD, f"one of {', '.join(map(repr, _GOOD))}", expect=(expect, next(iter(_GOOD))))
    check_range(0 < at_least <= 1, "a share above 0 and at most 1", at_least=(at_least, 0.95))
    check_range(by >= 0, "0 or more", by=(by, 0.0))
    asked = Perturbed(model, data, change)
    (before, what), (after, _) = (quantity(model.signature.output, one, of) for one in (asked.before, asked.after))
    with np.errstate(invalid="ignore"):
        moved = np.where(before == after, 0.0, after - before)
    bad = asked.touched & ~_GOOD[expect](moved, by)
    found = Share(int(bad.sum()), int(asked.touched.sum()), 1 - at_least, confidence)
    right = found.rows - found.count
    text = f"{asked.name} moves {what} {expect}" + (f" by {by:g}" if by else "")
    text += f" in {right:,} of {found.rows:,} rows, {1 - found.share:.2%}"
    if at_least < 1:
        text += f" ({confidence * 100:g}% interval {1 - found.high:.2%} to {1 - found.low:.2%})"
        text += f"; expected are {at_least * 100:.4g}%"
    measured: dict[str, Any] = {"check": "directional", "change": asked.name, "expect": expect, "by": by, "of": what}
    measured |= {"rows": found.rows, "right": right, "share": 1 - found.share, "at_least": at_least}
    measured |= {"low": 1 - found.high, "high": 1 - found.low, "confidence": confidence}
    measured["figure"] = histogram(f"What {asked.name} does", moved[asked.touched], f"change of {what}")
    away = -moved if expect in ("up", "not down") else moved
    _conclude(text, found, measured, asked.examples(np.nan_to_num(away, nan=np.inf), bad), inconclusive)


# A number that is none moves no way at all, so each is false of it.
_GOOD: dict[str, Callable[[Any, float], Any]] = {
    "up": lambda moved, by: moved > by,
    "down": lambda moved, by: moved < -by,
    "not up": lambda moved, by: moved <= by,
    "not down": lambda moved, by: moved >= -by,
}


def _conclude(
    text: str, found: Share, measured: dict[str, Any], examples: list[dict[str, Any]], inconclusive: OnInconclusive
) -> None:
    from ..behaving.showing import example_line

    text += "".join(example_line(one) for one in examples[:_NAMED])
    more = f"The rows are too few to tell: {found.fewest:,} tell it when none is against it, and more when some are."
    conclude(text, found.outcome, {**measured, "examples": examples}, inconclusive=inconclusive, more=more)
