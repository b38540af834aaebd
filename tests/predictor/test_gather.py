"""Rows to arrays: every door gives the same columns, for any signature."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given, settings

from plusone.base.records import Field
from plusone.graphs.layout import MISSING, Block, Code, Columns, plan_blocks
from plusone.predictor.decode import Decoder
from plusone.predictor.gather import Gatherer

from .layouts import Layout, Row, assert_same, columns, doors, layouts_and_rows

BIG = (Field(name="n", dtype="int64"),)


@pytest.mark.slow
@given(layouts_and_rows(tensors=True))
@example((Layout(BIG, plan_blocks(BIG), {}), [{"n": 2**63 - 512}]))  # the nearest double is 2**63
@settings(max_examples=300)
def test_every_door_gives_the_same_columns(drawn: tuple[Layout, list[Row]]) -> None:
    layout, rows = drawn
    ways = doors(layout)
    expected = ways.pop("rows")(rows)
    assert expected.rows == len(rows)
    for way in ways.values():
        assert_same(way(rows), expected)


@pytest.mark.slow
@given(layouts_and_rows(tensors=True))
@example((Layout(BIG, plan_blocks(BIG), {}), [{"n": 2**63 - 512}]))
@settings(max_examples=100)
def test_many_rows_are_gathered_as_one_is(drawn: tuple[Layout, list[Row]]) -> None:
    layout, rows = drawn
    decoder = Decoder(*layout)
    gatherer = Gatherer(layout.fields, layout.blocks)
    one_by_one = [gatherer.columns([row]) for row in decoder.rows(json.dumps({"rows": rows}).encode())]
    for times in (2, 64, 130):
        many = rows * times
        expected = Columns.concat(one_by_one * times)
        in_columns = json.dumps({"columns": columns(layout, many)}).encode()
        assert_same(gatherer.columns(decoder.rows(json.dumps({"rows": many}).encode())), expected)
        assert_same(gatherer.columns(decoder.rows(in_columns)), expected)
        found = decoder.request(in_columns)
        assert_same(found if isinstance(found, Columns) else gatherer.columns(found), expected)


def test_thousands_of_rows_are_taken_apart_in_pieces() -> None:
    fields = (Field(name="x", dtype="float64"), Field(name="n", dtype="int64"))
    rows = [(place / 7, place) for place in range(10_000)]
    found = Gatherer(fields, plan_blocks(fields)).columns(rows)
    assert found.rows == 10_000
    np.testing.assert_array_equal(found.feeds["numbers"], np.array(rows))


def test_what_stands_in_the_columns() -> None:
    fields = (
        Field(name="s", dtype="string", nullable=True),
        Field(name="x", dtype="float64", nullable=True),
        Field(name="big", dtype="int64", maximum=2.0**60),
        Field(name="yes", dtype="bool"),
    )
    rows = [(1.5, True, 2**62 + 1, "a"), (None, False, -5, None), (3, True, 0, "b")]
    found = Gatherer(fields, plan_blocks(fields)).columns(rows)
    assert found.feeds["strings"].tolist() == [["a"], [MISSING], ["b"]]
    assert found.feeds["integers"].tolist() == [[2**62 + 1], [-5], [0]]
    np.testing.assert_array_equal(found.feeds["numbers"], [[1.5, 1.0], [np.nan, 0.0], [3.0, 1.0]])

    block = Block("numbers", "float64", ("x", "s"), {"s": Code({"a": 7.0, "b": None}, -1.0)})
    found = Gatherer(fields[:2], [block]).columns([(None, "a"), (2.0, None), (3.0, "b"), (4.0, "c")])
    np.testing.assert_array_equal(found.feeds["numbers"], [[np.nan, 7.0], [2.0, -1.0], [3.0, np.nan], [4.0, -1.0]])
    for place in range(4):
        alone = Gatherer(fields[:2], [block]).columns([[(None, "a"), (2.0, None), (3.0, "b"), (4.0, "c")][place]])
        assert_same(alone, found.take(place, place + 1))
    assert_same(Columns.concat([found.take(0, 1), found.take(1, 4)]), found)


def test_threads_may_share_it() -> None:
    fields = tuple(Field(name=f"x{place}", dtype="float64") for place in range(5))
    gather = Gatherer(fields, plan_blocks(fields)).columns
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda n: gather([(float(n),) * 5] * (1 + n % 9)), range(500))
        for n, columns in enumerate(found):
            assert (columns.feeds["numbers"] == n).all()
            assert columns.rows == 1 + n % 9
