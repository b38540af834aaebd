"""What the truth for an answer may be, and the one text that it is kept as.

A label is kept as JSON, so that the same truth, sent in another form, is the same label: 3 and 3.0; the numbers of a
vector in the order of the answer; the items that were right once each, and in order; of several targets an object by
their names, which are sorted, so that a release with another order of targets keeps the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from ..base.records import Output
from .several import singles

__all__ = ["MOST_LISTED", "ReadValue", "expected_of", "is_listed", "label_reader"]

MOST_LISTED = 10_000
"""How many values a label may have."""
_MOST_CLASSES = 20
_MOST_ITEMS = 1000
_MOST_TEXT = 1000
_LIMIT = 2**63

ReadValue = Callable[[Any], str | None]
"""Returns the JSON that a label is kept as, None when it does not fit."""


def label_reader(output: Output) -> ReadValue:
    """Return a function that gives the JSON of a value if it can be the truth for what the model answers."""
    if output.kind == "number":
        return _read_number
    if output.kind == "labels":
        return _object_reader(output)
    if is_listed(output):
        return _list_reader(output)
    known = {(type(label), label): msgspec.json.encode(label).decode() for label in output.classes}
    if all(isinstance(label, bool) for label in output.classes):
        # `1 == True`, so the type is asked as well.
        texts = {label: text for (_, label), text in known.items()}
        return lambda value: texts.get(value) if value is True or value is False else None
    has_numbers = any(type(label) is int for label in output.classes)

    def read(value: Any) -> str | None:
        if has_numbers and type(value) is float and value.is_integer():
            value = int(value)
        try:
            return known.get((type(value), value))
        except TypeError:  # a list or an object
            return None

    return read


def expected_of(output: Output) -> str:
    """Say what a label of this model must be."""
    if output.kind == "number":
        return "a finite number"
    if output.kind == "labels":
        return "an object with " + ", ".join(f"{one.name} ({expected_of(one)})" for one in singles(output))
    if is_listed(output):
        return _expected_list(output)
    shown = ", ".join(msgspec.json.encode(label).decode()[:100] for label in output.classes[:_MOST_CLASSES])
    return f"one of {shown}" + (", ..." if len(output.classes) > _MOST_CLASSES else "")


def is_listed(output: Output) -> bool:
    """Say whether the labels of a model may be lists or objects."""
    return output.kind in ("vector", "ranking", "labels")


def _list_reader(output: Output) -> Callable[[Any], str | None]:
    """Return a function that gives the JSON of a value if it can be the truth for a vector or a ranking, else None.

    Of a vector: a list of as many finite numbers, or an object by their names. Of a ranking: the item that was right,
    or a list of up to 1,000; an empty one says that none was. An item need not be one that the model knows.
    """
    if output.kind == "vector":
        return lambda value: _vector(value, output)
    whole = all(type(item) is int for item in output.classes)
    return lambda value: _items(value, whole)


def _object_reader(output: Output) -> Callable[[Any], str | None]:
    """Return a function that gives the JSON of an object with a label for each of several targets, all of them."""
    readers = sorted((one.name, label_reader(one)) for one in singles(output))
    names = {name for name, _ in readers}

    def read(value: Any) -> str | None:
        if not isinstance(value, dict) or set(value) != names:
            return None
        texts = [(name, read_one(value[name])) for name, read_one in readers]
        if any(text is None for _, text in texts):
            return None
        members = ",".join(f"{msgspec.json.encode(name).decode()}:{text}" for name, text in texts)
        return f"{{{members}}}"

    return read


def _expected_list(output: Output) -> str:
    """Say what a label of such a model must be."""
    if output.kind == "vector":
        named = f", or an object with {', '.join(output.names)}" if output.names else ""
        return f"a list of {output.width} finite numbers{named}"
    kind = "an integer" if all(type(item) is int for item in output.classes) else "text"
    return f"the item that was right ({kind}), or a list of up to {_MOST_ITEMS:,} of them"


def _read_number(value: Any) -> str | None:
    """Return the JSON of a finite number, None for anything else."""
    if type(value) not in (int, float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    # 3 and 3.0 are one label, and so are 0.0 and -0.0.
    return msgspec.json.encode(number + 0.0).decode() if math.isfinite(number) else None


def _vector(value: Any, output: Output) -> str | None:
    if isinstance(value, dict) and output.names and set(value) == set(output.names):
        value = [value[name] for name in output.names]
    if not isinstance(value, list) or len(value) != output.width:
        return None
    numbers = [_read_number(one) for one in value]
    return None if None in numbers else f"[{','.join(map(str, numbers))}]"


def _items(value: Any, whole: bool) -> str | None:
    items: list[Any] = value if isinstance(value, list) else [value]
    if len(items) > _MOST_ITEMS or not all(_is_item(item, whole) for item in items):
        return None
    found = {int(item) if whole else item for item in items}
    return msgspec.json.encode(sorted(found)).decode()


def _is_item(value: Any, whole: bool) -> bool:
    if not whole:
        return isinstance(value, str) and 0 < len(value) <= _MOST_TEXT and _is_text(value)
    if type(value) is float and not value.is_integer():
        return False
    return type(value) in (int, float) and -_LIMIT <= value < _LIMIT


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True
