"""Frames: what is sent comes, and whatever else comes is refused before it costs anything."""

from __future__ import annotations

import json
import math
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from plusone.native.wire import MOST_BYTES, MOST_META_BYTES, Stream, WireError

HEAD = struct.Struct("<4sIQ")
NUMBERS = st.sampled_from(["<f8", "<f4", "<i8", "<i4", "|u1", "|b1"]).flatmap(
    lambda kind: hn.arrays(np.dtype(kind), hn.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5))
)
TEXTS = st.lists(st.text(st.characters(exclude_categories=("Cs",))), max_size=6).map(
    lambda values: np.array([*values, None], dtype=object)[:-1]
)
METAS = st.dictionaries(st.sampled_from(["kind", "rows", "what"]), st.none() | st.integers() | st.text(max_size=20))


@contextmanager
def pair() -> Iterator[tuple[Stream, Stream, socket.socket]]:
    ours, theirs = socket.socketpair()
    with closing(Stream(ours)) as left, closing(Stream(theirs)) as right:
        yield left, right, ours


def received(data: bytes, most_bytes: int = MOST_BYTES) -> Any:
    """Return what is made of these bytes, after which the stream ends."""
    with pair() as (_, right, raw):
        raw.sendall(data)  # a socket holds it
        raw.shutdown(socket.SHUT_WR)
        return right.receive(until=time.monotonic() + 30.0, most_bytes=most_bytes)


def frame(meta: Any, body: bytes = b"") -> bytes:
    data = meta if isinstance(meta, bytes) else json.dumps(meta).encode()
    return HEAD.pack(b"+1n1", len(data), len(body)) + data + body


@pytest.mark.slow
@given(st.lists(st.tuples(METAS, st.dictionaries(st.text(max_size=8), NUMBERS | TEXTS, max_size=4)), max_size=3))
def test_what_is_sent_comes(frames: list[tuple[dict[str, Any], dict[str, Any]]]):
    with pair() as (left, right, _):
        for meta, arrays in frames:
            left.send(meta, arrays)
        left.close()
        for meta, arrays in frames:
            found = right.receive()
            assert found is not None
            assert found.meta == meta
            assert list(found.arrays) == list(arrays)
            for name, array in arrays.items():
                assert found.arrays[name].shape == array.shape
                assert found.arrays[name].dtype == array.dtype
                np.testing.assert_array_equal(found.arrays[name], array)
        assert right.receive() is None


def test_what_a_socket_does_not_hold_comes_whole():
    numbers = np.arange(1_000_000.0).reshape(-1, 2)
    texts = np.array([f"text {number}" for number in range(50_000)], dtype=object).reshape(-1, 5)
    with pair() as (left, right, _):
        sender = threading.Thread(target=left.send, args=({}, {"n": numbers[::2], "t": texts}))
        sender.start()
        found = right.receive()
        sender.join()
    assert found is not None
    assert (found.arrays["n"] == numbers[::2]).all()
    assert (found.arrays["t"] == texts).all()


@settings(max_examples=200)
@given(st.data())
def test_a_frame_with_a_byte_changed_is_read_or_refused(data: st.DataObject):
    whole = frame(
        {"kind": "done", "arrays": [["n", "<f8", [2], 16], ["t", "text", [1], 5]]}, struct.pack("<2d", 1, 2) + b'["a"]'
    )
    place = data.draw(st.integers(0, len(whole) - 1))
    value = data.draw(st.integers(0, 255))
    damaged = whole[:place] + bytes([value]) + whole[place + 1 :]
    try:
        found = received(damaged)
    except (WireError, ConnectionError):
        return
    assert set(found.arrays) <= {"n", "t"} or damaged != whole


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes):
    if not data:
        assert received(data) is None
        return
    with pytest.raises((WireError, ConnectionError)):
        received(data)


@pytest.mark.parametrize(
    "data",
    [
        HEAD.pack(b"+1n1", MOST_META_BYTES + 1, 0),
        HEAD.pack(b"+1n1", 2**32 - 1, 2**64 - 1),
        HEAD.pack(b"+1n1", 2, 2**63) + b"{}",
        HEAD.pack(b"HTTP", 2, 0) + b"{}",
        frame(b"[]"),
        frame(b"{"),
        frame(b"[" * 100_000),
        frame(b"\xff\xfe"),
        frame({"arrays": 3}),
        frame({"arrays": [["n", "<f8", [2]]]}),
        frame({"arrays": [[3, "<f8", [2], 16]]}, b" " * 16),
        frame({"arrays": [["n", "<f8", [3], 16]]}, b" " * 16),
        frame({"arrays": [["n", "<f8", [-2], 16]]}, b" " * 16),
        frame({"arrays": [["n", "<f8", [2.0], 16]]}, b" " * 16),
        frame({"arrays": [["n", "<f8", [True, 2], 16]]}, b" " * 16),
        frame({"arrays": [["n", "<f8", [2], True]]}, b" "),
        frame({"arrays": [["n", "<f8", [1] * 40, 8]]}, b" " * 8),
        frame({"arrays": [["n", "|O", [1], 8]]}, b" " * 8),
        frame({"arrays": [["n", "<f8", [2**60, 2**60], 16]]}, b" " * 16),
        frame({"arrays": [["n", "<f8", [2**62, 0], 0]]}),
        frame({"arrays": [["n", "<f8", [10**30, 0], 0]]}),
        frame({"arrays": [["n", "<f8", [1], 8], ["n", "<f8", [1], 8]]}, b" " * 16),
        frame({"arrays": [["n", "<f8", [1], 8]]}, b" " * 16),
        frame({"arrays": [["n", "|u1", [1], 1]] * 2000}, b" " * 2000),
        frame({"arrays": [["t", "text", [2**40], 5]]}, b'["a"]'),
        frame({"arrays": [["t", "text", [1], 3]]}, b"[3]"),
        frame({"arrays": [["t", "text", [1], 4]]}, b'["a"'),
        frame({"arrays": [["t", "text", [1], 6]]}, b'{"a":1'),
        frame({"arrays": [["t", "text", [1], 5]]}, b'"abc"'),
    ],
)
def test_what_claims_too_much_is_refused_at_once(data: bytes):
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            received(data)
        assert tracemalloc.get_traced_memory()[1] < 8 * MOST_META_BYTES
    finally:
        tracemalloc.stop()


def test_an_answer_may_be_bounded_further():
    data = frame({"arrays": [["n", "<f8", [4], 32]]}, b" " * 32)
    assert received(data, most_bytes=32).arrays["n"].shape == (4,)
    with pytest.raises(WireError, match="claims"):
        received(data, most_bytes=31)


@pytest.mark.parametrize("cut", [1, 15, 20, 60])
def test_a_frame_that_is_broken_off_is_an_error(cut: int):
    whole = frame({"arrays": [["n", "<f8", [4], 32]]}, b" " * 32)
    with pytest.raises(ConnectionError):
        received(whole[:cut])


def test_nobody_waits_for_longer_than_they_said():
    with pair() as (left, right, raw):
        raw.sendall(frame({"arrays": [["n", "<f8", [4], 32]]}, b" " * 32)[:-1])
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            right.receive(until=began + 0.1)
        assert time.monotonic() - began < 5.0
        with pytest.raises(TimeoutError):  # nobody reads: what is larger than the buffers is not taken
            left.send({}, {"n": np.zeros(10_000_000)}, until=time.monotonic() + 0.1)


def test_a_type_that_has_no_name_is_not_sent():
    with pair() as (left, _, _raw), pytest.raises(WireError, match="complex128"):
        left.send({}, {"n": np.zeros(1, dtype=complex)})


def test_missing_numbers_come_as_they_are():
    with pair() as (left, right, _):
        left.send({}, {"n": np.array([math.nan, math.inf, -0.0])})
        found = right.receive()
    assert found is not None
    assert found.arrays["n"].tobytes() == np.array([math.nan, math.inf, -0.0]).tobytes()
