"""The limits of a server."""

from __future__ import annotations

import dataclasses

from plusone.transport import Limits


def test_times_are_looked_at_often_enough_for_the_shortest():
    assert Limits().sweep_s == 0.25  # a quarter of `linger_s`
    assert Limits(linger_s=5.0, discard_s=5.0).sweep_s == 1.0
    for field in ("head_s", "idle_s", "body_stall_s", "write_stall_s", "discard_s", "linger_s"):
        assert dataclasses.replace(Limits(), **{field: 0.2}).sweep_s == 0.05
