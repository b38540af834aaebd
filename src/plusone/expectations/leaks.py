"""Features that tell the target too well to be known in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..base.config import Checks
from ..base.records import Learning
from ..data.views import ColumnView, TableView
from ..statistics.alone import auc_alone, r2_alone
from ..statistics.drift import Effect, bin_edges
from .findings import Finding, fail, warning

__all__ = ["Skill", "leakage", "skills"]

_MOST_ROWS = 50_000
_BINS = 64
_CLASSES = 10
_WORDS = 2000
_FEWEST = 100
_CERTAIN, _CERTAIN_ROWS = 0.96, 1000
"""Without a live release to compare with a question may just be easy: what fails is nearly perfect, on many rows."""
_LEAP, _LEAP_FROM = 0.15, 0.5
"""How much better than every feature of before one may be, as a share of the way from chance to perfect."""


class Skill(NamedTuple):
    """How well one feature alone tells one target."""

    feature: str
    target: str
    metric: str
    """`auc`: of the class that it tells best, 0.5 is chance; `r2`: the share of the variance, 0 is chance."""
    effect: Effect

    @property
    def share(self) -> float:
        """The lower end of the interval as a share of the way from chance (0) to perfect (1)."""
        return self.effect.low if self.metric == "r2" else 2.0 * self.effect.low - 1.0


def skills(table: TableView, learning: Learning, *, alpha: float = 0.05) -> list[Skill]:
    """Return how well each feature alone tells each target on the half of the rows it was not fitted on, best first.

    It takes up to 50,000 rows, spread evenly. Numbers are cut into 64 bins, words taken as they are.
    """
    step = max(1, -(-table.rows // _MOST_ROWS))
    chosen = np.zeros(table.rows, dtype=np.bool_)
    chosen[::step] = True
    half = np.random.default_rng(0).random(int(chosen.sum())) < 0.5
    names = [name for name in table.columns if name not in learning.targets]
    if learning.features is not None:
        names = [name for name in names if name in learning.features]
    names = [name for name in names if table.columns[name].kind != "other" and table.columns[name].distinct > 1]
    many = max(1, len(names))
    found: list[Skill] = []
    codes = {name: _codes(table.columns[name], chosen) for name in names}
    for target in learning.targets:
        column = table.columns.get(target)
        if column is None:
            continue
        there = column.present[chosen] & (np.isfinite(column.numbers[chosen]) if column.kind == "number" else True)
        if there.sum() < _FEWEST:
            continue
        for name in names:
            skill = _skill(codes[name][there], column, chosen, there, half[there], alpha / many)
            if skill is not None:
                found.append(Skill(name, target, *skill))
    return sorted(found, key=lambda one: -one.share)


def leakage(now: TableView, before: TableView | None, learning: Learning, bounds: Checks) -> Iterator[Finding]:
    """Find features that tell the target alone, or far better than any did in the live release's data.

    Without a table before one fails that tells it nearly perfectly (96 % of the way from chance), and others warn.
    """
    found = skills(now, learning, alpha=bounds.data_alpha)
    if not found:
        return
    known = {(one.feature, one.target): one for one in (skills(before, learning) if before is not None else [])}
    best = max((one.share for one in known.values()), default=None)
    limit = 2.0 * bounds.leakage - 1.0
    for one in found:
        value = one.effect
        said = (
            f"alone it tells {one.target} with {'an AUC' if one.metric == 'auc' else 'an R2'} of {value.value:.3f} "
            f"(interval {value.low:.3f} to {value.high:.3f})"
        )
        measured = {"metric": one.metric, "value": value.value, "low": value.low, "high": value.high}
        same = known.get((one.feature, one.target))
        asked = "is it known when the question is asked?"
        if one.share > limit and before is None and (one.share < _CERTAIN or now.rows < _CERTAIN_ROWS):
            yield warning(one.feature, f"{said}: {asked}", **measured)
        elif one.share > limit and (same is None or same.share < limit):
            yield fail(one.feature, f"{said}: {asked}", **measured)
        elif one.share > limit:
            yield warning(one.feature, f"{said}, as it did in the live release's data", **measured)
        elif best is not None and one.share > max(_LEAP_FROM, best + _LEAP):
            yield fail(
                one.feature,
                f"{said}; the best that one feature did in the live release's data is {_told(best, one.metric):.3f}: "
                f"{asked}",
                **measured,
            )


def _told(share: float, metric: str) -> float:
    return share if metric == "r2" else (share + 1.0) / 2.0


def _skill(
    codes: NDArray[np.int64],
    target: ColumnView,
    chosen: NDArray[np.bool_],
    there: NDArray[np.bool_],
    half: NDArray[np.bool_],
    alpha: float,
) -> tuple[str, Effect] | None:
    if target.kind in ("number", "moment") and not (target.whole and target.distinct <= _CLASSES):
        return "r2", r2_alone(codes, target.numbers[chosen][there], half, alpha=alpha)
    if target.kind in ("number", "moment"):
        classes = [target.numbers[chosen][there] == value for value in target.heaps[0]]
    else:
        places = {word: place for place, word in enumerate(target.words)}
        truth = target.codes[chosen][there]
        classes = [truth == places[word] for word in list(target.counts)[:_CLASSES]]
    if len(classes) == 2:
        classes = classes[:1]
    found = [
        auc_alone(codes, one.astype(np.int64), half, alpha=alpha / len(classes))
        for one in classes
        if min(one.sum(), len(one) - one.sum()) >= 20
    ]
    return ("auc", max(found, key=lambda one: one.low)) if found else None


def _codes(column: ColumnView, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    if column.kind in ("word", "truth"):
        places = {word: place for place, word in enumerate(list(column.counts)[:_WORDS])}
        known = np.array([*(places.get(word, _WORDS) for word in column.words), _WORDS + 1], dtype=np.int64)
        return known[column.codes[chosen]]
    edges = bin_edges(*column.heaps, most=_BINS)
    values = column.numbers[chosen]
    return np.where(np.isfinite(values), np.searchsorted(edges, values, side="right") + 1, 0)
