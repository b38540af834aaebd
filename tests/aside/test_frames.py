"""Frames: whole ones come through however they are cut, and others are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.aside.frames import HEAD_BYTES, FrameError, Kind, Parser, error_of, meta_of, pack, read_head, read_meta
from plusone.base import errors
from plusone.base.errors import InvalidInput, PlusoneError

METAS = st.dictionaries(st.text(max_size=5), st.none() | st.integers(-(2**60), 2**60) | st.text(max_size=9), max_size=4)
FRAMES = st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 2**32 - 1), METAS, st.binary(max_size=300)))


@pytest.mark.slow
@given(FRAMES, st.lists(st.integers(1, 60), min_size=1))
def test_frames_come_whole_however_they_are_cut(frames: list[Any], sizes: list[int]) -> None:
    stream = b"".join(pack(kind, number, meta, len(body)) + body for kind, number, meta, body in frames)
    parser, found, place, turn = Parser(), [], 0, 0
    while place < len(stream):
        size = sizes[turn % len(sizes)]
        found += [
            (kind, number, meta, b"".join(body))
            for kind, number, meta, body in parser.feed(stream[place : place + size])
        ]
        place, turn = place + size, turn + 1
    assert found == frames


def test_a_body_is_not_copied() -> None:
    body = bytes(range(256)) * 100
    parser = Parser()
    assert list(parser.feed(pack(Kind.PART, 1, {"a": 1}, len(body)))) == []
    (frame,) = parser.feed(body)
    assert frame.body[0] is body


@given(st.binary(min_size=HEAD_BYTES, max_size=200))
def test_bytes_that_are_no_frame_are_refused_or_a_frame(data: bytes) -> None:
    try:
        for frame in Parser().feed(data):
            assert isinstance(frame.kind, Kind)
    except FrameError:
        pass


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\2" + pack(Kind.LOAD, 1)[1:], "version 2"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n", "version 71"),
        (b"\1\x63" + pack(Kind.LOAD, 1)[2:], "kind 99"),
        (pack(Kind.LOAD, 1)[:8] + b"\xff" * 12, "says that it has"),
        (pack(Kind.LOAD, 1)[:8] + b"\0\0\0\2" + b"\0" * 8 + b"[]", "no JSON object"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, what: str) -> None:
    with pytest.raises(FrameError, match=what):
        list(Parser().feed(data))


def test_a_frame_has_bounds() -> None:
    with pytest.raises(ValueError, match="meta of"):
        pack(Kind.PREDICT, 1, {"options": "a" * (1 << 20)})
    with pytest.raises(ValueError, match="body of"):
        pack(Kind.PREDICT, 1, None, 1 << 40)
    assert read_head(pack(Kind.CANCEL, 7, None, 5)) == (Kind.CANCEL, 7, 0, 5)
    assert read_meta(b"") == {}


KINDS = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_out_as_it_went_in(kind: type[PlusoneError]) -> None:
    error = kind("It is wrong.", mend="mend it", row=3, value=[1.5, None, "é"], more={"a": True})
    meta = read_meta(pack(Kind.FAILED, 1, meta_of(error))[HEAD_BYTES:])
    again = error_of(meta)
    assert type(again) is kind
    assert again.as_dict() == error.as_dict()


def test_an_error_that_json_cannot_say_keeps_its_message() -> None:
    wrong: tuple[dict[str, Any], ...] = ({"value": "\ud800"}, {"value": 1 << 80}, {"value": "a" * (1 << 21)})
    for details in wrong:
        error = error_of(
            read_meta(pack(Kind.FAILED, 1, meta_of(InvalidInput("Row 1 is \ud800.", **details)))[HEAD_BYTES:])
        )
        assert isinstance(error, InvalidInput)
        assert error.message == r"Row 1 is \ud800."
