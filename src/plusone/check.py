"""Comparisons for the tests of a project: `plusone.check.no_worse(...)`, `plusone.check.at_least(...)`.

Each says passed, failed or inconclusive by the interval of what it measured, not by the number alone, and leaves what
it measured with the test that called it. It knows models by what they answer, and metrics by name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from .base.errors import UsageError
from .checks.outcomes import CheckFailed, Inconclusive, NotApplicable, record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .base.records import Output
    from .predictor import Answer, Predictor
    from .statistics.bootstrap import Interval
    from .statistics.metrics import Metric

__all__ = ["at_least", "no_worse"]


def no_worse(
    model: Predictor,
    live: Predictor | None,
    data: Any,
    *,
    metric: str,
    margin: float,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    inconclusive: Literal["closes", "allowed"] = "closes",
) -> None:
    """Pass when `model` is shown to be at most `margin` worse than `live` on the rows of `data`.

    The difference is taken so that positive means: the candidate is better. Its interval is a paired bootstrap's
    (see `statistics.bootstrap`). Wholly at or above -margin: passed; wholly below: failed; else inconclusive.

    Args:
        model: the candidate, as the fixture `model` gives it.
        live: the live release, as the fixture gives it; with None the check is not applicable.
        data: a dataframe, pyarrow table or list of dicts: the fields of both models and the target's column.
        metric: roc_auc, log_loss, brier, accuracy, balanced_accuracy, f1 (classes), rmse, mae, r2 (numbers).
        margin: in the unit of the metric, 0 or more.
        inconclusive: 'closes': an inconclusive outcome closes the gate; 'allowed': it does not.

    Raises:
        CheckFailed: the candidate is worse by more than the margin.
        Inconclusive: the data can't tell, and `inconclusive` is 'closes'.
        NotApplicable: there is no live release.
        UsageError: the data, the metric or an argument can't be used.
    """
    _check_arguments(inconclusive, margin=margin)
    if margin < 0:
        raise UsageError(f"margin = {margin}: expected 0 or more, in the unit of {metric}.")
    from .statistics import bootstrap, metrics

    chosen = metrics.find(metric)
    if live is None:
        raise NotApplicable("no release is live yet: there is nothing to compare with")
    rows = _Rows(data, model.signature.output, chosen)
    ours, theirs = rows.answer(model, "the candidate"), rows.answer(live, "the live release")
    sign = 1.0 if chosen.higher_is_better else -1.0
    first, second = chosen.prepare(rows.truth, ours), chosen.prepare(rows.truth, theirs)
    found = bootstrap.paired_difference(
        lambda weights: sign * first(weights),
        lambda weights: sign * second(weights),
        rows.count,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    candidate, before = (metrics.value(chosen, rows.truth, one) for one in (ours, theirs))
    text = (
        f"{metric} of the candidate is {candidate:.4g}, of the live release {before:.4g}: {_better(found.value)} "
        f"({confidence * 100:g}% interval {found.low:+.4g} to {found.high:+.4g}, {rows.count:,} rows); "
        f"allowed is {margin:g} worse"
    )
    measured = {"check": "no_worse", "metric": metric, "candidate": candidate, "live": before}
    measured |= {"difference": found.value, "margin": margin, "rows": rows.count} | rows.shift(model, live)
    _conclude(text, found, -margin, inconclusive, measured)


def at_least(
    model: Predictor,
    data: Any,
    *,
    metric: str,
    value: float,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    inconclusive: Literal["closes", "allowed"] = "closes",
) -> None:
    """Pass when `model` is shown to be at least as good as `value` on the rows of `data`.

    For a metric where lower is better (log_loss, brier, rmse, mae) that means at most `value`. The interval is a
    bootstrap's. Wholly on the good side of `value`: passed; wholly on the other: failed; else inconclusive.

    Args and errors are those of `no_worse`.
    """
    _check_arguments(inconclusive, value=value)
    from .statistics import bootstrap, metrics

    chosen = metrics.find(metric)
    rows = _Rows(data, model.signature.output, chosen)
    sign = 1.0 if chosen.higher_is_better else -1.0
    statistic = chosen.prepare(rows.truth, rows.answer(model, "the model"))
    found = bootstrap.interval(statistic, rows.count, confidence=confidence, resamples=resamples, seed=seed)
    text = (
        f"{metric} is {found.value:.4g} ({confidence * 100:g}% interval {found.low:.4g} to {found.high:.4g}, "
        f"{rows.count:,} rows); expected is {'at least' if sign > 0 else 'at most'} {value:g}"
    )
    measured = {"check": "at_least", "metric": metric, "candidate": found.value, "value": value}
    measured |= {"difference": sign * (found.value - value), "rows": rows.count}
    _conclude(text, found, value, inconclusive, measured, sign)


def _better(difference: float) -> str:
    if difference == 0:
        return "no difference"
    return f"{abs(difference):.4g} {'better' if difference > 0 else 'worse'}"


def _check_arguments(inconclusive: str, **numbers: Any) -> None:
    if inconclusive not in ("closes", "allowed"):
        raise UsageError(f"inconclusive = {inconclusive!r}: expected 'closes' or 'allowed'.")
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            raise UsageError(f"{name} = {number!r}: expected a finite number.")


def _conclude(
    text: str, found: Interval, limit: float, inconclusive: str, measured: dict[str, Any], sign: float = 1.0
) -> None:
    """Record what was measured and raise what it means; `sign` is -1 where lower values are better."""
    low, high = sorted((sign * (found.low - limit), sign * (found.high - limit)))
    outcome = "passed" if low >= 0 else "failed" if high < 0 else "inconclusive"
    message = (
        text if outcome != "inconclusive" else f"{text}: the interval has the limit inside, so the data can't tell"
    )
    record(
        {
            **measured,
            "low": found.low,
            "high": found.high,
            "resamples": found.resamples,
            "confidence": found.confidence,
            "outcome": outcome,
            "allowed": outcome == "inconclusive" and inconclusive == "allowed",
            "message": message,
        }
    )
    if outcome == "failed":
        raise CheckFailed(message)
    if outcome == "inconclusive" and inconclusive == "closes":
        raise Inconclusive(f"{message}. More rows would.")


class _Rows:
    """The rows to compare on: the truth as class codes or numbers, and each model's answers to them."""

    def __init__(self, data: Any, output: Output, metric: Metric) -> None:
        import numpy as np

        from .data.datasets import to_arrow

        _check_fit(output, metric)
        self._table = to_arrow(data)
        self._output = output
        self._metric = metric
        self._answers: dict[int, Answer] = {}
        self.count: int = self._table.num_rows
        target = output.name
        if target not in self._table.column_names:
            raise UsageError(
                f"The data has no column {target!r}, which holds the truth. Its columns: "
                f"{', '.join(self._table.column_names) or 'none'}.",
                mend=f"give data that still has {target!r}: the model itself takes only its own fields",
            )
        if self.count < 2:
            raise UsageError(f"The data has {self.count} row{'s' if self.count != 1 else ''}: expected at least 2.")
        column = self._table.column(target)
        if column.null_count:
            first = next(row for row, one in enumerate(column) if not one.is_valid)
            raise UsageError(
                f"The target {target!r} has {column.null_count} nulls, the first in row {first}: expected the truth.",
                mend=f"leave those rows out, for example data[data[{target!r}].notna()]",
            )
        self.truth: NDArray[Any] = self._codes(column) if output.kind == "classes" else self._numbers(column)
        if (self.truth == self.truth[0]).all():
            raise UsageError(
                f"The target {target!r} is {column[0].as_py()!r} in all {self.count} rows: expected rows that differ."
            )
        if self.truth.dtype.kind == "f" and not np.isfinite(self.truth).all():
            row = int(np.flatnonzero(~np.isfinite(self.truth))[0])
            raise UsageError(f"The target {target!r} is {self.truth[row]} in row {row}: expected finite numbers.")

    def shift(self, model: Predictor, live: Predictor) -> dict[str, float]:
        """Return how far the answers of two models that were asked lie apart."""
        from .checks.shifts import prediction_shift

        (a, a_classes), (b, b_classes) = (
            (self._answers[id(one)], one.signature.output.classes) for one in (model, live)
        )
        return {"prediction_shift": prediction_shift(a, a_classes, b, b_classes)}

    def _codes(self, column: Any) -> NDArray[Any]:
        """Return the truth as places in the model's classes."""
        import numpy as np

        places = {value: place for place, value in enumerate(self._output.classes)}
        encoded = column.unify_dictionaries() if "dictionary" in str(column.type) else column.dictionary_encode()
        encoded = encoded.combine_chunks()
        values = encoded.dictionary.to_pylist()
        unknown = [value for value in values if value not in places]
        if unknown:
            raise UsageError(
                f"The target {self._output.name!r} holds {unknown[0]!r}, which the model can't answer. "
                f"Its classes: {', '.join(map(repr, self._output.classes))}."
            )
        return np.array([places[value] for value in values])[encoded.indices.to_numpy(zero_copy_only=False)]

    def _numbers(self, column: Any) -> NDArray[Any]:
        import numpy as np

        try:
            return np.asarray(column.to_numpy(), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise UsageError(f"The target {self._output.name!r} is of type {column.type}: expected numbers.") from error

    def answer(self, model: Predictor, who: str) -> NDArray[Any]:
        """Return what the metric needs of the model's answers, classes in the order of the candidate's."""
        import numpy as np

        output = model.signature.output
        if output.kind != self._output.kind:
            raise UsageError(
                f"The candidate answers {self._output.kind} and {who} {output.kind}: they can't be compared."
            )
        _check_fit(output, self._metric)
        found = self._answers[id(model)] = model.run(model.columns(self._table))
        if output.kind == "number":
            return np.asarray(found.numbers, dtype=np.float64).reshape(-1)
        if set(output.classes) != set(self._output.classes):
            raise UsageError(
                f"{who[0].upper()}{who[1:]} has the classes {', '.join(map(repr, output.classes))} and the candidate "
                f"{', '.join(map(repr, self._output.classes))}: they can't be compared by {self._metric.name}."
            )
        places = [output.classes.index(one) for one in self._output.classes]
        if self._metric.needs == "probabilities":
            return np.asarray(found.probabilities)[:, places]
        order = np.empty(len(places), dtype=np.int64)
        order[places] = np.arange(len(places))
        return order[found.codes]


def _check_fit(output: Output, metric: Metric) -> None:
    """Refuse a metric that the model's answers are not made for."""
    from .statistics.metrics import METRICS

    kind = "numbers" if output.kind == "number" else "classes"
    fit = ", ".join(name for name, one in METRICS.items() if (one.needs == "numbers") == (kind == "numbers"))
    if (metric.needs == "numbers") != (kind == "numbers"):
        raise UsageError(f"The model answers {kind}, and {metric.name} is not made for that. Metrics that are: {fit}.")
    if metric.needs == "probabilities" and not output.probabilities:
        raise UsageError(
            f"{metric.name} needs probabilities, and the model answers labels only.",
            mend="use accuracy, balanced_accuracy or f1, or a model with predict_proba",
        )
    if metric.binary_only and len(output.classes) != 2:
        raise UsageError(
            f"{metric.name} is for two classes, and the model has {len(output.classes)}.",
            mend="use log_loss, brier, accuracy, balanced_accuracy or f1",
        )
