"""What plusone checks of each packaged model by itself, on the tables that it did not learn from.

Its bounds are wide: they are for every project, and the project's own tests are for what it wants. Each check, but
`skew`, fails only where it is shown that a bound is passed, with an error of 1 in 1,000; what falls short of that, and
what the rows are too few to tell, is a warning. Losses are taken as shares: 0 is a model that is always right, 1 one
that always answers the same.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..checks.built_in import BuiltIn
from ..labels.several import singles
from ..measuring.outcomes import CheckFailed, NotApplicable, record, warn
from .causes import HARDER, WORSE
from .features import features
from .preparation import skew
from .trial import FEWEST, Trial, sampled, which_are_taken

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.records import Output
    from ..checks.built_in import Given
    from ..measuring.timing import Pair
    from ..statistics.estimates import Estimate

__all__ = ["NAMES", "checks"]

ALPHA = 0.001
"""The error of each check that fails: all of them on two holdouts stay below 1 in 50 releases."""
_DOUBT = 0.025
_REFUSED = 0.01
_SINGLES = 20
_TOLERANCE = 1e-3
_REQUESTS = (1, 256)
_FLOOR_MS = 0.05
"""No request is too slow that takes so little more."""
_BUDGET_S, _LONGER_S = 0.2, 2.0
_CONSTANT = 1e-3
"""Answers that differ by less, of a probability or of the deviation of the truth, are the same for all rows."""
_LEAST_GAIN = 0.1
"""A gain over a constant answer counts as at least so much of what that loses."""
_FEWEST_FAIL = 200
"""A slice of fewer rows warns: those of one hour, or one storm, are alike, and count as one."""
_INVERTED, _WORTHLESS = 1.5, 1.25


def checks(given: Given) -> Iterable[BuiltIn]:
    """Yield the checks of a candidate; none before training."""
    if given.context.subject != "model" or given.context.candidate is None or not given.learning.inputs:
        return
    names = given.holdouts
    for name in names or given.learning.inputs[:1]:
        trial = Trial(given, name)
        run: dict[str, Callable[[Trial], object]] = _ON_ANY if not names else {**_ON_ANY, **_ON_HOLDOUTS}
        if name not in given.outputs or given.outputs[name].kind != "table":
            continue
        yield from (BuiltIn(f"{word}[{name}]", partial(check, trial)) for word, check in run.items())


def stable(trial: Trial) -> None:
    """Fail when answers are no finite numbers, waver, or depend on the other rows of a request."""
    from ..measuring.stability import unstable

    table = sampled(trial.given.table(trial.name), 2_000)
    taken = which_are_taken(trial.model, table)
    share = 1 - float(taken.mean()) if len(taken) else 0.0
    if share > _REFUSED:
        raise CheckFailed(f"the model refuses {share:.1%} of {table.num_rows:,} rows of {trial.name}")
    if share:
        warn(f"the model refuses {share:.2%} of {table.num_rows:,} rows of {trial.name}", refused=share)
    kept = table.filter(taken)
    if not kept.num_rows:
        raise NotApplicable(f"{trial.name} has no rows")
    problem, apart = unstable(trial.model, kept, _SINGLES, _TOLERANCE)
    record({"check": "stable", "rows": kept.num_rows, "apart": min(apart, 1e300), "message": problem})
    if problem:
        raise CheckFailed(problem)


def answers(trial: Trial) -> None:
    """Fail when all answers are the same; warn of labels that are not answered any more."""
    import numpy as np

    from ..measuring.shifts import prediction_shift

    table, model = trial.table, trial.model
    found = model.run(model.columns(table))
    parts = [part for part in (found.probabilities, found.numbers, found.codes) if part is not None]
    values = np.asarray(parts[0], dtype=np.float64).reshape(found.rows, -1)
    spread = float(np.ptp(values, axis=0).max())
    measured: dict[str, Any] = {"check": "answers", "rows": found.rows, "spread": spread}
    with contextlib.suppress(NotApplicable):
        live = trial.live
        _ = trial.their_answers
        other = live.run(live.columns(table))
        ours, theirs = model.signature.output, live.signature.output
        measured["shift"] = prediction_shift(found, ours, other, theirs)
        if found.codes is not None and found.scores is None:
            shares = [_shares(one, names) for one, names in ((found, ours), (other, theirs))]
            lost = [name for name, share in shares[1].items() if share >= 0.01 and not shares[0].get(name)]
            if lost:
                warn(f"no row of {found.rows:,} is answered {', '.join(lost)}, and some are by live", labels=lost)
    record(measured)
    numbers = trial.model.signature.output.kind in ("number", "vector")
    size = float(np.asarray(trial.rows.truth, dtype=np.float64).std()) if numbers else 1.0
    if spread <= _CONSTANT * size:
        raise CheckFailed(f"the model answers the same to all {found.rows:,} rows of {trial.name}")


def _shares(answer: Any, output: Output) -> dict[str, float]:
    """Return the share of the rows that each label is answered to, of several targets with the target's name."""
    import numpy as np

    names = [repr(label) for label in output.classes]
    if output.kind == "labels":
        names = [f"{one.name} {label!r}" for one in singles(output) for label in one.classes]
    counts = np.bincount(np.asarray(answer.codes).astype(np.int64).reshape(-1), minlength=len(names))
    return {name: float(count) / answer.rows for name, count in zip(names, counts, strict=True)}


def performance(trial: Trial) -> None:
    """Fail when the candidate is shown to lose more than the bound of what live gains over a constant answer.

    A gain of less than a tenth of that counts as a tenth: where nothing is to be gained, nothing much can be lost.
    """
    import numpy as np

    from ..statistics.estimates import from_mean

    share = trial.given.settings.performance_loss
    ours, theirs, nothing = trial.ours, trial.theirs, trial.constant
    level = float(nothing.mean())
    gains = nothing - theirs
    # Where the gain is more than the least it is uncertain too, row by row.
    allowed = share * (gains if gains.mean() > _LEAST_GAIN * level else np.full(len(ours), _LEAST_GAIN * level))
    found = from_mean(theirs + allowed - ours)
    text = (
        f"of what a constant answer loses on {trial.name} ({trial.metric_name}, {len(ours):,} rows), the candidate "
        f"loses {_part(ours, level)} and the live release {_part(theirs, level)}"
    )
    _keep("performance", found, text, level, candidate=float(ours.mean()), live=float(theirs.mean()))
    if found.chance(0.0) <= ALPHA:
        raise CheckFailed(f"{text}: more than {share:.0%} of the gain is lost")
    if from_mean(theirs - ours, effective=int((ours != theirs).sum())).chance(0.0) <= ALPHA:
        warn(f"the candidate is worse than the live release: {text}", cause=WORSE)
    elif found.interval(1 - 2 * _DOUBT)[0] < 0:
        warn(f"{len(ours):,} rows are too few to tell whether more than {share:.0%} of the gain is lost: {text}")
    _beside_its_own(trial, share)


def _beside_its_own(trial: Trial, share: float) -> None:
    """Warn when the candidate does much worse on this table than the live release did on the one it was made with.

    That may be the season, or what is broken for both: nobody can tell from here.
    """
    if trial.given.before.get(trial.name) == trial.given.outputs.get(trial.name):
        return
    try:
        then = trial.earlier()
    except NotApplicable:
        return
    now, level, before, levelled = trial.ours, trial.constant.mean(), then.theirs, then.constant.mean()
    if not level > 0 or not levelled > 0:
        return
    apart = now.mean() / level - ((1 - share) * before.mean() / levelled + share)
    error = math.hypot(_error(now) / level, (1 - share) * _error(before) / levelled)
    if apart > _limit() * error:
        warn(
            f"of what a constant answer loses, the candidate loses {now.mean() / level:.1%} on {trial.name}, and the "
            f"live release lost {before.mean() / levelled:.1%} on its own",
            cause=HARDER,
        )


def live_holds(trial: Trial) -> None:
    """Fail when live, which did well on its own table, is worse than a constant answer on this one, or on a slice.

    Data that drifts makes a release slowly worse: that is a warning, and what new releases are for. One that turns
    answers into their opposite has other labels or other units.
    """
    _ = trial.live
    then = trial.earlier()
    if trial.given.before.get(trial.name) == trial.given.outputs.get(trial.name):
        raise NotApplicable(f"{trial.name} is what the live release was made with")
    now, level = trial.theirs, float(trial.constant.mean())
    before, levelled = then.theirs, float(then.constant.mean())
    if not level > 0 or not levelled > 0:
        raise NotApplicable("a constant answer is right in all rows")
    text = (
        f"of what a constant answer loses, the live release loses {_part(now, level)} on {trial.name}, and lost "
        f"{_part(before, levelled)} on its own"
    )
    record({"check": "live_holds", "now": float(now.mean()) / level, "then": float(before.mean()) / levelled})
    over = now.mean() - _WORTHLESS * level
    if before.mean() < levelled and over > _limit() * _error(now - _WORTHLESS * trial.constant):
        raise CheckFailed(f"{text}: are its labels or its units others?")
    if now.mean() / level - before.mean() / levelled > 0.1:
        warn(f"the data has drifted, or is broken: {text}", cause=HARDER)
    if trial.model.signature.output.kind == "classes" and trial.model.signature.output.probabilities:
        _no_slice_is_inverted(trial)


def _no_slice_is_inverted(trial: Trial) -> None:
    import numpy as np

    from ..measuring.searching import halves
    from ..statistics.estimates import from_mean, holm

    looked = halves(len(trial.theirs), 0)
    limit = -_INVERTED * float(trial.constant[looked].mean())
    found = _found(trial, -trial.theirs, looked, limit, categories=True)
    judged: list[tuple[str, Estimate]] = []
    for label, part in found:
        mine, other = part & looked, part & ~looked
        said = np.bincount(trial.rows.truth[mine], minlength=len(trial.model.signature.output.classes)) / mine.sum()
        level = trial.losses(np.broadcast_to(said, (len(part), len(said))).copy())
        judged.append((label, from_mean((_INVERTED * level - trial.theirs)[other])))
    for (label, one), bad in zip(judged, holm([one.chance(0.0) for _, one in judged], ALPHA), strict=True):
        if bad:
            raise CheckFailed(
                f"where {label} ({one.rows:,} rows) the live release is far worse than a constant answer, which it is "
                f"not elsewhere in {trial.name}: are the labels there others?"
            )


def baseline(trial: Trial) -> None:
    """Fail when the candidate is shown to be worse than a constant answer, or to lose much of a linear model's gain."""
    from ..measuring.figures import bars
    from ..statistics.estimates import from_mean

    share = trial.given.settings.baseline_loss
    simple, ours = trial.simple, trial.ours
    means = {"candidate": float(ours.mean()), **{who: float(loss.mean()) for who, loss in simple.items()}}
    told = ", ".join(f"{who} {mean:.4g}" for who, mean in means.items())
    text = f"mean losses on {trial.name} ({trial.metric_name}, {len(ours):,} rows): {told}"
    figure = bars(f"loss by {trial.metric_name}", list(means), list(means.values()))
    record({"check": "baseline", "rows": len(ours), **means, "message": text, "figure": figure})
    nothing = from_mean(simple["constant"] - ours)
    if nothing.chance(0.0) <= ALPHA:
        raise CheckFailed(f"the model is worse than one that always answers the same: {text}")
    if "linear" in simple:
        found = from_mean((1 - share) * simple["linear"] + share * simple["constant"] - ours)
        if found.chance(0.0) <= ALPHA:
            raise CheckFailed(f"the model loses more than {share:.0%} of what a linear one gains: {text}")
        if from_mean(simple["linear"] - ours).chance(0.0) <= ALPHA:
            warn(f"a linear model, trained on the spot, is better: {text}")
    if nothing.interval(1 - 2 * _DOUBT)[0] <= 0:
        warn(f"the model is not shown to be better than one that always answers the same: {text}")


def slices(trial: Trial) -> None:
    """Fail when a slice, found on one half of the rows, is shown on the other half to be worse than live's.

    Small ones are a warning, and so is what is worse than the whole where there is no live release.
    """
    from ..measuring.figures import bars
    from ..measuring.searching import halves
    from ..statistics.estimates import from_mean, holm

    level = float(trial.constant.mean())
    margin = trial.given.settings.slice_loss * level
    try:
        values, against = trial.theirs - trial.ours, "the live release"
    except NotApplicable:
        values, against = float(trial.ours.mean()) - trial.ours, "all rows"
    looked = halves(len(values), 0)
    found = _found(trial, values, looked, -margin)
    judged = [(label, from_mean(values[part & ~looked])) for label, part in found]
    bad = holm([one.chance(-margin) for _, one in judged], ALPHA)
    wide = 1 - 0.05 / max(len(judged), 1)
    ends = [one.interval(wide) for _, one in judged]
    told = [
        f"{label} {-one.value:+.4g} ({-high:+.4g} to {-low:+.4g}, {one.rows:,} rows)"
        for (label, one), (low, high) in zip(judged, ends, strict=True)
    ]
    measured: dict[str, Any] = {"check": "slices", "margin": margin, "rows": len(values), "against": against}
    measured["slices"] = told[:10]
    if judged:
        measured["figure"] = bars(
            f"{trial.metric_name}: loss beyond that of {against}", [label for label, _ in judged],
            [-one.value for _, one in judged], low=[-high for _, high in ends], high=[-low for low, _ in ends],
            limit=margin,
        )  # fmt: skip
    record(measured)
    text = f"slices of {trial.name} lose more than {against}, by over {margin:.4g} ({trial.metric_name}): "
    worse = [(one.rows, said) for (_, one), said, is_bad in zip(judged, told, bad, strict=True) if is_bad]
    if large := [said for rows, said in worse if against != "all rows" and rows >= _FEWEST_FAIL]:
        raise CheckFailed(text + "; ".join(large[:3]))
    if worse:
        warn(text + "; ".join(said for _, said in worse[:3]))


def _found(
    trial: Trial, values: NDArray[Any], looked: NDArray[Any], limit: float, *, categories: bool = False
) -> list[tuple[str, NDArray[Any]]]:
    """Return the slices that stand out on the rows looked at, with enough of the other rows.

    With `categories` only those of one category: a range of hours on one weekday is two evenings of a holdout, and the
    storm of one of them makes its rows alike.
    """
    from ..measuring.searching import search
    from ..measuring.slicing import is_category, sliceable, sliced

    table = trial.table
    wanted = is_category if categories else sliceable
    # Of what the model does not know only categories: the rows of a day are alike, whatever day it is.
    fields = {field.name for field in trial.model.signature.fields}
    names = [name for name in table.column_names if name not in trial.rows.targets and wanted(table, name)]
    columns = [name for name in names if name in fields or is_category(table, name)]
    slicings = [sliced(table, name) for name in columns[:50]]
    found = search(slicings, values, looked, limit, FEWEST // 2, pairs=not categories)
    return [(one.label, one.rows) for one in found if int((one.rows & ~looked).sum()) >= FEWEST // 2]


def calibration(trial: Trial) -> None:
    """Fail when the probabilities are shown to be off by the bound more than live's are."""
    from ..measuring.figures import lines
    from ..measuring.pictures import calibration_points
    from ..statistics.calibration import calibration_error

    output = trial.model.signature.output
    if output.kind != "classes" or not output.probabilities:
        raise NotApplicable("the model answers no probabilities of one target")
    answered = {"candidate": trial.rows.answer(trial.model, "the candidate")}
    with contextlib.suppress(NotApplicable):
        answered["live"] = trial.their_answers
    confidence = 1 - 2 * ALPHA
    found = {
        who: calibration_error(*calibration_points(trial.rows.truth, one), confidence=confidence)
        for who, one in answered.items()
    }
    ours, bound = found["candidate"], trial.given.settings.calibration_loss
    theirs = found.get("live")
    text = f"the calibration error on {trial.name} is {ours.value:.4g} ({ours.low:.4g} to {ours.high:.4g})"
    text += f", of the live release {theirs.value:.4g}" if theirs else ""
    series = {who: (one.bins.said.tolist(), one.bins.seen.tolist()) for who, one in found.items()}
    figure = lines("calibration", series, x="said probability", y="share that was so", diagonal=True)
    record({"check": "calibration", "error": ours.value, "low": ours.low, "high": ours.high, "figure": figure})
    if theirs is not None and ours.low > theirs.high + bound:
        raise CheckFailed(f"{text}: more than {bound:g} further off")
    if ours.low > (theirs.high if theirs else bound):
        warn(text)


def overfit(trial: Trial) -> None:
    """Fail when far more is lost from the training data to the holdout than by live, and the candidate is no better."""
    from ..statistics.estimates import from_mean

    bound = trial.given.settings.overfit
    training = trial.given.learning.inputs[0]
    learned = Trial(trial.given, training)
    gap, error = _gap(trial.ours, trial.constant, learned.ours, learned.constant)
    text = f"of what a constant answer loses, {gap:.1%} more is lost on {trial.name} than on {training}"
    measured = {"check": "overfit", "gap": gap}
    try:
        then, before = trial.earlier(), trial.earlier(training)
    except NotApplicable:
        record(measured)
        if gap - _limit() * error > 2 * bound:
            warn(f"{text}: it has learned its training data by heart")
        return
    other, wide = _gap(then.theirs, then.constant, before.theirs, before.constant)
    record(measured | {"live": other})
    if gap - other - _limit() * math.hypot(error, wide) <= bound:
        return
    text += f", by the live release {other:.1%}"
    if from_mean(trial.ours - trial.theirs).chance(0.0) <= _DOUBT:
        warn(f"{text}; yet it is better than live on {trial.name}")
        return
    raise CheckFailed(f"{text}: it has learned its training data by heart")


def _gap(held: NDArray[Any], nothing: NDArray[Any], learned: NDArray[Any], level: NDArray[Any]) -> tuple[float, float]:
    """Return how much more is lost on a holdout than in training, in shares, and its standard error."""
    one, other = float(nothing.mean()), float(level.mean())
    if not one > 0 or not other > 0:
        raise NotApplicable("a constant answer is right in all rows")
    gap = float(held.mean()) / one - float(learned.mean()) / other
    return gap, math.hypot(_error(held) / one, _error(learned) / other)


def fast(trial: Trial) -> None:
    """Fail when requests of 1 or 256 rows are shown to take longer than the bound, as a ratio to live's."""
    from ..measuring.figures import bars
    from ..statistics.medians import of_median

    bound, live = trial.given.settings.slower, trial.given.live
    if live is None:
        raise NotApplicable("no release is live yet: there is nothing to compare with")
    slow: list[str] = []
    for rows in _REQUESTS:
        table = trial.table.slice(0, rows)
        try:
            asked = live.columns(table)
        except Exception as error:
            raise NotApplicable(f"the live release does not take these rows: {error}") from None
        ours, model = trial.model.columns(table), trial.model
        pairs = _timed(partial(model.run, ours), partial(live.run, asked), bound)
        ratio, low, high = of_median([pair.ratio for pair in pairs], 1 - ALPHA)
        mine, other = (of_median(times)[0] * 1000 for times in zip(*pairs, strict=True))
        what = "a request of one row" if table.num_rows == 1 else f"a request of {table.num_rows} rows"
        text = (
            f"{what} takes {mine:.3g} ms, by the live release {other:.3g} ms: {ratio:.3g} times as long ({low:.3g} to "
            f"{high:.3g}, {len(pairs)} pairs)"
        )
        figure = bars(what, ["candidate", "live"], [mine, other], unit="ms")
        record({"check": "fast", "ratio": ratio, "low": low, "high": high, "message": text, "figure": figure})
        if low > bound and mine - other > _FLOOR_MS:
            slow.append(text)
        elif low > 1 + (bound - 1) / 2 and mine - other > _FLOOR_MS:
            warn(text)
    if slow:
        raise CheckFailed(f"{'; '.join(slow)}; allowed is {bound:g}")


def _timed(ours: Callable[[], object], theirs: Callable[[], object], bound: float) -> list[Pair]:
    """Return pairs of times; where these say that it is too slow and can't show it, others, and more of them.

    With 11 pairs all have to lie beyond the bound, and one that something else disturbed is enough to hide a model that
    takes six times as long. Each of the two looks may be wrong in half as many cases as the check.
    """
    from ..measuring.timing import paired_times
    from ..statistics.medians import of_median

    pairs = paired_times(ours, theirs, budget_s=_BUDGET_S)
    ratio, low, _ = of_median([pair.ratio for pair in pairs], 1 - ALPHA)
    return paired_times(ours, theirs, budget_s=_LONGER_S, seed=1) if low <= bound < ratio else pairs


def _keep(check: str, found: Estimate, text: str, level: float, **more: float) -> None:
    low, high = found.interval(0.95)
    record({"check": check, "low": low, "high": high, "constant": level, "rows": found.rows, "message": text, **more})


def _part(losses: NDArray[Any], level: float) -> str:
    return f"{float(losses.mean()) / level:.1%}" if level > 0 else "all"


def _error(values: NDArray[Any]) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _limit() -> float:
    from ..statistics.distributions import normal_quantile

    return normal_quantile(1 - ALPHA)


_ON_ANY: dict[str, Callable[[Trial], object]] = {"stable": stable, "answers": answers, "fast": fast}
_ON_HOLDOUTS: dict[str, Callable[[Trial], object]] = {
    "performance": performance,
    "live_holds": live_holds,
    "baseline": baseline,
    "slices": slices,
    "calibration": calibration,
    "overfit": overfit,
    "skew": skew,
    "features": features,
}
NAMES = (*_ON_ANY, *_ON_HOLDOUTS)
