"""Frames between a process that asks a model and the process that holds it: a head of JSON, then arrays as they lie in
memory.

Both ends read this one file: the model's process has no plusone, so it needs the standard library and numpy, nothing
else. What a frame claims is compared with the bounds before a byte is allocated for it.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["MOST_BYTES", "MOST_META_BYTES", "Frame", "Stream", "WireError"]

MOST_BYTES = 4 << 30
MOST_META_BYTES = 1 << 20
_MOST_ARRAYS = 1024
_MOST_DIMENSIONS = 16
_MAGIC = b"+1n1"
_HEAD = struct.Struct("<4sIQ")
_BUFFER_BYTES = 1 << 16
_SOCKET_BYTES = 1 << 20
_DTYPES = {name: np.dtype(name) for name in ("<f8", "<f4", "<i8", "<i4", "|u1", "|b1")}
_TEXT = "text"


class WireError(ValueError):
    """What came is no frame, or claims more than it may."""


class Frame:
    """What came: a head, and arrays by name, in their order."""

    __slots__ = ("arrays", "meta")

    def __init__(self, meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        self.meta = meta
        self.arrays = arrays


class Stream:
    """Frames over a stream socket; for one thread at each end."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._begin = self._end = 0
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            connection.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BYTES)

    def send(self, meta: Mapping[str, Any], arrays: Mapping[str, Any] | None = None, *, until: float = 0.0) -> None:
        """Send a frame; arrays of numbers are not copied.

        Args:
            arrays: of numbers, or of strings (objects), of any shape.
            until: when to give up, by `time.monotonic`; 0 for never.

        Raises:
            TimeoutError: when the time is over; the stream can't be used again.
            OSError: when the other end is gone.
            WireError: for an array of another type, or a head that is too large.
        """
        described: list[list[Any]] = []
        parts: list[Any] = []
        for name, array in (arrays or {}).items():
            kind, data = _pack(name, array)
            described.append([name, kind, list(array.shape), len(data)])
            parts.append(data)
        head = json.dumps({**meta, "arrays": described}, separators=(",", ":")).encode()
        if len(head) > MOST_META_BYTES:
            raise WireError(f"a head of {len(head)} bytes is more than {MOST_META_BYTES}")
        size = sum(map(len, parts))
        front = _HEAD.pack(_MAGIC, len(head), size) + head
        if size < _BUFFER_BYTES:
            self._send_all(b"".join((front, *parts)), until)
            return
        self._send_all(front, until)
        for part in parts:
            self._send_all(part, until)

    def receive(self, *, until: float = 0.0, most_bytes: int = MOST_BYTES) -> Frame | None:
        """Return the next frame; None when the stream has ended between two.

        Args:
            most_bytes: what its arrays may have together.
            until: when to give up, by `time.monotonic`; 0 for never.

        Raises:
            TimeoutError: when the time is over; the stream can't be used again.
            ConnectionError: when the other end was closed in the middle of a frame.
            WireError: when what came is no frame; the stream can't be used again.
        """
        front = self._some(_HEAD.size, until, may_end=True)
        if front is None:
            return None
        magic, meta_bytes, body_bytes = _HEAD.unpack(front)
        if magic != _MAGIC:
            raise WireError(f"a frame begins with {bytes(magic)!r}: expected {_MAGIC!r}")
        if meta_bytes > MOST_META_BYTES or body_bytes > most_bytes:
            raise WireError(
                f"a frame claims {meta_bytes} + {body_bytes} bytes: expected at most {MOST_META_BYTES} + {most_bytes}"
            )
        meta = _read_meta(bytes(self._some(meta_bytes, until) or b""))
        described = _described(meta.pop("arrays", None), body_bytes)
        return Frame(meta, {name: self._array(kind, shape, size, until) for name, kind, shape, size in described})

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    # ---------------------------------------------------------------------------------- bytes

    def _send_all(self, data: Any, until: float) -> None:
        view = memoryview(data)
        while len(view):
            self._limit(until)
            view = view[self._socket.send(view) :]

    def _limit(self, until: float) -> None:
        if until:
            left = until - time.monotonic()
            if left <= 0.0:
                raise TimeoutError("the time is over")
            self._socket.settimeout(left)
        elif self._socket.gettimeout() is not None:
            self._socket.settimeout(None)

    def _some(self, size: int, until: float, *, may_end: bool = False) -> memoryview | None:
        """Return the next bytes, good until the next call; None where the stream may end and does."""
        if self._end - self._begin < size:
            if size > len(self._buffer):
                data = memoryview(bytearray(size))
                self._fill(data, until)
                return data
            left = self._buffer[self._begin : self._end].tobytes()
            self._buffer[: len(left)] = left
            self._begin, self._end = 0, len(left)
            while self._end < size:
                self._limit(until)
                count = self._socket.recv_into(self._buffer[self._end :])
                if not count:
                    if may_end and not self._end:
                        return None
                    raise ConnectionError("the other end was closed in the middle of a frame")
                self._end += count
        found = self._buffer[self._begin : self._begin + size]
        self._begin += size
        return found

    def _fill(self, view: memoryview, until: float) -> None:
        """Read into `view`, first what lies in the buffer."""
        done = min(len(view), self._end - self._begin)
        view[:done] = self._buffer[self._begin : self._begin + done]
        self._begin += done
        while done < len(view):
            self._limit(until)
            count = self._socket.recv_into(view[done:])
            if not count:
                raise ConnectionError("the other end was closed in the middle of a frame")
            done += count

    def _array(self, kind: str, shape: tuple[int, ...], size: int, until: float) -> Any:
        if kind == _TEXT:
            data = bytearray(size)
            self._fill(memoryview(data), until)
            return _read_text(data, shape)
        array = _empty(shape, _DTYPES[kind])
        if size:
            self._fill(memoryview(array.reshape(-1).view(np.uint8)), until)
        return array


def _pack(name: str, array: Any) -> tuple[str, Any]:
    """Return the type of an array as the head says it, and its bytes."""
    if array.dtype.kind == "O":
        return _TEXT, json.dumps(array.ravel().tolist(), ensure_ascii=False, separators=(",", ":")).encode()
    kind = array.dtype.str
    if kind not in _DTYPES:
        raise WireError(f"the array {name!r} has the type {array.dtype}: expected one of {', '.join(_DTYPES)} or text")
    if not array.size:
        return kind, b""
    flat: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return kind, memoryview(flat)


def _read_meta(data: bytes) -> dict[str, Any]:
    try:
        meta = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the head of a frame is no JSON: {error}") from error
    if not isinstance(meta, dict):
        raise WireError("the head of a frame is no object")
    return meta


def _described(listed: Any, body_bytes: int) -> list[tuple[str, str, tuple[int, ...], int]]:
    """Return name, type, shape and bytes of each array that a head lists, all of them compared with the body."""
    if not isinstance(listed, list) or len(listed) > _MOST_ARRAYS:
        raise WireError(f"the head of a frame lists no arrays, or more than {_MOST_ARRAYS}")
    found: list[tuple[str, str, tuple[int, ...], int]] = []
    for one in listed:
        if not (isinstance(one, list) and len(one) == 4):
            raise WireError("an array is not described by name, type, shape and bytes")
        name, kind, shape, size = one
        if not (isinstance(name, str) and isinstance(kind, str) and isinstance(shape, list)):
            raise WireError("an array is not described by name, type, shape and bytes")
        if len(shape) > _MOST_DIMENSIONS or not all(type(count) is int and count >= 0 for count in shape):
            raise WireError(f"the array {name[:80]!r} has no shape")
        if type(size) is not int or size < 0:
            raise WireError(f"the array {name[:80]!r} has no size")
        values = math.prod(shape)
        if kind == _TEXT:
            # A string of JSON has two quotes at least, and there is a comma between two.
            if size < max(2, 3 * values + 1):
                raise WireError(f"the array {name[:80]!r} claims {values} strings in {size} bytes")
        elif kind not in _DTYPES or values * _DTYPES[kind].itemsize != size:
            raise WireError(f"the array {name[:80]!r} claims {values} values of type {kind[:20]!r} in {size} bytes")
        found.append((name, kind, tuple(shape), size))
    if sum(size for *_, size in found) != body_bytes:
        raise WireError(f"the arrays of a frame do not fill its body of {body_bytes} bytes")
    if len({name for name, *_ in found}) != len(found):
        raise WireError("two arrays of a frame have one name")
    return found


def _empty(shape: tuple[int, ...], dtype: Any) -> Any:
    try:
        return np.empty(shape, dtype)
    except ValueError as error:  # a shape without values may have any other dimension
        raise WireError(f"no array has the shape {str(shape)[:80]}") from error


def _read_text(data: bytearray, shape: tuple[int, ...]) -> Any:
    try:
        values = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise WireError(f"an array of text is no JSON: {str(error)[:200]}") from error
    if not isinstance(values, list) or len(values) != math.prod(shape):
        raise WireError(f"an array of text does not hold {math.prod(shape)} strings")
    if not all(type(value) is str for value in values):
        raise WireError("an array of text holds something else than strings")
    array = _empty(shape, object)
    if values:
        array.reshape(-1)[:] = values
    return array
