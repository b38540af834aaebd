from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from scipy.spatial.distance import cityblock

from plusone.evalues import evalues
from plusone.evalues.evalues import (
    allowance,
    distance,
    kept,
    log_mean_weight,
    mixture,
    moved,
    normal_scores,
    rates,
    staked,
    tail,
    tilted,
)

LEVELS = st.lists(st.tuples(st.integers(0, 4), st.floats(-3, 4)), min_size=1, max_size=3)


# ---------------------------------------------------------------------------------------------- by hand


def test_the_examples_that_were_computed_by_hand():
    assert math.exp(mixture([math.log(3), math.log(5)], [0.25, 0.25], 0.5)) == pytest.approx(2.5)
    assert math.exp(staked(math.log(0.75), math.log(2), 0)) == pytest.approx(2 * (0.75 + 0.25 / 501))
    assert [kept(0), kept(500)] == pytest.approx([1 / 4, 1 / 8])
    assert math.exp(tilted([1, 0], [0, 1], [0.0, math.log(3)])) == pytest.approx(3 / 2)
    assert math.exp(rates((1, 0), (1, 1), 3.0)) == pytest.approx(3 / 2)
    assert math.exp(rates((1, 0), (1, 1), 3.0) + allowance((1, 0), (1, 1), 3.0, 0.5)) == pytest.approx(9 / 8)
    assert math.exp(log_mean_weight([2, 1], [0.0, math.log(3)], 2)) == pytest.approx(7 / 3)
    assert math.exp(moved((1, 0), (1, 1), (0.25, 0.75), 0.0)) == pytest.approx(9 / 4)
    assert normal_scores([1, 1]) == [-0.5, 0.5]
    assert tail([90, 8, 2], 0.03) == [False, False, True]
    assert tail([90, 8, 2], 0.1) == [False, True, True]
    assert distance([50, 50], [8, 2])[0] == pytest.approx(0.3)


def test_three_errors_of_ten_against_none_of_ninety():
    # The candidate's 3 errors among 10 of 100 requests, odds ratio 10. Of the choices of 10, C(3, k) C(97, 10 - k) have
    # k of the 3, and the mean weight is the sum of those times 10^k over C(100, 10).
    mean = sum(math.comb(3, k) * math.comb(97, 10 - k) * 10**k for k in range(4)) / math.comb(100, 10)
    assert rates((90, 0), (10, 3), 10.0) == pytest.approx(math.log(10**3 / mean))


# ---------------------------------------------------------------------------------------------- the mean weight


@given(levels=LEVELS, data=st.data())
def test_the_mean_weight_is_that_of_all_choices(levels, data):
    items = [log for count, log in levels for _ in range(count)]
    chosen = data.draw(st.integers(0, len(items)))
    weights = [math.exp(sum(choice)) for choice in itertools.combinations(items, chosen)]
    found = log_mean_weight([count for count, _ in levels], [log for _, log in levels], chosen)
    assert found == pytest.approx(math.log(sum(weights) / len(weights)), abs=1e-8)


def test_the_ways_to_compute_the_mean_weight_agree(monkeypatch):
    counts, logs = [900, 60], [0.0, 1.2]
    transform = log_mean_weight(counts, logs, 100)
    monkeypatch.setattr(evalues, "_FEW", 60)
    assert log_mean_weight(counts, logs, 100) == pytest.approx(transform, abs=1e-8)
    monkeypatch.setattr(evalues, "_FEW", 0)
    monkeypatch.setattr(evalues, "_MANY", 1)
    assert log_mean_weight(counts, logs, 100) == pytest.approx(transform, abs=1e-8)
    monkeypatch.setattr(evalues, "_GAUSS", 1.0)
    assert log_mean_weight(counts, logs, 100) == pytest.approx(transform, abs=0.01)


@given(
    counts=st.lists(st.integers(0, 10**9), min_size=2, max_size=4),
    logs=st.lists(st.floats(-8, 8), min_size=4, max_size=4),
    share=st.floats(0, 1),
)
def test_large_blocks_are_finite_and_within_their_weights(counts, logs, share):
    logs = logs[: len(counts)]
    chosen = int(share * sum(counts))
    found = log_mean_weight(counts, logs, chosen)
    used = [log for count, log in zip(counts, logs, strict=True) if count] or [0.0]
    slack = 1e-6 * (1 + chosen)
    assert chosen * min(used) - slack <= found <= chosen * max(used) + slack


# ---------------------------------------------------------------------------------------------- an e-value


def test_given_the_values_of_a_block_the_mean_over_all_assignments_is_one():
    values = [0.0, 0.0, 1.0, 1.0, 1.0, 2.5]
    levels, total = [0.0, 1.0, 2.5], 0.0
    for mine in itertools.combinations(range(6), 2):
        ours = [sum(values[place] == level for place in mine) for level in levels]
        theirs = [values.count(level) - own for level, own in zip(levels, ours, strict=True)]
        total += math.exp(tilted(theirs, ours, [0.8 * level for level in levels]))
    assert total / math.comb(6, 2) == pytest.approx(1.0)


@pytest.mark.parametrize(("live", "tolerance"), [(0.3, 0.0), (0.3, 0.2), (0.0, 0.2)])
def test_the_mean_at_the_border_of_what_is_tolerated_is_at_most_one(live, tolerance):
    # Exactly, by the binomial distributions of both: 6 requests of live, 3 of a candidate just at the border.
    own = live + tolerance * (1 - live)
    for ratio in (1.5, 4.0, 50.0):
        mean = sum(
            math.comb(6, x)
            * live**x
            * (1 - live) ** (6 - x)
            * math.comb(3, y)
            * own**y
            * (1 - own) ** (3 - y)
            * math.exp(rates((6, x), (3, y), ratio) + allowance((6, x), (3, y), ratio, tolerance))
            for x in range(7)
            for y in range(4)
        )
        assert mean <= 1 + 1e-9
        assert mean >= 0.6  # it is not bought by never saying anything


@pytest.mark.parametrize("tolerance", [0.0, 0.15])
def test_the_mean_of_moved_at_the_border_is_at_most_one(tolerance):
    live, own = 0.2, 0.2 + tolerance
    mean = sum(
        math.comb(6, x)
        * live**x
        * (1 - live) ** (6 - x)
        * math.comb(3, y)
        * own**y
        * (1 - own) ** (3 - y)
        * math.exp(moved((6, x), (3, y), (0.25, 0.7), tolerance))
        for x in range(7)
        for y in range(4)
    )
    assert 0.5 <= mean <= 1 + 1e-9


def test_a_bet_within_the_hypothesis_is_none():
    assert moved((90, 10), (10, 9), (0.2, 0.3), 0.1) == 0.0
    assert moved((0, 0), (10, 9), (0.2, 0.9), 0.1) == 0.0
    assert moved((90, 10), (10, 9), (0.2, 0.9), 0.1) > 0


@given(
    live=st.integers(1, 60), failed=st.integers(0, 60), own=st.integers(1, 20), own_failed=st.integers(0, 19),
    ratio=st.sampled_from([1.25, 3.0, 100.0]), tolerance=st.sampled_from([0.0, 0.001, 0.3]),
)  # fmt: skip
def test_more_errors_of_the_candidate_never_lower_the_evidence(live, failed, own, own_failed, ratio, tolerance):
    failed, own_failed = min(failed, live), min(own_failed, own - 1)

    def evidence(errors: int, own_errors: int) -> float:
        pairs = (live, errors), (own, own_errors)
        return rates(*pairs, ratio) + allowance(*pairs, ratio, tolerance)

    assert evidence(failed, own_failed + 1) >= evidence(failed, own_failed) - 1e-9
    if failed < live and not tolerance:
        assert evidence(failed + 1, own_failed) <= evidence(failed, own_failed) + 1e-9
    assert allowance((live, failed), (own, own_failed), ratio, tolerance) <= 0


@given(
    live=st.lists(st.integers(0, 30), min_size=4, max_size=4),
    candidate=st.lists(st.integers(0, 9), min_size=4, max_size=4),
    tilt=st.floats(0.1, 2.0),
)
def test_a_slower_value_of_the_candidate_never_lowers_the_evidence(live, candidate, tilt):
    logs = [tilt * level for level in (-1.0, 0.0, 0.5, 2.0)]
    if candidate[1]:
        slower = [candidate[0], candidate[1] - 1, candidate[2], candidate[3] + 1]
        assert tilted(live, slower, logs) >= tilted(live, candidate, logs) - 1e-9


# ---------------------------------------------------------------------------------------------- how often, how soon


def test_stakes_are_never_more_than_the_whole():
    log, made = evalues.FIRST_STAKE, []
    for blocks in range(2000):
        log = staked(log, 0.0, blocks)
        made.append(math.exp(log) + kept(blocks + 1))
    assert made == pytest.approx([1.0] * 2000)  # bets that neither win nor lose


def test_a_fault_that_comes_late_needs_little_more_evidence():
    def blocks_to(bar: float, before: int) -> int:
        log, count = evalues.FIRST_STAKE, 0
        for _ in range(before):
            log, count = staked(log, -0.1, count), count + 1
        while math.exp(log) + kept(count) < bar:
            log, count = staked(log, 0.3, count), count + 1
        return count - before

    assert blocks_to(80, 0) == 16
    # Without stakes for later it would be (300 * 0.1) / 0.3 = 100 more.
    assert blocks_to(80, 300) <= 16 + 30


def test_equal_rates_pass_the_bar_at_most_as_often_as_is_said_whatever_the_bursts():
    generator = np.random.default_rng(5)
    passed = 0
    for _ in range(300):
        log = best = 0.0
        for _ in range(60):
            # Whole seconds go wrong for both, and the share of the candidate moves.
            rate = 0.6 if generator.random() < 0.05 else 0.01
            own = int(generator.binomial(60, generator.choice([0.05, 0.5])))
            log += rates(
                (60 - own, int(generator.binomial(60 - own, rate))), (own, int(generator.binomial(own, rate))), 2.0
            )
            best = max(best, log)
        passed += best >= math.log(10)
    # At most 10 %: 30 of 300, with a standard deviation of 5.2.
    assert passed <= 45


def test_the_noise_of_a_distance_is_what_two_samples_of_one_distribution_show():
    generator = np.random.default_rng(6)
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    apart, said = [], []
    for _ in range(300):
        found = distance(generator.multinomial(900, shares).tolist(), generator.multinomial(100, shares).tolist())
        apart.append(found[0])
        said.append(found[1])
    assert np.mean(said) == pytest.approx(np.mean(apart), rel=0.1)
    assert distance([], []) == (0.0, 0.0)
    assert normal_scores([0, 0]) == [0.0, 0.0]


# ---------------------------------------------------------------------------------------------- others say the same


@given(
    live=st.integers(1, 200), failed=st.integers(0, 200), own=st.integers(1, 50), own_failed=st.integers(0, 50),
    ratio=st.sampled_from([1.25, 3.0, 30.0]),
)  # fmt: skip
def test_rates_is_the_likelihood_ratio_of_scipys_noncentral_hypergeometric(live, failed, own, own_failed, ratio):
    failed, own_failed = min(failed, live), min(own_failed, own)
    arguments = live + own, failed + own_failed, own
    theirs = stats.nchypergeom_fisher.pmf(own_failed, *arguments, ratio) / stats.hypergeom.pmf(own_failed, *arguments)
    assert math.exp(rates((live, failed), (own, own_failed), ratio)) == pytest.approx(theirs, rel=1e-6)


@given(
    theirs=st.floats(0.05, 0.5), more=st.floats(0.05, 0.4), tolerance=st.floats(0, 0.2),
    many=st.integers(1, 90), own=st.integers(1, 30),
)  # fmt: skip
def test_moved_is_the_likelihood_ratio_to_the_nearest_point_that_scipy_finds(theirs, more, tolerance, many, own):
    ours = theirs + tolerance + more

    def apart(at: float) -> float:
        pairs = ((many, theirs, at), (own, ours, at + tolerance))
        return sum(n * (p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))) for n, p, q in pairs)

    if ours >= 0.99:
        return
    at = optimize.minimize_scalar(
        apart, bounds=(theirs, ours - tolerance), method="bounded", options={"xatol": 1e-10}
    ).x
    hits, own_hits = many // 3, own // 2
    expected = (
        stats.binom.logpmf(hits, many, theirs) + stats.binom.logpmf(own_hits, own, ours)
        - stats.binom.logpmf(hits, many, at) - stats.binom.logpmf(own_hits, own, at + tolerance)
    )  # fmt: skip
    assert moved((many, hits), (own, own_hits), (theirs, ours), tolerance) == pytest.approx(expected, abs=1e-5)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.floats(0.01, 0.5))
def test_scores_and_tails_are_those_of_the_values_one_by_one(counts, share):
    if not sum(counts):
        return
    values = np.repeat(np.arange(len(counts)), counts)
    for at, (score, last) in enumerate(zip(normal_scores(counts), tail(counts, share), strict=True)):
        middle = (np.mean(values < at) + np.mean(values <= at)) / 2
        wanted = np.clip(stats.norm.ppf(middle), -2.5, 2.5) if counts[at] else score
        assert abs(score - wanted) <= 0.25 + 1e-9
        assert last == (sum(counts[at:]) <= share * sum(counts))


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=1, max_size=9))
def test_the_distance_is_half_of_scipys_city_block(pairs):
    live, candidate = (np.array(side, float) for side in zip(*pairs, strict=True))
    if live.sum() and candidate.sum():
        expected = cityblock(live / live.sum(), candidate / candidate.sum()) / 2
        assert distance(live.tolist(), candidate.tolist())[0] == pytest.approx(expected)
