"""What must hold of any model and any data: answers that are numbers, that do not waver, in time, on data of today."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from ..base.errors import UsageError
from ..measuring.concluding import OnInconclusive, check_arguments, check_range, conclude
from ..measuring.outcomes import NotApplicable, is_outcome

if TYPE_CHECKING:
    from ..predictor import Predictor

__all__ = ["fast", "fresh", "stable"]

__tracebackhide__ = is_outcome


def stable(model: Predictor, data: Any, *, rows: int = 50, tolerance: float = 1e-4) -> None:
    """Pass when `model` answers finite numbers, the same ones when it is asked again, alone or among other rows.

    It is asked about all rows of `data` twice, about some of them one by one, and about those in reverse. Answers may
    differ by `tolerance`, relative to their size where that is over 1: a graph may add up in another order for one row
    than for many. A label may differ where its probability is within the tolerance of another one's.

    Args:
        rows: how many rows are asked one by one, evenly spaced.

    Raises:
        CheckFailed: an answer is not finite, or not the same.
        UsageError: the data or an argument can't be used.
        InvalidInput: the model does not take these rows.
    """
    check_arguments(model=model, rows=rows, tolerance=tolerance)
    check_range(
        rows >= 1 and tolerance >= 0,
        "at least 1 row, and a tolerance from 0 on",
        rows=(rows, 50),
        tolerance=(tolerance, 1e-4),
    )
    from ..data.datasets import to_arrow
    from ..measuring.stability import unstable

    table = _some_rows(to_arrow(data))
    problem, apart = unstable(model, table, int(rows), float(tolerance))
    measured = {"check": "stable", "rows": table.num_rows, "apart": apart, "tolerance": tolerance}
    if problem:
        conclude(problem, "failed", measured)
    conclude(f"the same finite answers in {table.num_rows:,} rows, at most {apart:.2g} apart", "passed", measured)


def fast(
    model: Predictor,
    live: Predictor | None,
    data: Any,
    *,
    at_most: float = 1.5,
    rows: int = 1,
    budget_s: float = 1.0,
    confidence: float = 0.95,
    inconclusive: OnInconclusive = "closes",
) -> None:
    """Pass when `model` is shown to take at most `at_most` times as long as `live` for requests of so many rows.

    Both answer in turn, in pairs of random order, so that what else the machine does falls on both; the median of the
    pairs' ratios has an interval by order statistics, which assumes nothing of the times (David & Nagaraja 2003). It
    wholly at or below `at_most`: passed; wholly above: failed; else inconclusive. So a machine that is busy makes it
    inconclusive, not false. What is timed is the model itself, not the reading of requests.

    Args:
        rows: how many rows of `data` a request has.
        budget_s: how long to measure; at least 11 pairs are.

    Raises:
        CheckFailed: the candidate is shown to be slower.
        Inconclusive: the times waver too much, and `inconclusive` is 'closes'.
        NotApplicable: there is no live release.
        UsageError: the data or an argument can't be used.
    """
    check_arguments(inconclusive, model=model, live=live)
    _check_fast(at_most, rows, budget_s, confidence)
    if live is None:
        raise NotApplicable("no release is live yet: there is nothing to compare with")
    from ..data.datasets import to_arrow
    from ..measuring.figures import bars
    from ..measuring.timing import paired_times
    from ..statistics.medians import of_median

    table = _some_rows(to_arrow(data)).slice(0, int(rows))
    ours, theirs = model.columns(table), live.columns(table)
    pairs = paired_times(lambda: model.run(ours), lambda: live.run(theirs), budget_s=budget_s)
    ratio, low, high = of_median([pair.ratio for pair in pairs], confidence)
    mine, other = (of_median(times)[0] * 1000 for times in zip(*pairs, strict=True))
    outcome = "passed" if high <= at_most else "failed" if low > at_most else "inconclusive"
    text = (
        f"a request of {table.num_rows} row{'s' if table.num_rows != 1 else ''} takes {mine:.3g} ms, by the live "
        f"release {other:.3g} ms: {ratio:.3g} times as long ({confidence * 100:g}% interval {low:.3g} to {high:.3g}, "
        f"{len(pairs)} pairs); allowed is {at_most:g}"
    )
    measured: dict[str, Any] = {
        "check": "fast",
        "ratio": ratio,
        "low": low,
        "high": high,
        "at_most": at_most,
        "pairs": len(pairs),
    }
    figure = bars("a request", ["candidate", "live"], [mine, other], unit="ms")
    measured |= {"rows": table.num_rows, "candidate_ms": mine, "live_ms": other, "figure": figure}
    conclude(text, outcome, measured, inconclusive=inconclusive, more="A machine that does less besides would tell.")


def _some_rows(table: Any) -> Any:
    if not table.num_rows:
        raise UsageError(
            "The data has 0 rows: expected at least 1.",
            mend="look at the step that makes it; a test of it says so before training: plusone.check.rows(table)",
        )
    return table


def _check_fast(at_most: float, rows: int, budget_s: float, confidence: float) -> None:
    check_arguments(at_most=at_most, rows=rows, budget_s=budget_s, confidence=confidence)
    check_range(
        at_most > 0 and rows >= 1, "more than 0 times, and 1 row or more", at_most=(at_most, 1.5), rows=(rows, 1)
    )
    check_range(
        0 < budget_s <= 600 and 0 < confidence < 1,
        "up to 600 s, and 0 to 1",
        budget_s=(budget_s, 1.0),
        confidence=(confidence, 0.95),
    )


def fresh(data: Any, column: str, *, at_most_days: float, now: dt.datetime | None = None) -> None:
    """Pass when the newest value in a column of dates or times is at most so many days old, and not in the future.

    Times without a zone count as UTC. A day's grace is given to the future: zones differ.

    Args:
        now: a time with its zone that ages are counted from; default: now.

    Raises:
        CheckFailed: the newest row is older, or more than a day ahead.
        UsageError: there is no such column, it holds no dates or times, or no value.
    """
    from ..expectations.newest import newest_of

    check_arguments(at_most_days=at_most_days)
    check_range(at_most_days >= 0, "0 or more", at_most_days=(at_most_days, 7))
    if now is not None and now.tzinfo is None:
        raise UsageError(f"now = {now}: expected a time with its zone.", mend="now=datetime.now(timezone.utc)")
    newest = newest_of(data, column)
    moment = now or dt.datetime.now(dt.UTC)
    days = (moment - newest).total_seconds() / 86_400
    outcome = "failed" if days > at_most_days or days < -1 else "passed"
    age = f"{days:.1f} days ago" if days >= 0 else f"{-days:.1f} days from now"
    age += ": is the clock or the column wrong?" if days < -1 else ""
    allowed = "is 1 day" if at_most_days == 1 else f"are {at_most_days:g} days"
    text = f"the newest {column!r} is {newest:%Y-%m-%d %H:%M} UTC, {age}; allowed {allowed}"
    measured = {"check": "fresh", "column": column, "newest": newest.isoformat(), "days": days}
    conclude(text, outcome, measured | {"at_most_days": at_most_days})
