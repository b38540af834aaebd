"""Requests and answers of the Open Inference Protocol over HTTP: the same answers whichever way, and clear refusals."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plusone.base.errors import BodyTooLarge, InvalidInput, NotFound, PlusoneError, WrongContentType
from plusone.base.records import Field
from plusone.predictor import Predictor
from plusone.protocols.inference import Infer, _without_nan, header_length, inflate, read_infer, refusal
from plusone.tensors.direct import LEAST
from plusone.tensors.tensors import interface_of
from tests.protocols.asking import answer, binary_body, binary_tensor, json_body

Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def rows(flights: pd.DataFrame) -> Rows:
    """Forty rows, some values missing."""
    return json.loads(flights.drop(columns="target").head(40).to_json(orient="records") or "")


@pytest.mark.parametrize("count", [1, 40])
def test_every_way_to_ask_gets_the_same_answer(late: Predictor, rows: Rows, count: int) -> None:
    asked = rows[:count]
    result = late.run(late.columns(asked))
    body, length = binary_body(late, asked)
    said = {"binary_data_output": True}
    wide, wide_length = binary_body(late, asked, parameters=said)
    ways = [
        answer(late, json_body(late, asked)),
        answer(late, json_body(late, asked, nested=True)),
        answer(late, json_body(late, asked, parameters=said)),
        answer(late, body, length),
        answer(late, wide, wide_length),
    ]
    for found in ways:
        assert (found["model_name"], found["model_version"], found["id"]) == ("m", "3", "p1")
        assert found["parameters"] == {"prediction_id": "p1"}
        label, shares = found["outputs"]
        assert (label["name"], label["datatype"], label["shape"]) == ("late", "BOOL", [count, 1])
        assert label["data"] == result.labels.tolist()
        assert (shares["name"], shares["datatype"], shares["shape"]) == ("probabilities", "FP64", [count, 2])
        np.testing.assert_array_equal(
            np.array(shares["data"]).reshape(count, 2), result.probabilities.astype(np.float64)
        )


def test_labels_are_text_or_numbers_as_they_were_trained(origin: Predictor, minutes: Predictor) -> None:
    asked = [{"hour": 9, "distance": 760}, {"hour": 17, "distance": 2454}]
    expected = origin.predict(asked).tolist()
    body, length = binary_body(origin, asked, parameters={"binary_data_output": True}, id="mine")
    for found in (answer(origin, json_body(origin, asked, id="mine")), answer(origin, body, length)):
        assert found["id"] == "mine"
        assert found["outputs"][0]["datatype"] == "BYTES"
        assert found["outputs"][0]["data"] == expected
    found = answer(minutes, json_body(minutes, [{"x": 1.5}, {"x": 2}]))
    assert [(output["name"], output["datatype"], output["shape"]) for output in found["outputs"]] == [
        ("y", "FP64", [2, 1])
    ]
    np.testing.assert_allclose(found["outputs"][0]["data"], [4.0, 5.0], rtol=1e-6)


def test_outputs_are_those_asked_for_in_that_order(late: Predictor, rows: Rows) -> None:
    wanted = [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "late"}]
    found = answer(late, json_body(late, rows[:3], outputs=wanted))
    assert [output["name"] for output in found["outputs"]] == ["probabilities", "late"]
    assert found["outputs"][0]["parameters"] == {"binary_data_size": 48}
    assert "parameters" not in found["outputs"][1]
    one = answer(late, json_body(late, rows[:3], outputs=[{"name": "late"}], parameters={"binary_data_output": True}))
    assert [output["name"] for output in one["outputs"]] == ["late"]
    assert one["outputs"][0]["parameters"] == {"binary_data_size": 3}
    for nothing in ([], None):
        assert len(answer(late, json_body(late, rows[:1], outputs=nothing))["outputs"]) == 2


def test_what_is_missing_is_null_nan_or_the_string_that_was_named(late: Predictor, rows: Rows) -> None:
    row = {**rows[0], "tailnum": None, "gust": None}
    expected = late.predict_proba([row])[0].astype(np.float64).tolist()
    body = json_body(late, [row])
    assert answer(late, body)["outputs"][1]["data"] == expected
    # tritonclient writes NaN into its JSON.
    assert body.count(b"[null]") == 2
    gust = body.rindex(b"[null]")
    assert answer(late, body[:gust] + b"[NaN]" + body[gust + 6 :])["outputs"][1]["data"] == expected
    named = json.loads(body)
    tail = next(tensor for tensor in named["inputs"] if tensor["name"] == "tailnum")
    tail["data"] = ["(no tail)"]
    tail["parameters"] = {"missing_string": "(no tail)"}
    assert answer(late, json.dumps(named).encode())["outputs"][1]["data"] == expected
    tail["parameters"] = {"missing_string": 3}
    refused(late, json.dumps(named).encode(), "missing_string is 3: expected a string")
    nan = json_body(late, [{**row, "carrier": "NaN"}])
    assert answer(late, nan.replace(b'"data": [null]', b'"data": [NaN]'))["outputs"][1]["shape"] == [1, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'[NaN, "NaN", NaN]', b'[null, "NaN", null]'),
        (b'{"NaN": NaN, "n": N}', b'{"NaN": null, "n": N}'),
        (b'["a\\"NaN",NaN]', b'["a\\"NaN",null]'),
        (b'["\\\\",NaN]', b'["\\\\",null]'),
        (b"[NaNs, -NaN, xNaN]", b"[NaNs, -NaN, xNaN]"),
        (b'[NaN, "NaN', b'[null, "NaN'),
        (b'NaN"\\', b'null"\\'),
    ],
)
def test_only_what_stands_for_a_number_becomes_null(text: bytes, expected: bytes) -> None:
    assert _without_nan(text) == expected


def test_a_body_may_be_the_one_tensor_itself(minutes: Predictor, late: Predictor) -> None:
    found = answer(minutes, np.array([1.0, 2.0, 3.0]).tobytes(), 0)
    np.testing.assert_allclose(found["outputs"][0]["data"], [3.0, 5.0, 7.0], rtol=1e-6)
    assert "binary_data_size" in found["outputs"][0]["parameters"]
    refused(minutes, b"12345", "5 bytes: expected 0", length=0, also="no rows")
    refused(minutes, b"123456789", "9 bytes: expected 8", length=0)
    refused(late, b"12345678", "the model takes 9 inputs", length=0)


# ---------------------------------------------------------------------------------------------- refusals


def refused(predictor: Predictor, body: bytes, words: str, *, length: int | None = None, also: str = "") -> None:
    """Assert that a request is refused with these words, as the protocol has it."""
    with pytest.raises(InvalidInput) as caught:
        read_infer(predictor, body, length)
    assert words in caught.value.message or (also and also in caught.value.message), caught.value.message
    status, sent = refusal(caught.value)
    assert status == 400
    assert json.loads(sent) == {"error": caught.value.message}


def changed(predictor: Predictor, rows: Rows, name: str, changes: dict[str, Any]) -> bytes:
    """Return a request with one of its tensors changed; a value None takes a member out of it."""
    request = json.loads(json_body(predictor, rows))
    tensor = next(tensor for tensor in request["inputs"] if tensor["name"] == name)
    tensor.update(changes)
    for key in [key for key, value in tensor.items() if value is None]:
        del tensor[key]
    return json.dumps(request).encode()


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("hour", {"name": "minute"}, "takes no input 'minute': expected carrier, origin"),
    ("hour", {"name": "month"}, "Input 'month' is there twice"),
    ("hour", {"datatype": "BYTES"}, "Input 'hour' has the datatype 'BYTES': expected INT64"),
    ("hour", {"datatype": "INT128"}, "has the datatype 'INT128'"),
    ("carrier", {"datatype": "INT64"}, "expected BYTES"),
    ("weekend", {"datatype": "FP64", "data": [1.0, 0.0]}, "Input 'weekend' has the datatype 'FP64': expected BOOL"),
    ("hour", {"shape": [1, 2]}, "has the shape [1, 2]: expected [rows] or [rows, 1]"),
    ("hour", {"shape": [2, 1, 1]}, "has the shape"),
    ("hour", {"shape": []}, "has the shape []"),
    ("hour", {"shape": [-2]}, "has the shape [-2]"),
    ("hour", {"shape": [0], "data": []}, "has no rows: expected at least one"),
    ("hour", {"shape": [1], "data": [7]}, "Input 'hour' has 1 rows, input 'carrier' has 2"),
    ("hour", {"shape": [2**70]}, "rows, input 'carrier' has 2"),
    ("hour", {"shape": [2.5]}, "Expected `int`, got `float`"),
    ("hour", {"data": [7]}, "Input 'hour' has 1 values: expected 2, as its shape says"),
    ("hour", {"data": [7, 8, 9]}, "has 3 values: expected 2"),
    ("hour", {"data": [[7], [8, 9]]}, "value 1: [8, 9] does not fit: expected a list of one value"),
    ("hour", {"data": [[7], 8]}, "value 1: 8 does not fit"),
    ("hour", {"data": [7, "8"]}, "value 1: '8' does not fit: expected an integer, as INT64 has them"),
    ("hour", {"data": [True, 8]}, "value 0: true does not fit"),
    ("hour", {"data": [7, 8.5]}, "value 1: 8.5 does not fit"),
    ("hour", {"data": [7, {"a": 1}]}, "value 1: {'a': 1} does not fit"),
    ("hour", {"data": [7, 2**63]}, "value 1: 9223372036854775808 does not fit"),
    ("hour", {"datatype": "INT8", "data": [7, 128]}, "expected an integer that INT8"),
    ("hour", {"datatype": "UINT16", "data": [-1, 128]}, "value 0: -1 does not fit"),
    ("hour", {"datatype": "FP32", "data": [7, 1e39]}, "expected a number that FP32 holds"),
    ("hour", {"datatype": "FP64", "data": [7.5, 1.0]}, "7.5 does not fit: expected an integer"),
    ("hour", {"datatype": "FP64", "data": [7, 10**400]}, "expected a number that FP64 holds"),
    ("distance", {"data": [7, None]}, "field 'distance'"),
    ("weekend", {"data": [0, 1]}, "value 0: 0 does not fit: expected true or false"),
    ("carrier", {"data": ["UA", 3]}, "value 1: 3 does not fit: expected a string"),
    ("carrier", {"data": ["UA", None]}, "field 'carrier'"),
    ("hour", {"data": "7"}, "Input 'hour' has no list of values"),
    ("hour", {"data": None}, "expected 'data', or a 'binary_data_size'"),
    ("hour", {"parameters": {"binary_data_size": 8}}, "has both 'data' and a binary_data_size"),
    ("hour", {"parameters": {"binary_data_size": 8}, "data": None}, "no header Inference-Header-Content-Length"),
    ("hour", {"parameters": {"shared_memory_region": "r"}, "data": None}, "lies in shared memory"),
    ("hour", {"name": 3}, "Expected `str`, got `int` - at `$.inputs["),
    ("hour", {"datatype": None}, "missing required field `datatype`"),
]


@pytest.mark.parametrize(("name", "changes", "words"), CHANGES, ids=lambda value: str(value)[:40])
def test_a_tensor_that_does_not_fit_is_named(
    late: Predictor, rows: Rows, name: str, changes: dict[str, Any], words: str
) -> None:
    refused(late, changed(late, rows[:2], name, changes), words)


def test_inputs_that_lack_are_named(late: Predictor, rows: Rows) -> None:
    request = json.loads(json_body(late, rows[:2]))
    request["inputs"] = [tensor for tensor in request["inputs"] if tensor["name"] not in ("hour", "gust")]
    refused(late, json.dumps(request).encode(), "The request has no input 'hour', 'gust'")
    refused(late, b'{"inputs": []}', "The request has no input 'carrier'")


def test_outputs_that_are_not_there_are_refused(late: Predictor, rows: Rows) -> None:
    for outputs, words in (
        ([{"name": "score"}], "has no output 'score': expected late, probabilities"),
        ([{"name": "late"}, {"name": "late"}], "'late' is asked for twice"),
        ([{"name": "late", "parameters": {"classification": 2}}], "with 'classification', which is not offered"),
        ([{"name": "late", "parameters": {"binary_data": 1}}], "binary_data is 1: expected true or false"),
        ([{"name": "late", "parameters": {"shared_memory_region": "r"}}], "wanted in shared memory"),
    ):
        refused(late, json_body(late, rows[:1], outputs=outputs), words)
    refused(late, json_body(late, rows[:1], parameters={"binary_data_output": "yes"}), "expected true or false")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The body is not valid JSON"),
        (b"{", "The body is not valid JSON"),
        (b"[]", "The body is no inference request"),
        (b"{}", "missing required field `inputs`"),
        (b'{"inputs": null}', "Expected `array`, got `null`"),
        (b'{"inputs": [{"name": "\xff"}]}', "is not UTF-8: its byte 0xff"),
        (b'{"inputs": [{"name": "\\ud800x"}]}', "not valid JSON"),
        (b'{"inputs": [], "more": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"inputs": [], "parameters": {"x": Infinity}}', "not valid JSON"),
        (b'{"inputs": [], "id": 3}', "Expected `str | null`, got `int`"),
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1e400]}]}', "Number out of range"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bodies_that_are_no_request(late: Predictor, body: bytes, words: str) -> None:
    refused(late, body, words)


def test_sizes_that_lie(late: Predictor, rows: Rows) -> None:
    body, length = binary_body(late, rows[:2])
    refused(late, body, "says 99999", length=99_999)
    refused(late, body + b"x", "has 1 bytes behind those of its tensors", length=length)
    refused(late, body[:-1], "the body has", length=length)
    refused(late, body, "not valid JSON", length=length - 1)
    refused(late, body, "The body is not", length=length + 1)
    for size in (-1, True, "8", 1.5):
        wrong = body.replace(b'"binary_data_size": 16', b'"binary_data_size": ' + json.dumps(size).encode(), 1)
        refused(late, wrong, "expected a number of bytes", length=length + len(wrong) - len(body))
    huge = body.replace(b'"binary_data_size": 16', b'"binary_data_size": 99999999999999', 1)
    refused(late, huge, "bytes left for it", length=length + len(huge) - len(body))
    shape = body.replace(b'"shape": [2, 1]', b'"shape": [9999999999999, 1]')
    refused(late, shape, "expected at least 39999999999996", length=length + len(shape) - len(body))


def test_bytes_that_do_not_fit(late: Predictor, rows: Rows) -> None:
    two = [{**row, "carrier": "UA"} for row in rows[:2]]
    body, length = binary_body(late, two)
    packed = b"\2\0\0\0UA" * 2
    assert body[length:].startswith(packed)
    for data, words in (
        (b"\2\0\0\0U\xff" + packed[6:], "Input 'carrier', value 0 is not UTF-8: its byte 1 is 0xff"),
        (b"\3\0\0\0" + packed[4:], "Input 'carrier', value 1"),
        (b"\xff\xff\xff\xff" + packed[4:], "its length says that it ends at byte 4294967299 of 12"),
        (b"\1\0\0\0" + packed[4:], "Input 'carrier'"),
        (b"\0\0\0\0UA" + b"\2\0\0\0UA", "Input 'carrier'"),
    ):
        refused(late, body[:length] + data + body[length + 12 :], words, length=length)
    weekend = body.index(
        np.array([row["weekend"] for row in two]).tobytes() + np.array([two[0]["gust"]], "<f8").tobytes()
    )
    refused(
        late, body[:weekend] + b"\2" + body[weekend + 1 :], "value 0: 2 does not fit: expected 0 or 1", length=length
    )


def test_the_header_that_says_how_long_the_json_is() -> None:
    assert header_length({}) is None
    assert header_length({"inference-header-content-length": "0"}) == 0
    assert header_length({"inference-header-content-length": "12"}) == 12
    for text in ("", "-1", "1.5", "x", "12, 12", "٣", "9" * 30):
        with pytest.raises(InvalidInput, match="expected a number of bytes"):
            header_length({"inference-header-content-length": text})


def test_an_error_of_another_kind_keeps_its_status() -> None:
    status, body = refusal(NotFound("No model is called 'x'.", mend="GET /models"))
    assert status == 404
    assert json.loads(body) == {"error": "No model is called 'x'. To mend it: GET /models"}


def test_bodies_are_inflated_up_to_a_limit() -> None:
    data = b'{"inputs": []}' * 100
    for encoding, packed in (("gzip", gzip.compress(data)), ("deflate", zlib.compress(data)), ("", data)):
        assert inflate(packed, encoding, len(data)) == data
    with pytest.raises(BodyTooLarge, match="over 1399 bytes when it is unpacked"):
        inflate(gzip.compress(data), "gzip", len(data) - 1)
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(BodyTooLarge):
        inflate(bomb, "GZIP ", 1000)
    for wrong in (b"", b"x", gzip.compress(data)[:-9], gzip.compress(data) + b"x", zlib.compress(data)):
        with pytest.raises(InvalidInput, match="The body is not"):
            inflate(wrong, "gzip", 10_000)
    with pytest.raises(WrongContentType, match="'br': expected gzip, deflate or none"):
        inflate(data, "br", 10_000)


# ---------------------------------------------------------------------------------------------- hostile input

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
NAMES = st.sampled_from(["carrier", "hour", "gust", "weekend", "tailnum", "late", "zzz", ""])
DATATYPES = st.sampled_from(["BOOL", "INT8", "INT64", "UINT64", "FP16", "FP64", "BYTES", "", "fp64"])
TENSORS = st.fixed_dictionaries(
    {"name": NAMES, "shape": st.lists(st.integers(-2, 3) | st.integers(), max_size=3), "datatype": DATATYPES},
    optional={"data": st.lists(VALUES, max_size=4) | VALUES, "parameters": st.none() | st.dictionaries(NAMES, VALUES)},
)
fuzzed = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def survives(run: Callable[[], Any]) -> None:
    """Assert that a call answers, or refuses with a message that JSON can carry."""
    try:
        run()
    except PlusoneError as error:
        status, body = refusal(error)
        assert 400 <= status < 500
        assert json.loads(body)["error"]


@pytest.mark.slow
@fuzzed
@given(request=st.fixed_dictionaries({"inputs": st.lists(TENSORS, max_size=3)}, optional={"outputs": VALUES}))
def test_no_request_is_more_than_refused(late: Predictor, request: dict[str, Any]) -> None:
    survives(lambda: answer(late, json.dumps(request).encode()))


@pytest.mark.slow
@fuzzed
@given(data=st.data())
def test_no_tensor_in_a_good_request_is_more_than_refused(late: Predictor, rows: Rows, data: st.DataObject) -> None:
    request = json.loads(json_body(late, rows[:2]))
    tensor = data.draw(st.sampled_from(request["inputs"]))
    key = data.draw(st.sampled_from(["data", "datatype", "shape", "name", "parameters"]))
    drawn = {"datatype": DATATYPES, "name": NAMES, "shape": st.lists(st.integers(0, 2), max_size=2)}
    tensor[key] = data.draw(drawn.get(key, st.lists(VALUES, min_size=2, max_size=2)))
    survives(lambda: answer(late, json.dumps(request).encode()))


@fuzzed
@given(data=st.data())
def test_no_bytes_are_more_than_refused(late: Predictor, rows: Rows, data: st.DataObject) -> None:
    body, length = binary_body(late, rows[:2])
    mutated = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    survives(lambda: answer(late, bytes(mutated), data.draw(st.sampled_from([length, length - 1, None, 0]))))


@fuzzed
@given(value=st.floats(allow_nan=True) | st.integers(-(2**70), 2**70), kind=st.sampled_from(["FP64", "FP32", "INT64"]))
def test_a_number_is_taken_as_it_is_or_refused(minutes: Predictor, value: float, kind: str) -> None:
    text = "NaN" if value != value else json.dumps(value)
    body = b'{"inputs": [{"name": "x", "shape": [1], "datatype": "%b", "data": [%b]}]}' % (kind.encode(), text.encode())
    try:
        columns = read_infer(minutes, body, None).columns
    except InvalidInput:
        return
    taken = float(next(iter(columns.feeds.values()))[0, 0])
    assert math.isfinite(taken)
    assert taken == (float(np.float32(value)) if kind == "FP32" else float(value))


# ------------------------------------------------------------------------------------------ the same JSON again


def body_of(rows: Rows, fields: tuple[Field, ...], **more: Any) -> tuple[bytes, int]:
    pairs = [binary_tensor(field, [row[field.name] for row in rows]) for field in fields]
    head = json.dumps({"inputs": [said for said, _ in pairs], **more}).encode()
    return head + b"".join(data for _, data in pairs), len(head)


def some_rows(count: int, shift: int = 0) -> Rows:
    words = [("UA", "JFK", "IAH"), ("AA", "LGA", "MIA"), ("zz", "ä", "IAH")]
    return [
        dict(zip(("carrier", "origin", "dest"), words[(place + shift) % 3], strict=True))
        | {"month": 1 + (place + shift) % 12, "distance": 100 + place}
        for place in range(count)
    ]


def same(one: Infer, other: Infer) -> bool:
    return (one.id, one.outputs) == (other.id, other.outputs) and all(
        np.array_equal(array, other.columns.feeds[name]) for name, array in one.columns.feeds.items()
    )


@pytest.mark.parametrize("count", [1, 3, LEAST, 33])
def test_a_request_like_the_one_before_is_read_as_if_it_were_the_first(
    monkeypatch: pytest.MonkeyPatch, coded: Predictor, count: int
) -> None:
    fields = coded.signature.fields
    interface = interface_of(coded)
    for shift in (0, 3, 6, 9):
        body, length = body_of(some_rows(count, shift), fields, id="i")
        with monkeypatch.context() as patch:
            patch.setattr(interface, "seen", {})
            fresh = read_infer(coded, body, length)
        again = read_infer(coded, body, length)
        assert same(again, fresh)
        assert (again.read.rows is None) == (count >= LEAST)
        assert again.read.count == count
    assert interface.seen[body[:length]] is not None
    # What the bytes behind the JSON have wrong is refused as ever.
    for wrong in (body[:-1], body + b"x", body[:length] + bytes(len(body) - length - 1) + b"\xff"):
        with monkeypatch.context() as patch:
            patch.setattr(interface, "seen", {})
            with pytest.raises(InvalidInput) as first:
                read_infer(coded, wrong, length)
        with pytest.raises(InvalidInput) as second:
            read_infer(coded, wrong, length)
        assert second.value.message == first.value.message


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, coded: Predictor) -> None:
    interface = interface_of(coded)
    monkeypatch.setattr(interface, "seen", {})
    for number in range(300):
        body, length = body_of(some_rows(1), coded.signature.fields, id=str(number))
        for _ in range(2):
            assert read_infer(coded, body, length).id == str(number)
        assert len(interface.seen) <= 64
    interface.seen.clear()
    body, length = body_of(some_rows(1), coded.signature.fields, id="x" * 20_000)
    read_infer(coded, body, length)
    assert interface.seen == {}
