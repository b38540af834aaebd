"""Requests a second, errors and latencies of the span between two looks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.rollouts import Evidence
from plusone.evidence.evidence import Seen
from plusone.watching.glances import Traffic
from plusone.watching.traffic import latency_s, measure


@pytest.mark.parametrize(
    ("latency", "share", "seconds"),
    [
        ({"-80": 9, "-64": 1}, 0.5, 2 ** (-79.5 / 8)),
        ({"-80": 9, "-64": 1}, 0.9, 2 ** (-79.5 / 8)),
        ({"-80": 9, "-64": 1}, 0.99, 2 ** (-63.5 / 8)),
        ({"0": 1}, 0.5, 2 ** (0.5 / 8)),
        ({}, 0.5, None),
        ({"-80": 0}, 0.5, None),
        ({"-80": -3, "x": 5, "--1": 2, "²": 1, "99999": 1}, 0.5, None),
    ],
)
def test_the_time_within_which_a_share_was_answered(latency: dict[str, int], share: float, seconds: float | None):
    assert latency_s(latency, share) == (pytest.approx(seconds) if seconds else None)


@given(st.lists(st.integers(-160, 80), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_it_is_in_the_bucket_of_the_one_that_so_many_are_not_above(keys: list[int], share: float):
    latency: dict[str, int] = {}
    for key in keys:
        latency[str(key)] = latency.get(str(key), 0) + 1
    found = latency_s(latency, share)
    assert found is not None
    within = sum(2 ** (key / 8) <= found for key in keys)
    below = sum(2 ** ((key + 1) / 8) <= found for key in keys)
    assert below <= share * len(keys) + 1e-6
    assert within >= share * len(keys) - 1e-6


def seen(**values: Any) -> Seen:
    return Seen(served={("m", 1): Evidence(**values)}, shadow={("m", 1): Evidence(requests=1000)})


def traffic(**values: Any) -> Traffic:
    given: dict[str, Any] = {"release": 1, "stage": "live", "share": 1.0, "shadow": 0.0, **values}
    return Traffic(**given)


def test_figures_are_of_the_span_between_two_looks():
    before = seen(requests=100, errors=10, latency={"-80": 90})
    now = seen(requests=300, errors=30, latency={"-80": 90, "-64": 180})
    found = measure("m", traffic(), before, now, 4.0)
    assert (found.requests_s, found.error_rate) == (50.0, 0.1)
    assert found.p50_s == found.p99_s == pytest.approx(2 ** (-63.5 / 8))


def test_without_requests_nothing_is_known():
    found = measure("m", traffic(), seen(requests=5), seen(requests=5), 4.0)
    assert (found.requests_s, found.error_rate, found.p50_s, found.p99_s) == (0.0, None, None, None)
    assert measure("m", traffic(), Seen({}, {}), Seen({}, {}), 0.0).requests_s == 0.0


def test_counts_that_began_anew_are_no_negative_traffic():
    before = seen(requests=500, errors=5, latency={"-80": 495})
    found = measure("m", traffic(), before, seen(requests=3, latency={"-80": 3}), 1.0)
    assert (found.requests_s, found.error_rate, found.p50_s) == (0.0, None, None)


def test_of_a_shadow_its_copies_count():
    before = Seen(served={}, shadow={})
    now = Seen(served={("m", 1): Evidence(requests=7)}, shadow={("m", 1): Evidence(requests=30, errors=3)})
    found = measure("m", traffic(stage="shadow", share=0.0, shadow=1.0), before, now, 10.0)
    assert (found.requests_s, found.error_rate) == (3.0, 0.1)
