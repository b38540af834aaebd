"""A signature as JSON Schema: types, limits, what is known, and examples that the decoder takes."""

from __future__ import annotations

import json

import pytest

from plusone.base.records import Field, Output, Signature
from plusone.labels.labels import label_reader
from plusone.openapi.schemas import (
    columns_schema,
    example_row,
    field_schema,
    label_schema,
    prediction_schema,
    row_schema,
)
from plusone.predictor import Predictor
from tests.protocols.clients import run_client


def test_a_field_says_its_type_its_limits_and_what_training_held() -> None:
    schema = field_schema(Field(name="hour", dtype="int64", minimum=5.0, maximum=23.0, example=7), {})
    assert (schema["type"], schema["minimum"], schema["maximum"]) == ("integer", -(2**63), 2**63 - 1)
    assert schema["examples"] == [7]
    assert "In training from 5 to 23; a value outside is answered." in schema["description"]
    assert "null is refused" in schema["description"]
    schema = field_schema(Field(name="gust", dtype="float64", nullable=True), {})
    assert schema["type"] == ["number", "null"]
    assert "Null says that it is missing." in schema["description"]
    assert field_schema(Field(name="b", dtype="bool"), {})["type"] == "boolean"


def test_the_policy_for_unseen_text_is_said() -> None:
    field = Field(name="carrier", dtype="string", categories=tuple("abc"), unseen="accept", example="b")
    assert "In training: a, b, c; any other text is answered" in field_schema(field, {})["description"]
    assert "enum" not in field_schema(field, {})
    refusing = field_schema(field, {"carrier": frozenset("abc")})
    assert refusing["enum"] == ["a", "b", "c"]
    assert "Any other value is refused with 422" in refusing["description"]
    numbers = field_schema(Field(name="n", dtype="int64", nullable=True), {"n": frozenset({2.0, 1.0})})
    assert numbers["enum"] == [1, 2, None]
    many = Field(name="x", dtype="string", categories=tuple(f"c{at:03}" for at in range(60)))
    assert "... (60 values)" in field_schema(many, {})["description"]


def test_columns_point_at_the_fields_of_a_row() -> None:
    signature = Signature(
        fields=(Field(name="a/b ~é%", dtype="int64"), Field(name="x", dtype="bool")),
        output=Output(name="y", kind="number"),
    )
    columns = columns_schema(signature, "#/r")
    assert columns["required"] == ["a/b ~é%", "x"]
    assert columns["properties"]["a/b ~é%"]["items"] == {"$ref": "#/r/properties/a~1b%20~0%C3%A9%25"}
    assert row_schema(signature, {})["additionalProperties"] is False


@pytest.mark.parametrize(
    ("output", "label", "keys"),
    [
        (Output(name="y", kind="classes", classes=(False, True), probabilities=True), [False, True], ["false", "true"]),
        (Output(name="y", kind="classes", classes=("a", "b")), ["a", "b"], None),
        (Output(name="y", kind="classes", classes=(1, 3), probabilities=True), [1, 3], ["1", "3"]),
    ],
)
def test_predictions_are_those_of_the_output(output: Output, label: list[object], keys: list[str] | None) -> None:
    schema = prediction_schema(output)
    assert label_schema(output)["enum"] == label
    assert schema["properties"]["label"]["enum"] == [*label, None]
    assert ("probabilities" in schema["properties"]) == (keys is not None)
    if keys is not None:
        assert schema["properties"]["probabilities"]["required"] == keys


def test_a_number_may_be_null_in_an_answer_and_never_as_a_label() -> None:
    output = Output(name="y", kind="number")
    assert prediction_schema(output)["type"] == ["number", "null"]
    assert label_schema(output)["type"] == "number"


def test_examples_are_taken(late: Predictor, gaps: Predictor, origin: Predictor) -> None:
    for predictor in (late, gaps, origin):
        row = example_row(predictor.signature, predictor.known)
        assert predictor.decode(json.dumps({"rows": [row]}).encode()).rows == 1


def test_a_field_without_an_example_gets_one_that_fits() -> None:
    fields = (
        Field(name="a", dtype="int64"),
        Field(name="b", dtype="string", categories=("u", "v")),
        Field(name="c", dtype="string"),
        Field(name="d", dtype="int64"),
        Field(name="e", dtype="float64", nullable=True),
    )
    signature = Signature(fields=fields, output=Output(name="y", kind="number"))
    row = example_row(signature, {"d": frozenset({4.0, 3.0})})
    assert row == {"a": 0, "b": "u", "c": "", "d": 3, "e": None}


VECTOR = Output(name="a,b", kind="vector", names=("a", "b"), width=2)
PLAIN = Output(name="answer", kind="vector", width=2)
FILMS = Output(name="film", kind="ranking", classes=(1, 2), width=3)
WORDS = Output(name="word", kind="ranking", classes=("x",), width=1)
SEVERAL = Output(
    name="a,b", kind="labels", classes=("x", "y", 1, 2), probabilities=True, names=("a", "b"), width=2, sizes=(2, 2)
)
SAID = {"label": {"a": "x", "b": None}, "probabilities": {"a": {"x": 1.0, "y": 0.0}, "b": {"1": None, "2": 0.5}}}

GOOD: list[tuple[Output, object]] = [
    (VECTOR, {"a": 1.5, "b": None}), (PLAIN, [1.0, None]), (FILMS, []), (FILMS, [{"item": 1, "score": 0.5}]),
    (WORDS, [{"item": "x", "score": None}]), (SEVERAL, SAID),
]  # fmt: skip
BAD: list[tuple[Output, object]] = [
    (VECTOR, [1.0, 2.0]), (VECTOR, {"a": 1.0}), (VECTOR, {"a": 1.0, "b": 2.0, "c": 3.0}), (VECTOR, None),
    (PLAIN, [1.0]), (PLAIN, [1.0, 2.0, 3.0]), (PLAIN, {"a": 1.0}), (FILMS, [{"item": "x", "score": 1}]),
    (FILMS, [{"item": 1}]), (FILMS, [1]), (FILMS, {"item": 1}), (WORDS, [{"item": 1, "score": 1}]),
    (WORDS, [{"item": "x", "score": 1}] * 2), (SEVERAL, {"label": SAID["label"]}),
    (SEVERAL, {**SAID, "label": {"a": "x"}}), (SEVERAL, {**SAID, "label": {"a": "x", "b": "1"}}),
]  # fmt: skip
LABELS: list[object] = [
    [1.0, 2.0], {"a": 1, "b": 2}, [1.0], {"a": 1}, 1, [1, 2], [], "x", ["x", "y"], None, True, [[1]],
    {"a": "x", "b": 2}, {"a": "x", "b": "2"}, {"a": "x"},
]  # fmt: skip
VALIDATE = """
import json, sys
from jsonschema_rs import Draft202012Validator
print(json.dumps([Draft202012Validator(schema).is_valid(value) for schema, value in json.load(sys.stdin)]))
"""


@pytest.mark.slow
def test_lists_are_allowed_as_they_are_answered_and_labels_as_they_are_taken() -> None:
    """With the validator of the environment of clients, as the document's own test."""
    outputs = (VECTOR, PLAIN, FILMS, WORDS, SEVERAL)
    said = run_client(VALIDATE, [[prediction_schema(output), value] for output, value in GOOD + BAD])
    assert said == [True] * len(GOOD) + [False] * len(BAD)
    said = run_client(VALIDATE, [[label_schema(output), value] for output in outputs for value in LABELS])
    assert said == [label_reader(output)(value) is not None for output in outputs for value in LABELS]


def test_lists_say_their_lengths_and_their_names() -> None:
    assert prediction_schema(VECTOR)["required"] == ["a", "b"]
    assert (prediction_schema(PLAIN)["minItems"], prediction_schema(PLAIN)["maxItems"]) == (2, 2)
    assert prediction_schema(FILMS)["maxItems"] == 3
    assert prediction_schema(FILMS)["items"]["properties"]["item"] == {"type": "integer"}
    assert label_schema(WORDS)["oneOf"][0] == {"type": "string"}
    assert label_schema(PLAIN)["items"]["type"] == "number"
    assert len(label_schema(VECTOR)["oneOf"]) == 2


def test_of_several_targets_the_label_and_the_probabilities_are_objects_by_target() -> None:
    schema = prediction_schema(SEVERAL)
    assert schema["required"] == ["label", "probabilities"]
    label, shares = (schema["properties"][name] for name in ("label", "probabilities"))
    assert (label["required"], label["properties"]["b"]["enum"]) == (["a", "b"], [1, 2, None])
    assert shares["properties"]["b"]["required"] == ["1", "2"]
    assert label_schema(SEVERAL)["properties"] == {"a": {"enum": ["x", "y"]}, "b": {"enum": [1, 2]}}
    assert not label_schema(SEVERAL)["additionalProperties"]
