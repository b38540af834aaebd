"""Bodies of known length and in chunks, well-formed and not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import BadRequest, BodyTooLarge
from plusone.transport.bodies import Chunks, Known
from tests.transport.served import chunked


def read(data: bytes, *, limit: int = 1 << 20, pieces: list[int] | None = None) -> tuple[bytes, int, bool]:
    """Return the body, the bytes that were read, and whether the body is whole."""
    chunks, parts, at, end = Chunks(limit), list[bytes](), 0, 0
    for size in [*(pieces or []), len(data)]:
        end = min(end + size, len(data))
        while not chunks.done and (after := chunks.read(data[:end], at, parts)) > at:
            at = after
    return b"".join(parts), at, chunks.done


@given(
    st.binary(max_size=500),
    st.lists(st.integers(1, 60), min_size=1, max_size=10),
    st.lists(st.integers(1, 50), max_size=40),
    st.binary(max_size=20),
)
def test_a_body_comes_out_as_it_went_in(body: bytes, sizes: list[int], pieces: list[int], behind: bytes):
    data = chunked(body, *sizes)
    assert read(data + behind, pieces=pieces) == (body, len(data), True)


def test_extensions_and_trailers_are_passed_over():
    data = b"3;a=b;c\r\nabc\r\n0003 ; \xe9\r\ndef\r\n000;last\r\nX-Sum: 1\r\ny:\r\n\r\nGET /"
    assert read(data) == (b"abcdef", len(data) - 5, True)
    many = b"0\r\n" + b"".join(b"x-%d: y\r\n" % number for number in range(200)) + b"\r\n"
    assert read(many) == (b"", len(many), True)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"g\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b"1_0\r\n",
        b" 1\r\na\r\n",
        b"11111111111111111\r\n",
        b"1\na\n0\n\n",
        b"1\ra\r\n",
        b"1;a\nb\r\na\r\n",
        b"1;a\rb\r\na\r\n",
        b"1;a\0\r\na\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n folded\r\n\r\n",
        b"0\r\na : b\r\n\r\n",
        b"0\r\na: \0\r\n\r\n",
        b"1;" + b"x" * 5000,
        b"0\r\nx: " + b"y" * 5000,
        b"0\r\n" + b"x: yyyyyyyyyyyy\r\n" * 2000,
    ],
)
def test_what_is_no_chunk_is_refused(data: bytes):
    with pytest.raises(BadRequest):
        read(data)


def test_a_chunk_beyond_the_limit_is_refused_when_it_is_announced():
    assert read(b"64\r\n" + b"x" * 100, limit=100)[:2] == (b"x" * 100, 104)
    with pytest.raises(BodyTooLarge, match="over 100 bytes"):
        read(b"65\r\n", limit=100)
    with pytest.raises(BodyTooLarge):
        read(b"64\r\n" + b"x" * 100 + b"\r\n1\r\n", limit=100)
    with pytest.raises(BodyTooLarge):
        read(b"ffffffffffffffff\r\n", limit=100)


def test_single_bytes_are_chunks_and_mere_wrapping_is_not():
    body = b"x" * 50_000
    assert read(chunked(body, 1))[0] == body
    with pytest.raises(BadRequest, match="wrapping"):
        read((b"1;" + b"e" * 1000 + b"\r\nx\r\n") * 50)


def test_one_call_reads_a_bounded_number_of_chunks():
    chunks, parts = Chunks(1000), list[bytes]()
    at = chunks.read(chunked(b"x" * 1000, 1), 0, parts)
    assert 32 < len(parts) <= 64
    assert at <= 64 * 6


@given(st.binary(max_size=300))
def test_any_bytes_are_chunks_or_refused(data: bytes):
    try:
        body, at, _ = read(data, limit=100)
    except (BadRequest, BodyTooLarge):
        return
    assert len(body) <= min(at, 100)


def test_a_body_of_known_length_ends_there():
    body, parts = Known(5), list[bytes]()
    assert body.read(b"..", 2, parts) == 2
    assert body.read(b"..abc", 2, parts) == 5
    assert not body.done
    assert body.read(b"deGET /", 0, parts) == 2
    assert (parts, body.done) == ([b"abc", b"de"], True)
