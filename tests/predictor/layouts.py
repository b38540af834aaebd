"""Signatures and rows drawn at random, and the doors through which the same rows can come."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from plusone.base.records import Field
from plusone.data.tensors import to_table
from plusone.graphs.layout import MISSING, Block, Code, Columns, plan_blocks
from plusone.predictor.arrays import read_arrays
from plusone.predictor.arrow import read_stream
from plusone.predictor.decode import Decoder
from plusone.predictor.gather import Gatherer
from plusone.signatures.tables import Known, read_table

Row = dict[str, Any]
TEXTS = ["", "a", "b", "ä€😀", "a\0b", "\ufeff", " ", '"\\', "null"]
TYPES = {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "string": pa.string()}


class Layout(NamedTuple):
    """A signature without a model: what is needed to read rows."""

    fields: tuple[Field, ...]
    blocks: tuple[Block, ...]
    known: Known

    @property
    def order(self) -> list[str]:
        """The fields as the tuples of `decode_rows` have them."""
        return [name for block in self.blocks for name in block.fields]


def doors(layout: Layout) -> dict[str, Callable[[Sequence[Row]], Columns]]:
    """Every way from rows to columns."""
    fields, blocks, known = layout
    decode, gather = Decoder(fields, blocks, known).rows, Gatherer(fields, blocks).columns

    def joined(rows: Sequence[Row]) -> Columns:
        """Each row a request of its own, as a server gathers them."""
        return gather([row for one in rows for row in decode(json.dumps({"rows": [one]}).encode())])

    return {
        "rows": lambda rows: gather(decode(json.dumps({"rows": rows}).encode())),
        "columns": lambda rows: gather(decode(json.dumps({"columns": columns(layout, rows)}).encode())),
        "joined": joined,
        "parts": lambda rows: Columns.concat([gather(decode(json.dumps({"rows": [row]}).encode())) for row in rows]),
        "objects": lambda rows: read_arrays(arrays(layout, rows, typed=False), fields, blocks, known),
        "arrays": lambda rows: read_arrays(arrays(layout, rows, typed=True), fields, blocks, known),
        "table": lambda rows: from_table(table(layout, rows), layout),
        "dictionaries": lambda rows: from_table(table(layout, rows, dictionaries=True), layout),
        "stream": lambda rows: from_table(read_stream(stream(table(layout, rows)), 1 << 24), layout),
    }


def columns(layout: Layout, rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The rows as one list for each field."""
    return {field.name: [row[field.name] for row in rows] for field in layout.fields}


def arrays(layout: Layout, rows: Sequence[Row], *, typed: bool) -> dict[str, Any]:
    """The rows as one array for each field: of objects, or of the field's own type where it can hold the values."""
    kinds = {"int64": np.int64, "float64": np.float64, "bool": np.bool_, "string": np.dtypes.StringDType()}
    out: dict[str, Any] = {}
    for field, values in zip(layout.fields, columns(layout, rows).values(), strict=True):
        if field.shape is not None:
            out[field.name] = np.array(values, dtype=field.dtype if typed or field.dtype == "int64" else np.float64)
            continue
        whole = None not in values
        if typed and (whole or field.dtype == "float64"):
            out[field.name] = np.array(values, dtype=kinds[field.dtype])
        elif field.dtype == "string":
            out[field.name] = np.array([value and value.encode() for value in values], dtype=object)
        else:
            out[field.name] = np.array(values, dtype=object)
    return out


def table(layout: Layout, rows: Sequence[Row], *, dictionaries: bool = False) -> pa.Table:
    """The rows as an Arrow table, in chunks."""
    out: dict[str, Any] = {}
    for field, values in zip(layout.fields, columns(layout, rows).values(), strict=True):
        if field.shape is not None:
            array = np.array(values, dtype=field.dtype)
            flat = pa.array(array.reshape(len(values), -1).tolist(), pa.list_(pa.from_numpy_dtype(array.dtype)))
            out[field.name] = to_table({"x": array}).column("x") if dictionaries else flat
            if not dictionaries:
                out[field.name] = flat.cast(pa.list_(flat.type.value_type, len(flat[0])))
            continue
        chunks = [pa.array(part, type=TYPES[field.dtype]) for part in (values[:2], values[2:])]
        if dictionaries and field.dtype != "bool":
            chunks = [chunk.dictionary_encode() for chunk in chunks]
        out[field.name] = pa.chunked_array(chunks)
    return pa.table(out)


def stream(data: pa.Table, compression: str | None = None) -> bytes:
    """The table as an Arrow IPC stream."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, data.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(data)
    return sink.getvalue()


def from_table(data: pa.Table, layout: Layout) -> Columns:
    """The columns of a table, all of whose rows fit."""
    found, bad = read_table(data, layout.fields, layout.blocks, layout.known)
    assert not bad.any()
    return found


def assert_same(left: Columns, right: Columns) -> None:
    """Both hold the same rows, bit by bit but for the sign and the payload of NaN."""
    assert left.rows == right.rows
    assert left.feeds.keys() == right.feeds.keys()
    for name, array in left.feeds.items():
        other = right.feeds[name]
        assert (array.dtype, array.shape) == (other.dtype, other.shape)
        if array.dtype == object:
            assert array.tolist() == other.tolist()
        else:
            np.testing.assert_array_equal(array, other)


# ------------------------------------------------------------------------------------------ strategies

text = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@st.composite
def layouts(draw: st.DrawFn, *, tensors: bool = False) -> Layout:
    """Signatures of up to six fields: nullable or not, limited to some values or not, looked up or not.

    Args:
        tensors: whether some hold tensors.
    """
    names = draw(st.lists(text.filter(bool), min_size=1, max_size=6, unique=True))
    fields: list[Field] = []
    known: dict[str, frozenset[Any]] = {}
    for name in names:
        if tensors and draw(st.booleans()):
            kind: Any = draw(st.sampled_from(["float32", "float64", "uint8", "int64"]))
            shape = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
            fields.append(Field(name=name, dtype=kind, shape=shape))
            continue
        dtype: Any = draw(st.sampled_from(["int64", "float64", "bool", "string"]))
        large = draw(st.booleans())
        field = Field(name=name, dtype=dtype, nullable=draw(st.booleans()), maximum=2.0**60 if large else 9.0)
        if dtype != "bool" and draw(st.integers(0, 3)) == 0:
            allowed: dict[str, Any] = {"int64": st.integers(-9, 9), "float64": st.floats(-9, 9), "string": text}
            values = draw(st.lists(allowed[dtype], min_size=1, max_size=4, unique=True))
            known[name] = frozenset(float(value) if dtype == "int64" else value for value in values)
        fields.append(field)
    blocks = plan_blocks(fields)
    return Layout(tuple(fields), coded(draw, blocks) if draw(st.booleans()) else blocks, known)


def coded(draw: st.DrawFn, blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks as they are when the strings are looked up before the graph, in an order of its own."""
    strings = [name for block in blocks if block.dtype == "string" for name in block.fields]
    if not strings:
        return tuple(blocks)
    numbers = [name for block in blocks if block.name == "numbers" for name in block.fields]
    number = st.none() | st.integers(-9, 9).map(float)
    tables = st.dictionaries(st.sampled_from([*TEXTS, MISSING]), number, max_size=6)
    codes = {name: Code(draw(tables), draw(number)) for name in strings}
    order = tuple(draw(st.permutations([*numbers, *strings])))
    return (
        Block("numbers", "float64", order, codes),
        *(block for block in blocks if block.name not in ("numbers", "strings")),
    )


def values_of(field: Field, known: Mapping[str, frozenset[Any]]) -> st.SearchStrategy[Any]:
    """What fits a field, as JSON has it."""
    if field.shape is not None:
        finite: Any = {"allow_nan": False, "allow_infinity": False}
        values: dict[str, Any] = {
            "float32": st.floats(width=32, **finite) | st.integers(-9, 9),
            "float64": st.floats(**finite),
            "uint8": st.integers(0, 255),
            "int64": st.integers(-(2**63), 2**63 - 1),
        }
        nested: Any = values[field.dtype]
        for size in reversed(field.shape):
            nested = st.lists(nested, min_size=size, max_size=size)
        return nested
    if field.name in known:
        ordered = sorted(known[field.name])
        good: Any = st.sampled_from([int(value) for value in ordered] if field.dtype == "int64" else ordered)
    else:
        kinds: dict[str, Any] = {
            "int64": st.integers(-(2**63), 2**63 - 1),
            "float64": st.floats(allow_nan=False, allow_infinity=False),
            "bool": st.booleans(),
            "string": text,
        }
        good = kinds[field.dtype]
    return good | st.none() if field.nullable else good


@st.composite
def layouts_and_rows(draw: st.DrawFn, *, tensors: bool = False) -> tuple[Layout, list[Row]]:
    """A signature and one to five rows that fit it."""
    layout = draw(layouts(tensors=tensors))
    row = st.fixed_dictionaries({field.name: values_of(field, layout.known) for field in layout.fields})
    return layout, draw(st.lists(row, min_size=1, max_size=5))
