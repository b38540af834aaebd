"""The slow way through the JSON of a request: what exactly is wrong with it, in words that name the row and the field.

It is gone after the fast way refused a body, and it may take what that one does not: an integer written as `3.0`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec

from ..base.errors import InvalidInput
from ..base.records import Field
from ..signatures.tables import Known, describe, fits, invalid, shown
from . import media

__all__ = ["rows", "told", "unknown"]

_PLACE = re.compile(
    r"\$\.(?:rows\[(?P<row>\d+)\](?:\.(?P<field>.+?))?|columns\.(?P<column>.+)\[(?P<index>\d+)\])`", re.DOTALL
)
_DEEPER = re.compile(r"(?:\[\d+\])+$")
_SHAPE = '{"rows": [{"field": value, ...}, ...]} or {"columns": {"field": [value, ...], ...}}'


def rows(
    body: bytes, error: Exception | None, fields: Sequence[Field], order: Sequence[str], known: Known
) -> list[tuple[Any, ...]]:
    """Return the rows of a body, one tuple each, in the order given.

    Args:
        error: what the fast way raised, the cause of what is raised here.

    Raises:
        InvalidInput: for the first thing that does not fit.
    """
    kind, content = _content(body, error)
    found: list[Any] = content if kind == "rows" else _from_columns(content, fields, known)
    by_name = {field.name: field for field in fields}
    out: list[tuple[Any, ...]] = []
    for place, row in enumerate(found):
        _check_row(place, row, by_name, known)
        out.append(tuple(_converted(by_name[name], row[name]) for name in order))
    return out


def told(error: Exception, fields: Sequence[Field], known: Known) -> InvalidInput | None:
    """Return what the fast way says of a body, in our words; None when only the slow way can tell.

    It costs nothing, however big the body is: no object is made of it. It does not say what stood there.
    """
    if isinstance(error, RecursionError):
        return InvalidInput("The body is nested too deeply.", expected=_SHAPE)
    what, _, path = str(error).partition(" - at `")
    what = what[:500].rstrip(".")
    if not isinstance(error, msgspec.ValidationError):
        return InvalidInput(f"The body is not valid JSON: {what}.", expected=_SHAPE)
    if what == "Expected `int`, got `float`":  # 3.0 is taken
        return None
    place = _PLACE.fullmatch(path)
    if place is None:
        return InvalidInput(f"The body does not fit, at {path.rstrip('`') or '$'}: {what}.", expected=_SHAPE)
    row, name = int(place["row"] or place["index"]), place["field"] or place["column"]
    where = ""
    if name is not None and (deeper := _DEEPER.search(name)) is not None:
        row, name, where = _in_tensor(place, deeper, fields)
    field = next((field for field in fields if field.name == name), None)
    expected = describe(field, known) if field else "an object with one value for each field"
    where = (f"Row {row}, field {name!r}" if name else f"Row {row}") + where
    return InvalidInput(f"{where}: {what}: expected {expected}.", row=row, field=name, value=None, expected=expected)


def _in_tensor(place: re.Match[str], deeper: re.Match[str], fields: Sequence[Field]) -> tuple[int, str, str]:
    """Return the row, the field and where in its value, of a path that goes on in brackets behind the name."""
    found = place["field"] or place["column"]
    name = found[: deeper.start()]
    if not any(field.name == name and field.shape is not None for field in fields):
        return int(place["row"] or place["index"]), found, ""
    at = [int(index) for index in re.findall(r"\d+", deeper[0])]
    if place["column"]:
        at.append(int(place["index"]))
        return at[0], name, f", at {at[1:]}"
    return int(place["row"]), name, f", at {at}"


def unknown(name: Any, names: Sequence[str], where: str) -> InvalidInput:
    """Return the error for a field that the model does not take; `where` says what has it, e.g. `Row 3`."""
    return InvalidInput(
        f"{where} the field {shown(name)}, which the model does not take: expected {', '.join(names)}.",
        row=None,
        field=_sent(name),
        value=None,
        expected=f"only the fields {', '.join(names)}",
    )


def _check_row(place: int, row: Any, by_name: dict[str, Field], known: Known) -> None:
    if not isinstance(row, dict):
        raise InvalidInput(
            f"Row {place} is {shown(row)}: expected an object with one value for each field.",
            row=place,
            field=None,
            value=shown(row),
            expected="an object",
        )
    for field in by_name.values():
        if field.name not in row:
            expected = describe(field, known)
            raise InvalidInput(
                f"Row {place} has no field {field.name!r}: expected {expected}.",
                row=place,
                field=field.name,
                value=None,
                expected=expected,
            )
        if not fits(row[field.name], field, known) and not media.is_encoded(place, field, row[field.name]):
            raise invalid(place, field, row[field.name], known)
    for name in row:
        if name not in by_name:
            error = unknown(name, list(by_name), f"Row {place} has")
            error.details["row"] = place
            raise error


def _from_columns(columns: Any, fields: Sequence[Field], known: Known) -> list[Any]:
    """Return the rows of `{"field": [value, ...], ...}`, whose values are not looked at yet."""
    if not isinstance(columns, dict):
        raise InvalidInput(
            f"'columns' is {_kind(columns)}: expected an object with one list for each field.",
            value=shown(columns),
            expected="an object",
        )
    names = [field.name for field in fields]
    for name in columns:
        if name not in names:
            raise unknown(name, names, "'columns' has")
    for field in fields:
        expected = f"a list, of {describe(field, known)} in each place"
        if field.name not in columns:
            raise InvalidInput(
                f"'columns' has no field {field.name!r}: expected {expected}.",
                row=None,
                field=field.name,
                value=None,
                expected=expected,
            )
        values = columns[field.name]
        if not isinstance(values, list):
            raise InvalidInput(
                f"The column {field.name!r} is {_kind(values)}: expected {expected}.",
                row=None,
                field=field.name,
                value=shown(values),
                expected=expected,
            )
        first = len(columns[names[0]])
        if len(values) != first:
            raise InvalidInput(
                f"The column {field.name!r} has {len(values)} values, the column {names[0]!r} has {first}: "
                "expected as many in each.",
                row=min(first, len(values)),
                field=field.name,
                value=None,
                expected=f"{first} values",
            )
    if not columns[names[0]]:
        raise InvalidInput("'columns' has no rows: expected at least one.", value="[]", expected="at least one row")
    return [dict(zip(names, row, strict=True)) for row in zip(*(columns[name] for name in names), strict=True)]


def _converted(field: Field, value: Any) -> Any:
    if field.shape is not None:
        return media.Encoded(base64=media.unpacked(value)) if isinstance(value, dict) else value
    if value is None or isinstance(value, (bool, str)):
        return value
    return int(value) if field.dtype == "int64" else float(value)


def _content(body: bytes, error: Exception | None) -> tuple[str, Any]:
    """Return `rows` or `columns` with what stands there as plain values, or say why it is not a body at all."""
    try:
        value = _loads(body.decode("utf-8"))
    except UnicodeDecodeError as wrong:
        raise InvalidInput(
            f"The body is not UTF-8: byte {wrong.start} is 0x{body[wrong.start]:02x}.", expected="JSON in UTF-8"
        ) from error
    except RecursionError:
        raise InvalidInput("The body is nested too deeply.", expected=_SHAPE) from error
    except ValueError as wrong:
        raise InvalidInput(f"The body is not valid JSON: {wrong}.", expected=_SHAPE) from error
    if not isinstance(value, dict):
        raise InvalidInput(f"The body is {_kind(value)}: expected {_SHAPE}.", value=shown(value), expected=_SHAPE)
    keys: list[str] = list(value)
    kind = next((key for key in ("rows", "columns") if key in keys), None)
    if kind is None:
        raise InvalidInput(f"The body has no 'rows': expected {_SHAPE}.", expected=_SHAPE)
    if extra := [key for key in keys if key != kind]:
        raise InvalidInput(f"The body has {shown(extra[0])} beside {kind!r}: expected {_SHAPE}.", expected=_SHAPE)
    content: Any = value[kind]
    if kind == "columns":
        return kind, content
    if not isinstance(content, list):
        raise InvalidInput(f"'rows' is {_kind(content)}: expected a list.", value=shown(content), expected="a list")
    if not content:
        raise InvalidInput("'rows' is empty: expected at least one row.", value="[]", expected="at least one row")
    return kind, content


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _sent(name: Any) -> str:
    return str(name).encode("utf-8", "replace").decode("utf-8")[:200]


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        if "digits" not in str(error):
            raise
        # A call for each integer makes it twenty times slower, which only such a body need bear.
        return json.loads(text, parse_constant=_no_constant, parse_int=_int)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value (numbers are finite; a missing value is null)")


def _int(text: str) -> int | float:
    # Python refuses to read integers of more than 4,300 digits; no field takes one, so infinity stands for it.
    return int(text) if len(text) < 4000 else math.copysign(math.inf, -1 if text.startswith("-") else 1)
