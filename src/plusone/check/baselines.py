"""A release beside the simplest models there are: what is no better than those need not be served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..measuring.concluding import OnInconclusive, check_arguments, check_margin, conclude, outcome_of
from ..measuring.outcomes import is_outcome
from .by_slice import default_metric

if TYPE_CHECKING:
    from ..predictor import Predictor
    from ..statistics.bootstrap import Interval

__all__ = ["simpler_is_not_better"]

__tracebackhide__ = is_outcome


def simpler_is_not_better(
    model: Predictor,
    data: Any,
    *,
    train: Any,
    metric: str | None = None,
    margin: float = 0.0,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    inconclusive: OnInconclusive = "closes",
) -> None:
    """Pass when `model` is shown to be no worse than simple models that are trained on the spot.

    They are one that always answers the same (the shares of the classes, the mean; of rankings the items that were
    right most often) and a linear one (logistic or ridge regression on the model's own fields, in plain numpy). The
    comparison is that of `no_worse`. All at or above -margin: passed; one wholly below, at a confidence that is shared
    between them (Bonferroni): failed; else inconclusive.

    Args:
        train: what the simple models learn from, a table as `data`: the training data.
        metric: as `no_worse` has it; default: brier, accuracy where there are no probabilities, mae, ndcg.

    Raises:
        CheckFailed: a simple model is shown to be better.
        Inconclusive: the data can't tell, and `inconclusive` is 'closes'.
        UsageError: the data, the metric or an argument can't be used.
    """
    check_arguments(inconclusive, model=model, margin=margin, confidence=confidence, resamples=resamples, seed=seed)
    check_margin(margin)
    from ..measuring.figures import bars
    from ..measuring.rows import Rows, choose
    from ..statistics import intervals, metrics

    output = model.signature.output
    name = metric or default_metric(output)
    chosen = choose(output, name)
    rows = Rows(data, output, chosen)
    ours = rows.answer(model, "the model")
    answers = rows.baselines(train, model.signature.fields)
    options: dict[str, Any] = {"resamples": resamples, "seed": seed}
    found = {
        who: intervals.of_difference(chosen, rows.truth, ours, theirs, confidence=confidence, **options)
        for who, theirs in answers.items()
    }
    shared = 1 - (1 - confidence) / len(answers)
    bad = [
        who
        for who, theirs in answers.items()
        if intervals.of_difference(chosen, rows.truth, ours, theirs, confidence=shared, **options).high < -margin
    ]
    lowest = min(one.low for one in found.values())
    outcome = "failed" if bad else outcome_of(lowest + margin, 0.0)
    values = {who: metrics.value(chosen, rows.truth, one) for who, one in {"candidate": ours, **answers}.items()}
    told = ", ".join(f"of a {who} one {values[who]:.4g} ({_ends(one, confidence)})" for who, one in found.items())
    measured = {"check": "simpler_is_not_better", "metric": name, "margin": margin, "rows": rows.count, **values}
    measured |= {"low": lowest, "better": bad, "figure": bars(name, [*values], [*values.values()])}
    text = f"{name} of the model is {values['candidate']:.4g}, {told}; {rows.count:,} rows; allowed is {margin:g} worse"
    conclude(text, outcome, measured, inconclusive=inconclusive, more="More rows would tell.")


def _ends(found: Interval, confidence: float) -> str:
    return f"{confidence * 100:g}% interval {found.low:+.4g} to {found.high:+.4g}"
