"""Page tokens: they go on where the page ended, and refuse everything that was not made for the question."""

from __future__ import annotations

import base64
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import UsageError
from plusone.search.filter import parse_filter, parse_order
from plusone.search.paging import page_of, question, read_token, write_token

ORDERS = parse_order(["metrics.x DESC", "params.y"])
ASKED = question("runs", (), ORDERS, None)


def read(token: str, asked: str = ASKED, last: type = int) -> object:
    return read_token(token, asked, ORDERS, lambda order: order.kind == "metric", last)


NUMBERS = st.floats(allow_nan=False) | st.integers(-(2**53), 2**53)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)


def ranked(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[int, object]]:
    return st.tuples(st.just(0), values) | st.sampled_from([(1, None), (2, None)])


@given(ranked(NUMBERS), ranked(TEXT), TEXT, st.integers(0, 2**63 - 1))
def test_a_token_says_what_was_written(number: tuple[int, object], text: tuple[int, object], at: str, last: int):
    assert read(write_token(ASKED, [number, text], at, last)) == ((number, text), at, last)


def test_a_token_is_text_for_an_address():
    token = write_token(ASKED, [(0, math.inf), (0, "?&= \u2028é")], "t", 1)
    assert token.isascii()
    assert token.replace("-", "").replace("_", "").isalnum()


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


GOOD = [ASKED, [[0, 1.5], [0, "a"]], "t", 7]
HOSTILE = [
    [],
    {},
    None,
    7,
    [ASKED],
    [*GOOD, 1],
    [ASKED, [[0, 1.5]], "t", 7],
    [ASKED, [[0, 1.5], [0, "a"], [0, "a"]], "t", 7],
    [ASKED, [[0, "x"], [0, "a"]], "t", 7],
    [ASKED, [[0, "NaN"], [0, "a"]], "t", 7],
    [ASKED, [[0, None], [0, "a"]], "t", 7],
    [ASKED, [[1, 1.5], [0, "a"]], "t", 7],
    [ASKED, [[3, None], [0, "a"]], "t", 7],
    [ASKED, [[-1, None], [0, "a"]], "t", 7],
    [ASKED, [[0, [1]], [0, "a"]], "t", 7],
    [ASKED, [[0, 1.5], [0, 1]], "t", 7],
    [ASKED, [[0, 1.5], [0, "a\0"]], "t", 7],
    [ASKED, [[0, 10**400], [0, "a"]], "t", 7],
    [ASKED, [[0, 1.5], [0, "a"]], "t\0", 7],
    [ASKED, [[0, 1.5], [0, "a"]], 1, 7],
    [ASKED, [[0, 1.5], [0, "a"]], "t", "7"],
    [ASKED, [[0, 1.5], [0, "a"]], "t", 7.5],
    [ASKED, [[0, 1.5], [0, "a"]], "t", True],
    [ASKED, [[0, 1.5], [0, "a"]], "t", -1],
    [ASKED, [[0, 1.5], [0, "a"]], "t", 2**63],
]


def test_the_hostile_ones_are_nearly_good():
    assert read(encoded(GOOD)) == (((0, 1.5), (0, "a")), "t", 7)


@pytest.mark.parametrize("value", HOSTILE, ids=str)
def test_what_is_no_token_is_refused(value: object):
    with pytest.raises(UsageError, match="can't be used: it is no page token"):
        read(encoded(value))


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_text_is_refused(text: str):
    with pytest.raises(UsageError, match="it is no page token"):
        read(text)


def test_deep_and_long_ones_are_refused():
    for text in ("[" * 50_000, "A" * 1_000_000):
        with pytest.raises(UsageError, match="it is no page token"):
            read(base64.urlsafe_b64encode(text.encode()).decode())


def test_a_token_of_another_question_is_refused():
    token = write_token(ASKED, [(2, None), (2, None)], "t", 1)
    for asked in (
        question("runs", (), ORDERS, ["0"]),
        question("experiments", (), ORDERS, None),
        question("runs", (), ORDERS[:1], None),
        question("runs", parse_filter("metrics.x > 1"), ORDERS, None),
    ):
        with pytest.raises(UsageError, match="another filter, order or set of experiments"):
            read(token, asked)


@given(st.lists(st.tuples(st.sampled_from([None, math.nan, 1.0, 2.0]), st.sampled_from("ab"))), st.integers(1, 4))
def test_the_pages_of_a_list_are_the_list(records: list[tuple[float | None, str]], count: int):
    numbered = [(f"{place:02d}", *record) for place, record in enumerate(records)]
    found: list[str] = []
    page = None
    while True:
        shown, page = page_of(
            numbered,
            (),
            ORDERS,
            lambda one: {"metric": {"x": one[1]}, "param": {"y": one[2]}},
            lambda one: one[0],
            noun="things",
            count=count,
            page=page,
            numbers=lambda order: order.kind == "metric",
        )
        found += [one[0] for one in shown]
        if page is None:
            break
        assert len(shown) == count
    ranks = {2.0: 0, 1.0: 1, None: 3}
    expected = sorted(numbered, key=lambda one: (ranks.get(one[1], 2), one[2], one[0]))
    assert found == [one[0] for one in expected]
