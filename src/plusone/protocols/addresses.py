"""The addresses of the Open Inference Protocol over HTTP: a path to what it asks for, of which model and release."""

from __future__ import annotations

from typing import NamedTuple

from ..base.errors import MethodNotAllowed, NotFound
from ..signatures.tables import shown

__all__ = ["Address", "read_address"]


class Address(NamedTuple):
    """What a path asks for.

    Attributes:
        what: `server`, `live`, `ready`, `index`, `all-stats`, or of a model `model`, `model-ready`, `config`, `stats`
            or `infer`.
        model: its name as it stands in the path; empty for the server's own addresses.
        version: the release as it stands in the path; empty for the one that is live.
    """

    what: str
    model: str = ""
    version: str = ""


_SERVER: dict[tuple[str, ...], Address] = {
    (): Address("server"),
    ("health", "live"): Address("live"),
    ("health", "ready"): Address("ready"),
    ("repository", "index"): Address("index"),
    ("models", "stats"): Address("all-stats"),
}
_MODEL = {"": "model", "ready": "model-ready", "config": "config", "stats": "stats", "infer": "infer"}
_POSTED = ("index", "infer")


def read_address(method: str, path: str) -> Address:
    """Return what a request for a path below `/v2` asks for.

    Raises:
        MethodNotAllowed: when the address takes another method; its detail `allowed` is what the header Allow says.
        NotFound: when there is no such address.
    """
    address = _find(path.removeprefix("/").removesuffix("/").split("/"))
    if address is None:
        raise NotFound(
            f"There is nothing at {shown(path)}.",
            mend="POST /v2/models/NAME/infer, GET /v2/models/NAME, /v2, /v2/health/live or /v2/health/ready",
        )
    allowed = "POST" if address.what in _POSTED else "GET, HEAD"
    if method not in allowed.split(", "):
        raise MethodNotAllowed(
            f"{shown(path)} does not take {shown(method)}: expected {allowed}.",
            mend=f"{allowed.partition(',')[0]} {path[:120]}",
            allowed=allowed,
        )
    return address


def _find(parts: list[str]) -> Address | None:
    if parts[0] != "v2" or "" in parts:
        return None
    known = _SERVER.get(tuple(parts[1:]))
    if known is not None or len(parts) < 3 or parts[1] != "models":
        return known
    model, rest = parts[2], parts[3:]
    version = ""
    if rest and rest[0] == "versions":
        if len(rest) < 2:
            return None
        version, rest = rest[1], rest[2:]
    what = _MODEL.get(rest[0] if rest else "") if len(rest) <= 1 else None
    return None if what is None else Address(what, model, version)
