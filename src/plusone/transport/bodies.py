"""Where a body ends: after so many bytes, or after its last chunk.

Chunks are read without their sizes, extensions and trailers. The parser of httptools does not tell where in its input a
body ended, and behind it may come the next request.
"""

from __future__ import annotations

import re
from typing import Protocol

from ..base.errors import BadRequest
from .refusals import body_too_large

__all__ = ["Body", "Chunks", "Known"]

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t -~\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*")
_LINE_BYTES = 4096
_TRAILERS_BYTES = 16 * 1024
_EXCESS_BYTES = 16 * 1024
_AT_ONCE = 64

_BEFORE, _INSIDE, _BEHIND, _TRAILERS = range(4)


class Body(Protocol):
    """A body that is coming."""

    done: bool
    """Whether it is whole."""

    def read(self, data: bytes, at: int, parts: list[bytes]) -> int:
        """Read `data` from `at` on, put what is of the body behind `parts`, and return how far it came.

        Raises:
            BadRequest, BodyTooLarge: there is no sense in going on.
        """
        ...


class Known:
    """A body of known length."""

    __slots__ = ("_left", "done")

    def __init__(self, length: int) -> None:
        self.done = False
        self._left = length

    def read(self, data: bytes, at: int, parts: list[bytes]) -> int:
        """Read `data` from `at` on."""
        part = data[at : at + self._left]
        if part:
            parts.append(part)
            self._left -= len(part)
            self.done = not self._left
        return at + len(part)


class Chunks:
    """One body that comes in chunks, bounded by `limit` bytes and in what is wrapped around them."""

    __slots__ = ("_excess", "_left", "_limit", "_state", "_trailers", "done", "size")

    def __init__(self, limit: int) -> None:
        self.done = False
        self.size = 0
        """Of the chunks that were announced so far, in bytes."""
        self._limit = limit
        self._state = _BEFORE
        self._left = 0
        self._excess = 0
        self._trailers = 0

    def read(self, data: bytes, at: int, parts: list[bytes]) -> int:
        """Read `data` from `at` on, put what is of the body behind `parts`, and return how far it came.

        It stops at the end of the body, where more input is needed, or after 64 chunks: others wait for their turn.

        Raises:
            BadRequest: what came is no chunk, or is so small in so much wrapping that it can only be meant to hurt.
            BodyTooLarge: the chunk that is announced goes beyond the limit.
        """
        for _ in range(_AT_ONCE):
            if self._state == _INSIDE:
                part = data[at : at + self._left]
                if not part:
                    return at
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if self._left:
                    return at
                self._state = _BEHIND
            if self._state == _BEHIND:
                if len(data) - at < 2:
                    return at
                if data[at : at + 2] != b"\r\n":
                    raise _broken(data[at : at + 2])
                at += 2
                self._state = _BEFORE
            end = data.find(b"\r\n", at, at + _LINE_BYTES)
            if end < 0:
                if len(data) - at >= _LINE_BYTES or b"\n" in data[at:]:
                    raise _broken(data[at : at + 20])
                return at
            self._line(data[at:end])
            at = end + 2
            if self.done:
                return at
        return at

    def _line(self, line: bytes) -> None:
        """Read a line of wrapping: a size, or a trailer, or the end."""
        if self._state == _TRAILERS:
            self._trailers += len(line) + 2
            if line and (_TRAILER.fullmatch(line) is None or self._trailers > _TRAILERS_BYTES):
                raise _broken(line[:20])
            self.done = not line
            return
        match = _SIZE.fullmatch(line)
        if match is None:
            raise _broken(line[:20])
        size = int(match[1], 16)
        # The measure of Go's net/http: 16 bytes of wrapping and twice the chunk are free, for each chunk.
        self._excess = max(0, self._excess + len(line) + 2 - 16 - 2 * size)
        if self._excess > _EXCESS_BYTES:
            raise BadRequest("The chunks of the body are mostly wrapping.", mend="send bigger chunks")
        self.size += size
        if self.size > self._limit:
            raise body_too_large(self._limit, None)
        self._left = size
        self._state = _INSIDE if size else _TRAILERS


def _broken(found: bytes) -> BadRequest:
    return BadRequest(
        f"The body is said to come in chunks, and {found!r} is not the beginning or end of one.",
        mend="send a content-length, or chunks: the size in hexadecimal, CRLF, that many bytes, CRLF",
    )
