"""Places of keys: even, the same everywhere, and others for another candidate and for what is logged."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.hosting.places import place, salt_of
from plusone.predictions.layout import sampled

KEYS = [f"user-{number:05}" for number in range(20_000)]


def test_the_place_of_a_is_what_its_description_says():
    assert place("", 0) == 0.0
    assert round(place("a", 0) * 2**32) == 0xC5ED31B7


@given(st.text(), st.integers(0, 2**32 - 1))
def test_every_text_has_a_place(key: str, salt: int):
    assert 0.0 <= place(key, salt) < 1.0


def test_the_places_are_the_same_in_another_process():
    code = "from plusone.hosting.places import place, salt_of; print(place('somebody', salt_of('m', 7)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert float(found) == place("somebody", salt_of("m", 7))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_each_share_of_the_places_has_that_share_of_the_keys(share: float):
    salt = salt_of("m", 3)
    inside = sum(place(key, salt) < share for key in KEYS)
    deviation = (len(KEYS) * share * (1.0 - share)) ** 0.5
    assert abs(inside - len(KEYS) * share) < 5 * deviation


@pytest.mark.parametrize("other", [salt_of("m", 4), salt_of("n", 3), salt_of("flight-delays", 12)])
def test_the_first_keys_of_one_candidate_are_not_those_of_the_next(other: int):
    first = {key for key in KEYS if place(key, salt_of("m", 3)) < 0.1}
    both = sum(place(key, other) < 0.1 for key in first)
    # A tenth of them by chance: five standard deviations of 200 expected are 67.
    assert abs(both - len(first) * 0.1) < 70


def test_what_is_logged_is_not_chosen_by_who_is_a_canary():
    canary = [key for key in KEYS if place(key, salt_of("m", 3)) < 0.1]
    logged = sum(sampled(key, 0.1) for key in canary)
    assert abs(logged - len(canary) * 0.1) < 70
