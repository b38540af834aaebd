"""Arrow streams: what is taken, and that no bytes do more than be refused."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from plusone.base.errors import InvalidInput
from plusone.base.records import Field
from plusone.graphs.layout import MISSING, Columns, plan_blocks
from plusone.graphs.runner import Answer
from plusone.predictor.arrow import read_stream, write_stream
from plusone.signatures.tables import read_table

from .layouts import Layout, assert_same, from_table, stream

ROWS = 40
FIELDS = (
    Field(name="n", dtype="int64"),
    Field(name="x", dtype="float64", nullable=True),
    Field(name="yes", dtype="bool"),
    Field(name="s", dtype="string", nullable=True),
    Field(name="d", dtype="string"),
)
LAYOUT = Layout(FIELDS, plan_blocks(FIELDS), {})
MEGABYTE = 1 << 20


def table(kind: Any = None) -> pa.Table:
    """A table with nulls and a dictionary."""
    drawn = np.random.default_rng(0)
    texts = [None if place < 2 else f"v{place}" for place in drawn.integers(0, 9, ROWS)]
    return pa.table(
        {
            "n": pa.array(drawn.integers(0, 100, ROWS)),
            "x": pa.array([None if value < 0.2 else value for value in drawn.random(ROWS)]),
            "yes": pa.array(drawn.random(ROWS) < 0.5),
            "s": pa.array(texts, type=kind or pa.string()),
            "d": pa.array([f"k{place}" for place in drawn.integers(0, 4, ROWS)]).dictionary_encode(),
        }
    )


def read(body: bytes, max_bytes: int = MEGABYTE) -> Columns:
    return from_table(read_stream(body, max_bytes), LAYOUT)


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
def test_the_same_table_in_many_forms(kind: Any, compression: str | None) -> None:
    expected = from_table(table(), LAYOUT)
    assert_same(read(stream(table(kind), compression)), expected)
    chunked = pa.concat_tables([table(kind).slice(start, 8) for start in range(0, ROWS, 8)])
    assert_same(read(stream(chunked, compression)), expected)
    assert_same(read(memoryview(stream(table(kind)))), expected)  # type: ignore[arg-type]  # a server's parts


def test_dictionaries_of_every_chunk_are_their_own() -> None:
    chunks = [pa.array(values, type=pa.string()).dictionary_encode() for values in (["a", "b", None], ["c", "a"])]
    data = pa.table({"s": pa.chunked_array(chunks)})
    layout = Layout(FIELDS[3:4], plan_blocks(FIELDS[3:4]), {})
    found = from_table(read_stream(stream(data), MEGABYTE), layout)
    assert found.feeds["strings"][:, 0].tolist()[:2] == ["a", "b"]
    assert found.feeds["strings"][:, 0].tolist()[3:] == ["c", "a"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pa.table({"n": [[1]]}), "The column 'n' has the type list"),
        (pa.table({"n": [{"a": 1}]}), "The column 'n' has the type struct"),
        (pa.table({"n": [b"a"]}), "The column 'n' has the type binary"),
        (pa.table({"n": pa.array([1], type=pa.timestamp("s"))}), "The column 'n' has the type timestamp"),
        (pa.table({"n": pa.array([b"a"]).dictionary_encode()}), "The column 'n' has the type dictionary"),
        (pa.table({"n": pa.array([1.5]).dictionary_encode()}), "The column 'n' has the type dictionary"),
        (pa.table([[1], [2]], names=["n", "n"]), "The table has the column 'n' twice"),
        (pa.table({"n": pa.RunEndEncodedArray.from_arrays([1 << 30], [1])}), "The column 'n' has the type run_end"),
        (pa.table({"n": pa.nulls(1 << 20)}), f"The table in the body has {1 << 20} rows"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_columns_that_no_field_can_be(data: pa.Table, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_stream(stream(data), MEGABYTE)
    assert caught.value.message.startswith(said)


@pytest.mark.parametrize("body", [b"", b"\0" * 8, b"ARROW1\0\0", b"{}", b"\xff\xff\xff\xff\x10\0\0\0"], ids=repr)
def test_bodies_that_are_no_stream(body: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"expected an Arrow IPC stream|not a valid Arrow IPC stream"):
        read_stream(body, MEGABYTE)


def test_what_would_be_too_large_is_never_made() -> None:
    zeros = pa.table({"n": pa.array(np.zeros(1 << 20, dtype=np.int64))})
    packed = stream(zeros, "zstd")
    assert len(packed) < 10_000
    with pytest.raises(InvalidInput, match="when it is decompressed"):
        read_stream(packed, MEGABYTE)
    # A size that lies: the buffer says that it will be four exabytes.
    size = struct.pack("<q", 1 << 23)
    assert size in packed
    with pytest.raises(InvalidInput, match=f"is {1 << 62} bytes or more when it is decompressed"):
        read_stream(packed.replace(size, struct.pack("<q", 1 << 62)), MEGABYTE)
    for kind in (pa.string(), pa.string_view()):
        long = pa.DictionaryArray.from_arrays(np.zeros(1000, dtype=np.int8), pa.array(["a" * 10_000], type=kind))
        with pytest.raises(InvalidInput, match="has strings of 10000000 bytes"):
            read_stream(stream(pa.table({"s": long})), MEGABYTE)


def test_where_a_null_is_nothing_is_read() -> None:
    """Arrow checks no view and no place of a null, and follows both in some of its own functions: the process dies."""
    texts = pa.array(["long enough to be no inline view", None, "a"], type=pa.string_view())
    body = stream(pa.table({"s": texts}))
    views = texts.buffers()[1].to_pybytes()
    assert views in body
    wild = struct.pack("<i4sii", 1 << 20, b"wild", 7, 1 << 30)
    layout = Layout(FIELDS[3:4], plan_blocks(FIELDS[3:4]), {})
    found = from_table(read_stream(body.replace(views, views[:16] + wild + views[32:]), MEGABYTE), layout)
    assert found.feeds["strings"][:, 0].tolist() == ["long enough to be no inline view", MISSING, "a"]

    places = pa.array([1, None, 0], type=pa.int32())
    body = stream(pa.table({"s": pa.DictionaryArray.from_arrays(places, ["a", "b"])}))
    numbers = places.buffers()[1].to_pybytes()[:12]
    assert numbers in body
    found = from_table(read_stream(body.replace(numbers, struct.pack("<iii", 1, 1 << 30, 0)), MEGABYTE), layout)
    assert found.feeds["strings"][:, 0].tolist() == ["b", MISSING, "a"]


def test_bytes_that_were_changed_are_read_or_refused() -> None:
    """Seeded, so that it is the same each time; tens of thousands more were run by hand."""
    drawn = random.Random(0)
    bodies = [stream(table(kind), packed) for kind in (pa.string(), pa.string_view()) for packed in (None, "zstd")]
    outcomes = {"read": 0, "refused": 0}
    for _ in range(600):
        body = bytearray(drawn.choice(bodies))
        for _ in range(drawn.choice((1, 1, 2, 4))):
            place = drawn.randrange(len(body))
            change = drawn.choice((bytes([drawn.randrange(256)]), b"\xff" * 8, b"\0" * 8, b"\xff" * 7 + b"\x7f", b""))
            body[place : place + (len(change) or drawn.randrange(1, 64))] = change
        try:
            found = read_stream(bytes(body), MEGABYTE)
            if set(found.column_names) == set(table().column_names):
                read_table(found, *LAYOUT)
            outcomes["read"] += 1
        except InvalidInput as error:
            error.message.encode()
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20, outcomes


def test_answers_as_streams() -> None:
    labels = np.array(["no", "yes"], dtype=object)
    shares = np.array([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]])
    body = write_stream(Answer(labels, shares.argmax(axis=1), shares, None), ["no", "yes"], {"release": "3"})
    found = pa.ipc.open_stream(body).read_all()
    assert found.schema.metadata == {b"release": b"3"}
    assert found.to_pylist()[2] == {"label": "yes", "probabilities": {"no": 0.125, "yes": 0.875}}
    alone = pa.ipc.open_stream(write_stream(Answer(np.array([3, 5]), np.array([1, 0]), None, None), [], {})).read_all()
    assert alone.to_pydict() == {"label": [5, 3]}
    numbers = pa.ipc.open_stream(write_stream(Answer(None, None, None, shares[:, 0]), [], {})).read_all()
    assert numbers.to_pydict() == {"prediction": [0.75, 0.5, 0.125]}


def test_of_lists_only_those_of_numbers_and_of_a_fixed_size_are_taken() -> None:
    storage = pa.array([[1.0, 2.0, 3.0, 4.0]], pa.list_(pa.float32(), 4))
    tensor = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), (2, 2)), storage)
    turned = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), (2, 2), permutation=[1, 0]), storage)
    nested = pa.array([[[1, 2], [3, 4]]], pa.list_(pa.list_(pa.uint8(), 2), 2))
    field = Field(name="x", dtype="float32", shape=(2, 2))
    blocks = plan_blocks([field])
    for good in (storage, tensor, nested):
        columns, bad = read_table(read_stream(stream(pa.table({"x": good})), MEGABYTE), [field], blocks, {})
        assert not bad.any()
        assert columns.feeds["tensor_0"].tolist() == [[[1.0, 2.0], [3.0, 4.0]]]
    _, bad = read_table(read_stream(stream(pa.table({"x": turned})), MEGABYTE), [field], blocks, {})
    assert bad.all()
    deep: Any = pa.float32()
    for _ in range(10):
        deep = pa.list_(deep, 1)
    # A list of nothing has no bytes, however long it says that it is.
    hollow = pa.FixedSizeListArray.from_arrays(pa.nulls(1 << 20), 1 << 20)
    for wrong in (pa.array([[1.0]]), pa.array([["a"]], pa.list_(pa.string(), 1)), pa.nulls(1, deep), hollow):
        with pytest.raises(InvalidInput, match="fixed-size lists or fixed-shape tensors of numbers"):
            read_stream(stream(pa.table({"x": wrong})), MEGABYTE)
    with pytest.raises(InvalidInput, match="has 3 rows of 1000 values"):
        read_stream(stream(pa.table({"x": pa.nulls(3, pa.list_(pa.int8(), 1000))})), 20_000)
