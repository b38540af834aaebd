"""Counts of machines that come, go and begin anew: the sum never shrinks, and nothing is counted twice."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.rollouts import Evidence
from plusone.release.counting import Beside, State, count, grown, plus

COUNTS = st.builds(
    Evidence,
    requests=st.integers(0, 1000),
    errors=st.integers(0, 1000),
    rows=st.integers(0, 1000),
    latency=st.dictionaries(st.sampled_from(["-8", "0", "8"]), st.integers(1, 100)),
    outputs=st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 100)),
)


def _of(*requests: int) -> dict[str, Beside]:
    return {str(n): Beside(live=Evidence(requests=one)) for n, one in enumerate(requests)}


def _after(*looks: dict[str, Beside]) -> Evidence:
    state = State()
    for seen in looks:
        total, places = count(state, seen)
        state = msgspec.structs.replace(state, total=total, places=places)
    return state.total.live


def test_what_a_machine_had_counted_when_it_was_first_seen_is_passed_over():
    assert _after(_of(1000)).requests == 0
    assert _after(_of(1000), _of(1010), _of(1010, 500), _of(1015, 501)).requests == 16


def test_a_machine_that_is_silent_keeps_what_it_had_and_one_that_begins_anew_is_added():
    assert _after(_of(10, 10), _of(20, 20), _of(21), _of(22, 30)).requests == 32
    assert _after(_of(1000), _of(1100), _of(40), _of(45)).requests == 145


@given(COUNTS, COUNTS)
def test_what_grew_is_what_was_added(before: Evidence, more: Evidence):
    assert grown(before, plus(before, more)) == more
    assert plus(before, more) == plus(more, before)


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), st.builds(Beside, live=COUNTS, candidate=COUNTS)), max_size=8))
def test_whatever_machines_say_the_sum_never_shrinks(looks: list[dict[str, Beside]]):
    state = State()
    for seen in looks:
        total, places = count(state, seen)
        for name in Evidence.__struct_fields__:
            assert _size(getattr(total.live, name)) >= _size(getattr(state.total.live, name))
        state = msgspec.structs.replace(state, total=total, places=places)
        assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state, "it is kept as JSON"


def _size(value: Any) -> int:
    return sum(value.values()) if isinstance(value, dict) else value
