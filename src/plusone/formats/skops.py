"""Reads scikit-learn models that skops wrote: a zip of JSON and arrays, in which every type is named and none is code.

It knows skops. It knows no file and no digest but to name them.
"""

from __future__ import annotations

import warnings
from typing import Any

from ..base.errors import UnsafeValue, UsageError

__all__ = ["load_skops"]

_SHOWN = 8


def load_skops(data: bytes, *, path: str, digest: str, trusted: bool) -> Any:
    """Return the object in `data`.

    Args:
        path: where the bytes come from, for messages.
        digest: their sha256, for messages.
        trusted: whether a person trusted exactly these bytes: then types are made that skops does not know to be safe.

    Raises:
        UnsafeValue: when it names such types and nobody trusted it.
        UsageError: when it can't be read, or skops is not installed.
    """
    try:
        import skops.io as skops
    except ImportError as error:
        raise UsageError(
            f"{path} was written by skops, which is not installed.", mend="pip install 'plusone[sklearn]'"
        ) from error
    try:
        unknown = skops.get_untrusted_types(data=data)
    except Exception as error:  # a zip, JSON or anything else in it may be broken
        raise _unreadable(path, error) from error
    if unknown and not trusted:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise UnsafeValue(
            f"{path} names types that are not known to be safe: {', '.join(unknown[:_SHOWN])}{more}. A crafted file "
            "could do harm with them.",
            mend=f"if you know who made that file: --trust {digest}",
            types=unknown,
            digest=digest,
        )
    try:
        with warnings.catch_warnings():
            # Written by another version: whether it answers the same is proven on real rows, not believed.
            warnings.simplefilter("ignore")
            return skops.loads(data, trusted=unknown)
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> UsageError:
    return UsageError(
        f"{path} can't be read by skops: {type(error).__name__}: {str(error)[:500]}",
        mend="log the model again, with the versions of scikit-learn and skops that are installed here",
    )
