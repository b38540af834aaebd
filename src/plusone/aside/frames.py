"""What goes over the socket between a worker and the process beside it: frames, their bounds, and errors as values.

A frame is a head of 20 bytes, an object in JSON (the meta) and a body of raw bytes. Both ends are of one version of
plusone and start each other, so a frame that is not as expected is a fault, and the connection ends with it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from ..base.errors import PlusoneError
from ..evidence.histograms import Outputs

__all__ = [
    "HEAD_BYTES",
    "Frame",
    "FrameError",
    "Head",
    "Kind",
    "Parser",
    "Reply",
    "error_of",
    "meta_of",
    "pack",
    "read_head",
    "read_meta",
]

_VERSION = 1
_HEAD = struct.Struct("!BBxxIIQ")
HEAD_BYTES = _HEAD.size
_MAX_META_BYTES = 1 << 20
_MAX_BODY_BYTES = 1 << 34


class FrameError(Exception):
    """What came over the socket is no frame of this version."""


class Kind(IntEnum):
    """What a frame says. Those below 16 are the worker's, the others are the answers of the process beside it."""

    LOAD = 1
    PREDICT = 2
    UNLOAD = 3
    CANCEL = 4
    PART = 16
    DONE = 17
    FAILED = 18


class Head(NamedTuple):
    """The head of a frame: its kind, the number of its request, and how many bytes follow."""

    kind: Kind
    request: int
    meta_bytes: int
    body_bytes: int


class Frame(NamedTuple):
    """A whole frame; the body in the pieces in which it came."""

    kind: Kind
    request: int
    meta: dict[str, Any]
    body: list[bytes]


class Reply(NamedTuple):
    """What a big request was answered: the bytes in pieces, the number of rows, what else the handler said, and what
    the answers come to.
    """

    parts: list[bytes]
    rows: int
    info: dict[str, Any]
    outputs: Outputs | None = None


def pack(kind: Kind, request: int, meta: Mapping[str, Any] | None = None, body_bytes: int = 0) -> bytes:
    """Return the head and the meta of a frame; the body is sent behind it.

    Raises:
        ValueError: when the meta is too large, or holds what JSON can't say.
    """
    data = msgspec.json.encode(meta, enc_hook=str) if meta else b""
    if len(data) > _MAX_META_BYTES or body_bytes > _MAX_BODY_BYTES:
        raise ValueError(f"a frame has a meta of {len(data)} and a body of {body_bytes} bytes")
    return _HEAD.pack(_VERSION, kind, request, len(data), body_bytes) + data


def read_head(data: bytes | bytearray | memoryview) -> Head:
    """Return the head that the first 20 bytes are.

    Raises:
        FrameError: when they are none, or say more bytes than a frame may have.
    """
    version, kind, request, meta_bytes, body_bytes = _HEAD.unpack_from(data)
    if version != _VERSION:
        raise FrameError(f"a frame of version {version}: expected {_VERSION}")
    if meta_bytes > _MAX_META_BYTES or body_bytes > _MAX_BODY_BYTES:
        raise FrameError(f"a frame says that it has a meta of {meta_bytes} and a body of {body_bytes} bytes")
    try:
        return Head(Kind(kind), request, meta_bytes, body_bytes)
    except ValueError as error:
        raise FrameError(f"a frame of the kind {kind}") from error


def read_meta(data: bytes | bytearray | memoryview) -> dict[str, Any]:
    """Return the meta of a frame.

    Raises:
        FrameError: when it is no JSON object.
    """
    if not len(data):
        return {}
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FrameError(f"a frame's meta is no JSON object: {error}") from error


class Parser:
    """Cuts a stream of bytes into frames. A body is kept in the pieces in which it came, without a copy."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: Head | None = None
        self._meta: dict[str, Any] = {}
        self._body: list[bytes] = []
        self._left = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Give each frame that is whole with these bytes.

        Raises:
            FrameError: when they do not go on as frames do; the parser is of no use then.
        """
        place = 0
        while True:
            if self._head is None or self._left < 0:
                place = self._take_front(data, place)
                if self._head is None or self._left < 0:
                    return
            piece = data[place : place + self._left]
            if piece:
                self._body.append(piece)
                self._left -= len(piece)
                place += len(piece)
            if self._left:
                return
            frame = Frame(self._head.kind, self._head.request, self._meta, self._body)
            self._head, self._meta, self._body = None, {}, []
            yield frame
            if place >= len(data):
                return

    def _take_front(self, data: bytes, place: int) -> int:
        """Take in head and meta as far as they are there; return the place of the first byte behind."""
        buffer = self._buffer
        if self._head is None:
            missing = HEAD_BYTES - len(buffer)
            buffer += data[place : place + missing]
            place += missing
            if len(buffer) < HEAD_BYTES:
                return place
            self._head = read_head(buffer)
            self._left = -1  # the meta is to come
        head = self._head
        missing = HEAD_BYTES + head.meta_bytes - len(buffer)
        buffer += data[place : place + missing]
        place += missing
        if len(buffer) == HEAD_BYTES + head.meta_bytes:
            self._meta = read_meta(memoryview(buffer)[HEAD_BYTES:].tobytes())
            self._left = head.body_bytes
            buffer.clear()
        return place


# ---------------------------------------------------------------------------------- errors


def meta_of(error: PlusoneError) -> dict[str, Any]:
    """Return an error as the meta of a frame; details that JSON can't say are left out, its message is kept."""
    meta: dict[str, Any] = {"code": error.code, "message": error.message, "mend": error.mend, "details": error.details}
    try:
        pack(Kind.FAILED, 0, meta)
    except (ValueError, OverflowError, TypeError, msgspec.MsgspecError):
        cut = error.message[:4000].encode("utf-8", "backslashreplace").decode()
        meta = {"code": error.code, "message": cut, "mend": "", "details": {}}
    return meta


def error_of(meta: Mapping[str, Any]) -> PlusoneError:
    """Return the error that `meta_of` made this of, of the same class."""
    kind = _classes().get(str(meta.get("code")), PlusoneError)
    return kind(str(meta.get("message", "")), mend=str(meta.get("mend", "")), **meta.get("details", {}))


def _classes() -> dict[str, type[PlusoneError]]:
    found: dict[str, type[PlusoneError]] = {}
    left = [PlusoneError]
    while left:
        kind = left.pop(0)
        # A room may have a subclass of its own: it shares the code, and is not what the code stands for.
        found.setdefault(kind.code, kind)
        left.extend(kind.__subclasses__())
    return found
