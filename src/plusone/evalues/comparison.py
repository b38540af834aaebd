"""Two releases compared look by look: what has to be remembered between looks, and what a further look adds to it.

Three comparisons: of rates (`Rates`), of times (`Times`) and of what was answered (`Answers`). Each is a small record
that can be written as JSON and goes on from there exactly. A look adds counts; counts wait until there are enough of
both releases for a block, since a block with one release only says nothing. How many are enough depends on how many
came before, never on how they turned out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from msgspec import field
from msgspec.structs import replace

from ..base.records import Record
from . import evalues
from .evalues import FIRST_STAKE

__all__ = [
    "DISTANCES",
    "Answers",
    "Pair",
    "Rates",
    "Times",
    "add_answers",
    "add_rates",
    "add_times",
    "at_most",
    "quantile",
]

Pair = tuple[int, int]
"""How many, and how many of them failed."""
Counts = dict[int, int]
"""A histogram: how many values are in which bin."""
Bets = tuple[tuple[float, float], ...]
"""What is bet on, with its weight; the weights add up to 1."""

ODDS: Bets = tuple((ratio, 1 / 8) for ratio in (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0))
"""Odds ratios of failing. An increase of less than about an eighth speaks for none of them."""
EQUAL: Bets = ((0.4, 0.55), (0.8, 0.25))
"""Tilts by normal scores: a shift of 0.4 and 0.8 standard deviations. One of less than 0.2 speaks for neither."""
TOLERATED: Bets = ((0.25, 0.6), (0.5, 0.2))
TAIL: Bets = ((3.0, 0.1), (8.0, 0.1))
"""Odds ratios of being among the slowest."""
SLOWEST = 0.03
FEWEST, MOST = 10, 2_000
"""A block has at least as many values, and waits for no more."""
DISTANCES = tuple(step / 20 for step in range(20))
"""The distances that `Answers` has evidence against."""


class Rates(Record, frozen=True, kw_only=True):
    """How often each of two releases failed, and the evidence that the candidate does more often."""

    live: Pair = (0, 0)
    candidate: Pair = (0, 0)
    waiting: tuple[Pair, Pair] = ((0, 0), (0, 0))
    """Of live and candidate: what is in no block yet."""
    blocks: int = 0
    equal: tuple[float, ...] = (FIRST_STAKE,) * len(ODDS)
    """Log of what each bet against 'no more often than live' made of its stakes."""
    tolerated: tuple[float, ...] = (FIRST_STAKE,) * len(ODDS)
    """The same against 'no more often than is tolerated'."""

    def evidence(self) -> tuple[float, float]:
        """Return the two log e-values."""
        return _made(self.equal, ODDS, self.blocks), _made(self.tolerated, ODDS, self.blocks)


def add_rates(state: Rates, live: Pair, candidate: Pair, *, tolerance: float, cap: float) -> Rates:
    """Return the comparison after one more look; none of its log e-values grows by more than `cap`."""
    waiting = (_sum(state.waiting[0], live), _sum(state.waiting[1], candidate))
    if not _enough(waiting[0][0] + waiting[1][0], state.live[0], state.candidate[0]):
        return replace(state, waiting=waiting)
    equal = [evalues.rates(*waiting, ratio) for ratio, _ in ODDS]
    more = [log + evalues.allowance(*waiting, ratio, tolerance) for log, (ratio, _) in zip(equal, ODDS, strict=True)]
    return Rates(
        live=_sum(state.live, waiting[0]),
        candidate=_sum(state.candidate, waiting[1]),
        blocks=state.blocks + 1,
        equal=_grown(state.equal, equal, cap, state.blocks),
        tolerated=_grown(state.tolerated, more, cap, state.blocks),
    )


class Times(Record, frozen=True, kw_only=True):
    """Histograms of times of two releases, and the evidence that the candidate is slower.

    The bins are whole numbers, equally wide on a logarithmic scale.
    """

    live: Counts = field(default_factory=dict)
    candidate: Counts = field(default_factory=dict)
    waiting: tuple[Counts, Counts] = field(default_factory=lambda: ({}, {}))
    blocks: int = 0
    equal: tuple[float, ...] = (FIRST_STAKE,) * len(EQUAL + TAIL)
    """Log of what each bet against 'not slower than live' made of its stakes."""
    tolerated: tuple[float, ...] = (FIRST_STAKE,) * len(TOLERATED + TAIL)
    """The same against 'not slower than live by more than is tolerated'."""

    def evidence(self) -> tuple[float, float]:
        """Return the two log e-values."""
        return _made(self.equal, EQUAL + TAIL, self.blocks), _made(self.tolerated, TOLERATED + TAIL, self.blocks)


def add_times(
    state: Times,
    live: Counts,
    candidate: Counts,
    *,
    forgiven: Callable[[int], int] | None,
    floor: int,
    cap: float,
) -> Times:
    """Return the comparison after one more look.

    Args:
        forgiven: where a bin of the candidate's is put to see whether it is slower than is tolerated: the time less
            what is tolerated, never above it, and rising. None: nothing is tolerated.
        floor: times below this bin count as equal to it.
        cap: no log e-value grows by more.

    The scores of a block are ranks among live's times so far and the block's own, so that they are known before it
    is known whose times they are, as `evalues.tilted` asks for.
    """
    waiting = (_joined(state.waiting[0], live), _joined(state.waiting[1], candidate))
    many = sum(waiting[0].values()) + sum(waiting[1].values())
    if not _enough(many, sum(state.live.values()), sum(state.candidate.values())):
        return replace(state, waiting=waiting)
    equal = _slower(state.live, waiting[0], waiting[1], floor, EQUAL)
    more = _slower(state.live, waiting[0], _moved(waiting[1], forgiven), floor, TOLERATED) if forgiven else equal
    return Times(
        live=_joined(state.live, waiting[0]),
        candidate=_joined(state.candidate, waiting[1]),
        blocks=state.blocks + 1,
        equal=_grown(state.equal, equal, cap, state.blocks),
        tolerated=_grown(state.tolerated, more, cap, state.blocks),
    )


def at_most(state: Times, most: float) -> Times:
    """Return the comparison with neither log e-value above `most`, which is at least 0: what they were beyond it is
    given up. An e-value that is made smaller at any time stays one, so what comes later counts in full.

    By hand: a quarter is not staked yet, and the bets made 7 of what was: 7.25. At most 4 leaves them 3.75.
    """
    return replace(
        state,
        equal=_at_most(state.equal, EQUAL + TAIL, state.blocks, most),
        tolerated=_at_most(state.tolerated, TOLERATED + TAIL, state.blocks, most),
    )


def _at_most(logs: Sequence[float], bets: Bets, blocks: int, most: float) -> tuple[float, ...]:
    if _made(logs, bets, blocks) <= most:
        return tuple(logs)
    whole = evalues.mixture(logs, [weight for _, weight in bets])
    less = math.log(math.exp(most) - evalues.kept(blocks)) - whole
    return tuple(log + less for log in logs)


def _slower(before: Counts, live: Counts, candidate: Counts, floor: int, tilts: Bets) -> list[float]:
    """Return the log e-value of a block for each tilt of normal scores, then for each odds ratio of the tail."""
    before, theirs, ours = (_moved(side, lambda at: max(at, floor)) for side in (before, live, candidate))
    if not theirs or not ours:
        return [0.0] * len(tilts + TAIL)
    reference = _joined(_joined(before, theirs), ours)
    order = sorted(reference)
    ranked = [reference[at] for at in order]
    levels = evalues.normal_scores(ranked)
    low, high = _by_level(order, theirs, levels), _by_level(order, ours, levels)
    names = sorted(low.keys() | high.keys())
    first, second = [low.get(name, 0) for name in names], [high.get(name, 0) for name in names]
    found = [evalues.tilted(first, second, [tilt * name for name in names]) for tilt, _ in tilts]
    slow = {at for at, last in zip(order, evalues.tail(ranked, SLOWEST), strict=True) if last}
    many, own = sum(theirs.values()), sum(ours.values())
    failed, own_failed = (sum(count for at, count in side.items() if at in slow) for side in (theirs, ours))
    return [*found, *(evalues.rates((many, failed), (own, own_failed), ratio) for ratio, _ in TAIL)]


def _by_level(order: list[int], counts: Counts, levels: list[float]) -> dict[float, int]:
    grouped: dict[float, int] = {}
    for at, level in zip(order, levels, strict=True):
        if at in counts:
            grouped[level] = grouped.get(level, 0) + counts[at]
    return grouped


def _moved(counts: Counts, place: Callable[[int], int]) -> Counts:
    moved: Counts = {}
    for at, count in counts.items():
        moved[place(at)] = moved.get(place(at), 0) + count
    return moved


def quantile(counts: Counts, share: float) -> int | None:
    """Return the bin below or at which `share` of the counts lie; None when there are none."""
    left = share * sum(counts.values())
    for at in sorted(counts):
        left -= counts[at]
        if left <= 0:
            return at
    return None


class Answers(Record, frozen=True, kw_only=True):
    """What two releases answered, by bucket, and the evidence of how far apart that is."""

    live: dict[str, float] = field(default_factory=dict)
    candidate: dict[str, float] = field(default_factory=dict)
    blocks: int = 0
    logs: tuple[float, ...] = (FIRST_STAKE,) * len(DISTANCES)
    """Log of what was made of the stakes against 'the distance is at most this', for each of `DISTANCES`."""
    best: tuple[float, ...] = (0.0,) * len(DISTANCES)
    """The largest log e-value that each of them has been."""

    def measured(self) -> tuple[float, float]:
        """Return the total variation distance as counted, and how much of it chance alone would show."""
        return evalues.distance(*_shares(self))

    def bound(self, alpha: float) -> float | None:
        """Return a distance that the true one is larger than, at all looks together with confidence 1 - alpha.

        One of `DISTANCES`; None while nothing is known, not even that there is a difference.
        """
        known = [size for size, log in zip(DISTANCES, self.best, strict=True) if log >= -math.log(alpha)]
        return max(known, default=None)


def add_answers(state: Answers, live: dict[str, float], candidate: dict[str, float], *, cap: float) -> Answers:
    """Return the comparison after one more look.

    The distance of two distributions is the largest difference in the share of any set. Evidence against each distance
    is gathered on the set that the counts so far make the best one: `evalues.moved`, with the shares so far as the
    bet, less what chance alone would have made of them.
    """
    theirs, ours = sum(state.live.values()), sum(state.candidate.values())
    logs, blocks = state.logs, state.blocks
    if theirs and ours and live and candidate:
        larger = {
            name for name, count in sorted(state.candidate.items()) if count / ours > state.live.get(name, 0) / theirs
        }
        apart, noise = state.measured()
        low = (sum(count for name, count in sorted(state.live.items()) if name in larger) + 0.5) / (theirs + 1)
        bet = (low, min(low + max(apart - noise, 0.0), 0.999))
        pairs = [
            (sum(side.values()), sum(count for name, count in sorted(side.items()) if name in larger))
            for side in (live, candidate)
        ]
        logs = _grown(logs, [evalues.moved(pairs[0], pairs[1], bet, size) for size in DISTANCES], cap, blocks)
        blocks += 1
    now = [evalues.mixture([log], [1.0], evalues.kept(blocks)) for log in logs]
    return Answers(
        live={name: state.live.get(name, 0) + live.get(name, 0) for name in sorted(state.live.keys() | live.keys())},
        candidate={
            name: state.candidate.get(name, 0) + candidate.get(name, 0)
            for name in sorted(state.candidate.keys() | candidate.keys())
        },
        blocks=blocks,
        logs=logs,
        best=tuple(max(pair) for pair in zip(state.best, now, strict=True)),
    )


def _shares(state: Answers) -> tuple[list[float], list[float]]:
    names = sorted(state.live.keys() | state.candidate.keys())
    return [state.live.get(name, 0) for name in names], [state.candidate.get(name, 0) for name in names]


def _sum(first: Pair, second: Pair) -> Pair:
    return first[0] + second[0], first[1] + second[1]


def _joined(first: Counts, second: Counts) -> Counts:
    return {at: first.get(at, 0) + second.get(at, 0) for at in first.keys() | second.keys()}


def _made(logs: Sequence[float], bets: Bets, blocks: int) -> float:
    return evalues.mixture(logs, [weight for _, weight in bets], evalues.kept(blocks))


def _grown(logs: Sequence[float], further: Sequence[float], cap: float, blocks: int) -> tuple[float, ...]:
    """Return what the bets made of their stakes after a block; none grows by more than `cap`."""
    return tuple(evalues.staked(log, min(more, cap), blocks) for log, more in zip(logs, further, strict=True))


def _enough(waiting: int, live: int, candidate: int) -> bool:
    """Whether what waits is a block: about two of the smaller release, as far as the blocks so far can tell."""
    rarer = min(live, candidate)
    return waiting >= min(MOST, max(FEWEST, math.ceil(2 * (live + candidate) / max(rarer, 1))))
