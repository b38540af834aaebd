"""Which release answers what: by share, by key, by address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import NotFound
from plusone.base.records import RouteTarget
from plusone.hosting.table import Entry, Target

KEYS = [f"user-{number:05}" for number in range(5_000)]
PREDICTOR: Any = None


def entry(*targets: dict[str, Any], model: str = "m") -> Entry:
    """A model with these releases in its route."""
    held = [RouteTarget(digest="d", package="p", folder="f", **target) for target in targets]
    return Entry(model, 1, tuple(Target(model, target, PREDICTOR, Path(), 1e-5) for target in held))


def canary(share: float, *, number: int = 2) -> Entry:
    """Release 1 is live, and another one is a canary at this share."""
    live = {"release": 1, "share": 1.0 - share, "stage": "live"}
    return entry(live, {"release": number, "share": share, "stage": "canary"})


def inside(one: Entry, number: int = 2) -> set[str]:
    """Who is answered by that release."""
    return {key for key in KEYS if one.choose(key).release == number}


@pytest.mark.slow
@given(st.lists(st.integers(1, 99), min_size=2, max_size=6, unique=True))
def test_whoever_a_candidate_answers_is_answered_by_it_as_its_share_grows(percents: list[int]):
    before: set[str] = set()
    for percent in sorted(percents):
        now = inside(canary(percent / 100))
        assert before <= now
        deviation = (len(KEYS) * percent / 100 * (1 - percent / 100)) ** 0.5
        assert abs(len(now) - len(KEYS) * percent / 100) < 6 * deviation
        before = now


def test_a_key_is_answered_by_one_release_in_every_worker_and_version_of_the_route():
    first, second = canary(0.3), canary(0.3)
    assert [first.choose(key).release for key in KEYS] == [second.choose(key).release for key in KEYS]


def test_the_next_candidate_begins_with_others():
    first, second = inside(canary(0.1, number=2)), inside(canary(0.1, number=3), 3)
    assert len(first & second) < 0.25 * len(first)


def test_the_order_of_the_route_file_changes_nothing():
    live = {"release": 1, "share": 0.8, "stage": "live"}
    other = {"release": 2, "share": 0.2, "stage": "canary"}
    assert inside(entry(live, other)) == inside(entry(other, live))


def test_without_stages_the_newest_of_those_that_share_is_the_candidate():
    live, old, new = ({"release": n, "share": s} for n, s in ((1, 0.6), (2, 0.2), (3, 0.2)))
    assert inside(entry(live, old, new), 3) == inside(canary(0.2, number=3), 3)
    assert entry(live, old, new).live.release == 1


def test_a_shadow_copies_first_those_whom_it_will_answer_first():
    live = {"release": 1, "share": 1.0, "stage": "live"}
    shadowed = entry(live, {"release": 2, "share": 0.0, "shadow": 0.1, "stage": "shadow"})
    shadow = shadowed.shadow
    assert shadow is not None
    assert {key for key in KEYS if shadow.is_copied(key)} == inside(canary(0.1))
    assert {shadowed.choose(key).release for key in KEYS} == {1}
    assert shadowed.live.mirror is shadow
    assert shadow.mirror is None, "what is asked of it is not copied to it"
    whole = entry(live, {"release": 2, "share": 0.0, "shadow": 1.0, "stage": "shadow"}).shadow
    assert whole is not None
    assert all(whole.is_copied(key) for key in KEYS)


def test_releases_are_addressed_by_word_and_by_number():
    one = entry(
        {"release": 4, "share": 0.9, "stage": "live"},
        {"release": 6, "share": 0.1, "stage": "canary"},
        {"release": 3, "share": 0.0, "stage": "previous"},
        {"release": 7, "share": 0.0, "shadow": 0.5, "stage": "shadow"},
    )
    found = {which: target.release for which, target in one.addresses().items()}
    assert found == {"live": 4, "previous": 3, "canary": 6, "shadow": 7, "4": 4, "6": 6, "3": 3, "7": 7}
    assert all(one.find(which).release == number for which, number in found.items())


def test_an_older_route_file_has_a_live_and_a_previous_release_too():
    one = entry({"release": 4, "share": 1.0}, {"release": 3, "share": 0.0})
    assert {which: one.find(which).release for which in ("live", "previous", "3", "4")} == {
        "live": 4,
        "previous": 3,
        "3": 3,
        "4": 4,
    }


@given(st.one_of(st.text(max_size=300), st.sampled_from(["canary", "5", "04", "+4", "4 ", "", "LIVE"])))
def test_what_is_not_in_the_route_is_refused_with_what_is(which: str):
    one = entry({"release": 4, "share": 1.0, "stage": "live"})
    if which in ("live", "4"):
        return
    with pytest.raises(NotFound, match=r"expected live \(4\), 4\.") as caught:
        one.find(which)
    assert caught.value.details["expected"] == ["live", "4"]
    assert len(caught.value.message) < 400
