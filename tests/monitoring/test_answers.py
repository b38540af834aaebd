"""What was answered, read back out of every protocol's answers as the worker writes them."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.records import Output
from plusone.graphs.runner import Answer
from plusone.monitoring.answers import read_answers
from plusone.predictions.layout import ARROW, GRPC, INFERENCE, JSON
from plusone.predictor.arrow import write_stream
from plusone.predictor.lists import Labels, lists_of
from plusone.protocols.inference import Infer, Wanted, tensor_bytes, write_infer
from plusone.tensors.tensors import Interface, answer_tensors

NAN = float("nan")
TEXT = Output(name="y", kind="classes", classes=("no", "yes"), probabilities=True)
CLASSES: list[tuple[Output, list[Any]]] = [
    (TEXT, ["yes", "no", "yes"]),
    (Output(name="y", kind="classes", classes=(False, True), probabilities=True), [True, False, True]),
    (Output(name="y", kind="classes", classes=(3, 7)), [7, 3, 7]),
    (Output(name="y", kind="classes", classes=(0.5, 1.5)), [1.5, 0.5, 1.5]),
    (Output(name="y", kind="classes", classes=(3, "ä")), ["ä", 3, "ä"]),
]
NUMBER = Output(name="y", kind="number")


class _Predictor:
    """As much of a predictor as tensors of answers need."""

    def __init__(self, output: Output) -> None:
        self.signature = SimpleNamespace(fields=(), output=output)
        self.blocks = ()
        self.known: dict[str, Any] = {}


def _answer(output: Output, unknown: bool = False) -> Answer:
    if output.kind == "number":
        return Answer(np.array([], dtype=object), None, None, np.array([1.5, NAN if unknown else 2.0, -3.0]))
    shares = np.array([[0.1, 0.9], [NAN if unknown else 0.8, 0.2], [0.3, 0.7]]) if output.probabilities else None
    return Answer(np.array(output.classes, dtype=object), np.array([1, 0, 1]), shares, None)


def _inference(output: Output, *, binary: bool, unknown: bool = False, names: tuple[str, ...] = ()) -> bytes:
    predictor: Any = _Predictor(output)
    outputs = Interface(predictor).outputs
    nothing: Any = None
    asked = Infer("", nothing, tuple(Wanted(name, binary) for name in (names or outputs)))
    return write_infer(asked, predictor, _answer(output, unknown), model="m", release=2, prediction_id="p")[0]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("output", "labels"), CLASSES)
def test_classes_in_tensors(output: Output, labels: list[Any], binary: bool):
    kind = f"{INFERENCE};77" if binary else INFERENCE
    found = read_answers(kind, _inference(output, binary=binary), output)
    assert found == [(False, label) for label in labels]
    assert [type(label) for _, label in found] == [type(label) for label in labels]


@pytest.mark.parametrize("binary", [False, True])
def test_numbers_in_tensors(binary: bool):
    found = read_answers(INFERENCE, _inference(NUMBER, binary=binary, unknown=True), NUMBER)
    assert found == [(True, 1.5), (True, None), (True, -3.0)]


@pytest.mark.parametrize("binary", [False, True])
def test_a_label_without_probabilities_that_are_numbers_means_nothing(binary: bool):
    found = read_answers(INFERENCE, _inference(TEXT, binary=binary, unknown=True), TEXT)
    assert found == [(False, "yes"), (False, None), (False, "yes")]


def test_probabilities_alone_name_no_class():
    assert read_answers(INFERENCE, _inference(TEXT, binary=False, names=("probabilities",)), TEXT) == []
    assert read_answers(INFERENCE, _inference(TEXT, binary=False), None) == []


def test_arrow_streams():
    found = read_answers(ARROW, write_stream(_answer(TEXT, unknown=True), ["no", "yes"], {}), None)
    assert found == [(False, "yes"), (False, None), (False, "yes")]
    assert read_answers(ARROW, write_stream(_answer(NUMBER), [], {}), None) == [(True, 1.5), (True, 2.0), (True, -3.0)]


def test_json():
    body = msgspec.json.encode({"predictions": [{"label": "a", "probabilities": {}}, 1.5, 3, None]})
    assert read_answers(JSON, body, None) == [(False, "a"), (True, 1.5), (True, 3), (True, None)]
    assert read_answers(JSON, b'{"predictions":[[1,"x"]]}', None) == []
    assert read_answers(JSON, b'{"predictions":[{"a":1}]}', VECTOR) == []


VECTOR = Output(name="y", kind="vector", width=2, names=("label", "b"))
ITEMS = Output(name="y", kind="ranking", width=3, classes=(5, 6, 7))
WORDS = Output(name="y", kind="ranking", width=3, classes=("p", "q", "r"))
LISTS: list[tuple[Output, list[Any]]] = [
    (VECTOR, [(1.5, 2.0), (-3.0, None)]),
    (Output(name="y", kind="vector", width=2), [(1.5, 2.0), (-3.0, None)]),
    (ITEMS, [[7, 5], [6, 5, 7]]),
    (WORDS, [["r", "p"], ["q", "p", "r"]]),
]


def _listed(output: Output) -> Answer:
    if output.kind == "vector":
        return Answer(np.array([], dtype=object), None, None, np.array([[1.5, 2.0], [-3.0, NAN]]))
    scores = np.array([[0.9, 0.5, NAN], [0.9, 0.8, 0.7]])
    return Answer(np.array(output.classes, dtype=object), np.array([[2, 0, -1], [1, 0, 2]]), None, None, scores)


SEVERAL = Output(
    name="late,probabilities",
    kind="labels",
    classes=("no", "yes", 0, 1),
    probabilities=True,
    names=("late", "probabilities"),
    width=2,
    sizes=(2, 2),
)


def test_labels_of_several_targets_in_every_protocol():
    answer = _several(SEVERAL)
    expected = [(False, {"late": "yes", "probabilities": 0}), (False, {"late": "no", "probabilities": None})]
    lists = lists_of(SEVERAL)
    assert isinstance(lists, Labels)
    body = b'{"predictions":[%b]}' % b",".join(lists.rows(answer))
    assert read_answers(JSON, body, SEVERAL) == expected
    assert read_answers(ARROW, write_stream(answer, [], {}, lists), SEVERAL) == expected
    for binary in (False, True):
        predictor: Any = _Predictor(SEVERAL)
        nothing: Any = None
        names = list(Interface(predictor).outputs)
        for asked, told in ((names, expected), (names[:1], []), (names[2:], [])):
            infer = Infer("", nothing, tuple(Wanted(name, binary) for name in asked))
            found = write_infer(infer, predictor, answer, model="m", release=2, prediction_id="p")[0]
            assert read_answers(INFERENCE, found, SEVERAL) == told
    pytest.importorskip("google.protobuf")
    for raw in (False, True):
        assert read_answers(GRPC, _message(SEVERAL, raw, answer), SEVERAL) == expected


def _several(output: Output) -> Answer:
    shares = np.array([[0.2, 0.8, 0.9, 0.1], [0.6, 0.4, NAN, 0.1]])
    return Answer(np.array(output.classes, dtype=object), np.array([[1, 2], [0, 2]]), shares, None)


@pytest.mark.parametrize(("output", "expected"), LISTS)
def test_vectors_and_rankings_in_every_protocol(output: Output, expected: list[Any]):
    predictor: Any = _Predictor(output)
    lists = lists_of(output)
    assert lists is not None
    body = b'{"predictions":[%b]}' % b",".join(lists.rows(_listed(output)))
    assert read_answers(JSON, body, output) == [(True, one) for one in expected]
    stream = write_stream(_listed(output), list(output.names), {})
    assert read_answers(ARROW, stream, output) == [(True, one) for one in expected]
    for binary in (False, True):
        nothing: Any = None
        asked = Infer("", nothing, tuple(Wanted(name, binary) for name in Interface(predictor).outputs))
        found = write_infer(asked, predictor, _listed(output), model="m", release=2, prediction_id="p")[0]
        assert read_answers(INFERENCE, found, output) == [(True, one) for one in expected]
    pytest.importorskip("google.protobuf")
    for raw in (False, True):
        assert read_answers(GRPC, _message(output, raw, _listed(output)), output) == [(True, one) for one in expected]


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(("output", "labels"), [*CLASSES, (NUMBER, [1.5, 2.0, -3.0])])
def test_messages_of_grpc(output: Output, labels: list[Any], raw: bool):
    pytest.importorskip("google.protobuf")
    found = read_answers(GRPC, _message(output, raw), output)
    assert found == [(output.kind == "number", label) for label in labels]
    assert [type(label) for _, label in found] == [type(label) for label in labels]


def _message(output: Output, raw: bool, answer: Answer | None = None) -> bytes:
    """Return a `ModelInferResponse` as protobuf itself writes it."""
    from plusone.protocols.messages import message

    predictor: Any = _Predictor(output)
    outputs = Interface(predictor).outputs
    response = message("ModelInferResponse")(model_name="m", model_version="2", id="p")
    fields = {"BOOL": "bool", "INT64": "int64", "FP64": "fp64", "BYTES": "bytes"}
    for tensor in answer_tensors(predictor, answer or _answer(output), list(outputs)):
        one = response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if raw:
            response.raw_output_contents.append(tensor_bytes(tensor))
        else:
            values = [value.encode() if isinstance(value, str) else value for value in tensor.data.tolist()]
            getattr(one.contents, f"{fields[tensor.datatype]}_contents").extend(values)
    return response.SerializeToString()


@given(st.sampled_from([JSON, ARROW, INFERENCE, GRPC, "inference;3", "other", ""]), st.binary(max_size=300))
def test_any_bytes_say_nothing_or_something(kind: str, body: bytes):
    assert isinstance(read_answers(kind, body, TEXT), list)


@given(st.data())
def test_damaged_answers_never_raise(data: st.DataObject):
    body = bytearray(_inference(TEXT, binary=data.draw(st.booleans())))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255))
    read_answers(INFERENCE, bytes(body[: data.draw(st.integers(0, len(body)))]), TEXT)


def test_tensors_that_lie_about_their_size_say_nothing():
    lie = b'{"outputs":[{"name":"y","datatype":"BYTES","shape":[1,1],"parameters":{"binary_data_size":8}}]}'
    assert read_answers(INFERENCE, lie + struct.pack("<I", 2**31) + b"abcd", TEXT) == []
