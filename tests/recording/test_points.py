"""Chunks come back to the bit, summaries are those of the points, and hostile bytes are refused."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plusone.base.errors import StoreError
from plusone.base.records import Latest
from plusone.journal.log import HEAD_BYTES
from plusone.journal.reading import Block
from plusone.recording.layout import POINT, SERIES, SERIES_MARK
from plusone.recording.points import (
    BLOCK_POINTS,
    CODEC,
    Columns,
    decode_chunk,
    encode_chunk,
    gather,
    join,
    later,
    latest_of,
    read_summary,
    summarise,
)

BITS = st.integers(0, 2**64 - 1)


def columns(count: int, seed: int = 0) -> Columns:
    chance = np.random.default_rng(seed)
    return Columns(
        np.arange(count, dtype=np.int64),
        chance.normal(size=count),
        (1.7e9 + np.cumsum(chance.exponential(0.1, count))).astype(np.float64),
    )


def same(one: Columns, other: Columns) -> bool:
    return all(a.tobytes() == b.tobytes() and a.dtype == b.dtype for a, b in zip(one, other, strict=True))


@given(st.data(), st.integers(0, 300))
def test_any_points_come_back_to_the_bit(data: st.DataObject, count: int) -> None:
    bits = [data.draw(hnp.arrays(np.uint64, count, elements=BITS)) for _ in range(3)]
    given_columns = Columns(bits[0].view(np.int64), bits[1].view(np.float64), bits[2].view(np.float64))
    assert same(decode_chunk(CODEC, count, encode_chunk(given_columns)), given_columns)


@pytest.mark.parametrize("count", [0, 1, 2, 1023, 70_000])
def test_points_as_training_logs_them_come_back_and_are_short(count: int) -> None:
    logged = columns(count)
    data = encode_chunk(logged)
    assert same(decode_chunk(CODEC, count, data), logged)
    assert len(data) < 12 * count + 100


def test_special_values_out_of_order_and_repeated_steps_come_back() -> None:
    odd = np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\xff" + b"\x05\x00\x00\x00\x00\x00\xf0\x7f", np.float64)
    values = np.array([math.nan, math.inf, -math.inf, -0.0, 5e-324, *odd.tolist(), 1.0])
    values[5:7] = odd
    steps = np.array([3, 3, -(2**63), 2**63 - 1, 0, -1, 3, 2], np.int64)
    given_columns = Columns(steps, values, values[::-1].copy())
    assert same(decode_chunk(CODEC, 8, encode_chunk(given_columns)), given_columns)


def test_chunks_of_before_can_be_read() -> None:
    data = msgspec.msgpack.encode([(3, math.nan, 1.0), (1, math.inf, 2.0)])
    found = decode_chunk("msgpack", 2, data)
    assert found.steps.tolist() == [3, 1]
    assert math.isnan(found.values[0])
    assert found.times.tolist() == [1.0, 2.0]
    assert decode_chunk("msgpack", 0, msgspec.msgpack.encode([])).steps.tolist() == []


@given(st.binary(max_size=300), st.integers(0, 50), st.sampled_from([CODEC, "msgpack", "other"]))
def test_hostile_bytes_are_refused(data: bytes, count: int, codec: str) -> None:
    try:
        found = decode_chunk(codec, count, data)
    except StoreError:
        return
    assert [len(column) for column in found] == [count] * 3


@pytest.mark.parametrize(
    "packed",
    [
        [],
        [[True, 0, [0] * 8]] * 2,
        [[True, -1, [0] * 8]] * 3,
        [[True, 2**70 % 2**64, [300] * 8]] * 3,
        [[False, 0, [0] * 7]] * 3,
        [[False, 0, [b"x"] * 8]] * 3,
        [[False, 0, [b"xxx"] * 8]] * 3,
        [[False, 0, []]] * 3,
    ],
)
def test_bytes_that_are_nearly_a_chunk_are_refused(packed: Any) -> None:
    with pytest.raises(StoreError, match=r"damaged|holds"):
        decode_chunk(CODEC, 2, msgspec.msgpack.encode(packed))


def test_a_chunk_that_unpacks_to_too_much_is_refused_without_unpacking_it() -> None:
    import zlib

    bomb = zlib.compress(bytes(50_000_000), 9)
    packed = [[False, 0, [bomb] + [0] * 7]] * 3
    with pytest.raises(StoreError, match="damaged"):
        decode_chunk(CODEC, 60_000, msgspec.msgpack.encode(packed))


@given(
    hnp.arrays(
        np.float64,
        st.integers(0, 3000),
        elements=st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0, -2.5, 7.25]),
        fill=st.sampled_from([math.nan, -math.inf, 1.0]),
    )
)
def test_a_summary_is_that_of_its_points(values: Any) -> None:
    count = len(values)
    steps = np.random.default_rng(count).integers(-50, 50, count)
    lines = read_summary(summarise(Columns(steps, values, np.arange(count, dtype=np.float64))).tobytes())
    assert lines["count"].sum() == count
    for place, line in enumerate(lines):
        part = slice(place * BLOCK_POINTS, (place + 1) * BLOCK_POINTS)
        real = values[part][~np.isnan(values[part])]
        assert line["nans"] == len(values[part]) - len(real)
        assert (line["first_step"], line["last_step"]) == (steps[part][0], steps[part][-1])
        assert (line["least_step"], line["most_step"]) == (steps[part].min(), steps[part].max())
        if len(real):
            assert (line["low"], line["high"]) == (real.min(), real.max())
            for name in ("low", "high"):
                at = int(line[f"{name}_at"])
                assert (values[at], steps[at]) == (line[name], line[f"{name}_step"])
                assert part.start <= at < part.stop


def test_a_summary_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(StoreError, match="damaged"):
        read_summary(b"x" * 5)


POINTS = st.lists(st.tuples(st.integers(-3, 3), st.floats(), st.floats(-2, 2)), min_size=1, max_size=20)


@given(POINTS, POINTS)
def test_the_latest_of_two_parts_is_the_latest_of_the_whole(one: Any, other: Any) -> None:
    def of(points: list[tuple[int, float, float]]) -> Columns:
        steps, values, times = zip(*points, strict=True)
        return Columns(np.array(steps), np.array(values), np.array(times))

    def order(point: Latest) -> tuple[int, float, float]:
        value = float(point.value)
        return point.step, point.at, -math.inf if math.isnan(value) else value

    whole = latest_of(of([*one, *other]))
    assert order(later(latest_of(of(one)), latest_of(of(other)))) == order(whole)
    ranks = [(step, at, -math.inf if math.isnan(value) else value) for step, value, at in [*one, *other]]
    assert order(whole) == max(ranks)


def block(records: list[bytes], place: int = 0) -> Block:
    return Block(np.frombuffer(b"".join(records), np.uint8).reshape(len(records), -1), place)


def named(number: int, key: str) -> bytes:
    return SERIES.pack(SERIES_MARK, number) + key.encode()


def test_points_are_gathered_by_series_in_order() -> None:
    points = [POINT.pack(number % 2, number, number / 2, 10.0 + number) for number in range(6)]
    found = gather([block([named(0, "a"), named(1, "b")]), block(points)], {})
    assert found.foreign_bytes == 0
    assert {key: one.steps.tolist() for key, one in found.series.items()} == {"a": [0, 2, 4], "b": [1, 3, 5]}
    assert found.series["b"].values.tolist() == [0.5, 1.5, 2.5]
    assert found.series["a"].times.tolist() == [10.0, 12.0, 14.0]


def test_only_points_from_a_place_on_are_gathered_and_names_from_all() -> None:
    size = POINT.size + HEAD_BYTES
    key = "k" * (POINT.size - SERIES.size)  # as long as a point
    records = [named(7, key), *(POINT.pack(7, step, 0.0, 0.0) for step in range(5))]
    for skipped in range(7):
        found = gather([block(records, 100)], {}, begin=100 + skipped * size)
        left = found.series[key].steps.tolist() if found.series else []
        assert left == list(range(5))[max(0, skipped - 1) :]
        found = gather([block(records[1:], 100)], {7: key}, begin=100 + skipped * size)
        assert (found.series[key].steps.tolist() if found.series else []) == list(range(5))[skipped:]


def test_records_that_are_none_of_ours_are_counted() -> None:
    strange = [block([b"strange"]), block([POINT.pack(3, 0, 0.0, 0.0)]), block([named(1, "x")[:-1] + b"\xff"])]
    found = gather(strange, {})
    assert found.series == {}
    assert found.foreign_bytes == 7 + 28 + 9


def test_joined_points_are_one_behind_the_other() -> None:
    assert same(
        join([columns(3), columns(2)]), Columns(*(np.r_[a, b] for a, b in zip(columns(3), columns(2), strict=True)))
    )
    assert [len(column) for column in join([])] == [0, 0, 0]
