"""E-values of one block of two releases' counts: what may be looked at after each block, as often as one likes.

An e-value is a number >= 0 whose mean is at most 1 while the hypothesis holds, whatever was seen before. The product of
the e-values of successive blocks then passes 1/alpha, at any time at all, with probability at most alpha: Ville (1939),
"Etude critique de la notion de collectif"; Ramdas, Grünwald, Vovk & Shafer (2023), "Game-theoretic statistics and safe
anytime-valid inference", Statistical Science 38(4). The same holds for weighted means of such products (`mixture`).

Everything is a pure function of counts and of the standard library; logarithms are natural.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from statistics import NormalDist

__all__ = [
    "FIRST_STAKE",
    "allowance",
    "distance",
    "kept",
    "log_mean_weight",
    "mixture",
    "moved",
    "normal_scores",
    "rates",
    "staked",
    "tail",
    "tilted",
]

_GAUSS = 10_000.0
"""From this variance on the chance of a count is taken from the normal curve: wrong by less than 1 in 100,000."""
_FEW, _MANY = 40, 1_000_000
_LATER = 500
_LEVELS = [step / 2 for step in range(-5, 6)]
_EDGES = [NormalDist().cdf(level + 0.25) for level in _LEVELS[:-1]]


def mixture(logs: Sequence[float], weights: Sequence[float], aside: float = 0.0) -> float:
    """Return the log of a weighted sum of e-values, given their logs, and of `aside`, the weight that is not bet.

    By hand: e-values 3 and 5 with weights 1/4, and 1/2 set aside, make 1/2 + 3/4 + 5/4 = 2.5.
    """
    top = max(*logs, 0.0)
    found = sum(weight * math.exp(log - top) for log, weight in zip(logs, weights, strict=True))
    return top + math.log(found + aside * math.exp(-top))


FIRST_STAKE = math.log(0.75)
"""What is staked before the first block: see `staked`."""


def staked(log: float, more: float, blocks: int) -> float:
    """Return the log of what was made of the stakes of a bet, after a block whose log e-value is `more`.

    Three quarters are staked before the first block, the rest bit by bit: before each block 1/4 of c / ((t + c)
    (t + c + 1)), with t the number of `blocks` before it and c = 500. That, plus what is not staked yet (`kept`), is an
    e-value: a mean, weighted by the stakes, of the bets that begin at each block. So the evidence against a candidate
    that turns bad late does not begin with all that it earned before: it has to be stronger by some 8 nats only.

    By hand: 3/4 is staked; before the first block 1/4 / 501 is added; with an e-value of 2 they become 1.501.
    """
    stake = math.log((1 - math.exp(FIRST_STAKE)) * _LATER / ((blocks + _LATER) * (blocks + _LATER + 1)))
    top = max(log, stake)
    return top + math.log(math.exp(log - top) + math.exp(stake - top)) + more


def kept(blocks: int) -> float:
    """Return what is not staked yet after so many blocks: see `staked`. By hand: 1/4 after none, 1/8 after 500."""
    return (1 - math.exp(FIRST_STAKE)) * _LATER / (blocks + _LATER)


def tilted(live: Sequence[int], candidate: Sequence[int], logs: Sequence[float]) -> float:
    """Return the log e-value of a block against 'the candidate's values are not higher than live's'.

    `live` and `candidate` count the values at each level, and `logs` is the log weight of a level, rising with the
    value. Take the values of the block as given. If the candidate is like live, which of the requests went to it was
    left to chance, so each choice of as many of them is equally likely; the e-value is the product of the candidate's
    weights over its mean under all choices. That mean is exact (`log_mean_weight`), and nothing is assumed of the
    values: they may depend on each other, come in bursts and drift, and no rate or shape has to be known. A candidate
    whose values are lower makes it smaller only. With two levels it is the likelihood ratio of Fisher's noncentral
    hypergeometric distribution: Fisher (1935), "The logic of inductive inference", and Cornfield (1956), "A statistical
    problem arising from retrospective studies"; as an e-value: Grünwald, de Heide & Koolen (2024), "Safe testing",
    JRSS-B 86(5).

    By hand: live has 1 low value, the candidate 1 high one, of weight 3. Under chance the candidate has either: the
    mean weight is (1 + 3) / 2 = 2, and the e-value 3 / 2.
    """
    pool = [first + second for first, second in zip(live, candidate, strict=True)]
    own = sum(count * log for count, log in zip(candidate, logs, strict=True))
    return own - log_mean_weight(pool, logs, sum(candidate))


def rates(live: tuple[int, int], candidate: tuple[int, int], ratio: float) -> float:
    """Return the log e-value of a block against 'the candidate fails no more often than live'.

    Both pairs are (how many, how many of them failed), and `ratio` > 1 is the odds ratio that is bet on: `tilted` with
    two levels.

    By hand: live (1, 0), candidate (1, 1), ratio 3: 3 / 2, as in `tilted`.
    """
    (many, failed), (own, own_failed) = live, candidate
    if not many or not own:
        return 0.0
    return tilted((many - failed, failed), (own - own_failed, own_failed), (0.0, math.log(ratio)))


def allowance(live: tuple[int, int], candidate: tuple[int, int], ratio: float, tolerance: float) -> float:
    """Return what to add to `rates`, so that it speaks against 'no more often than is tolerated'.

    Tolerated is that the candidate fails a share `tolerance` of what live does well: of a rate p it may make
    p + tolerance (1 - p). If each success of live is made a failure with that probability, `rates` is an e-value, and
    so is its mean over that. A block with k failures more has a mean weight at most A^k times as large, with
    A = 1 + share (ratio - 1), since a sample without replacement is negatively associated (Joag-Dev & Proschan (1983),
    "Negative association of random variables", Annals of Statistics 11(1)). So the mean is at least the e-value as it
    was, times 1 - tolerance (1 - 1/A) for each success of live.

    By hand: live (1, 0), candidate (1, 1), ratio 3: A = 2. With a tolerance of 0.5 the success of live counts
    1 - 0.5 / 2 = 3/4, and the e-value is 9 / 8.
    """
    (many, failed), (own, _) = live, candidate
    if not many or not own:
        return 0.0
    mean = 1 + own / (many + own) * (ratio - 1)
    return (many - failed) * math.log1p(-tolerance * (1 - 1 / mean))


def log_mean_weight(counts: Sequence[int], logs: Sequence[float], chosen: int) -> float:
    """Return the log of the mean, over all ways to choose `chosen` of the items, of the product of their weights.

    `counts` says how many items have each of the log weights `logs`. The sum over choices is an elementary symmetric
    polynomial. Let each item be in with probability proportional to its weight at odds, such that `chosen` of them are
    in on average: the polynomial is then the chance of exactly `chosen` (Poisson-binomial), found by the discrete
    Fourier transform of Fernandez & Williams (2010), "Closed-form expression for the Poisson-binomial probability
    density function", IEEE Transactions on Aerospace and Electronic Systems 46(2).

    Cost: levels times the square root of the number of items.

    By hand: of items with weights 1, 1 and 3 choose 2: (1*1 + 1*3 + 1*3) / 3 = 7/3.
    """
    levels = [(count, log) for count, log in zip(counts, logs, strict=True) if count]
    many = sum(count for count, _ in levels)
    if not 0 < chosen < many or len({log for _, log in levels}) < 2:
        return sum(count * log for count, log in levels) * chosen / many if many else 0.0
    if len(levels) == 2 and min(count for count, _ in levels) <= _FEW:
        return _log_mean_of_few(levels, chosen)
    share = chosen / many
    odds = math.log(share) - math.log1p(-share)
    at = _balance(levels, chosen, odds)
    weighted = [(count, _logistic(at + log)) for count, log in levels]
    likely = _log_chance(weighted, chosen) - _log_binomial(many, share, chosen)
    grown = sum(count * (_softplus(at + log) - _softplus(odds)) for count, log in levels)
    return likely + grown - chosen * (at - odds)


def _log_mean_of_few(levels: list[tuple[int, float]], chosen: int) -> float:
    """Return the same for two levels, one of which has few items: the sum over how many of those are chosen."""
    (few, own), (rest, other) = sorted(levels)
    first, last = max(0, chosen - rest), min(few, chosen)
    log = _log_choices(few, first) + _log_choices(rest, chosen - first) - _log_choices(few + rest, chosen)
    term = total = 1.0
    for taken in range(first, last):
        left = rest - (chosen - taken)
        term *= (few - taken) * (chosen - taken) / ((taken + 1) * (left + 1)) * math.exp(own - other)
        total += term
    return log + math.log(total) + first * own + (chosen - first) * other


def _log_choices(many: int, chosen: int) -> float:
    return math.lgamma(many + 1) - math.lgamma(chosen + 1) - math.lgamma(many - chosen + 1)


def _balance(levels: list[tuple[int, float]], chosen: int, odds: float) -> float:
    """Return the log odds at which `chosen` items are in on average: by Newton, or by halves where that leads away."""
    low, high = odds - max(log for _, log in levels), odds - min(log for _, log in levels)
    at = (low + high) / 2
    for _ in range(60):
        shares = [(count, _logistic(at + log)) for count, log in levels]
        over = sum(count * share for count, share in shares) - chosen
        if over > 0:
            high = at
        else:
            low = at
        if abs(over) <= 1e-9 * chosen or high - low < 1e-12:
            break
        step = at - over / max(sum(count * share * (1 - share) for count, share in shares), 1e-300)
        at = step if low < step < high else (low + high) / 2
    return at


def _log_chance(shares: Sequence[tuple[int, float]], count: int) -> float:
    """Return the log chance that exactly `count` items are in; of each pair, so many are in with that chance each."""
    variance = sum(many * share * (1 - share) for many, share in shares)
    if variance > _GAUSS:
        return -0.5 * math.log(2 * math.pi * variance)
    half = min(sum(many for many, _ in shares), int(12 * math.sqrt(variance)) + 17) // 2 + 1
    points = 2 * half + 1
    total = 1.0
    for place in range(1, half + 1):
        angle = 2 * math.pi * place / points
        cosine, sine = math.cos(angle), math.sin(angle)
        size, turn = 0.0, -angle * count
        for many, share in shares:
            size += many * math.log1p(-2 * share * (1 - share) * (1 - cosine))
            turn += many * math.atan2(share * sine, 1 - share + share * cosine)
        if size < -90:  # it only falls from here on: what is left is under 1e-19
            break
        total += 2 * math.exp(size / 2) * math.cos(turn)
    return math.log(max(total, 1e-300) / points)


def _log_binomial(many: int, share: float, count: int) -> float:
    if many > _MANY:  # differences of such logarithms of factorials lose too many digits
        return _log_chance([(many, share)], count)
    return _log_choices(many, count) + count * math.log(share) + (many - count) * math.log1p(-share)


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def normal_scores(reference: Sequence[float]) -> list[float]:
    """Return the score of each level of an ordered histogram: the normal quantile of its middle rank, -2.5 to 2.5.

    Scores of van der Waerden (1952), "Order tests for the two-sample problem and their power": a test by them is, for
    large samples, at least as efficient as one by means, whatever the distribution (Chernoff & Savage, 1958), and one
    value counts for no more than 2.5 however large it is. Rounded to halves, which costs 2 % and saves time.

    By hand: of two equal levels the middle ranks are 1/4 and 3/4, with the quantiles -0.67 and 0.67: -0.5 and 0.5.
    """
    whole = sum(reference)
    if whole <= 0:
        return [0.0] * len(reference)
    ends = accumulate(reference)
    return [_LEVELS[bisect(_EDGES, (end - part / 2) / whole)] for end, part in zip(ends, reference, strict=True)]


def tail(reference: Sequence[float], share: float) -> list[bool]:
    """Return which levels of an ordered histogram are its tail: the highest ones that hold at most `share` of it.

    By hand: of 90, 8 and 2 the tail of 0.03 is the last; of 0.1 it is the last two.
    """
    whole = sum(reference)
    above = list(accumulate(reversed(reference)))[::-1]
    return [end <= share * whole for end in above]


def moved(
    live: tuple[float, float], candidate: tuple[float, float], bet: tuple[float, float], tolerance: float
) -> float:
    """Return the log e-value of a block against 'the candidate's share is at most `tolerance` above live's'.

    Both pairs are (how many, how many of them are in the set); `bet` is what the two shares are thought to be, from
    what was seen before, live's first. 0 when the bet lies within the hypothesis.

    Turner & Grünwald (2023), "Exact anytime-valid confidence intervals for contingency tables and beyond", Statistics &
    Probability Letters 198; after Turner, Ly & Grünwald (2024), "Generic E-variables for exact sequential k-sample
    tests that allow for optional stopping", Journal of Statistical Planning and Inference 230: the likelihood of the
    bet over that of the nearest point (in relative entropy, weighted by the block's numbers) of the hypothesis' border.
    Its mean is at most 1 by the inequality of the arithmetic and the geometric mean. Values must not depend on each
    other within a block, which `tilted` does not ask for; in return a tolerance of any size is exact.

    By hand: live (1, 0), candidate (1, 1), bet (0.25, 0.75), tolerance 0: the nearest point is (0.5, 0.5), and the
    e-value (0.75 / 0.5) * (0.75 / 0.5) = 2.25.
    """
    (many, hits), (own, own_hits) = live, candidate
    theirs, ours = bet
    if many <= 0 or own <= 0 or not 0 < theirs < ours - tolerance or ours >= 1:
        return 0.0
    low, high = theirs, ours - tolerance
    for _ in range(50):
        middle = (low + high) / 2
        upper = middle + tolerance
        pull = own * (upper - ours) / (upper * (1 - upper)) + many * (middle - theirs) / (middle * (1 - middle))
        low, high = (middle, high) if pull < 0 else (low, middle)
    at, upper = (low + high) / 2, (low + high) / 2 + tolerance
    return (
        own_hits * math.log(ours / upper)
        + (own - own_hits) * math.log((1 - ours) / (1 - upper))
        + hits * math.log(theirs / at)
        + (many - hits) * math.log((1 - theirs) / (1 - at))
    )


def distance(live: Sequence[float], candidate: Sequence[float]) -> tuple[float, float]:
    """Return the total variation distance of two histograms, and how much of it chance alone would show.

    The distance is half the sum of the absolute differences of shares: the largest difference in the share of any set.
    The second number is its mean for two samples of one distribution (that of both together), by the normal
    approximation: E|N(0, v)| = sqrt(2 v / pi).

    By hand: shares (0.5, 0.5) and (0.8, 0.2) are 0.3 apart.
    """
    many, own = sum(live), sum(candidate)
    if many <= 0 or own <= 0:
        return 0.0, 0.0
    pairs = list(zip(live, candidate, strict=True))
    apart = sum(abs(first / many - second / own) for first, second in pairs) / 2
    shares = [(first + second) / (many + own) for first, second in pairs]
    spread = sum(math.sqrt(share * (1 - share)) for share in shares)
    return apart, spread * math.sqrt((1 / many + 1 / own) * 2 / math.pi) / 2
