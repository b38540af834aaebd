"""Predictions come back from a chunk as they went in."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base.errors import StoreError
from plusone.predictions.chunks import CODEC, SCHEMA, Builder, decode, encode, join, span

Entries = Sequence[tuple[str, str, int, bytes | None, bytes | None]]


def table_of(batches: Sequence[tuple[float, Entries]]) -> pa.Table:
    builder = Builder()
    for at, entries in batches:
        builder.add(at, entries)
    return builder.table()


BODIES = st.one_of(st.none(), st.binary(max_size=100))
ENTRIES = st.lists(
    st.tuples(st.text(max_size=12), st.sampled_from(["json", "arrow"]), st.integers(0, 2**62), BODIES, BODIES)
)
BATCHES = st.lists(st.tuples(st.floats(), ENTRIES), max_size=5)


@settings(max_examples=40)
@given(BATCHES)
def test_predictions_come_back_sorted_by_time_and_id(
    batches: list[tuple[float, list[tuple[str, str, int, bytes, bytes]]]],
):
    table = table_of(batches)
    found = decode(CODEC, encode(table)).to_pylist()
    times = [(row["at"], row["id"]) for row in found]
    assert times == sorted(times)
    expected = [entry for _, entries in batches for entry in entries]
    rows = [(row["id"], row["kind"], row["rows"], row["request"], row["answer"]) for row in found]
    assert sorted(rows, key=repr) == sorted(expected, key=repr)


def test_the_index_says_what_is_in_a_chunk():
    table = join(
        [table_of([(2.5, [("b", "json", 1, b"", b"")])]), table_of([(1.25, [("c", "json", 1, b"", b"")] * 2)])]
    )
    assert span(table) == {
        "first_id": "b",
        "last_id": "c",
        "first_at": "1970-01-01T00:00:01.250000Z",
        "last_at": "1970-01-01T00:00:02.500000Z",
        "count": 3,
    }


def test_some_columns_are_read_alone():
    data = encode(table_of([(1.0, [("a", "json", 1, b"q", b"a")])]))
    assert decode(CODEC, data, ["id"]).to_pylist() == [{"id": "a"}]
    assert decode(CODEC, encode(SCHEMA.empty_table())).num_rows == 0


def test_what_is_no_chunk_is_an_error_that_says_so():
    with pytest.raises(StoreError, match="damaged"):
        decode(CODEC, b"PAR1 and nothing else")
    with pytest.raises(StoreError, match="does not read") as caught:
        decode("of the future", b"")
    assert "upgrade" in str(caught.value)
