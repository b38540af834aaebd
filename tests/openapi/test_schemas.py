"""A signature as JSON Schema: types, limits, what is known, and examples that the decoder takes."""

from __future__ import annotations

import json

import pytest

from plusone.base.records import Field, Output, Signature
from plusone.openapi.schemas import (
    columns_schema,
    example_row,
    field_schema,
    label_schema,
    prediction_schema,
    row_schema,
)
from plusone.predictor import Predictor


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
