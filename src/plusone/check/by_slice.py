"""A metric on slices of the rows: what is fine on average may be bad for some.

Each slice is compared with the live release on the same rows, with all rows together, or with a number. Many are looked
at, so that each has to be worse by more than one alone would have to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..base.errors import UsageError
from ..measuring.concluding import OnInconclusive, check_arguments, check_margin, check_model, check_range, conclude
from ..measuring.outcomes import is_outcome

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..base.records import Output
    from ..measuring.rows import Rows
    from ..measuring.slicing import Slicing
    from ..predictor import Predictor
    from ..statistics.estimates import Estimate
    from ..statistics.metrics import Metric

__all__ = ["default_metric", "slices"]

__tracebackhide__ = is_outcome

SHOWN = 20
"""How many slices are recorded."""
_OF_A_CLASS = 5
_OF_A_CONSTANT = 0.2
_DEFAULTS = {"number": "mae", "vector": "mae", "ranking": "ndcg"}


def slices(
    model: Predictor,
    data: Any,
    *,
    by: Sequence[str | Sequence[str]] | None = None,
    live: Predictor | None = None,
    metric: str | None = None,
    margin: float | None = None,
    at_least: float | None = None,
    min_rows: int = 50,
    confidence: float = 0.95,
    seed: int = 0,
    inconclusive: OnInconclusive = "closes",
) -> None:
    """Pass when no slice of the rows of `data` fares worse than it may; the slices are recorded, worst first.

    With `live`: a slice may be at most `margin` worse than the live release on the same rows. Without: at most `margin`
    worse than all rows together; or, with `at_least`, it must be as good as that number (where lower is better: at
    most). Left out, the margin is a fifth of what a constant answer loses on all rows, as in plusone's own check: where
    lower is better its value, else what it lacks to 1. It failed when some slice is shown to be worse, at an error rate
    for all slices together (Holm 1979). It passed when each slice alone is shown to be no worse; else it is
    inconclusive.

    Left out, `by` is found: each column of the data but the targets, and pairs of columns, are searched on one half of
    the rows for slices that stand out (after SliceFinder, Chung et al. 2019), and what is found is tested on the other
    half. It then passes when nothing is confirmed, which shows less than `by` does: what is bad and rare is not found.

    Args:
        by: columns: each category, quarter of numbers or times, and missing values make a slice; a tuple of columns
            makes those of their combinations.
        metric: as `no_worse` has it; default: brier, accuracy where there are no probabilities, mae, ndcg. A search
            needs one that has a value for each row: not roc_auc, balanced_accuracy, f1, rmse or r2.
        min_rows: slices with fewer rows are left out and counted.
        confidence: of all slices together; the intervals that are shown hold all at once (Bonferroni).

    Raises:
        CheckFailed: a slice is shown to be worse.
        Inconclusive: the data can't tell, and `inconclusive` is 'closes'.
        UsageError: the data, the metric or an argument can't be used, or no slice has enough rows.
    """
    check_model(model)
    limit = _check(margin, at_least, live, min_rows, confidence, inconclusive)
    from ..measuring.rows import Rows, choose

    name = metric or default_metric(model.signature.output)
    chosen = choose(model.signature.output, name)
    rows = Rows(data, model.signature.output, chosen)
    limit = _OF_A_CONSTANT * rows.lost_by_a_constant() if limit is None else limit
    task = _Task(chosen, name, rows, model, live, limit, at_least is not None, seed)
    judged, skipped = task.searched(min_rows) if by is None else task.named(by, min_rows)
    _conclude(task, judged, skipped, confidence, by is None, inconclusive)


def default_metric(output: Output) -> str:
    """Return the metric that is taken where none is named: one with a value for each row."""
    return _DEFAULTS.get(output.kind) or ("brier" if output.probabilities else "accuracy")


class Judged(NamedTuple):
    """A slice and what was measured on it, the better the higher; `metric` is the metric itself."""

    label: str
    rows: int
    found: Estimate
    metric: float
    chance: float


class _Task:
    """What slices are compared by."""

    def __init__(
        self, metric: Metric, name: str, rows: Rows, model: Predictor, live: Predictor | None, limit: float,
        absolute: bool, seed: int,
    ) -> None:  # fmt: skip
        self.metric, self.name, self.rows, self.seed, self.absolute = metric, name, rows, seed, absolute
        self.sign = 1.0 if metric.higher_is_better else -1.0
        self.ours = rows.answer(model, "the candidate")
        self.theirs = None if live is None else rows.answer(live, "the live release")
        self.limit = self.sign * limit if absolute else -limit
        self.given = limit

    def named(self, by: Sequence[Any], few: int) -> tuple[list[Judged], int]:
        """Return the slices by the columns that were asked for, and how many there are too few rows of."""
        judged: list[Judged] = []
        skipped = 0
        for slicing in _slicings(self.rows, by):
            for place, label in enumerate(slicing.labels):
                part = slicing.rows(place)
                if int(part.sum()) < few or not self._has_value(part):
                    skipped += 1
                    continue
                judged.append(self._judge(label, part))
        if not judged:
            raise UsageError(
                f"None of the {skipped} slices has {few} rows"
                f"{'' if self.metric.losses else f', {_OF_A_CLASS} of each class,'} to measure {self.name} on.",
                mend="more rows, fewer columns in by, or a smaller min_rows",
            )
        return judged, skipped

    def searched(self, few: int) -> tuple[list[Judged], int]:
        """Return the slices that were found on one half of the rows, as they are on the other half."""
        import numpy as np

        from ..measuring.searching import halves, search
        from ..measuring.slicing import sliceable, sliced

        if self.metric.losses is None:
            raise UsageError(
                f"{self.name} has no value for a single row, which the search for slices needs.",
                mend='name the columns, by=["origin"], or take brier, log_loss, accuracy, mae, ndcg, map or hit_rate',
            )
        table, rows = self.rows.table, self.rows
        columns = [one for one in table.column_names if one not in rows.targets and sliceable(table, one)]
        values = self.sign * self.metric.losses(rows.truth, self.ours)
        if self.theirs is not None:
            values = values - self.sign * self.metric.losses(rows.truth, self.theirs)
        looked = halves(rows.count, self.seed)
        level = self.limit if self.theirs is not None or self.absolute else float(values[looked].mean()) + self.limit
        found = search([sliced(table, one) for one in columns], values, looked, level, max(few // 2, 2))
        parts = [(one.label, one.rows & ~looked) for one in found]
        kept = [(label, part) for label, part in parts if int(np.sum(part)) >= max(few // 2, 2)]
        return [self._judge(label, part) for label, part in kept], len(parts) - len(kept)

    def _has_value(self, part: NDArray[np.bool_]) -> bool:
        """Whether the metric can be measured on these rows: those that weigh classes need some rows of each, r2 needs
        a truth that varies."""
        import numpy as np

        if self.metric.losses is not None:
            return True
        if self.metric.needs == "numbers":
            truth = self.rows.truth[part].reshape(int(part.sum()), -1)
            # Of a truth that does not vary no share of its variance is explained.
            return self.metric.name.partition(":")[0] != "r2" or bool((np.ptp(truth, axis=0) > 0).all())
        targets = self.rows.truth[part].reshape(int(part.sum()), -1).T
        counts = [found[found > 0] for found in map(np.bincount, targets)]
        return all(len(one) > 1 and int(one.min()) >= _OF_A_CLASS for one in counts)

    def _judge(self, label: str, part: NDArray[np.bool_]) -> Judged:
        from ..statistics import estimates, metrics

        truth, ours = self.rows.truth, self.ours
        if self.theirs is not None:
            found = estimates.difference(self.metric, truth[part], ours[part], self.theirs[part], seed=self.seed)
        elif self.absolute:
            found = estimates.single(self.metric, truth[part], ours[part], seed=self.seed)
        else:
            found = estimates.of_part(self.metric, truth, ours, part, seed=self.seed)
        measured = metrics.value(self.metric, truth[part], ours[part])
        return Judged(label, int(part.sum()), found, measured, found.chance(self.limit))


def _slicings(rows: Rows, by: Sequence[Any]) -> Iterator[Slicing]:
    from ..measuring.searching import crossed_all
    from ..measuring.slicing import sliced

    if isinstance(by, str) or not isinstance(by, (list, tuple)) or not by:
        raise UsageError(f"by = {by!r}: expected a list of columns.", mend='by=["origin", ("origin", "carrier")]')
    for item in by:
        names = (item,) if isinstance(item, str) else item
        if not isinstance(names, (list, tuple)) or not names or not all(isinstance(one, str) for one in names):
            raise UsageError(f"by has {item!r}: expected a column or a tuple of columns.", mend='by=["origin"]')
        yield crossed_all([sliced(rows.table, one) for one in names])


def _check(
    margin: float | None, at_least: float | None, live: Any, min_rows: Any, confidence: Any, inconclusive: str
) -> float | None:
    """Return the limit that was given, the margin or the number, if one was."""
    if margin is not None and at_least is not None:
        raise UsageError(
            f"margin = {margin} and at_least = {at_least}: expected one of them at most.",
            mend="margin=0.02 to compare with the live release or with all rows, at_least=0.7 with a number",
        )
    if at_least is not None and live is not None:
        raise UsageError(
            "at_least compares with a number, and live with a release: expected one of them.",
            mend="leave live out, or in place of at_least: margin=0.02",
        )
    named = {name: value for name, value in (("margin", margin), ("at_least", at_least)) if value is not None}
    check_arguments(inconclusive, **named, confidence=confidence, min_rows=min_rows)
    if margin is not None:
        check_margin(margin)
    check_range(min_rows >= 2 and isinstance(min_rows, int), "a whole number from 2 on", min_rows=(min_rows, 50))
    check_range(0 < confidence < 1, "a number between 0 and 1", confidence=(confidence, 0.95))
    return next(map(float, named.values()), None)


def _conclude(
    task: _Task, judged: list[Judged], skipped: int, confidence: float, searched: bool, inconclusive: OnInconclusive
) -> None:
    from ..measuring.figures import bars
    from ..statistics.estimates import holm

    bad = holm([one.chance for one in judged], (1 - confidence) / 2)
    order = sorted(range(len(judged)), key=lambda place: (not bad[place], judged[place].chance))
    wide = 1 - (1 - confidence) / max(len(judged), 1)
    ends = {place: judged[place].found.interval(wide) for place in order[:SHOWN]}
    sign = task.sign if task.absolute else 1.0
    shown: list[dict[str, Any]] = [
        {
            "slice": one.label, "rows": one.rows, "value": one.metric, "difference": sign * one.found.value,
            "low": min(sign * end for end in ends[place]), "high": max(sign * end for end in ends[place]),
            "bad": bad[place],
        }
        for place, one in ((place, judged[place]) for place in order[:SHOWN])
    ]  # fmt: skip
    clear = all(one.found.interval(confidence)[0] >= task.limit for one in judged)
    outcome = "failed" if any(bad) else "passed" if clear or searched else "inconclusive"
    measured: dict[str, Any] = {
        "check": "slices", "metric": task.name, "margin": task.given, "rows": task.rows.count,
        "searched": searched, "judged": len(judged), "skipped": skipped, "bad": sum(bad), "slices": shown,
    }  # fmt: skip
    if shown:
        measured["figure"] = bars(
            f"{task.name} {_against(task)}, worst first", [one["slice"] for one in shown],
            [one["difference"] for one in shown], low=[one["low"] for one in shown],
            high=[one["high"] for one in shown], limit=sign * task.limit,
        )  # fmt: skip
    conclude(
        _message(task, judged, order, bad, ends, searched, confidence), outcome, measured,
        inconclusive=inconclusive, more="More rows would, or fewer slices.",
    )  # fmt: skip


def _against(task: _Task) -> str:
    if task.absolute:
        return "of slices"
    return "against the live release" if task.theirs is not None else "against all rows"


def _message(
    task: _Task, judged: list[Judged], order: list[int], bad: list[bool], ends: dict[int, tuple[float, float]],
    searched: bool, confidence: float,
) -> str:  # fmt: skip
    count = sum(bad)
    how = ", found by search on half of the rows and tested on the other half," if searched else ""
    if not judged:
        return f"no slice stands out by {task.name} on half of the {task.rows.count:,} rows"
    limit = f"{'than ' if task.absolute else 'by more than '}{task.given:g}"
    text = f"{count} of {len(judged)} slices{how} {'is' if count == 1 else 'are'} shown to be worse {limit} "
    text += f"({task.name} {_against(task)})"
    worst = [place for place in order[:3] if bad[place] or not count]
    told = "; ".join(_told(task, judged[place], ends[place]) for place in worst)
    return f"{text}. Worst: {told} ({confidence * 100:g}% intervals of all together)"


def _told(task: _Task, one: Judged, ends: tuple[float, float]) -> str:
    sign = task.sign if task.absolute else 1.0
    low, high = sorted(sign * end for end in ends)
    value = sign * one.found.value
    shown = f"{value:.4g}" if task.absolute else f"{value:+.4g}"
    return f"{one.label} {shown} ({low:.4g} to {high:.4g}, {one.rows:,} rows)"
