"""Whatever a client sends to a worker: it gets a clear 4xx in the protocol's own form, and nobody else notices.

A worker of its own process serves a model of flights. After each test it must be the same process and answer as before.
"""

from __future__ import annotations

import json
import random
import struct
from typing import Any

import pytest

from tests.journeys.hostile import (
    ARROW,
    GOOD,
    GOOD_ROW,
    INFER,
    JSON,
    LABELS,
    PREDICT,
    ROW,
    Answer,
    Hostage,
    answers_in,
    arrow_body,
    check_refusal,
    hostage,
    tensors,
    worker,
)
from tests.packaged import flights, one_thread

__all__ = ["flights", "hostage", "one_thread", "worker"]

pytestmark = pytest.mark.slow


def with_row(**changes: Any) -> bytes:
    """Return a body with one row that is changed; `...` leaves a field out."""
    row = {name: value for name, value in {**ROW, **changes}.items() if value is not ...}
    return json.dumps({"rows": [row]}, separators=(",", ":")).encode()


def text_row(name: str, text: str) -> bytes:
    """Return a body with one row in which a field has this text for a value."""
    return with_row(**{name: "@"}).replace(b'"@"', text.encode("utf-8", "surrogatepass"))


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "half": GOOD[:-9],
    "more": GOOD + b"x",
    "two": GOOD + GOOD,
    "comma": GOOD.replace(b"}]", b"},]"),
    "single quotes": GOOD.replace(b'"', b"'"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "utf-16": GOOD.decode().encode("utf-16"),
    "invalid utf-8": GOOD.replace(b"UA", b"\xff\xfe"),
    "overlong utf-8": GOOD.replace(b"UA", b"\xc0\xaf"),
    "invalid utf-8 in a name": GOOD.replace(b"carrier", b"carr\xff"),
    "lone surrogate": text_row("origin", '"\\ud800"'),
    "zero bytes": bytes(1000),
    "deep list": b"[" * 100_000,
    "deep rows": b'{"rows":' + b"[" * 100_000,
    "deep value": text_row("month", "[" * 5000 + "]" * 5000),
    "null": b"null",
    "a number": b"3",
    "a list": b"[]",
    "no rows": b"{}",
    "rows is null": b'{"rows":null}',
    "rows is an object": b'{"rows":{}}',
    "zero rows": b'{"rows":[]}',
    "zero rows in columns": json.dumps({"columns": {name: [] for name in ROW}}).encode(),
    "unequal columns": json.dumps({"columns": {**{name: [1] for name in ROW}, "month": [3, 4]}}).encode(),
    "rows and columns": json.dumps({"rows": [ROW], "columns": {name: [value] for name, value in ROW.items()}}).encode(),
    "a row that is a list": b'{"rows":[[1,2]]}',
    "a row that is null": b'{"rows":[null]}',
    "more beside rows": b'{"rows":[],"more":1}',
    "missing field": with_row(month=...),
    "missing nullable field": with_row(gust=...),
    "extra field": with_row(more=1),
    "extra field with a long name": with_row(**{"x" * 100_000: 1}),
    "text for a number": with_row(month="3"),
    "number for a text": with_row(carrier=3),
    "true for a number": with_row(month=True),
    "number for true": with_row(weekend=1),
    "half a whole number": with_row(month=3.5),
    "list for a number": with_row(month=[3]),
    "null where none may be": with_row(month=None),
    "null text where none may be": with_row(origin=None),
    "NaN": text_row("gust", "NaN"),
    "Infinity": text_row("gust", "Infinity"),
    "-Infinity": text_row("distance", "-Infinity"),
    "1e400": text_row("gust", "1e400"),
    "-1e400": text_row("gust", "-1e400"),
    "1e400 for an integer": text_row("month", "1e400"),
    "2**63": text_row("month", str(2**63)),
    "-2**63-1": text_row("month", str(-(2**63) - 1)),
    "10,000 digits": text_row("month", "9" * 10_000),
    "10,000 digits for a float": text_row("gust", "9" * 10_000),
    "a leading zero": text_row("month", "03"),
    "hexadecimal": text_row("month", "0x3"),
    "unseen category": with_row(origin="???"),
    "empty category": with_row(origin=""),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_told_what_is_wrong(worker: Hostage, name: str) -> None:
    error = check_refusal(worker.ask("POST", PREDICT, BODIES[name]), (400, 422))
    assert error["code"] == "invalid_input"
    check_refusal(worker.ask("POST", LABELS, BODIES[name]), (400, 422))
    check_refusal(worker.ask("POST", INFER, BODIES[name]), (400,), inference=True)


@pytest.mark.parametrize("name", ["missing field", "text for a number", "extra field", "unseen category", "1e400"])
def test_a_bad_row_in_a_body_for_the_process_beside_is_named_likewise(worker: Hostage, name: str) -> None:
    good, bad = GOOD_ROW, BODIES[name][9:-2]
    small = check_refusal(worker.ask("POST", PREDICT, b'{"rows":[%b,%b]}' % (good, bad)), (422,))
    large = check_refusal(worker.ask("POST", PREDICT, b'{"rows":[%b,%b]}' % (b",".join([good] * 6000), bad)), (422,))
    assert large["details"]["row"] == 6000
    assert {**large["details"], "row": 1} == small["details"]
    assert large["message"].replace("Row 6000", "Row 1") == small["message"]


def test_what_the_stated_policy_takes_is_answered(worker: Hostage) -> None:
    for body in (
        with_row(carrier="never seen"),
        with_row(tailnum=None, gust=None),
        with_row(month=3.0),
        with_row(month=-5),
    ):
        assert worker.ask("POST", PREDICT, body).status == 200, body


# ---------------------------------------------------------------------------------------------- the other protocols


def test_a_good_request_of_tensors_is_answered(worker: Hostage) -> None:
    answer = worker.ask("POST", INFER, json.dumps(tensors()).encode())
    assert answer.status == 200, answer
    assert {output["name"] for output in json.loads(answer.body)["outputs"]}


TENSORS: dict[str, Any] = {
    "no inputs": {"inputs": []},
    "inputs is null": {"inputs": None},
    "an input that is null": {"inputs": [None]},
    "missing input": tensors(month=...),
    "extra input": {"inputs": [*tensors()["inputs"], {"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}]},
    "twice the same input": {"inputs": [*tensors()["inputs"], tensors()["inputs"][0]]},
    "wrong datatype": tensors(month={"datatype": "BYTES", "data": ["3"]}),
    "unknown datatype": tensors(month={"datatype": "INT65"}),
    "datatype is a number": tensors(month={"datatype": 3}),
    "two columns": tensors(month={"shape": [1, 2], "data": [3, 3]}),
    "three dimensions": tensors(month={"shape": [1, 1, 1]}),
    "no dimensions": tensors(month={"shape": []}),
    "negative shape": tensors(month={"shape": [-1, 1]}),
    "huge shape": tensors(month={"shape": [2**62, 1]}),
    "huge product": tensors(month={"shape": [2**40, 2**40]}),
    "endless shape": tensors(month={"shape": [1] * 100_000}),
    "shape is a text": tensors(month={"shape": "1"}),
    "fewer values": tensors(month={"shape": [2, 1]}),
    "more values": tensors(month={"data": [3, 3]}),
    "unequal rows": tensors(month={"shape": [2, 1], "data": [3, 3]}),
    "zero rows": {"inputs": [{**tensor, "shape": [0, 1], "data": []} for tensor in tensors()["inputs"]]},
    "no data": tensors(month={"data": None}),
    "null": tensors(month={"data": [None]}),
    "text": tensors(month={"data": ["3"]}),
    "nested wrongly": tensors(month={"data": [[3], [3]]}),
    "out of range": tensors(month={"data": [2**63]}),
    "unseen": tensors(origin={"data": ["???"]}),
    "unknown output": {**tensors(), "outputs": [{"name": "no such"}]},
    "outputs is a number": {**tensors(), "outputs": 3},
    "id is an object": {**tensors(), "id": {}},
    "binary without its bytes": tensors(month={"data": None, "parameters": {"binary_data_size": 8}}),
    "binary size that lies": tensors(month={"parameters": {"binary_data_size": 2**62}}),
    "negative binary size": tensors(month={"parameters": {"binary_data_size": -8}}),
}  # fmt: skip


@pytest.mark.parametrize("name", TENSORS)
def test_wrong_tensors_are_told_what_is_wrong(worker: Hostage, name: str) -> None:
    value = {key: part for key, part in TENSORS[name].items() if part is not None}
    check_refusal(worker.ask("POST", INFER, json.dumps(value).encode()), (400,), inference=True)


@pytest.mark.parametrize("length", ["-1", "0", "x", "99999999", "9" * 5000, "1e3", "", " "])
def test_a_wrong_header_length_is_refused(worker: Hostage, length: str) -> None:
    headers = {**JSON, "Inference-Header-Content-Length": length}
    check_refusal(worker.ask("POST", INFER, json.dumps(tensors()).encode(), headers), (400,), inference=True)


def test_binary_tensors_of_any_bytes_are_answered_or_refused(worker: Hostage) -> None:
    chance = random.Random(11)
    for _ in range(300):
        sizes = {name: chance.choice([0, 1, 4, 8, 8, 8, 16]) for name in ROW}
        inputs = tensors()["inputs"]
        for tensor in inputs:
            del tensor["data"]
            tensor["parameters"] = {"binary_data_size": sizes[tensor["name"]]}
        head = json.dumps({"inputs": inputs}).encode()
        tail = chance.randbytes(sum(sizes.values()) + chance.choice([0, 0, 0, -1, 5]))
        if chance.random() < 0.5:
            tail = struct.pack("<I", chance.choice([0, 1, 4, 2**32 - 1])) + tail[4:]
        answer = worker.ask("POST", INFER, head + tail, {"Inference-Header-Content-Length": str(len(head))})
        if answer.status != 200:
            check_refusal(answer, (400,), inference=True)


@pytest.mark.parametrize("rows", [1, 20_000])
def test_a_changed_arrow_stream_is_answered_or_refused(worker: Hostage, rows: int) -> None:
    good = arrow_body(rows)
    assert worker.ask("POST", PREDICT, good, ARROW).status == 200
    for body in (b"", good[:100], good[:-20], GOOD, good[:8], bytes(len(good))):
        answer = worker.ask("POST", PREDICT, body, ARROW)
        if body != good[:-20]:  # what follows the last batch is no more than its end
            check_refusal(answer, (400, 422))
    chance = random.Random(rows)
    for _ in range(400 if rows == 1 else 12):
        data = bytearray(good)
        for _ in range(chance.choice([1, 1, 4, 40])):
            data[chance.randrange(min(len(data), 3000))] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
        answer = worker.ask("POST", PREDICT, bytes(data), ARROW)
        if answer.status != 200:
            check_refusal(answer, (400, 422))


@pytest.mark.parametrize(
    "label", [b'"late"', b"3.5", b"null", b"NaN", b"1e400", b"[]", b"{}", b'"' + b"x" * 100_000 + b'"']
)
def test_a_label_that_can_not_be_is_refused(worker: Hostage, label: bytes) -> None:
    check_refusal(worker.ask("POST", LABELS, b'{"labels":[{"id":"a","label":%b}]}' % label), (400, 422))


@pytest.mark.parametrize(
    "row",
    [
        b"null",
        b"{}",
        b'{"id":"a"}',
        b'{"label":true}',
        b'{"id":"","label":true}',
        b'{"id":3,"label":true}',
        b'{"id":"%b","label":true}' % (b"x" * 100_000),
        b'{"id":"a","label":true,"more":1}',
        b'{"id":"a","label":true,"at":"yesterday"}',
        b'{"id":"a","label":true,"at":1e400}',
        b'{"id":"\\ud800","label":true}',
        b'{"id":"\xff","label":true}',
        b'{"id":"a","label":true},{"id":"a","label":false}',
    ],
)
def test_a_bad_label_is_refused_and_the_good_ones_with_it(worker: Hostage, row: bytes) -> None:
    body = b'{"labels":[{"id":"good","label":true},%b]}' % row
    check_refusal(worker.ask("POST", LABELS, body), (400, 422))


# ---------------------------------------------------------------------------------------------- addresses and heads


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "x",
        "multipart/form-data; boundary=a",
        "application/jsonx",
        "é".encode().decode("latin-1"),
    ],
)
def test_a_wrong_content_type_is_refused(worker: Hostage, kind: str) -> None:
    for path in (PREDICT, LABELS):
        check_refusal(worker.ask("POST", path, GOOD, {"content-type": kind}), (415,))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/models/m/predict/",
        "/models//predict",
        "/models/M/predict",
        "/models/%ff/predict",
        "/models/%00/predict",
        "/models/..%2f..%2fetc/predict",
        "/v3/x",
        "/models/" + "a" * 9000 + "/predict",
        "/models/é/predict".encode().decode("latin-1"),
    ],
)
def test_an_address_that_is_none_is_refused(worker: Hostage, path: str) -> None:
    for method in ("GET", "POST"):
        data = f"{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n".encode("latin-1")
        ((status, body),) = answers_in(worker.exchange(data))
        check_refusal(Answer(status, JSON, body), (400, 404) if method == "POST" else (400, 404, 405))


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/no/infer",
        "/v2/models/m/versions/9/infer",
        "/v2/models/m/versions/x/infer",
        "/v2/no",
        "/v2/models/m/no",
    ],
)
def test_an_address_that_is_none_below_v2_is_404_in_its_own_form(worker: Hostage, path: str) -> None:
    check_refusal(worker.ask("POST", path, json.dumps(tensors()).encode()), (400, 404), inference=True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", PREDICT),
        ("PUT", PREDICT),
        ("DELETE", LABELS),
        ("POST", "/models"),
        ("POST", "/health/live"),
        ("PATCH", "/openapi.json"),
    ],
)
def test_a_wrong_method_is_405_with_those_that_are_taken(worker: Hostage, method: str, path: str) -> None:
    answer = worker.ask(method, path, GOOD)
    check_refusal(answer, (405,))
    assert answer.headers["allow"]
