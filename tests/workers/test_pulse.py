from __future__ import annotations

import os
import time

import pytest

from plusone.workers import pulse
from plusone.workers.pulse import Pulse, beat


class _Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    found = _Clock()
    monkeypatch.setattr(pulse.time, "monotonic", found.monotonic)
    return found


def _pass(clock: _Clock, heart: Pulse, seconds: float, *, step: float = 0.5) -> bool:
    """Ask each `step` seconds, as a supervisor does; return what the last question answered."""
    over = False
    until = clock.now + seconds
    while clock.now < until and not over:
        clock.now += step
        over = heart.is_over()
    return over


def test_a_worker_that_beats_lives_and_one_that_stops_is_over_after_the_limit(clock: _Clock):
    heart = Pulse(10.0)
    for _ in range(100):
        beat(heart.writing)
        assert not _pass(clock, heart, 0.5)
    assert not _pass(clock, heart, 9.5)
    assert _pass(clock, heart, 1.0)
    beat(heart.writing)
    assert not heart.is_over()
    heart.started()
    heart.close()


def test_the_first_sign_may_take_a_minute(clock: _Clock):
    heart = Pulse(10.0)
    assert not _pass(clock, heart, 59.0)
    assert _pass(clock, heart, 2.0)
    heart.started()
    heart.close()


def test_time_in_which_nobody_asked_does_not_count(clock: _Clock):
    heart = Pulse(10.0)
    beat(heart.writing)
    assert not heart.is_over()
    for _ in range(5):  # a machine that is suspended, or a supervisor that is held up
        clock.now += 3600.0
        assert not heart.is_over()
    assert not _pass(clock, heart, 9.5)
    assert _pass(clock, heart, 1.0)
    heart.started()
    heart.close()


def test_beats_never_wait_and_never_fail():
    beat(None)
    heart = Pulse(10.0)
    began = time.monotonic()
    for _ in range(200_000):  # more than a pipe holds: nobody reads
        beat(heart.writing)
    assert time.monotonic() - began < 30.0
    assert not heart.is_over()
    writing = os.dup(heart.writing)
    heart.started()
    heart.close()
    beat(writing)  # the supervisor is gone
    os.close(writing)
    beat(writing)
