"""Checks of what one table tells another: a target, a holdout, the data of the release before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..base.config import Checks
from ..base.errors import UsageError
from ..base.records import Learning
from ..data.views import TableView
from ..expectations.arguments import column_of, names_of, view_of
from ..expectations.findings import percent
from ..measuring.concluding import check_arguments, check_range, conclude
from ..measuring.figures import bars
from ..measuring.outcomes import is_outcome

__all__ = ["no_leak", "no_overlap", "no_shift"]

__tracebackhide__ = is_outcome

_SHOWN = 3


def no_leak(
    table: Any, target: str | Sequence[str], *, features: Iterable[str] | None = None, bound: float = 0.9
) -> None:
    """Pass when no feature alone tells the target too well to be known in time.

    Each feature is fitted on one half of up to 50,000 rows (the mean of the target in its bins or categories) and
    measured on the other: by the AUC of the class that it tells best, or by the share of the variance (R2) for numbers.

    Args:
        target: the column that a model is to answer, or several.
        features: the columns that it may use; default: all others.
        bound: the lower end of the 99 % interval of the best one must not be above it: an AUC, 0.5 to 1; for R2 the
            same share of the way from chance to perfect, so 0.8 for 0.9.

    Raises:
        CheckFailed: a feature tells it better.
        UsageError: there is no such column, or an argument is out of range.
    """
    from ..expectations.leaks import skills

    check_arguments(bound=bound)
    check_range(0.5 <= bound <= 1, "an AUC, 0.5 to 1", bound=(bound, 0.9))
    view = view_of(table)
    targets = tuple(names_of("target", target))
    names = None if features is None else tuple(names_of("features", features))
    _check_columns(view, (*targets, *(names or ())))
    check_range(not set(names or ()) & set(targets), "columns without the target", features=(features, None))
    found = skills(view, Learning(targets=targets, features=names), alpha=0.01)
    if not found:
        raise UsageError(
            f"Nothing of {' and '.join(targets)} can be learned from these {view.rows:,} rows: there are too few of "
            "them, or too few of each value.",
            mend="more rows, or a target that is a class or a number",
        )
    wrong = [one for one in found if one.share > 2 * bound - 1]
    said = "; ".join(
        f"{one.feature} alone tells {one.target} with {'an AUC' if one.metric == 'auc' else 'an R2'} of "
        f"{one.effect.value:.3f} (interval {one.effect.low:.3f} to {one.effect.high:.3f})"
        for one in wrong[:_SHOWN]
    )
    best = found[0] if found else None
    measured = {"check": "no_leak", "rows": view.rows, "bound": bound, "features": len(found)}
    if best is not None:
        measured |= {"best": best.feature, "value": best.effect.value, "low": best.effect.low, "high": best.effect.high}
    conclude(said, "failed" if wrong else "passed", measured)


def no_overlap(train: Any, holdout: Any, *, columns: Sequence[str] | None = None, at_most: float = 0.0) -> None:
    """Pass when no row of the holdout is a row of the training data.

    Args:
        columns: what makes two rows the same; default: all columns that both have.
        at_most: what share of the holdout's rows may be in both, 0 to 1.

    Raises:
        CheckFailed: more are in both.
        UsageError: they share no column, or an argument is out of range.
    """
    import numpy as np

    check_arguments(at_most=at_most)
    ours, theirs = view_of(train), view_of(holdout)
    names = (
        sorted(names_of("columns", columns)) if columns is not None else sorted(set(ours.columns) & set(theirs.columns))
    )
    if not names:
        raise UsageError(
            "The two tables have no column in common: there is nothing to find equal rows by.",
            mend="give two tables of the same columns",
        )
    _check_columns(ours, names)
    _check_columns(theirs, names)
    learned, asked = ours.hashes(names), theirs.hashes(names)
    if learned is None or asked is None:
        raise UsageError("A column's values can't be compared: expected numbers, text or times.", mend="columns=[...]")
    both = np.isin(asked, learned)
    count, share = int(both.sum()), float(both.mean()) if len(both) else 0.0
    shown = ", ".join(f"{place:,}" for place in np.flatnonzero(both)[:5])
    said = f"{count:,} of {len(asked):,} rows of the holdout ({percent(share)}) are in the training data: rows {shown}"
    measured = {"check": "no_overlap", "rows": len(asked), "shared": count, "at_most": at_most}
    conclude(said if share > at_most else "", "failed" if share > at_most else "passed", measured)


def no_shift(
    now: Any, before: Any, *, columns: Iterable[str] | None = None, bound: float = 0.1, confidence: float = 0.99
) -> None:
    """Pass when no column is shown to have moved further than `bound`.

    How far is the total variation distance over 20 bins of equal shares of `before`, or over its 30 most frequent
    words: the share of the rows that are others. It fails when the whole interval lies above the bound; with 300,000
    rows every difference is significant, and few matter. All intervals hold together with `confidence`.

    Args:
        columns: which; default: all that both have.
        bound: 0 to 1.

    Raises:
        CheckFailed: a column moved further; the farthest are named.
        UsageError: there is no such column, or an argument is out of range.
    """
    from ..expectations.findings import Pair
    from ..expectations.shifts import shifts

    check_arguments(bound=bound, confidence=confidence)
    check_range(
        0 <= bound <= 1 and 0 < confidence < 1, "numbers from 0 to 1", bound=(bound, 0.6), confidence=(confidence, 0.95)
    )
    ours, theirs = view_of(now), view_of(before)
    names = None if columns is None else tuple(names_of("columns", columns))
    _check_columns(ours, names or ())
    _check_columns(theirs, names or ())
    found = shifts(Pair(ours, theirs, Learning(features=names), Checks(data_alpha=1 - confidence)))
    if not found:
        raise UsageError(
            "No column has values in both tables and a kind that can be compared: nothing was looked at.",
            mend="give two tables of the same columns, with rows",
        )
    wrong = [one for one in found if one.effect.low > bound]
    said = "; ".join(
        f"{one.column}: {percent(one.effect.value)} of the rows are others than before (interval "
        f"{percent(one.effect.low)} to {percent(one.effect.high)}; bound {percent(bound)})"
        for one in wrong[:_SHOWN]
    )
    measured: dict[str, Any] = {"check": "no_shift", "rows": ours.rows, "before": theirs.rows, "bound": bound}
    if found:
        shown = found[:30]
        figure = bars(
            "Share of the rows that are others",
            [one.column for one in shown],
            [one.effect.value for one in shown],
            low=[one.effect.low for one in shown],
            high=[one.effect.high for one in shown],
            limit=bound,
        )
        measured |= {"farthest": found[0].column, "distance": found[0].effect.value, "figure": figure}
    conclude(said, "failed" if wrong else "passed", measured)


def _check_columns(view: TableView, names: Iterable[str]) -> None:
    for name in names:
        column_of(view, name)
