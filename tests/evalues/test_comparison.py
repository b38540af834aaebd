from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.evalues.comparison import (
    DISTANCES,
    Answers,
    Rates,
    Times,
    add_answers,
    add_rates,
    add_times,
    at_most,
    quantile,
)

CAP = math.log(80) / 2


def rates_after(*looks: tuple[tuple[int, int], tuple[int, int]], tolerance: float = 0.0, cap: float = 99.0) -> Rates:
    state = Rates()
    for live, candidate in looks:
        state = add_rates(state, live, candidate, tolerance=tolerance, cap=cap)
    return state


def test_nothing_seen_is_an_e_value_of_one():
    assert Rates().evidence() == pytest.approx((0.0, 0.0))
    assert Times().evidence() == pytest.approx((0.0, 0.0))
    assert Answers().bound(0.05) is None
    assert Answers().measured() == (0.0, 0.0)


def test_counts_wait_until_there_are_enough_of_both():
    state = rates_after(((4, 0), (1, 1)), ((4, 0), (0, 0)))
    assert (state.blocks, state.waiting) == (0, ((8, 0), (1, 1)))
    state = add_rates(state, (1, 0), (0, 0), tolerance=0.0, cap=99.0)
    assert (state.blocks, state.waiting, state.live, state.candidate) == (1, ((0, 0), (0, 0)), (9, 0), (1, 1))
    # 1 in 10 so far: the next block waits for 20.
    state = add_rates(state, (17, 0), (2, 0), tolerance=0.0, cap=99.0)
    assert state.blocks == 1
    assert add_rates(state, (1, 0), (0, 0), tolerance=0.0, cap=99.0).blocks == 2


def test_one_look_with_all_errors_stays_under_the_bar_and_three_do_not():
    look = (10_000, 0), (1_000, 1_000)
    once, twice, thrice = (rates_after(*[look] * count, cap=CAP) for count in (1, 2, 3))
    assert once.evidence()[0] < CAP < twice.evidence()[0] < math.log(80) < thrice.evidence()[0]


def test_what_is_tolerated_is_no_evidence_and_what_is_more_is():
    looks = [((900, 9), (100, 2))] * 100  # 1 % and 2 %
    tolerant, strict = rates_after(*looks, tolerance=0.02), rates_after(*looks)
    assert tolerant.evidence()[0] == strict.evidence()[0] > math.log(80)
    assert strict.evidence()[0] == strict.evidence()[1]
    assert tolerant.evidence()[1] < 0
    assert rates_after(*looks, tolerance=0.002).evidence()[1] > math.log(10)


@given(
    looks=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=8),
    at=st.integers(0, 7),
    tolerance=st.sampled_from([0.0, 0.01]),
)
def test_more_errors_of_the_candidate_never_lower_the_evidence_of_a_rollout(looks, at, tolerance):
    at = min(at, len(looks) - 1)
    pairs = [((live, min(live, failed)), (own, 0)) for live, failed, own in looks]
    (live, (own, _)) = pairs[at]
    worse = [*pairs[:at], (live, (own, own)), *pairs[at + 1 :]]
    before = rates_after(*pairs, tolerance=tolerance, cap=CAP).evidence()
    after = rates_after(*worse, tolerance=tolerance, cap=CAP).evidence()
    assert after[0] >= before[0] - 1e-9
    assert after[1] >= before[1] - 1e-9


# ---------------------------------------------------------------------------------------------- times


def histogram(generator: np.random.Generator, count: int, factor: float = 1.0) -> dict[int, int]:
    values = np.floor(8 * np.log2(factor * 0.02 * np.exp(0.5 * generator.normal(size=count)))).astype(int)
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def less(bins: int) -> Callable[[int], int]:
    return lambda at: at - bins


def times_after(seed: int, looks: int, factor: float, *, bins: int = 1, floor: int = -80) -> Times:
    generator, state = np.random.default_rng(seed), Times()
    for _ in range(looks):
        live, candidate = histogram(generator, 90), histogram(generator, 10, factor)
        state = add_times(state, live, candidate, forgiven=less(bins), floor=floor, cap=CAP)
    return state


def test_a_slower_candidate_is_found_and_one_within_the_tolerance_is_not():
    slower = times_after(1, 25, 1.5).evidence()
    assert slower[0] > math.log(80)
    assert slower[1] > math.log(10)
    # 7 % is under one bin of 9 %. It is slower, and that is tolerated.
    within = times_after(2, 300, 1.07).evidence()
    assert within[1] < 0
    assert times_after(3, 60, 0.7).evidence()[0] < 0


def test_evidence_beyond_what_is_allowed_is_given_up_and_goes_on_from_there():
    state = times_after(5, 12, 2.0)
    held = at_most(state, CAP)
    assert state.evidence()[0] > math.log(80)
    assert held.evidence() == pytest.approx((CAP, CAP))
    assert (held.live, held.candidate, held.blocks) == (state.live, state.candidate, state.blocks)
    assert at_most(held, CAP).evidence() == pytest.approx((CAP, CAP))
    generator = np.random.default_rng(6)
    more = add_times(
        held, histogram(generator, 90), histogram(generator, 10, 2.0), forgiven=less(1), floor=-80, cap=CAP
    ).evidence()
    assert CAP < more[0] < 2 * CAP
    assert msgspec.json.decode(msgspec.json.encode(held), type=Times) == held


@given(seed=st.integers(0, 2**32 - 1), factor=st.sampled_from([0.5, 1.0, 1.3, 4.0]), most=st.floats(0, 6))
@settings(max_examples=30, deadline=None)
def test_evidence_that_is_held_down_is_never_more_than_it_was_or_than_is_allowed(seed, factor, most):
    state = times_after(seed, 6, factor)
    for before, after in zip(state.evidence(), at_most(state, most).evidence(), strict=True):
        assert after <= min(before, most) + 1e-9
        assert after == pytest.approx(min(before, most))


def test_times_under_the_floor_are_equal():
    live, candidate = {-100: 90}, {-90: 10}
    state = Times()
    for _ in range(20):
        state = add_times(state, live, candidate, forgiven=less(1), floor=-80, cap=CAP)
    assert state.evidence() == pytest.approx((0.0, 0.0))
    for _ in range(20):
        state = add_times(state, live, candidate, forgiven=less(1), floor=-160, cap=CAP)
    assert state.evidence()[0] > math.log(80)


def test_a_few_very_slow_answers_are_found_by_the_tail():
    generator, state = np.random.default_rng(4), Times()
    for _ in range(120):
        live, candidate = histogram(generator, 90), histogram(generator, 9)
        if generator.random() < 0.6:  # one in seventeen
            candidate = {**candidate, 20: 1}
        state = add_times(state, live, candidate, forgiven=less(1), floor=-80, cap=CAP)
    equal, tolerated = state.evidence()
    assert equal > math.log(80)
    assert tolerated > math.log(10)


def test_quantile():
    assert quantile({3: 1, -2: 1, 5: 2}, 0.5) == 3
    assert quantile({3: 1, -2: 1, 5: 2}, 0.99) == 5
    assert quantile({}, 0.5) is None


# ---------------------------------------------------------------------------------------------- answers


def answers_after(seed: int, looks: int, moved: float) -> Answers:
    """The candidate answers `a` more often than live, by `moved`."""
    generator, state = np.random.default_rng(seed), Answers()
    for _ in range(looks):
        live = generator.multinomial(90, [0.4, 0.3, 0.2, 0.1])
        own = generator.multinomial(10, [0.4 + moved, 0.3 - moved, 0.2, 0.1])
        named = [dict(zip("abcd", map(float, side.tolist()), strict=True)) for side in (live, own)]
        state = add_answers(state, named[0], named[1], cap=1.5)
    return state


def test_the_bound_of_the_distance_is_below_it_and_comes_near():
    state = answers_after(1, 400, 0.25)
    bound = state.bound(0.05)
    assert bound is not None
    assert 0.15 <= bound <= 0.25
    assert state.measured()[0] == pytest.approx(0.25, abs=0.04)


def test_the_bound_is_above_the_distance_as_seldom_as_is_said():
    wrong = 0
    for seed in range(40):
        bound = answers_after(seed, 80, 0.1).bound(0.05)
        wrong += bound is not None and bound > 0.1
    assert wrong <= 7  # 40 at 5 %: 2, with a standard deviation of 1.4
    assert DISTANCES[2] == 0.1


def test_states_go_on_from_json_exactly():
    rates, times, answers = (
        rates_after(((90, 1), (9, 2)), ((2, 0), (1, 1))),
        times_after(5, 3, 1.2),
        answers_after(6, 9, 0.1),
    )
    assert times.live
    for state in (rates, times, answers):
        assert msgspec.json.decode(msgspec.json.encode(state), type=type(state)) == state


@given(st.dictionaries(st.integers(-9, 9), st.integers(1, 20), min_size=1), st.floats(0.01, 0.99))
def test_quantiles_are_those_of_the_values_one_by_one(counts, share):
    values = np.repeat(list(counts), list(counts.values()))
    # What is a hair from a step may fall on either side of it.
    around = [np.quantile(values, min(max(share + off, 0), 1), method="inverted_cdf") for off in (-1e-9, 1e-9)]
    assert quantile(counts, share) in around


@pytest.mark.slow
@pytest.mark.parametrize(("bins", "factor"), [(0, 1.0), (1, 2 ** (1 / 8))])
def test_times_that_are_as_is_tolerated_pass_the_bar_as_seldom_as_is_said(bins: int, factor: float):
    passed = 0
    for seed in range(60):
        state, best, generator = Times(), 0.0, np.random.default_rng(seed)
        for _ in range(30):
            live, candidate = histogram(generator, 60), histogram(generator, 30, factor)
            state = add_times(state, live, candidate, forgiven=less(bins), floor=-80, cap=CAP)
            best = max(best, state.evidence()[1])
        passed += best >= math.log(10)
    # At most 10 %: 6 of 60, with a standard deviation of 2.3.
    assert passed <= 13
