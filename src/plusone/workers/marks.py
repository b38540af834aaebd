"""What a worker is loading, written down before it begins: who is killed by it leaves word to the next one in its slot.

A mark is removed when its load ended, well or badly. One that is found at the start of a worker says what killed the
one before it, or what was under way when something else did.
"""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import msgspec

from . import routes

__all__ = ["HUNG", "Mark", "judge", "read", "read_others", "sweep", "write"]

HUNG = "hung"
"""The end of a worker that the supervisor killed because its event loop stood still."""

_OWN_FAULT = {-int(number) for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)}
_CHANCES = 2


class Mark(msgspec.Struct, kw_only=True, frozen=True):
    """A load that was begun and did not end."""

    model: str
    version: int
    """The version of the model's route for which it was loaded."""
    deaths: int = 0
    """How many workers of this slot died while they loaded it."""
    refused: str = ""
    """Why it is not loaded any more; empty when it may be."""


_decoder = msgspec.json.Decoder(dict[str, Mark])


def _path(folder: Path, slot: int) -> Path:
    return folder / "workers" / f"{slot}.loading"


def read(folder: Path, slot: int) -> dict[str, Mark]:
    """Return the marks of a slot by package; none when the file is missing or damaged."""
    return _read(_path(folder, slot))


def _read(path: Path) -> dict[str, Mark]:
    try:
        return _decoder.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def read_others(folder: Path, slot: int) -> dict[str, Mark]:
    """Return the marks of all other slots by package."""
    found: dict[str, Mark] = {}
    for path in (folder / "workers").glob("*.loading"):
        if path.stem != str(slot):
            found |= _read(path)
    return found


def write(folder: Path, slot: int, marks: dict[str, Mark]) -> None:
    """Make `marks` those of a slot; they outlive the process, not a power cut. Raises OSError."""
    if marks:
        routes.replace(_path(folder, slot), marks)
        return
    with contextlib.suppress(FileNotFoundError):
        _path(folder, slot).unlink()


def sweep(folder: Path, slots: set[int]) -> None:
    """Remove the marks of slots in which no worker sits, and none will."""
    for path in (folder / "workers").glob("*.loading"):
        if path.stem.isdigit() and int(path.stem) not in slots and not routes.is_held(folder, int(path.stem)):
            with contextlib.suppress(OSError):
                path.unlink()


def judge(marks: dict[str, Mark], end: str) -> dict[str, Mark]:
    """Return what to make of the marks that a dead worker left.

    A load is refused when it was the only one under way and the worker died of a fault of its own (a crash in native
    code, an event loop that stood still), or, whatever it died of, for the second time. A worker that was killed once,
    by a person or for want of memory, may have been unlucky; and of two loads one may be innocent: they are tried
    again, one after the other.

    Args:
        end: how the worker ended: its exit code, negative for a signal, as text; `HUNG`; or empty when nobody knows.
    """
    suspects = [package for package, mark in marks.items() if not mark.refused]
    found = dict(marks)
    for package in suspects:
        mark = msgspec.structs.replace(marks[package], deaths=marks[package].deaths + 1)
        own_fault = end == HUNG or end in map(str, _OWN_FAULT)
        if len(suspects) == 1 and (own_fault or mark.deaths >= _CHANCES):
            mark = msgspec.structs.replace(mark, refused=_words(mark, end))
        found[package] = mark
    return found


def _words(mark: Mark, end: str) -> str:
    how = "its event loop stood still, and it was killed" if end == HUNG else f"it ended with {end or 'no word'}"
    if end.startswith("-"):
        with contextlib.suppress(ValueError):
            how = f"it was ended by {signal.Signals(-int(end)).name}"
    times = "" if mark.deaths == 1 else f", the last of {mark.deaths} times"
    return f"a worker died while it loaded this release ({how}{times}): it is not loaded again."
