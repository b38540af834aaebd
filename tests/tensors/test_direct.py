"""Tensors in bytes straight to arrays: what the long way makes of them, for any signature, or nothing at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plusone.base.errors import InvalidInput
from plusone.base.records import Field
from plusone.graphs.layout import MISSING, Block, Code, Columns
from plusone.predictor.arrays import read_arrays
from plusone.predictor.gather import Gatherer
from plusone.tensors.direct import LEAST, Direct
from plusone.tensors.values import read_binary
from tests.predictor.layouts import Layout, Row, assert_same, layouts_and_rows
from tests.protocols.asking import binary_tensor

Wire = list[tuple[str, str, list[int], bytes]]


def wire(layout: Layout, rows: list[Row]) -> Wire:
    """The rows as tensors in bytes, each as the metadata has it."""
    out: Wire = []
    for field in layout.fields:
        said, data = binary_tensor(field, [row[field.name] for row in rows])
        out.append((field.name, said["datatype"], said["shape"], data))
    return out


def direct_of(layout: Layout) -> Direct:
    return Direct(layout.fields, layout.blocks, layout.known)


def read(direct: Direct, sent: Wire, before: bytes = b"") -> Columns | list[tuple[Any, ...]] | None:
    plan = direct.plan(sent, len(before))
    return None if plan is None else direct.read(plan, before + b"".join(data for *_, data in sent))


def long_way(layout: Layout, sent: Wire) -> Columns | None:
    """What the long way makes of tensors; None where it refuses them."""
    fields = {field.name: field for field in layout.fields}
    try:
        arrays = {
            name: read_binary(name, datatype, data, shape[0], fields[name], None)
            for name, datatype, shape, data in sent
        }
        return read_arrays(arrays, layout.fields, layout.blocks, layout.known)
    except InvalidInput:
        return None


def columns_of(layout: Layout, found: Columns | list[tuple[Any, ...]]) -> Columns:
    return found if isinstance(found, Columns) else Gatherer(layout.fields, layout.blocks).columns(found)


def without_missing_strings(layout: Layout, rows: list[Row]) -> bool:
    """Bytes have no word for a missing string; a request that names one goes another way."""
    return all(row[field.name] is not None for row in rows for field in layout.fields if field.dtype == "string")


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(drawn=layouts_and_rows(), before=st.binary(max_size=9), order=st.randoms(use_true_random=False))
def test_it_reads_what_the_long_way_reads(drawn: tuple[Layout, list[Row]], before: bytes, order: Any) -> None:
    layout, rows = drawn
    assume(without_missing_strings(layout, rows))
    for many in (rows, rows * LEAST):
        sent = wire(layout, many)
        order.shuffle(sent)
        found = read(direct_of(layout), sent, before)
        if found is None:
            continue
        assert isinstance(found, Columns) == (len(many) >= LEAST)
        expected = long_way(layout, sent)
        assert expected is not None
        assert_same(columns_of(layout, found), expected)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(drawn=layouts_and_rows(), data=st.data())
def test_it_takes_nothing_that_the_long_way_refuses(drawn: tuple[Layout, list[Row]], data: st.DataObject) -> None:
    layout, rows = drawn
    assume(without_missing_strings(layout, rows))
    for times in (1, LEAST):
        sent = wire(layout, rows * times)
        place = data.draw(st.integers(0, len(sent) - 1))
        name, datatype, shape, raw = sent[place]
        changed = bytearray(raw)
        for _ in range(data.draw(st.integers(1, 3))):
            if changed:
                changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        if data.draw(st.booleans()):
            changed = changed[: data.draw(st.integers(0, len(changed)))]
        sent[place] = (name, datatype, shape, bytes(changed))
        found = read(direct_of(layout), sent)
        if found is not None:
            expected = long_way(layout, sent)
            assert expected is not None
            assert_same(columns_of(layout, found), expected)


FIELDS = (
    Field(name="s", dtype="string"),
    Field(name="x", dtype="float64"),
    Field(name="n", dtype="int64"),
    Field(name="b", dtype="bool"),
)
BLOCKS = (Block("numbers", "float64", ("x", "s", "n", "b"), {"s": Code({"ab": 1.0, "c": None, MISSING: 5.0}, -1.0)}),)
PLAIN = Layout(FIELDS, BLOCKS, {})
ROWS: list[Row] = [{"s": text, "x": 0.5, "n": 2**53 + 1, "b": True} for text in ("ab", "zz", "ä")]


@pytest.mark.parametrize("times", [1, LEAST])
def test_what_is_as_declared_is_read(times: int) -> None:
    found = read(direct_of(PLAIN), wire(PLAIN, ROWS * times))
    assert found is not None
    expected = [[0.5, number, 2.0**53, 1.0] for number in (1.0, -1.0, -1.0)] * times
    np.testing.assert_array_equal(columns_of(PLAIN, found).feeds["numbers"], expected)


@pytest.mark.parametrize("times", [1, LEAST])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x", lambda data: np.full(len(data) // 8, np.nan).tobytes()),
        ("x", lambda data: np.full(len(data) // 8, np.inf).tobytes()),
        ("x", lambda data: data[:-1]),
        ("b", lambda data: b"\x02" * len(data)),
        ("n", lambda data: data + b"\0"),
        ("s", lambda data: data.replace(b"ab", b"\xffb")),
        ("s", lambda data: data.replace(b"\x02\0\0\0", b"\xff\xff\xff\xff")),
        ("s", lambda data: data[:-1]),
        ("s", lambda data: data[:3]),
        ("s", lambda data: data + b"x"),
    ],
)
def test_what_does_not_fit_is_left_to_the_long_way(times: int, name: str, change: Any) -> None:
    sent = [
        (one, kind, shape, change(data) if one == name else data)
        for one, kind, shape, data in wire(PLAIN, ROWS * times)
    ]
    assert read(direct_of(PLAIN), sent) is None
    assert long_way(PLAIN, sent) is None


def test_other_tensors_than_the_declared_ones_are_left_to_the_long_way() -> None:
    sent = wire(PLAIN, ROWS * LEAST)
    count = len(ROWS) * LEAST
    direct = direct_of(PLAIN)
    assert direct.plan(sent[1:]) is None
    assert direct.plan([sent[0], *sent[:3]]) is None
    for changed in (
        ("y", *sent[1][1:]),
        ("x", "INT64", *sent[1][2:]),
        ("x", "FP64", [count, 2], sent[1][3]),
        ("x", "FP64", [10**18], sent[1][3]),
        ("x", "FP64", [], sent[1][3]),
        ("x", "FP64", [count], [0.5] * count),
    ):
        assert direct.plan([sent[0], changed, *sent[2:]]) is None
        assert direct.plan([changed, sent[0], *sent[2:]]) is None
    # Strings that enter the graph as such, and values that are limited to some, are not for it.
    assert Direct(FIELDS[:1], (Block("strings", "string", ("s",)),), {}).plan(sent[:1]) is None
    assert Direct(FIELDS[2:3], (Block("numbers", "float64", ("n",)),), {"n": frozenset([1.0])}).plan(sent[2:3]) is None


def test_only_known_strings_are_taken_where_the_model_knows_no_others() -> None:
    layout = Layout(FIELDS, BLOCKS, {"s": frozenset(["ab", "zz"])})
    fine = wire(layout, ROWS[:2] * LEAST)
    assert read(direct_of(layout), fine) is not None
    for times in (1, LEAST):
        # `c` has a number, and may not come all the same.
        for text in ("c", "ä"):
            sent = wire(layout, [*ROWS[:2], {**ROWS[0], "s": text}] * times)
            assert read(direct_of(layout), sent) is None
            assert long_way(layout, sent) is None
