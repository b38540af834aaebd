"""Tables as nobody wants them: for every function that takes one."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from tests.expectations.made import FIRST

__all__ = ["tables", "weird"]

_MOMENTS = st.datetimes()
_VALUES = (
    (st.integers(-(2**63), 2**63 - 1), pa.int64()),
    (st.integers(0, 2**64 - 1), pa.uint64()),
    (st.floats(), pa.float64()),
    (st.sampled_from([0.0, -0.0, float("nan"), float("inf"), -1.0, 1e308, 5e-324]), pa.float64()),
    (st.booleans(), pa.bool_()),
    (st.text(max_size=5), pa.string()),
    (st.sampled_from(["a", "A", "a ", "", "b"]), pa.string()),
    (st.sampled_from(["x", "y"]), pa.dictionary(pa.int32(), pa.string())),
    (st.binary(max_size=3), pa.binary()),
    (_MOMENTS, pa.timestamp("us")),
    (_MOMENTS, pa.timestamp("s", tz="Europe/Berlin")),
    (st.dates(), pa.date32()),
    (st.times(), pa.time64("us")),
    (st.timedeltas(dt.timedelta(-100_000), dt.timedelta(100_000)), pa.duration("us")),
    (st.decimals(-(10**6), 10**6, places=2), pa.decimal128(12, 2)),
    (st.lists(st.integers(0, 3), max_size=3), pa.list_(pa.int64())),
    (st.fixed_dictionaries({"a": st.integers(0, 3)}), pa.struct([("a", pa.int64())])),
    (st.none(), pa.null()),
)
_NAMES = st.one_of(
    st.sampled_from(
        ["a", "b", "late", "date", "", " ", "a b", "x\ny", '"', "'", "{}", "%s", "é", "\\", "__index_level_0__"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)


@st.composite
def tables(draw: st.DrawFn, rows: st.SearchStrategy[int] | None = None) -> pa.Table:
    """A table of up to 6 columns of any type under any name, with up to 300 rows."""
    count = draw(rows if rows is not None else st.sampled_from([0, 1, 2, 7, 300]))
    names = draw(st.lists(_NAMES, max_size=6, unique=True))
    columns = []
    for _ in names:
        strategy, kind = draw(st.sampled_from(_VALUES))
        # A few values again and again: to draw 300 takes too long.
        some = draw(st.lists(st.one_of(strategy, st.none()), min_size=1, max_size=8))
        columns.append(pa.array((some * (count // len(some) + 1))[:count], kind))
    return pa.table(columns, names=names) if names else pa.table({})


def weird() -> dict[str, pa.Table]:
    """Tables that each have one thing that breaks things."""
    rng = np.random.default_rng(0)
    ids = pa.array([f"c{place % 10_000}" for place in range(30_000)])
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(rng.random((400, 2, 3)))
    not_utf8 = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(np.array([0, 1, 2, 3], np.int32)), pa.py_buffer(b"\xff\xfea")]
    )
    days = [FIRST + dt.timedelta(days=place) for place in range(400)]
    return {
        "nothing": pa.table({}),
        "no rows": pa.table({"a": pa.array([], pa.float64()), "t": pa.array([], pa.timestamp("us"))}),
        "one row": pa.table({"a": [1.0], "t": [days[0]], "w": ["x"]}),
        "all null": pa.table({"a": pa.nulls(400), "b": pa.nulls(400, pa.float64()), "c": pa.nulls(400, pa.string())}),
        "all nan": pa.table({"a": np.full(400, np.nan), "t": days}),
        "infinities": pa.table({"a": np.array([np.inf, -np.inf, 1.0, 2.0] * 100), "t": days}),
        "only infinite": pa.table({"a": np.full(400, np.inf)}),
        "huge": pa.table({"a": [1.7e308, -1.7e308, 5e-324, 0.0] * 100, "b": [2**63 - 1, -(2**63), 0, 1] * 100}),
        "many categories": pa.table({"id": ids, "x": rng.random(30_000)}),
        "tensors": pa.table({"image": tensors, "t": days}),
        "lists": pa.table({"list": [[place] * (place % 3) for place in range(400)], "t": days}),
        "not text": pa.table({"a": not_utf8}),
        "far times": pa.table({"t": pa.array([-(2**62), 0, 2**62] * 100, pa.timestamp("s"))}),
        "nanoseconds": pa.table({"t": pa.array(range(400), pa.timestamp("ns", tz="UTC")), "a": range(400)}),
        "decimals": pa.table({"a": [Decimal(place) / 7 for place in range(7)] * 60}),
        "big decimals": pa.table({"a": pa.array([Decimal(10) ** 37, Decimal(1)] * 200, pa.decimal256(60, 2))}),
        "odd names": pa.table(dict.fromkeys(("", " ", "a\nb", '"', "'", "\\", "{0}", "date", "%s", "é̀"), days)),
        "index": pa.table({"__index_level_0__": range(400), "a": range(400)}),
        "constants": pa.table({"a": [1.0] * 400, "b": ["x"] * 400, "c": [True] * 400, "t": [days[0]] * 400}),
    }
