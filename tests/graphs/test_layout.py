"""How rows enter a graph: blocks, the tables of their strings, and rows cut and joined."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from plusone.base.records import Field
from plusone.graphs.layout import MISSING, Block, Code, Columns, plan_blocks


def test_each_field_lies_in_one_block() -> None:
    fields = [
        Field(name="s", dtype="string"),
        Field(name="big", dtype="int64", minimum=-(2.0**60)),
        Field(name="big with nulls", dtype="int64", maximum=2.0**60, nullable=True),
        Field(name="n", dtype="int64", maximum=2.0**53 - 1),
        Field(name="yes", dtype="bool"),
    ]
    assert plan_blocks(fields) == (
        Block("numbers", "float64", ("big with nulls", "n", "yes")),
        Block("integers", "int64", ("big",)),
        Block("strings", "string", ("s",)),
    )
    assert plan_blocks([]) == ()


def test_a_table_answers_to_every_string_and_to_none() -> None:
    table = Code({"a": 1.0, "b": None}, -1.0).table
    assert (table["a"], table["never seen"], table[None]) == (1.0, -1.0, -1.0)
    assert math.isnan(table["b"])
    missing = Code({"a": 1.0, MISSING: 7.0}, None).table
    assert missing[None] == missing[MISSING] == 7.0
    assert math.isnan(missing["never seen"])
    assert Code({}, 0.0).table[None] == 0.0


def test_a_block_of_a_manifest_from_before_there_were_codes_is_read() -> None:
    old = {"name": "numbers", "dtype": "float64", "fields": ["x"]}
    block = msgspec.convert(old, Block)
    assert msgspec.to_builtins(block) == {**old, "fields": ("x",)}
    coded = Block("numbers", "float64", ("s",), {"s": Code({"a": None}, 0.5)})
    assert msgspec.json.decode(msgspec.json.encode(coded), type=Block) == coded


def test_columns_are_joined_cut_and_put_together() -> None:
    block = Block("numbers", "float64", ("x", "s", "yes"), {"s": Code({"a": 7.0}, -1.0)})
    array = block.join(3, [[1, None, 2.5], ["a", None, "z"], np.array([True, False, True])])
    np.testing.assert_array_equal(array, [[1, 7, 1], [np.nan, -1, 0], [2.5, -1, 1]])
    assert Block("integers", "int64", ("n",)).join(2, [[2**62 + 1, 3.0]]).tolist() == [[2**62 + 1], [3]]
    assert Block("strings", "string", ("s",)).join(2, [["a", None]]).tolist() == [["a"], [MISSING]]

    columns = Columns(3, {"numbers": array})
    assert [columns.take(start, stop).rows for start, stop in ((0, 3), (1, 2), (2, 9), (3, 3))] == [3, 1, 1, 0]
    joined = Columns.concat([columns.take(0, 1), columns.take(1, 3)])
    assert joined.rows == 3
    np.testing.assert_array_equal(joined.feeds["numbers"], array)
    assert Columns.concat([columns]) is columns
