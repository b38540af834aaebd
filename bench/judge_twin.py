"""The judge's arithmetic for many rollouts at once, in numpy: `bench/judge.py` simulates thousands with it.

The same formulas as `plusone.evalues.comparison`, whose constants it takes; on some of the rollouts the real `look`
is run on the same counts, and both must come to the same e-values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from plusone.evalues import comparison, evalues

Array = np.ndarray[Any, Any]

LOG_FACTORIALS = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, 200_000)))])
EDGES = np.array(evalues._EDGES)
LEVELS = np.array(evalues._LEVELS)


def log_mean_weight(counts: Array, logs: Array, chosen: Array) -> Array:
    """Return `evalues.log_mean_weight` for each row: counts (R, K), logs (K,), chosen (R,)."""
    many = counts.sum(1)
    plain = (counts * logs).sum(1) * chosen / np.maximum(many, 1)
    use = (chosen > 0) & (chosen < many) & ((counts > 0).sum(1) > 1)
    if len(logs) == 2:
        few = use & (counts.min(1) <= evalues._FEW)
        plain[few] = _of_few(counts[few], logs, chosen[few])
        use &= ~few
    if use.any():
        plain[use] = _transform(counts[use], logs, chosen[use])
    return plain


def _of_few(counts: Array, logs: Array, chosen: Array) -> Array:
    """Two levels: the sum over how many of the level with few items are chosen."""
    place = counts.argmin(1)
    few, rest = counts.min(1), counts.max(1)
    gain = logs[place] - logs[1 - place]
    taken = np.arange(int(few.max(initial=0)) + 1)[:, None]
    possible = (taken <= few) & (taken <= chosen) & (chosen - taken <= rest)
    with np.errstate(invalid="ignore"):
        log = (
            _choices(few, taken)
            + _choices(rest, chosen - taken)
            - _choices(few + rest, chosen)
            + taken * gain
            + chosen * logs[1 - place]
        )
    log = np.where(possible, log, -np.inf)
    top = log.max(0, initial=-np.inf)
    return top + np.log(np.exp(log - top).sum(0))


def _choices(many: Array, chosen: Array) -> Array:
    rest = np.maximum(many - chosen, 0)
    first, second, third = (LOG_FACTORIALS[np.maximum(number, 0).astype(int)] for number in (many, chosen, rest))
    return first - second - third


def _transform(counts: Array, logs: Array, chosen: Array) -> Array:
    """Any number of levels: the discrete Fourier transform of the Poisson-binomial distribution."""
    many = counts.sum(1)
    share = chosen / many
    odds = np.log(share) - np.log1p(-share)
    low, high = odds - logs.max(), odds - logs.min()
    at = (low + high) / 2
    for _ in range(60):
        inside = 1 / (1 + np.exp(-(at[:, None] + logs)))
        over = (counts * inside).sum(1) - chosen
        high, low = np.where(over > 0, at, high), np.where(over > 0, low, at)
        if (np.abs(over) <= 1e-9 * chosen).all():
            break
        step = at - over / (counts * inside * (1 - inside)).sum(1)
        at = np.where((low < step) & (step < high), step, (low + high) / 2)
    inside = 1 / (1 + np.exp(-(at[:, None] + logs)))
    spread = inside * (1 - inside)
    half = int(12 * math.sqrt((counts * spread).sum(1).max()) + 17) // 2 + 1
    points = 2 * half + 1
    total = np.ones(len(counts))
    for place in range(1, half + 1):
        angle = 2 * math.pi * place / points
        size = (counts * np.log1p(-2 * spread * (1 - math.cos(angle)))).sum(1)
        turn = (counts * np.arctan2(inside * math.sin(angle), 1 - inside + inside * math.cos(angle))).sum(1)
        if size.max() < -90:
            break
        total += 2 * np.exp(size / 2) * np.cos(turn - angle * chosen)
    binomial = _choices(many, chosen) + chosen * np.log(share) + (many - chosen) * np.log1p(-share)
    grown = (counts * np.logaddexp(0, at[:, None] + logs)).sum(1) - many * np.logaddexp(0, odds)
    return np.log(total / points) - binomial + grown - chosen * (at - odds)


def rates(live: Array, candidate: Array, ratio: float) -> Array:
    """Return `evalues.rates` for each row; both (R, 2): how many, and how many failed."""
    tilt = math.log(ratio)
    pool = live + candidate
    counts = np.stack([pool[:, 0] - pool[:, 1], pool[:, 1]], 1)
    found = candidate[:, 1] * tilt - log_mean_weight(counts, np.array([0.0, tilt]), candidate[:, 0])
    return np.where((live[:, 0] > 0) & (candidate[:, 0] > 0), found, 0.0)


def allowance(live: Array, candidate: Array, ratio: float, tolerance: float) -> Array:
    """Return `evalues.allowance` for each row."""
    mean = 1 + candidate[:, 0] / np.maximum(live[:, 0] + candidate[:, 0], 1) * (ratio - 1)
    found = (live[:, 0] - live[:, 1]) * np.log1p(-tolerance * (1 - 1 / mean))
    return np.where((live[:, 0] > 0) & (candidate[:, 0] > 0), found, 0.0)


class Stakes:
    """What the bets of R rollouts made of their stakes."""

    def __init__(self, rows: int, bets: comparison.Bets) -> None:
        self.weights = np.array([weight for _, weight in bets])
        self.logs = np.full((rows, len(bets)), evalues.FIRST_STAKE)

    def grow(self, at: Array, more: Array, cap: float, blocks: Array) -> None:
        """Add a block to the rows `at`: `more` (len(at), bets) are its log e-values."""
        late = evalues._LATER
        stake = np.log(0.25 * late / ((blocks + late) * (blocks + late + 1)))
        self.logs[at] = np.logaddexp(self.logs[at], stake[:, None]) + np.minimum(more, cap)

    def log(self, blocks: Array) -> Array:
        """Return the log e-value of each row."""
        return np.log(self._bets() + self._aside(blocks))

    def at_most(self, most: float, blocks: Array) -> None:
        """Give up what log e-values are beyond `most`."""
        over = self.log(blocks) > most
        more = np.log(math.exp(most) - self._aside(blocks)) - np.log(self._bets())
        self.logs[over] += more[over, None]

    def _bets(self) -> Array:
        return (np.exp(np.minimum(self.logs, 600)) * self.weights).sum(1)

    def _aside(self, blocks: Array) -> Array:
        return 0.25 * evalues._LATER / (blocks + evalues._LATER)


class Compared:
    """What rates and times have in common: blocks, and two e-values."""

    def __init__(self, rows: int, equal: comparison.Bets, tolerated: comparison.Bets, cap: float) -> None:
        self.blocks = np.zeros(rows)
        self.seen = np.zeros((rows, 2))  # of live and candidate, in blocks
        self.equal, self.tolerated = Stakes(rows, equal), Stakes(rows, tolerated)
        self.cap = cap

    def enough(self, live: Array, candidate: Array) -> Array:
        """Return the rows whose waiting counts are a block."""
        rarer = np.maximum(self.seen.min(1), 1)
        needed = np.minimum(comparison.MOST, np.maximum(comparison.FEWEST, np.ceil(2 * self.seen.sum(1) / rarer)))
        return np.flatnonzero(live + candidate >= needed)

    def close(self, at: Array, live: Array, candidate: Array, equal: Array, tolerated: Array) -> None:
        """Add a block to the rows `at`."""
        self.equal.grow(at, equal, self.cap, self.blocks[at])
        self.tolerated.grow(at, tolerated, self.cap, self.blocks[at])
        self.blocks[at] += 1
        self.seen[at] += np.stack([live, candidate], 1)

    def logs(self) -> tuple[Array, Array]:
        """Return the two log e-values of each row."""
        return self.equal.log(self.blocks), self.tolerated.log(self.blocks)


class Rates(Compared):
    """`comparison.Rates` of R rollouts."""

    def __init__(self, rows: int, tolerance: float, cap: float) -> None:
        super().__init__(rows, comparison.ODDS, comparison.ODDS, cap)
        self.tolerance = tolerance
        self.waiting = np.zeros((2, rows, 2))

    def look(self, live: Array, candidate: Array) -> None:
        """Add what came since the look before: both (R, 2)."""
        self.waiting += np.stack([live, candidate])
        at = self.enough(self.waiting[0, :, 0], self.waiting[1, :, 0])
        first, second = self.waiting[0, at], self.waiting[1, at]
        plain = np.stack([rates(first, second, ratio) for ratio, _ in comparison.ODDS], 1)
        more = np.stack([allowance(first, second, ratio, self.tolerance) for ratio, _ in comparison.ODDS], 1)
        self.close(at, first[:, 0], second[:, 0], plain, plain + more)
        self.waiting[:, at] = 0


class Times(Compared):
    """`comparison.Times` of R rollouts; histograms are (R, bins), the first bin is `start`."""

    def __init__(
        self, rows: int, forgiven: Callable[[int], int], start: int, width: int, floor: int, cap: float
    ) -> None:
        super().__init__(rows, comparison.EQUAL + comparison.TAIL, comparison.TOLERATED + comparison.TAIL, cap)
        places = np.arange(start, start + width)
        self.raised = _moves(np.maximum(places, floor) - start)
        self.forgiven = _moves(np.maximum([forgiven(int(place)) for place in places], floor) - start)
        self.before = np.zeros((rows, width))
        self.waiting = np.zeros((2, rows, width))

    def look(self, live: Array, candidate: Array) -> None:
        """Add what came since the look before: both (R, bins)."""
        self.waiting += np.stack([live, candidate])
        at = self.enough(self.waiting[0].sum(1), self.waiting[1].sum(1))
        first, second = self.waiting[0, at], self.waiting[1, at]
        equal = self._slower(at, first, second @ self.raised, comparison.EQUAL)
        more = self._slower(at, first, second @ self.forgiven, comparison.TOLERATED)
        self.close(at, first.sum(1), second.sum(1), equal, more)
        self.before[at] += first
        self.waiting[:, at] = 0

    def at_most(self, most: float) -> None:
        """Give up what log e-values are beyond `most`."""
        for stakes in (self.equal, self.tolerated):
            stakes.at_most(most, self.blocks)

    def _slower(self, at: Array, live: Array, ours: Array, tilts: comparison.Bets) -> Array:
        theirs = live @ self.raised
        reference = self.before[at] @ self.raised + theirs + ours
        ends = reference.cumsum(1)
        whole = ends[:, -1:]
        level = np.searchsorted(EDGES, (ends - reference / 2) / np.maximum(whole, 1), side="right")
        flat = (level + np.arange(len(at))[:, None] * len(LEVELS)).ravel()
        shape = (len(at), len(LEVELS))
        high = np.bincount(flat, ours.ravel(), len(at) * len(LEVELS)).reshape(shape)
        pool = high + np.bincount(flat, theirs.ravel(), len(at) * len(LEVELS)).reshape(shape)
        both = (theirs.sum(1) > 0) & (ours.sum(1) > 0)
        found = [
            np.where(
                both,
                (high * LEVELS * tilt).sum(1) - log_mean_weight(pool, LEVELS * tilt, ours.sum(1)),
                0.0,
            )
            for tilt, _ in tilts
        ]
        slow = whole - ends + reference <= comparison.SLOWEST * whole
        pairs = [np.stack([side.sum(1), (side * slow).sum(1)], 1) for side in (theirs, ours)]
        return np.stack([*found, *(rates(pairs[0], pairs[1], ratio) for ratio, _ in comparison.TAIL)], 1)


def _moves(places: Array) -> Array:
    """Return the matrix that puts the counts of each bin into another."""
    made = np.zeros((len(places), len(places)))
    made[np.arange(len(places)), np.maximum(places, 0)] = 1
    return made
