"""Labels that fit are taken; whatever else comes is refused with row, field, value and what was expected."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plusone.base import clock
from plusone.base.errors import InvalidInput
from plusone.base.records import Output
from plusone.predictions.wire import MOST_LABELS, _read_fast, _read_slowly, accepted, read_labels

YES_NO = Output(name="late", kind="classes", classes=(False, True))
COUNTS = Output(name="n", kind="classes", classes=(0, 1, 7))
WORDS = Output(name="w", kind="classes", classes=("a", "ä\u2028", "true"))
NUMBER = Output(name="y", kind="number")
OUTPUTS = (YES_NO, COUNTS, WORDS, NUMBER)


def body(*labels: Any) -> bytes:
    return json.dumps({"labels": list(labels)}).encode()


def refused(data: bytes, output: Output = YES_NO) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read_labels(data, output)
    assert caught.value.status == 422
    msgspec.json.encode(caught.value.as_dict())
    return caught.value


def test_labels_that_fit_are_taken_in_order() -> None:
    data = body({"id": "b", "label": True}, {"id": "a:3", "label": False, "at": "2026-01-31T13:00:00+01:00"})
    assert read_labels(data, YES_NO) == [("b", "true", None), ("a:3", "false", "2026-01-31T12:00:00.000000Z")]
    assert accepted(2) == b'{"accepted":2}'


@pytest.mark.parametrize(
    ("output", "value", "kept"),
    [
        (COUNTS, 7, "7"),
        (COUNTS, 7.0, "7"),
        (WORDS, "ä\u2028", '"ä\u2028"'),
        (WORDS, "true", '"true"'),
        (NUMBER, 3, "3.0"),
        (NUMBER, -0.0, "0.0"),
        (NUMBER, 1e-300, "1e-300"),
    ],
)
def test_one_value_is_kept_as_one_text(output: Output, value: Any, kept: str) -> None:
    assert read_labels(body({"id": "x", "label": value}), output) == [("x", kept, None)]


@pytest.mark.parametrize(
    ("output", "value"),
    [
        (YES_NO, 1),
        (YES_NO, "true"),
        (YES_NO, None),
        (COUNTS, True),
        (COUNTS, 2),
        (COUNTS, 7.5),
        (COUNTS, "7"),
        (COUNTS, [7]),
        (WORDS, "b"),
        (WORDS, True),
        (WORDS, {"a": 1}),
        (NUMBER, "3"),
        (NUMBER, True),
        (NUMBER, None),
        (NUMBER, 10**400),
    ],
)
def test_a_value_that_the_model_can_not_answer_is_refused(output: Output, value: Any) -> None:
    error = refused(
        body({"id": "x", "label": output.classes[0] if output.classes else 1}, {"id": "y", "label": value}), output
    )
    assert (error.details["row"], error.details["field"]) == (1, "label")
    assert ("one of" in error.details["expected"]) == (output.kind == "classes")


@pytest.mark.parametrize("value", ["", "x" * 201, "a\nb", "a\0", None, 5, "\ud800"])
def test_what_is_no_id_is_refused(value: Any) -> None:
    error = refused(body({"id": value, "label": True}))
    assert error.details.get("field", "id") == "id"


@pytest.mark.parametrize("value", ["", "yesterday", "2026-01-31", "2026-01-31T12:00:00", 5, "1969-12-31T00:00:00Z",
                                   "0001-01-01T00:00:00+23:00", "9999-12-31T23:00:00-23:00"])  # fmt: skip
def test_what_is_no_time_is_refused(value: Any) -> None:
    assert refused(body({"id": "x", "label": True, "at": value})).details["field"] == "at"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"labels": {}}',
        b'{"labels": []}',
        b'{"labels": [1]}',
        b'{"labels": [{}]}',
        b'{"labels": [{"id": "a"}]}',
        b'{"labels": [{"label": true}]}',
        b'{"labels": [{"id": "a", "label": true, "more": 1}]}',
        b'{"labels": [{"id": "a", "label": true}], "more": 1}',
        b'{"labels": [{"id": "a", "label": NaN}]}',
        b'{"labels": [{"id": "a", "label": 1e400}]}',
        b'{"labels": [{"id": "\xff", "label": true}]}',
        b'{"labels": [{"id": "a", "label": true}]',
        b"[" * 100_000,
    ],
)
def test_what_is_no_body_is_refused(data: bytes) -> None:
    for output in OUTPUTS:
        assert refused(data, output).details["expected"]


def test_too_many_labels_are_refused_and_as_many_as_may_be_are_taken() -> None:
    labels = [{"id": str(number), "label": True} for number in range(MOST_LABELS + 1)]
    assert "10000" in refused(body(*labels)).message
    assert len(read_labels(body(*labels[1:]), YES_NO)) == MOST_LABELS


def test_one_label_sent_twice_is_one_and_two_of_one_prediction_are_refused() -> None:
    same = {"id": "a", "label": True}
    assert read_labels(body(same, same), YES_NO) == [("a", "true", None)]
    error = refused(body(same, {"id": "b", "label": True}, {"id": "a", "label": False}))
    assert (error.details["row"], error.details["value"]) == (2, "false")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
ROWS = st.fixed_dictionaries({}, optional={"id": JSON, "label": JSON, "at": JSON, "x": JSON})


@given(
    st.lists(
        st.tuples(
            st.text(max_size=5),
            st.sampled_from([True, False, 0, 1, 7, "a", 1.5, None]),
            st.none() | st.datetimes(timezones=st.just(dt.UTC) | st.none()),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_the_fast_way_takes_what_the_slow_way_takes(rows: list[tuple[str, Any, dt.datetime | None]]) -> None:
    data = body(*({"id": one, "label": value, "at": at and at.isoformat()} for one, value, at in rows))
    for output in OUTPUTS:
        fast = _read_fast(data, output)
        assert fast is None or fast == _read_slowly(data, output)


@settings(max_examples=60)
@given(
    st.binary(max_size=300) | st.lists(ROWS | JSON, max_size=5).map(lambda rows: json.dumps({"labels": rows}).encode())
)
@example(b'{"labels":[{"id":"a","label":-0.0,"at":null}]}')
def test_whatever_comes_is_taken_or_refused(data: bytes) -> None:
    for output in OUTPUTS:
        try:
            found = read_labels(data, output)
        except InvalidInput as error:
            msgspec.json.encode(error.as_dict())
            continue
        assert found
        for one, value, at in found:
            assert 1 <= len(one) <= 200
            decoded = json.loads(value)
            assert math.isfinite(decoded) if output.kind == "number" else decoded in output.classes
            assert at is None or clock.parse(at)


GOOD = ",".join(f'{{"id":"a{number}","label":true}}' for number in range(5000))


@pytest.mark.parametrize(
    ("body", "said", "row"),
    [
        ('{"labels":[%s,[]]}', "Expected `object`, got `array`", 5000),
        ('{"labels":[%s,{"id":"a"}]}', "Object missing required field `label`", 5000),
        ('{"labels":[%s,{"id":"a","label":[[]]}]}', "got `array`", 5000),
        ('{"labels":[%s,{"id":"a","label":3}]}', "Label 5000: 3 can't be the label", 5000),
        ('{"labels":[%s,{"id":"a0","label":false}]}', "has another label before it", 5000),
        ('{"labels":[%s],"more":[]}', "unknown field `more`", None),
        ('{"labels":[%s,%s,%s]}', "Expected `array` of length <= 10000", None),
        ('{"labels":[%s', "The body is no JSON", None),
        ('[%s]', "Expected `object`, got `array`", None),
    ],
)  # fmt: skip
def test_a_large_body_is_refused_with_the_place_of_the_fault(body: str, said: str, row: int | None) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_labels(body.replace("%s", GOOD).encode(), YES_NO)
    assert said in caught.value.message
    assert caught.value.details.get("row") == row


def test_a_large_body_is_read_like_a_small_one() -> None:
    labels = read_labels(('{"labels":[' + GOOD + "," + GOOD + "]}").encode(), YES_NO)
    assert labels == [(f"a{number}", "true", None) for number in range(5000)]
