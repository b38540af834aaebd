"""A metric of a release against that of the live one, or against a number.

Each says passed, failed or inconclusive by the interval of what it measured, not by the number alone. They know models
by what they answer, and metrics by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.errors import UsageError
from ..measuring.concluding import OnInconclusive, check_arguments, check_margin, conclude, outcome_of
from ..measuring.outcomes import NotApplicable, is_outcome

if TYPE_CHECKING:
    from ..predictor import Predictor
    from ..statistics.bootstrap import Interval

__all__ = ["at_least", "no_worse"]

__tracebackhide__ = is_outcome


def no_worse(
    model: Predictor,
    live: Predictor | None,
    data: Any,
    metric: str,
    margin: float,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    inconclusive: OnInconclusive = "closes",
) -> None:
    """Pass when `model` is shown to be at most `margin` worse than `live` on the rows of `data`.

    The difference is taken so that positive means: the candidate is better. Its interval is Tango's for shares of rows
    (accuracy, hit_rate) and a paired bootstrap's for all others (see `statistics.intervals`). Wholly at or above
    -margin: passed; wholly below: failed; else inconclusive. A candidate that is worse by just the margin passes in
    2.5 % of cases, and one that is no worse passes in 80 % with as many rows as the message names (`statistics.power`).

    Args:
        model: the candidate, as the fixture `model` gives it.
        live: the live release, as the fixture gives it; with None the check is not applicable.
        data: a dataframe, pyarrow table or list of dicts: the fields of both models and the target's column; for
            rankings that holds the item that was right, or a list of them.
        metric: roc_auc, log_loss, brier, accuracy, balanced_accuracy, f1 (classes), rmse, mae, r2 (numbers),
            hit_rate@k, ndcg@k, map@k (rankings). Of several targets the mean (accuracy: all right); `rmse:TARGET`: one.
        margin: in the unit of the metric, 0 or more.
        inconclusive: 'closes': an inconclusive outcome closes the gate; 'allowed': it does not.

    Raises:
        CheckFailed: the candidate is worse by more than the margin.
        Inconclusive: the data can't tell, and `inconclusive` is 'closes'.
        NotApplicable: there is no live release.
        UsageError: the data, the metric or an argument can't be used.
    """
    check_arguments(inconclusive, model=model, live=live, margin=margin, resamples=resamples, seed=seed)
    check_margin(margin)
    from ..measuring.rows import Rows, choose
    from ..statistics import intervals, metrics

    chosen = choose(model.signature.output, metric)
    if live is None:
        raise NotApplicable("no release is live yet: there is nothing to compare with")
    rows = Rows(data, model.signature.output, chosen)
    ours, theirs = rows.answer(model, "the candidate"), rows.answer(live, "the live release")
    found = intervals.of_difference(
        chosen, rows.truth, ours, theirs,
        confidence=confidence, resamples=resamples, seed=seed, same=rows.same(model, live),
    )  # fmt: skip
    candidate, before = (metrics.value(chosen, rows.truth, one) for one in (ours, theirs))
    text = (
        f"{metric} of the candidate is {candidate:.4g}, of the live release {before:.4g}: {_better(found.value)} "
        f"({confidence * 100:g}% interval {found.low:+.4g} to {found.high:+.4g}, {rows.count:,} rows); "
        f"allowed is {margin:g} worse"
    )
    measured = {"check": "no_worse", "metric": metric, "candidate": candidate, "live": before}
    measured |= {"difference": found.value, "margin": margin, "rows": rows.count} | rows.shift(model, live)
    measured |= rows.by_target(metric, candidate=ours, live=theirs) | rows.figure(candidate=ours, live=theirs)
    more = _rows_needed(found, rows.count, margin, measured, "With no difference about {} rows pass")
    _conclude(text, more, found, -margin, inconclusive, measured)


def at_least(
    model: Predictor,
    data: Any,
    metric: str,
    value: float,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    inconclusive: OnInconclusive = "closes",
) -> None:
    """Pass when `model` is shown to be at least as good as `value` on the rows of `data`.

    For a metric where lower is better (log_loss, brier, rmse, mae) that means at most `value`. The interval is Clopper
    and Pearson's for shares of rows (accuracy, hit_rate) and a bootstrap's for all others. Wholly on the good side of
    `value`: passed; wholly on the other: failed; else inconclusive, and the message says how many rows would tell if
    the metric stays what it is.

    Args and errors are those of `no_worse`.
    """
    check_arguments(inconclusive, model=model, value=value, confidence=confidence, resamples=resamples, seed=seed)
    from ..measuring.rows import Rows, choose
    from ..statistics import intervals

    chosen = choose(model.signature.output, metric)
    rows = Rows(data, model.signature.output, chosen)
    sign = 1.0 if chosen.higher_is_better else -1.0
    if sign > 0 and value > 1:
        raise UsageError(f"value = {value:g}: {metric} is 1 at most, so that nothing could pass.", mend="value=0.8")
    answer = rows.answer(model, "the model")
    found = intervals.of_metric(
        chosen, rows.truth, answer, confidence=confidence, resamples=resamples, seed=seed
    )  # fmt: skip
    text = (
        f"{metric} is {found.value:.4g} ({confidence * 100:g}% interval {found.low:.4g} to {found.high:.4g}, "
        f"{rows.count:,} rows); expected is {'at least' if sign > 0 else 'at most'} {value:g}"
    )
    measured = {"check": "at_least", "metric": metric, "candidate": found.value, "value": value}
    measured |= {"difference": sign * (found.value - value), "rows": rows.count}
    measured |= rows.by_target(metric, candidate=answer) | rows.figure(candidate=answer)
    more = _rows_needed(found, rows.count, abs(found.value - value), measured, "If it stays so, about {} rows tell")
    _conclude(text, more, found, value, inconclusive, measured, sign)


def _rows_needed(found: Interval, rows: int, margin: float, measured: dict[str, Any], text: str) -> str:
    """Keep with what was measured how many rows would tell, and return a sentence of it; '' where none would."""
    from ..statistics.power import POWER, rounded_up, rows_for

    needed = rows_for(found, rows, margin)
    if needed is None:
        return ""
    measured["rows_needed"] = needed
    return f"{text.format(f'{rounded_up(needed):,}')}, in {POWER * 100:g}% of cases"


def _better(difference: float) -> str:
    if difference == 0:
        return "no difference"
    return f"{abs(difference):.4g} {'better' if difference > 0 else 'worse'}"


def _conclude(
    text: str,
    more: str,
    found: Interval,
    limit: float,
    inconclusive: OnInconclusive,
    measured: dict[str, Any],
    sign: float = 1.0,
) -> None:
    """Record what was measured and raise what it means; `sign` is -1 where lower values are better."""
    low, high = sorted((sign * (found.low - limit), sign * (found.high - limit)))
    outcome = outcome_of(low, high)
    measured |= {"low": found.low, "high": found.high, "resamples": found.resamples, "confidence": found.confidence}
    measured |= {"method": found.method}
    if outcome == "inconclusive":
        text = f"{text}. The interval has the limit inside, so the data can't tell{'. ' if more else ''}{more}"
    conclude(text, outcome, measured, inconclusive=inconclusive, more="" if more else "More rows would.")
