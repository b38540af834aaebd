"""The words of the HTTP protocol: ids, errors, and the description of a model that helps to send a first request.

Nothing here knows a socket or a process: values in, bytes out.
"""

from __future__ import annotations

import os
import time
from typing import Any

import msgspec

from ..base.errors import MethodNotAllowed, NotFound, PlusoneError, Unavailable, WrongContentType
from ..hosting.table import Entry, Table, Target
from ..openapi.schemas import example_row

__all__ = [
    "Ids",
    "describe",
    "encode",
    "method_not_allowed",
    "no_such_address",
    "no_such_model",
    "unexpected",
    "wrong_content_type",
]

encode = msgspec.json.Encoder(enc_hook=str).encode

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # as base.ids.new_id writes them
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


class Ids:
    """Makes ids in the form of `base.ids.new_id`, about ten times faster. For one thread.

    26 characters: 48 bits of milliseconds, then 60 bits drawn at random by this maker, then a count of 20 bits. Two ids
    of one maker differ in the count, and a new random part is drawn when it is full; two makers (processes) differ in
    the random part, where a collision needs the same millisecond and the same 60 bits. Ids of one maker sort in the
    order of making.
    """

    __slots__ = ("_count", "_millisecond", "_prefix", "_random", "_time")

    def __init__(self) -> None:
        self._millisecond = -1
        self._time = ""
        self._prefix = ""
        self._random = ""
        self._count = 1 << 20

    def new(self) -> str:
        """Return an id that no other call, here or elsewhere, returned."""
        millisecond = time.time_ns() // 1_000_000
        if self._count >= 1 << 20:
            self._draw()
        if millisecond > self._millisecond:  # a clock that was set back keeps the last time: the order stays
            self._millisecond = millisecond
            self._time = _letters(millisecond, 10)
            self._prefix = self._time + self._random
        count = self._count
        self._count = count + 1
        return self._prefix + _PAIRS[count >> 10] + _PAIRS[count & 1023]

    def _draw(self) -> None:
        self._random = _letters(int.from_bytes(os.urandom(8), "big") >> 4, 12)
        self._millisecond += 1  # the next random part may sort before the one before: the time makes up for it
        self._time = _letters(self._millisecond, 10)
        self._prefix = self._time + self._random
        self._count = 0


def _letters(value: int, length: int) -> str:
    out: list[str] = []
    for _ in range(length):
        out.append(_ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(out))


# ---------------------------------------------------------------------------------- errors


def no_such_model(name: str, table: Table) -> PlusoneError:
    """Return the error for a model that is not served: 404, or 503 when it is routed and not loaded."""
    if name in table.failed:
        what = table.failed[name]
        return Unavailable(
            f"The model {name!r} can't be loaded (route version {what['version']}): {what['error']}",
            mend=f"plusone rollback {name}, or plusone promote another release of it",
            model=name,
        )
    if name in table.loading:
        return Unavailable(f"The model {name!r} is still loading.", mend="send it again in a moment", model=name)
    known = sorted(table.entries)
    if not known:
        return Unavailable(f"No model is served yet: {table.unready()}", mend="plusone release", model=name)
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return NotFound(
        f"No model is called {_cut(name)!r}. Served here: {shown}.",
        mend=f"POST /models/{known[0]}/predict",
        model=_cut(name),
        known=known,
    )


def no_such_address(path: str) -> PlusoneError:
    """Return the 404 for a path that is none of ours."""
    return NotFound(
        f"There is nothing at {_cut(path)!r}.",
        mend="POST /models/NAME/predict, GET /models, /models/NAME, /health/live, /health/ready or /metrics",
    )


def method_not_allowed(method: str, path: str, allowed: str) -> PlusoneError:
    """Return the 405 for a path of ours with another method; `allowed` is what the Allow header says."""
    return MethodNotAllowed(
        f"{_cut(path)} does not take {_cut(method)}: expected {allowed}.",
        mend=f"{allowed.split(',')[0]} {_cut(path)}",
        allowed=allowed,
    )


def unexpected(request_id: str) -> PlusoneError:
    """Return the 500 for a model that raised what it must not; the cause is in the log only, under the id."""
    return PlusoneError(
        "The model could not answer this request: an unexpected error.",
        mend=f"search the worker's log (serving/logs/) for {request_id}",
        id=request_id,
    )


def wrong_content_type(value: str, expected: tuple[str, ...]) -> PlusoneError:
    """Return the 415 for a body of another type."""
    return WrongContentType(
        f"The body is said to be {_cut(value)!r}: expected {' or '.join(expected)}.",
        mend=f"content-type: {expected[0]}",
    )


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."


# ---------------------------------------------------------------------------------- descriptions


def describe(entry: Entry, target: Target) -> dict[str, Any]:
    """Return what `GET /models/{name}` answers: a release, its signature, a request to try, and what is in the route.

    Args:
        target: the release that is asked about.
    """
    warm = [one.release for one in entry.held if one.share == one.shadow == 0.0]
    signature = target.predictor.signature
    row = example_row(signature, target.predictor.known)
    path = f"/models/{entry.model}{'' if target is entry.live else f'@{target.release}'}/predict"
    return {
        "model": entry.model,
        "release": target.release,
        "package": target.package,
        "route_version": entry.version,
        "shares": {str(one.release): one.share for one in entry.held if one.share > 0.0},
        "shadows": {str(one.release): one.shadow for one in entry.held if one.shadow > 0.0},
        "warm": warm,
        "addresses": {f"{entry.model}@{which}": one.release for which, one in entry.addresses().items()},
        "signature": msgspec.to_builtins(signature),
        # A row with a large tensor would be longer than all else together.
        "example": row
        and {
            "method": "POST",
            "path": path,
            "headers": {"content-type": "application/json"},
            "body": {"rows": [row]},
        },
    }
