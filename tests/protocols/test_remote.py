"""Inference calls as messages: typed or raw, the same answers, and the same refusals as over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plusone.base.errors import InvalidInput
from plusone.predictor import Predictor
from plusone.protocols import remote
from plusone.protocols.messages import message
from plusone.protocols.served import Served
from tests.protocols.asking import NO_TAIL, binary_tensor, columns_of

Rows = list[dict[str, Any]]
TYPED = {"BYTES": "bytes_contents", "FP64": "fp64_contents", "INT64": "int64_contents", "BOOL": "bool_contents"}


@pytest.fixture(scope="session")
def rows(flights: pd.DataFrame) -> Rows:
    """Rows with and without missing values."""
    return json.loads(flights.drop(columns="target").head(20).to_json(orient="records") or "")


def request_of(predictor: Predictor, asked: Rows, *, raw: bool, **more: Any) -> Any:
    """Return the message that asks for the predictions of rows."""
    request = message("ModelInferRequest")(model_name="m", **more)
    request.parameters["missing_string"].string_param = NO_TAIL
    for field, values in columns_of(predictor, asked):
        tensor, data = binary_tensor(field, values)
        kind = tensor["datatype"]
        one = request.inputs.add(name=field.name, datatype=kind, shape=tensor["shape"])
        if raw:
            request.raw_input_contents.append(data)
        elif kind == "BYTES":
            one.contents.bytes_contents.extend((NO_TAIL if value is None else value).encode() for value in values)
        else:
            getattr(one.contents, TYPED[kind]).extend(float("nan") if value is None else value for value in values)
    return request


def ask(predictor: Predictor, request: Any) -> Any:
    """Return the answer to a request, both through their bytes."""
    call = remote.read_call(predictor, remote.parse("ModelInferRequest", request.SerializeToString()))
    answer = predictor.run(call.read.columns)
    sent = remote.write_call(call, predictor, answer, model="m", release=4, prediction_id="p1")
    return remote.parse("ModelInferResponse", sent)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("count", [1, 20])
def test_calls_get_the_answers_of_the_model(late: Predictor, rows: Rows, raw: bool, count: int) -> None:
    expected = late.run(late.columns(rows[:count]))
    found = ask(late, request_of(late, rows[:count], raw=raw, id="mine" if raw else ""))
    assert (found.model_name, found.model_version, found.id) == ("m", "4", "mine" if raw else "p1")
    assert found.parameters["prediction_id"].string_param == "p1"
    label, shares = found.outputs
    assert (label.name, label.datatype, list(label.shape)) == ("late", "BOOL", [count, 1])
    assert (shares.name, shares.datatype, list(shares.shape)) == ("probabilities", "FP64", [count, 2])
    if raw:
        labels, values = (np.frombuffer(found.raw_output_contents[at], kind) for at, kind in ((0, "?"), (1, "<f8")))
        assert not label.contents.ListFields()
    else:
        labels, values = np.array(label.contents.bool_contents), np.array(shares.contents.fp64_contents)
        assert not found.raw_output_contents
    np.testing.assert_array_equal(labels, expected.labels)
    np.testing.assert_array_equal(values.reshape(count, 2), expected.probabilities.astype(np.float64))


def test_text_comes_back_as_bytes(origin: Predictor) -> None:
    asked = [{"hour": 9, "distance": 760}, {"hour": 17, "distance": 2454}]
    expected = [label.encode() for label in origin.predict(asked)]
    typed = ask(origin, request_of(origin, asked, raw=False, outputs=[{"name": "origin"}]))
    assert list(typed.outputs[0].contents.bytes_contents) == expected
    raw = ask(origin, request_of(origin, asked, raw=True, outputs=[{"name": "probabilities"}, {"name": "origin"}]))
    assert [output.name for output in raw.outputs] == ["probabilities", "origin"]
    assert raw.raw_output_contents[1] == b"".join(b"\3\0\0\0" + label for label in expected)


def test_calls_that_do_not_fit_are_refused(late: Predictor, rows: Rows) -> None:
    def fewer(request: Any) -> None:
        del request.raw_input_contents[-1]

    def both(request: Any) -> None:
        request.inputs[0].contents.bytes_contents.append(b"UA")

    def other(request: Any) -> None:
        request.ClearField("raw_input_contents")
        request.inputs[0].contents.int64_contents.append(1)

    def half(request: Any) -> None:
        request.ClearField("raw_input_contents")
        request.inputs[0].CopyFrom(message("ModelInferRequest.InferInputTensor")(name="x", datatype="FP16", shape=[1]))

    def nothing(request: Any) -> None:
        request.ClearField("raw_input_contents")

    def text(request: Any) -> None:
        nothing(request)
        request.inputs[0].contents.bytes_contents.append(b"\xff")

    def kind(request: Any) -> None:
        request.parameters["missing_string"].int64_param = 3

    def output(request: Any) -> None:
        request.outputs.add(name="score")

    def long(request: Any) -> None:
        request.raw_input_contents[4] += b"12345678"

    def negative(request: Any) -> None:
        request.inputs[0].shape[0] = -(2**63)

    cases: list[tuple[Callable[[Any], None], str]] = [
        (fewer, "has 9 inputs and 8 raw_input_contents: expected one for each"),
        (both, "Input 'carrier' has contents, and the request raw_input_contents"),
        (other, "Input 'carrier' of the datatype BYTES has int64_contents: expected its values in bytes_contents"),
        (half, "Input 'x' has the datatype FP16: expected its values in raw_input_contents"),
        (nothing, "Input 'carrier' has 0 values: expected 1"),
        (text, "Input 'carrier', value 0 is not UTF-8"),
        (kind, "missing_string is no string_param"),
        (output, "has no output 'score': expected late, probabilities"),
        (long, "16 bytes: expected 8"),
        (negative, "has the shape [-9223372036854775808, 1]"),
    ]
    for change, words in cases:
        request = request_of(late, rows[:1], raw=True)
        change(request)
        with pytest.raises(InvalidInput) as caught:
            ask(late, request)
        assert words in caught.value.message
    with pytest.raises(InvalidInput, match="is no ModelInferRequest"):
        remote.parse("ModelInferRequest", b"\xff\xff")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), raw=st.booleans())
def test_no_bytes_are_more_than_refused(late: Predictor, rows: Rows, data: st.DataObject, raw: bool) -> None:
    sent = bytearray(request_of(late, rows[:2], raw=raw).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(sent) - 1))
        sent[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        ask(late, remote.parse("ModelInferRequest", bytes(sent)))
    except InvalidInput as error:
        json.dumps(error.message).encode()


def test_descriptions_are_those_of_http(late: Predictor) -> None:
    served = Served("late", 4, late)
    found = remote.parse("ModelMetadataResponse", remote.metadata_message(served, [4, 3]))
    assert (found.name, list(found.versions), found.platform) == ("late", ["3", "4"], "onnx_onnxv1")
    assert [(one.name, one.datatype, list(one.shape)) for one in found.outputs] == [
        ("late", "BOOL", [-1, 1]),
        ("probabilities", "FP64", [-1, 2]),
    ]
    assert dict(found.properties) == {"release": "4", "package": late.digest, "classes": "[false,true]"}
    config = remote.parse("ModelConfigResponse", remote.config_message(served)).config
    assert (config.name, config.max_batch_size, config.input[0].data_type) == ("late", 0, 13)
    assert config.parameters["classes"].string_value == "[false,true]"
    index = remote.parse("RepositoryIndexResponse", remote.index_message([served], {"b": "gone"}, ready=False))
    assert [(one.name, one.state) for one in index.models] == [("late", "READY"), ("b", "UNAVAILABLE")]
