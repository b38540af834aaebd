"""Which packages may make types that are not known to be safe: those whose digest a person trusted (law 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..base.errors import UnsafeValue
from ..base.records import Package

__all__ = ["Trusted", "require_trust"]

Trusted = frozenset[str] | Callable[[str], bool]
"""The digests of packages that a person trusted, or what says of one whether it is."""

_SHOWN = 8


def require_trust(package: Package, digest: str, trusted: Trusted) -> None:
    """Return if the package names no type that is not known to be safe, or a person trusted exactly this package.

    Raises:
        UnsafeValue: with the types, and the command that permits them.
    """
    types: Sequence[str] = package.options.get("types", ())
    if not types or (trusted(digest) if callable(trusted) else digest in trusted):
        return
    more = f" and {len(types) - _SHOWN} more" if len(types) > _SHOWN else ""
    raise UnsafeValue(
        f"The package {digest[:12]} of the model {package.model!r} has types in it that are not known to be safe: "
        f"{', '.join(types[:_SHOWN])}{more}. A crafted file could do harm with them, and nobody trusted this one.",
        mend=f"if you know who made it: plusone trust {package.model}@n, with the number of the release",
        types=list(types),
        digest=digest,
    )
