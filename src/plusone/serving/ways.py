"""How a request says which release it is for: by its address, by a header, by a key, or not at all."""

from __future__ import annotations

from collections.abc import Mapping

from ..base.errors import BadRequest
from ..evidence.evidence import ADDRESSED, SERVED, Kind
from ..hosting.table import Entry, Target

__all__ = ["KEY", "MOST_KEY_BYTES", "RELEASE", "VARYING", "Way", "split", "way_of"]

KEY = "plusone-key"
"""The header, and the metadata of gRPC: requests with equal keys are answered by one release."""
RELEASE = "plusone-release"
"""The header, and the metadata of gRPC, that chooses a release: `live`, `previous`, `canary`, `shadow`, or a number."""
MOST_KEY_BYTES = 200
VARYING = (KEY, "traceparent", "tracestate", "x-request-id")
"""Headers whose values differ from request to request, and change nothing of what is at an address."""


class Way:
    """What the address and the headers of a request say of the release that it is for."""

    __slots__ = ("kind", "which")

    def __init__(self, which: str) -> None:
        self.which = which
        """`live`, `previous`, `canary`, `shadow`, a number; empty where the route chooses."""
        self.kind: Kind = ADDRESSED if which else SERVED
        """How its requests are counted."""

    def choose(self, entry: Entry, headers: Mapping[str, str], prediction_id: str) -> tuple[Target, str | None]:
        """Return the release for a request, and the `key` of its `Job`.

        Raises:
            BadRequest: when the key is too long.
            NotFound: when there is no such release in the route.
        """
        key = headers.get(KEY, "")
        if len(key) > MOST_KEY_BYTES:
            raise BadRequest(
                f"The {KEY} has {len(key)} bytes: expected at most {MOST_KEY_BYTES}.",
                mend=f"send a hash of it as {KEY}, for example the first 32 letters of its SHA-256",
            )
        if self.which:
            return entry.find(self.which), None
        return entry.choose(key or prediction_id), key


def split(name: str) -> tuple[str, str | None]:
    """Return the model and the release of a name in an address, `flights@live` or `flights`; None: it says none."""
    model, at, which = name.partition("@")
    return model, which if at else None


def way_of(headers: Mapping[str, str], which: str | None = None) -> Way | None:
    """Return what a request says of its release; None where it says nothing.

    Args:
        headers: by name in lower case.
        which: the release in its address, None where there is none.

    Raises:
        BadRequest: when address and header name two.
    """
    said = headers.get(RELEASE, "")
    if which is not None and said and said != which:
        raise BadRequest(
            f"The address names the release {which[:40]!r}, and the header {RELEASE} {said[:40]!r}: expected one.",
            mend=f"leave the header {RELEASE} out",
        )
    if which is not None or said:
        return Way(said if which is None else which or "@")
    return Way("") if headers.get(KEY) else None
