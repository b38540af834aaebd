"""Predictions are found by time, release, label and id, page by page."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base import clock
from plusone.base.errors import NotFound, UsageError
from plusone.base.logged import Prediction
from plusone.predictions import reading
from plusone.predictions.collecting import collect
from plusone.predictions.reading import get_prediction, labels_in, list_predictions, moment, readable
from plusone.store import Store
from tests.predictions.written import log_predictions, send_labels

T = 1_700_000_000.0


def ids(found: tuple[Prediction, ...]) -> list[str]:
    return [one.id for one in found]


def every_page(store: Store, count: int, **values: object) -> list[str]:
    found: list[str] = []
    page = None
    while True:
        one = list_predictions(store, "m", count=count, page=page, **values)  # type: ignore[arg-type]  values of tests
        found += ids(one.predictions)
        page = one.next_page
        if page is None:
            return found


def test_a_prediction_comes_back_whole_with_its_label(serving: Path, store: Store):
    log_predictions(serving, ["a"], release=3, at=T)
    send_labels(serving, ("a", "2.0"), at="2026-01-01T00:00:00.000000Z")
    collect(store, serving)
    (found,) = list_predictions(store, "m").predictions
    assert (found.id, found.model, found.release, found.package) == ("a", "m", 3, "digest3")
    assert (found.at, found.kind, found.rows) == ("2023-11-14T22:13:20.000000Z", "json", 1)
    assert found.request == {"rows": [{"x": 1.0}]}
    assert found.answer == {"id": "a", "predictions": [0.5]}
    assert (found.labels[0].value, found.labels[0].at) == (2.0, "2026-01-01T00:00:00.000000Z")
    assert get_prediction(store, "a") == found


def test_pages_go_through_all_of_them_newest_first_whatever_the_chunks(
    serving: Path, store: Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, "_CHUNKS", 2)
    dice = random.Random(1)
    times: dict[str, float] = {}
    for chunk in range(8):  # chunks that overlap in time, and equal times
        some = {f"{chunk}-{number}": T + dice.randint(0, 20) for number in range(dice.choice((1, 3, 40)))}
        for one, at in some.items():
            log_predictions(serving, [one], at=at, release=chunk % 3 + 1)
        times |= some
        collect(store, serving)
    order = sorted(times, key=lambda one: (times[one], one), reverse=True)
    for count in (1, 7, 1000):
        assert every_page(store, count) == order
    since, until = "2023-11-14T22:13:25Z", "2023-11-14T23:13:30+01:00"
    assert every_page(store, 5, since=since, until=until) == [one for one in order if T + 5 <= times[one] < T + 10]
    assert every_page(store, 5, release=2) == [one for one in order if int(one[0]) % 3 == 1]
    assert every_page(store, 5, since="1h") == []
    assert list_predictions(store, "another").predictions == ()


def test_those_with_and_those_without_a_label(serving: Path, store: Store):
    names = [f"{number:03d}" for number in range(30)]
    log_predictions(serving, names)
    send_labels(serving, *((one, "1.0") for one in names[::3]), ("unknown", "1.0"))
    send_labels(serving, *((one, "9.0") for one in names), model="another")
    collect(store, serving)
    assert every_page(store, 4, labelled=True) == names[::3][::-1]
    assert every_page(store, 4, labelled=False) == [one for one in names[::-1] if one not in names[::3]]
    page = list_predictions(store, "m", count=1000)
    assert [one.id for one in page.predictions if one.labels] == names[::3][::-1]


def test_rows_of_one_request_have_their_own_labels_and_the_newest_counts(serving: Path, store: Store):
    log_predictions(serving, ["a", "a:1", "b"])
    send_labels(
        serving, ("a:0", "1.0"), ("a:12", "2.0"), ("a:12", "3.0"), ("ab", "4.0"), ("a:x", "5.0"), ("a:1", "6.0")
    )
    collect(store, serving)
    newest = {one.prediction_id: one.value for one in labels_in(store, "m", ["a", "b"])["a"]}
    assert newest == {"a:0": 1.0, "a:12": 3.0, "a:1": 6.0}
    assert [one.value for one in get_prediction(store, "a").labels] == [1.0, 2.0, 3.0, 6.0]
    by_id = {one.id: [label.value for label in one.labels] for one in list_predictions(store, "m").predictions}
    assert by_id == {"a": [1.0, 3.0, 6.0], "a:1": [6.0], "b": []} or by_id["b"] == []


def test_an_id_is_found_and_of_two_the_newest(serving: Path, store: Store):
    log_predictions(serving, ["same"], at=T, release=1)
    log_predictions(serving, ["same"], at=T + 9, release=2)
    for number in range(5):
        log_predictions(serving, [f"x{number}"], at=T + number)
        collect(store, serving)
    assert get_prediction(store, "same").release == 2
    assert get_prediction(store, "x3").id == "x3"
    send_labels(serving, ("late", "1.0"))
    collect(store, serving)
    with pytest.raises(NotFound, match="No prediction 'none'"):
        get_prediction(store, "none")
    with pytest.raises(NotFound, match="the model 'm' has a label for it"):
        get_prediction(store, "late")


def test_bodies_that_are_no_json_are_base64_and_missing_ones_none():
    assert readable("json", b'{"a":1}') == {"a": 1}
    assert readable("json", b"\xff") == "/w=="
    assert readable("arrow", b"1") == "MQ=="
    assert readable("inference", b"1") == 1
    assert readable("inference;1", b"1") == "MQ=="
    assert readable("json", None) is None
    assert readable("json", b"[" * 100_000) is not None


def test_a_moment_is_a_time_with_its_zone_or_an_age():
    assert moment("since", "2026-01-31T13:00:00+01:00") == "2026-01-31T12:00:00.000000Z"
    assert clock.ago(3601) < moment("since", "1h") < clock.ago(3599)
    assert moment("since", "999999999d").startswith("1970-01-01T00:00:00.")
    assert moment("since", "0300-01-01T00:00:00Z") == "1970-01-01T00:00:00.000000Z"
    for text in ("", "yesterday", "2026-01-31", "2026-01-31T12:00:00", "1w", "-1h", "9" * 400 + "d"):
        with pytest.raises(UsageError, match="since"):
            moment("since", text)


@given(st.text(max_size=60))
def test_any_text_is_a_moment_or_refused(text: str):
    try:
        found = moment("until", text)
    except UsageError:
        return
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z", found)


@pytest.mark.parametrize(
    "values", [{"count": 0}, {"count": 1001}, {"release": 0}, {"release": 10**30}, {"since": "x"}, {"page": "x"},
               {"page": "2026-13-99T00:00:00.000000Z,a"}]
)  # fmt: skip
def test_what_can_not_be_asked_is_refused(store: Store, values: dict[str, object]):
    with pytest.raises(UsageError):
        list_predictions(store, "m", **values)  # type: ignore[arg-type]  what must not be, to see it
