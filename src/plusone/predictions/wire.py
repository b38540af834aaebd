"""The body of `POST /models/{name}/labels`: JSON to labels that fit what the model answers, or a clear refusal."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

import msgspec

from ..base.errors import InvalidInput
from ..base.records import Output
from ..labels.labels import MOST_LISTED, ReadValue, expected_of, is_listed, label_reader
from .layout import LabelRow

__all__ = ["MOST_ID", "MOST_LABELS", "accepted", "read_label", "read_labels"]

MOST_LABELS = 10_000
"""How many labels a request may have."""
MOST_ID = 200
"""How many characters the id of a prediction may have."""
_SHAPE = '{"labels": [{"id": "...", "label": value, "at": "2026-01-31T12:00:00Z"}, ...]}'
_KEYS = ("id", "label", "at")
_LAST_YEAR = 9999
_SECONDS = len("2026-01-31T12:00:00Z")
_to_text = msgspec.to_builtins
_LARGE_BYTES = 64 * 1024
_Plain = str | int | float | bool | None
_Listed = Annotated[list[_Plain], msgspec.Meta(max_length=MOST_LISTED)]
_EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def read_labels(body: bytes | bytearray | memoryview, output: Output) -> list[LabelRow]:
    """Return the labels of a body, in order; one that stands there twice is returned once.

    The id names a prediction that has one row, or, as `ID:3`, the row 3 (from 0) of one that has more. It need not be
    the id of a prediction that was logged.

    Raises:
        InvalidInput: for anything that does not fit; details: row, field, value, expected, where they exist.
    """
    found = _read_fast(body, output)
    return _read_slowly(body, output) if found is None else found


class _Label(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_ID)]
    label: _Plain
    at: dt.datetime | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    labels: Annotated[list[_Label], msgspec.Meta(min_length=1, max_length=MOST_LABELS)]


class _ListLabel(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_ID)]
    label: _Plain | _Listed | dict[str, _Plain]
    at: dt.datetime | None = None


class _ListBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    labels: Annotated[list[_ListLabel], msgspec.Meta(min_length=1, max_length=MOST_LABELS)]


_decode = msgspec.json.Decoder(_Body).decode
_decode_lists = msgspec.json.Decoder(_ListBody).decode


def _read_fast(body: bytes | bytearray | memoryview, output: Output) -> list[LabelRow] | None:
    """Return the labels of a body in which nothing is wrong and no prediction stands twice; of any other None."""
    try:
        rows: list[Any] = (_decode_lists if is_listed(output) else _decode)(body).labels
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    read_value = label_reader(output)
    found: list[LabelRow] = []
    for row in rows:
        one, value, at = row.id, read_value(row.label), row.at
        if value is None or not one.isprintable():
            return None
        if at is not None:
            if at.tzinfo is None or at.year <= _EARLIEST.year or at.year >= _LAST_YEAR:
                return None
            # Ten times as fast as datetime's own way; without a fraction when there is none.
            text = _to_text(at.astimezone(dt.UTC))
            found.append((one, value, text if len(text) > _SECONDS else f"{text[:-1]}.000000Z"))
        else:
            found.append((one, value, None))
    return found if len({row[0] for row in found}) == len(found) else None


def _read_slowly(body: bytes | bytearray | memoryview, output: Output) -> list[LabelRow]:
    read_value = label_reader(output)
    found: dict[str, LabelRow] = {}
    for place, row in enumerate(_rows(body, is_listed(output))):
        label = read_label(row, place, read_value, output)
        if found.setdefault(label[0], label)[1] != label[1]:
            raise _wrong(
                f"Label {place}: the prediction {label[0]!r} has another label before it in this request.",
                row=place, field="label", value=_shown(row["label"]), expected=f"{found[label[0]][1]}, or one label",
            )  # fmt: skip
    return list(found.values())


def accepted(count: int) -> bytes:
    """Return the body of the answer 202 to a request with so many labels."""
    return b'{"accepted":%d}' % count


def read_label(row: Any, place: int, read_value: ReadValue, output: Output, *, what: str = "Label") -> LabelRow:
    """Return one label of a request.

    Args:
        row: what JSON has for it.
        place: where it stands, from 0, and `what` that is a place of: for messages.

    Raises:
        InvalidInput: when it does not fit.
    """
    if not isinstance(row, dict):
        raise _wrong(
            f"{what} {place} is {_kind(row)}: expected an object.", row=place, value=_shown(row), expected=_SHAPE
        )
    for key in row:
        if key not in _KEYS:
            raise _wrong(
                f"{what} {place} has an unknown field {key[:100]!r}.", row=place, field=key[:100], expected=_SHAPE
            )
    for key in ("id", "label"):
        if key not in row:
            raise _wrong(f"{what} {place}: the field {key!r} is missing.", row=place, field=key, expected=_SHAPE)
    value = read_value(row["label"])
    if value is None:
        expected = expected_of(output)
        raise _wrong(
            f"{what} {place}: {_shown(row['label'])} can't be the label of a prediction of this model: "
            f"expected {expected}.",
            row=place, field="label", value=_shown(row["label"]), expected=expected,
        )  # fmt: skip
    return _read_id(row["id"], place, what), value, _read_at(row.get("at"), place, what)


# ---------------------------------------------------------------------------------------------- inside


class _AnyLabel(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: _Plain
    label: _Plain
    at: _Plain = None


class _AnyBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    labels: Annotated[list[_AnyLabel], msgspec.Meta(min_length=1, max_length=MOST_LABELS)]


class _AnyListLabel(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: _Plain
    label: _Plain | _Listed | dict[str, _Plain]
    at: _Plain = None


class _AnyListBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    labels: Annotated[list[_AnyListLabel], msgspec.Meta(min_length=1, max_length=MOST_LABELS)]


_read_shape = msgspec.json.Decoder(_AnyBody).decode
_read_list_shape = msgspec.json.Decoder(_AnyListBody).decode
_PLACE = re.compile(r"\$\.labels\[(\d+)\]")


def _check_shape(body: bytes | bytearray | memoryview, listed: bool) -> None:
    """Refuse a large body that is no list of labels, before Python makes an object of each part of it.

    A megabyte of empty lists is a quarter of a second of work for the general decoder, which nobody else can run in.
    """
    try:
        (_read_list_shape if listed else _read_shape)(body)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        row = {"row": int(place[1])} if place else {}
        raise _wrong(f"The body is no list of labels: {error}.", expected=_SHAPE, **row) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(f"The body is no JSON: {error}.", expected=_SHAPE) from None


def _rows(body: bytes | bytearray | memoryview, listed: bool) -> list[Any]:
    if len(body) > _LARGE_BYTES:
        _check_shape(body, listed)
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(f"The body is no JSON: {error}.", expected=_SHAPE) from None
    if not isinstance(data, dict) or "labels" not in data:
        raise _wrong("The body has no labels.", value=_shown(data), expected=_SHAPE)
    if len(data) > 1:
        other = next(key for key in data if key != "labels")[:100]
        raise _wrong(f"The body has an unknown field {other!r}.", field=other, expected=_SHAPE)
    rows = data["labels"]
    if not isinstance(rows, list):
        raise _wrong(
            f"The labels are {_kind(rows)}: expected a list.", field="labels", value=_shown(rows), expected=_SHAPE
        )
    if not 1 <= len(rows) <= MOST_LABELS:
        expected = f"1 to {MOST_LABELS} labels a request"
        raise _wrong(f"There are {len(rows)} labels: expected {expected}.", value=str(len(rows)), expected=expected)
    return rows


def _read_id(value: Any, place: int, what: str) -> str:
    if isinstance(value, str) and 1 <= len(value) <= MOST_ID and value.isprintable():
        return value
    expected = f"text of 1 to {MOST_ID} printable characters"
    raise _wrong(
        f"{what} {place}: {_shown(value)} is no id of a prediction: expected {expected}.",
        row=place, field="id", value=_shown(value), expected=expected,
    )  # fmt: skip


def _read_at(value: Any, place: int, what: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            moment = msgspec.convert(value, dt.datetime)
        except msgspec.ValidationError:
            moment = None
        try:
            # One close to the year 1 or 10000 has no UTC.
            moment = moment.astimezone(dt.UTC) if moment and moment.tzinfo else None
        except OverflowError:
            moment = None
        if moment is not None and moment >= _EARLIEST:
            return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    expected = "a time with its zone, from 1970 on: 2026-01-31T12:00:00Z"
    raise _wrong(
        f"{what} {place}: {_shown(value)} is no time: expected {expected}.",
        row=place, field="at", value=_shown(value), expected=expected,
    )  # fmt: skip


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return _kind(value)
    return repr(value)[:100] if not isinstance(value, bool | None) else msgspec.json.encode(value).decode()


def _wrong(message: str, **details: Any) -> InvalidInput:
    return InvalidInput(message, mend=f"send {_SHAPE}", **details)
