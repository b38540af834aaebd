"""A stretch of memory that two processes share: one puts frames in, the other takes them out. No lock, no system call.

    first page   words of 8 bytes, each changed by one side alone
    then         the ring: frames, each whole within it, overwritten when they were taken

A frame is its length and how many entries it holds (32 bits each), how many were put in before it (64 bits), its bytes,
and how many were put in with it: where these do not agree it is torn, or garbage. A frame that does not fit before the
end begins at the start, and a length of 2^32-1, or less than 16 bytes, says so. Places only grow; modulo the size they
are offsets.

The kernel has the memory as long as one of the two lives, so that what was put in outlives who did it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from typing import NamedTuple

__all__ = ["FRAME_BYTES", "RING_BYTES", "Frame", "Reader", "Ring"]

RING_BYTES = 8 * 1024 * 1024
"""Bytes of frames that a ring holds: half a second of all that one worker can answer."""
FRAME_BYTES = 24
"""What a frame takes beside its bytes."""
_PAGE = mmap.PAGESIZE
_HEAD = struct.Struct("<IIQ")
_TAIL = struct.Struct("<Q")
_SKIP = 2**32 - 1
_MOST = 2**64 - 1
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
# Words, each in a cache line of its own side.
_PUT, _TAKEN, _ASLEEP, _LOGGED, _DROPPED, _BYTES = 0, 8, 9, 10, 11, 12


class Frame(NamedTuple):
    """What was put in at once: its bytes, still in the ring, its entries, and how many were put in before it."""

    data: memoryview
    entries: int
    before: int


class Ring:
    """The shared memory, and what may be asked of it on both sides.

    Args:
        descriptor: of a ring that was made before; None makes one.

    Raises:
        OSError: when there is no memory for one, or no descriptor.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            descriptor = os.memfd_create("plusone-predictions", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            try:
                os.ftruncate(descriptor, _PAGE + RING_BYTES)
                # Memory that somebody cut shorter would end who touches it.
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            except OSError:
                os.close(descriptor)
                raise
        self.descriptor = descriptor
        view = memoryview(mmap.mmap(descriptor, _PAGE + RING_BYTES))
        self.words = view[:_PAGE].cast("Q")
        self.frames = view[_PAGE:]
        self._put = self.words[_PUT]
        self._given = 0

    # ---------------------------------------------------------------------------------- of the side that puts in

    @property
    def given(self) -> int:
        """How many entries were put in since this object was made."""
        return self._given

    @property
    def free(self) -> int:
        """How many bytes are free, perhaps in two pieces."""
        return RING_BYTES - (self._put - self.words[_TAKEN])

    @property
    def asleep(self) -> bool:
        """Whether the other side waits to be told that there is something."""
        return bool(self.words[_ASLEEP])

    @asleep.setter
    def asleep(self, value: bool) -> None:
        self.words[_ASLEEP] = value

    def put(self, data: bytes, count: int) -> bool:
        """Put in a frame of so many entries; False when there is no room for it. To be called by one thread."""
        place, frames = self._put, self.frames
        size = len(data) + FRAME_BYTES
        at = place % RING_BYTES
        left = RING_BYTES - at
        jump = left if size > left else 0
        # What the other side says is only ever too old: there is at least as much room.
        if place + jump + size - self.words[_TAKEN] > RING_BYTES:
            return False
        given = self._given
        if jump:
            if left >= _HEAD.size:
                _HEAD.pack_into(frames, at, _SKIP, 0, given)
            place += jump
            at = 0
        begin = at + _HEAD.size
        end = begin + len(data)
        _HEAD.pack_into(frames, at, len(data), count, given)
        frames[begin:end] = data
        self._given = given = given + count
        _TAIL.pack_into(frames, end, given)
        # Last of all: from here on the other side may look.
        self._put = self.words[_PUT] = place + size
        return True

    # ---------------------------------------------------------------------------------- what became of it

    @property
    def logged(self) -> int:
        """How many entries were written."""
        return self.words[_LOGGED]

    @property
    def dropped(self) -> int:
        """How many were put in and are lost, as far as is known by now."""
        return self.words[_DROPPED]

    @property
    def bytes(self) -> int:
        """The bytes that were written."""
        return self.words[_BYTES]

    def count(self, *, logged: int = 0, dropped: int = 0, size: int = 0) -> None:
        """Add to what became of what was put in; to be called by the side that takes out."""
        words = self.words
        for word, more in ((_LOGGED, logged), (_DROPPED, dropped), (_BYTES, size)):
            words[word] = words[word] + more & _MOST

    def settle(self, given: int) -> None:
        """Count as dropped what came before that number and was neither written nor dropped: its taker was killed."""
        words = self.words
        lost = given - words[_LOGGED] - words[_DROPPED]
        if lost > 0:
            self.count(dropped=lost)

    def close(self) -> None:
        """Close the descriptor; the memory stays as long as this object is used."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Reader:
    """The side that takes out. Whatever is in the memory, it neither raises nor reads beyond it."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._frames = ring.frames.toreadonly()
        self._place = self.begun = ring.words[_TAKEN]
        """Where the side before, or nobody, had taken out until this one began."""

    def published(self) -> int:
        """Return up to where frames may be read. What was published a while ago is whole on every processor."""
        return self._ring.words[_PUT]

    def next(self, until: int) -> Frame | None:
        """Return the next frame that begins before `until`, or None. It stays in the ring until `take`."""
        while self._place < until:
            if until - self._place > RING_BYTES:
                break  # no ring holds so much
            at = self._place % RING_BYTES
            left = RING_BYTES - at
            if left < _HEAD.size:
                self._place += left
                continue
            length, count, before = _HEAD.unpack_from(self._frames, at)
            if length == _SKIP:
                self._place += left
                continue
            end = at + _HEAD.size + length
            size = length + FRAME_BYTES
            if size > min(left, until - self._place) or not self._is_likely(count, before, end):
                break
            self._place += size
            return Frame(self._frames[at + _HEAD.size : end], count, before)
        # All was read, or it is garbage: then the place of the newest is all that the next frame can be found by.
        self._place = until
        return None

    def _is_likely(self, count: int, before: int, end: int) -> bool:
        """Whether these numbers agree, and go on from those before: a frame of long ago, or of nobody, has others."""
        known = self._ring.logged + self._ring.dropped
        return known <= before <= known + RING_BYTES and _TAIL.unpack_from(self._frames, end)[0] == before + count

    def take(self) -> None:
        """Give the room of all frames that `next` returned back: their bytes may change from here on."""
        self._ring.words[_TAKEN] = self._place
