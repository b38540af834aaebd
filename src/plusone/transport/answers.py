"""Answers as bytes."""

from __future__ import annotations

import re
from http import HTTPStatus

from .request import JSON, Headers

__all__ = ["CONTINUE", "Fine", "Prefixes", "encode_answer"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_KEPT = 256
_FINE_BYTES = 4096
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BREAKS = re.compile(rb"[\r\n\0]")
_BODILESS = (204, 304)


class Prefixes(dict[tuple[int, bytes], bytes]):
    """By status and content type: an answer up to the number of its bytes. Made when first asked for."""

    def __missing__(self, key: tuple[int, bytes]) -> bytes:
        """Return a prefix that was not asked for before; keep it if they are few: a caller may make types up."""
        status, content_type = key
        if status in _BODILESS:
            return b""  # nothing is said of a body: `encode_answer` makes all of it
        if _BREAKS.search(content_type):
            raise ValueError(f"{content_type!r} can't be a content type: it has a line break.")
        prefix = b"%bcontent-type: %b\r\ncontent-length: " % (_status_line(status), content_type)
        if len(self) < _KEPT:
            self[key] = prefix
        return prefix


class Fine(dict[int, bytes]):
    """By the number of its bytes: the answer 200 in JSON, up to its body. Made when first asked for."""

    def __missing__(self, size: int) -> bytes:
        """Return what was not asked for before."""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (JSON, size)
        if size < _FINE_BYTES:
            self[size] = head
        return head


def encode_answer(
    prefix: bytes, body: bytes, headers: Headers, *, status: int, connection: bytes = b"", bodiless: bool = False
) -> bytes:
    """Return an answer with everything that may be special about it.

    Args:
        connection: the value of the header of that name; empty: without it.
        bodiless: the answer to HEAD: it says how long the body is, and ends there.

    Raises:
        ValueError: when a header has a line break or a character that is not Latin-1.
    """
    if status in _BODILESS:
        parts = [_status_line(status)]
        body = b""
    else:
        parts = [prefix, b"%d\r\n" % len(body)]
    if connection:
        parts.append(b"connection: %b\r\n" % connection)
    for name, value in headers:
        line = f"{name}: {value}".encode("latin-1")
        if _BREAKS.search(line):
            raise ValueError(f"The header {name!r} can't be {value!r}: it has a line break.")
        parts += (line, b"\r\n")
    parts.append(b"\r\n")
    if not bodiless:
        parts.append(body)
    return b"".join(parts)


def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n".encode()
