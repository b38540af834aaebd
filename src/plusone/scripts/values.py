"""Settings as a script has them (numpy scalars, paths, dataclasses, argparse's namespaces) as plain JSON values."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ..base.errors import UsageError

__all__ = ["plain_settings"]

_DEEPEST = 50


def plain_settings(settings: Any) -> dict[str, Any]:
    """Return settings as a fresh dict of JSON values; a later change of what was given does not reach it.

    Takes a mapping, a dataclass, or what argparse parsed. Values may be text, numbers (numpy's too), booleans, None,
    paths, enums, dataclasses, and lists, tuples, sets and mappings of these. NaN and infinities become text.

    Raises:
        UsageError: for anything else; the message says which setting and what was found.
    """
    found = _plain(settings, "settings", 0)
    if not isinstance(found, dict):
        raise UsageError(
            f"settings is a {type(settings).__name__}: expected a dict.", mend='settings={"learning_rate": 0.1}'
        )
    return found


def _plain(value: Any, place: str, depth: int) -> Any:
    if depth > _DEEPEST:
        raise UsageError(f"{place[:100]} is nested over {_DEEPEST} deep, or in itself.")
    if isinstance(value, enum.Enum):
        value = value.value
    if hasattr(value, "dtype") and hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, str):
        return _text(str(value), place)
    if isinstance(value, (int, float)):
        return _number(value, place)
    return _container(value, place, depth)


def _container(value: Any, place: str, depth: int) -> Any:
    if isinstance(value, argparse.Namespace):
        value = vars(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_key(key, place): _plain(part, f"{place}[{key!r}]", depth + 1) for key, part in value.items()}
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=repr)
    if isinstance(value, (list, tuple)):
        return [_plain(part, f"{place}[{index}]", depth + 1) for index, part in enumerate(value)]
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise UsageError(
        f"{place} is of type {kind}: expected text, a number, a boolean, None, or a list or dict of these.",
        mend="give its name or its parameters, for example str(x) or x.get_params()",
    )


def _number(value: float, place: str) -> Any:
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise UsageError(f"{place} is {value}: expected an integer of 64 bits.", mend="give it as text: str(n)")
        return int(value)
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _key(key: Any, place: str) -> str:
    if not isinstance(key, str) or not key:
        raise UsageError(f"{place} has the key {key!r}: expected text that is not empty.")
    return _text(key, place)


def _text(text: str, place: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{place} has the text {text!r}, which is no valid Unicode.") from None
    return text
