from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plusone.monitoring.judging import Judging
from plusone.monitoring.verdict import floor_of, forgiven_distances, forgiven_times


def test_a_share_of_long_times_and_a_millisecond_of_short_ones_is_forgiven():
    place = forgiven_times(Judging())
    assert floor_of(Judging()) == -80  # 0.98 ms
    assert place(0) == -1  # 1.04 s: by 9 % one bin less
    assert place(-40) == -41  # 33 ms
    assert place(-64) == -67  # 4.08 ms, the middle of the bin, less 1 ms is 3.08: 8 log2 0.00308 is -66.7
    assert place(-72) == -80  # 2.04 ms less 1 ms is 1.04: the floor
    assert place(-90) == -91  # below the floor all are equal anyway


@given(
    share=st.sampled_from([0.0, 0.09, 0.5, 100.0]),
    seconds=st.floats(1e-6, 1000),
    at=st.integers(-9999, 9998),
)
def test_what_is_forgiven_never_makes_a_time_longer_and_keeps_their_order(share, seconds, at):
    place = forgiven_times(Judging(latency_tolerance=share, latency_floor_s=seconds))
    assert place(at) <= at
    assert place(at) <= place(at + 1)


def test_distances_are_forgiven_by_a_share_alone():
    assert forgiven_distances(Judging(distance_tolerance=0.0)) is None
    place = forgiven_distances(Judging(distance_tolerance=1.0))
    assert place is not None
    assert (place(3), place(-90)) == (-5, -98)
