"""Frames come out as they were put in, and whatever else is in the memory hurts nobody."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.predictions.ring import FRAME_BYTES, RING_BYTES, Reader, Ring


def take_all(reader: Reader) -> list[tuple[bytes, int, int]]:
    """What is in the ring; every frame is counted as logged, as the writer does."""
    found: list[tuple[bytes, int, int]] = []
    until = reader.published()
    while (frame := reader.next(until)) is not None:
        found.append((bytes(frame.data), frame.entries, frame.before))
        reader._ring.settle(frame.before)
        reader._ring.count(logged=frame.entries)
    reader.take()
    return found


def test_frames_come_out_in_order_on_the_other_side() -> None:
    ring = Ring()
    other = Ring(os.dup(ring.descriptor))
    reader = Reader(other)
    assert ring.put(b"one", 3)
    assert ring.put(b"", 1)
    assert take_all(reader) == [(b"one", 3, 0), (b"", 1, 3)]
    assert take_all(reader) == []
    assert (ring.given, ring.logged, ring.dropped) == (4, 4, 0)
    ring.close()
    other.close()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, RING_BYTES // 3), st.integers(1, 5)), min_size=1, max_size=30))
def test_frames_of_any_length_come_back_over_many_laps(sizes: list[tuple[int, int]]) -> None:
    ring = Ring()
    reader = Reader(ring)
    waiting: list[tuple[bytes, int]] = []
    for number, (size, count) in enumerate(sizes):
        data = bytes([number % 251]) * size
        if not ring.put(data, count):
            assert [one[:2] for one in take_all(reader)] == waiting
            waiting = []
            assert ring.put(data, count)
        waiting.append((data, count))
    assert [one[:2] for one in take_all(reader)] == waiting
    assert ring.logged == ring.given == sum(count for _, count in sizes)
    ring.close()


def test_a_full_ring_takes_nothing_until_there_is_room() -> None:
    ring = Ring()
    reader = Reader(ring)
    quarter = b"x" * (RING_BYTES // 4 - FRAME_BYTES)
    assert [ring.put(quarter, 1) for _ in range(5)] == [True, True, True, True, False]
    assert ring.free == 0
    assert not ring.put(b"", 1)
    frame = reader.next(reader.published())
    assert frame is not None
    assert not ring.put(quarter, 1), "what was not given back is not overwritten"
    reader.take()
    assert ring.put(quarter, 1)
    assert not ring.put(b"x" * RING_BYTES, 1), "nor is there ever room for what is longer than all"
    ring.close()


def test_another_reader_goes_on_where_the_one_before_gave_back_and_the_difference_is_lost() -> None:
    ring = Ring()
    for number in range(4):
        ring.put(b"%d" % number, 10)
    first = Reader(ring)
    until = first.published()
    for _ in range(2):  # it takes two, gives their room back, and dies before it wrote them
        first.next(until)
    first.take()
    assert take_all(Reader(ring)) == [(b"2", 10, 20), (b"3", 10, 30)]
    assert (ring.logged, ring.dropped) == (20, 20)
    ring.close()


def test_a_frame_that_is_not_whole_is_passed_over_and_the_next_is_read() -> None:
    ring = Ring()
    reader = Reader(ring)
    ring.put(b"torn", 2)
    place = ring.words[0] - 8
    ring.frames[place : place + 8] = struct.pack("<Q", 77)
    assert take_all(reader) == []
    ring.put(b"good", 1)
    assert take_all(reader) == [(b"good", 1, 2)]
    assert (ring.logged, ring.dropped) == (1, 2)
    ring.close()


@pytest.mark.parametrize("length", [RING_BYTES, 2**32 - 2, 2**31, 500])
def test_a_length_that_can_not_be_is_not_believed(length: int) -> None:
    ring = Ring()
    reader = Reader(ring)
    ring.put(b"x" * 100, 1)
    ring.frames[:4] = struct.pack("<I", length)
    assert take_all(reader) == []
    ring.close()


WORDS = st.dictionaries(st.integers(0, 511), st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 4096)), max_size=4)
SCRIBBLE = st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=64)), max_size=8)


@settings(max_examples=150, deadline=None)
@given(WORDS, SCRIBBLE, st.integers(0, 2**63))
def test_no_memory_whatever_raises_or_yields_what_is_not_within_it(
    words: dict[int, int], scribble: list[tuple[int, bytes]], until: int
) -> None:
    ring = Ring()
    for number in range(40):
        ring.put(b"%d" % number * 20, 1)
    for word, value in words.items():
        ring.words[word] = value
    for at, data in scribble:
        ring.frames[at : at + len(data)] = data
    reader = Reader(ring)
    for end in (until, reader.published()):
        count = 0
        while (frame := reader.next(end)) is not None:
            assert len(frame.data) <= RING_BYTES
            ring.settle(frame.before)
            ring.count(logged=frame.entries, size=len(frame.data))
            count += 1
            assert count <= RING_BYTES // FRAME_BYTES, "it comes to an end"
        reader.take()
    ring.put(b"again", 1)
    ring.close()


@settings(max_examples=50, deadline=None)
@given(SCRIBBLE)
def test_garbage_among_the_frames_costs_what_was_there_and_no_more(scribble: list[tuple[int, bytes]]) -> None:
    ring = Ring()
    reader = Reader(ring)
    for number in range(40):
        ring.put(b"%d" % number * 20, 1)
    for at, data in scribble:
        ring.frames[at : at + len(data)] = data
    take_all(reader)
    ring.put(b"later", 1)
    assert [one[0] for one in take_all(reader)] == [b"later"]
    assert ring.logged + ring.dropped == 41
    ring.close()
