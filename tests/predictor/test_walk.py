"""What is said of a body that does not fit: the row, the field, the value and what was expected."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plusone.base.errors import InvalidInput
from plusone.base.records import Field
from plusone.graphs.layout import Block
from plusone.predictor import walk
from plusone.predictor.decode import Decoder

FIELDS = (
    Field(name="n", dtype="int64"),
    Field(name="x", dtype="float64", nullable=True),
    Field(name="s", dtype="string"),
)


def rows(body: bytes) -> Any:
    return walk.rows(body, None, FIELDS, ["x", "n", "s"], {"s": frozenset(["a", "b"])})


def test_rows_come_in_the_order_asked_for_and_in_the_types_of_the_fields() -> None:
    body = b'{"rows": [{"n": 3.0, "x": 1, "s": "a"}, {"s": "b", "x": null, "n": -7}]}'
    assert rows(body) == [(1.0, 3, "a"), (None, -7, "b")]
    assert [type(value) for value in rows(body)[0]] == [float, int, str]
    assert rows(b'{"columns": {"s": ["a", "b"], "n": [3, -7], "x": [1, null]}}') == rows(body)


@pytest.mark.parametrize(
    ("columns", "said", "details"),
    [
        ([], "'columns' is a list", {"expected": "an object"}),
        ({"n": [1], "x": [1]}, "'columns' has no field 's'", {"field": "s", "row": None}),
        ({"n": [1], "x": [1], "s": ["a"], "t": []}, "'columns' has the field 't'", {"field": "t"}),
        ({"n": 1, "x": [1], "s": ["a"]}, "The column 'n' is a number", {"field": "n"}),
        (
            {"n": [1, 2], "x": [1], "s": ["a"]},
            "The column 'x' has 1 values, the column 'n' has 2",
            {"field": "x", "row": 1},
        ),
        ({"n": [], "x": [], "s": []}, "'columns' has no rows", {"expected": "at least one row"}),
        (
            {"n": [1, 2], "x": [1, None], "s": ["a", "c"]},
            "Row 1, field 's': 'c'",
            {"field": "s", "row": 1, "value": "c"},
        ),
        ({"n": [1, None], "x": [1, "?"], "s": ["a", "c"]}, "Row 1, field 'n': null", {"field": "n", "row": 1}),
    ],
    ids=str,
)
def test_columns_are_refused_with_the_names_that_rows_have(columns: Any, said: str, details: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        rows(json.dumps({"columns": columns}).encode())
    assert caught.value.message.startswith(said)
    assert details.items() <= caught.value.details.items()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"rows": [], "columns": {}}', "The body has 'columns' beside 'rows'"),
        (b'{"instances": []}', "The body has no 'rows'"),
        (b'\xef\xbb\xbf{"rows": []}', "The body is not valid JSON: Unexpected UTF-8 BOM"),
        (b'{"rows": [{"n": 1, "x": 2, "s": "\\ud800"}]}', "Row 0, field 's'"),
        (b'{"rows": [{"n": 1, "x": 2, "s": "a", "\\ud800": 1}]}', "Row 0 has the field '\\ud800'"),
        (b'{"rows": [' + b"[" * 900 + b"]" * 900 + b"]}", "Row 0 is [["),
        (b'{"rows": [{"n": ' + b'{"n":' * 900 + b"1" + b"}" * 900 + b"}]}", "Row 0 has no field 'x'|Row 0, field 'n'"),
        (b'{"rows": "' + b"a" * 100_000 + b'"}', "'rows' is a string"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bodies_that_are_none(body: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        rows(body)
    assert any(caught.value.message.startswith(one) for one in said.split("|"))
    assert len(json.dumps(caught.value.as_dict(), ensure_ascii=False).encode()) < 2000


def test_an_unknown_field_is_named_with_those_that_there_are() -> None:
    error = walk.unknown("t\ud800", ["a", "b"], "The table has")
    assert error.message == "The table has the field 't\\ud800', which the model does not take: expected a, b."
    assert error.details["field"] == "t?"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "said", "details"),
    [
        ('{"rows":[%s,0]}', "Row 200000: Expected `object`, got `int`", {"row": 200_000, "field": None}),
        ('{"rows":[%s,{"n":1,"x":1}]}', "Row 200000: Object missing required field `s`", {"row": 200_000}),
        ('{"rows":[%s,{"n":"","x":1,"s":"a"}]}', "Row 200000, field 'n': Expected `int`, got `str`", {"field": "n"}),
        ('{"rows":[%s,{"n":1,"x":[],"s":"a"}]}', "Row 200000, field 'x': Expected `float | null`", {"field": "x"}),
        ('{"rows":[%s,{"n":1,"x":1,"s":"a","t":1}]}', "unknown field `t`", {"row": 200_000}),
        ('{"rows":[%s,{"n":1.5,"x":1,"s":"a"}]}', "Row 200000, field 'n': 1.5 does not fit", {"value": 1.5}),
        ('{"rows":[%s', "The body is not valid JSON: ", {}),
        ('{"rows":[%s,\ud800]}', "The body is not valid JSON: ", {}),
        ('[%s]', "The body does not fit, at $: Expected `object`, got `array`", {}),
        ('{"row":[%s]}', "The body does not fit, at $: Object contains unknown field `row`", {}),
    ],
)  # fmt: skip
def test_of_a_big_body_the_place_is_said_without_making_objects_of_it(
    body: str, said: str, details: dict[str, Any]
) -> None:
    fields = {field.name: field for field in FIELDS}
    decoder = Decoder(FIELDS, [Block("all", "string", tuple(fields))], {})
    good = ",".join(['{"n":1,"x":null,"s":"a"}'] * 200_000)
    with pytest.raises(InvalidInput) as caught:
        decoder.rows((body % good).encode("utf-8", "surrogatepass"))
    assert said in caught.value.message
    assert {name: caught.value.details.get(name) for name in details} == details


def test_a_whole_number_written_as_a_float_is_taken_in_a_big_body_too() -> None:
    decoder = Decoder(FIELDS, [Block("all", "string", ("n", "x", "s"))], {})
    rows = [*['{"n":1,"x":null,"s":"a"}'] * 200_000, '{"n":2.0,"x":1,"s":"a"}']
    assert len(decoder.rows(('{"rows":[' + ",".join(rows) + "]}").encode())) == 200_001


def test_a_big_body_of_columns_is_told_the_place_likewise() -> None:
    decoder = Decoder(FIELDS, [Block("all", "string", ("n", "x", "s"))], {})
    columns = {"n": [1] * 700_000, "x": [0.5] * 700_000, "s": ["a"] * 699_999 + [None]}
    with pytest.raises(InvalidInput, match="Row 699999, field 's': Expected `str`, got `null`: expected") as caught:
        decoder.rows(json.dumps({"columns": columns}).encode())
    assert (caught.value.details["row"], caught.value.details["field"]) == (699_999, "s")
    told = walk.told(RecursionError(), FIELDS, {})
    assert told is not None
    assert "nested too deeply" in told.message
