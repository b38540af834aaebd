"""The JSON of a request to columns, in one pass, with a decoder that is made for one signature.

The fast way is a msgspec decoder of a type that is the signature. When it refuses a body, a slow way walks the raw JSON
to say precisely what was wrong; it also takes integers that were written as floats (`3.0`), which the fast one refuses.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Annotated, Any, Literal, NoReturn, cast

import msgspec
import numpy as np

from ..base.errors import InvalidInput
from ..base.records import Field
from ..formats.layout import MISSING, Block, Columns
from ..packaging.tables import Known, describe, fits, invalid, shown

__all__ = ["Decoder"]

_SHAPE = '{"rows": [{"field": value, ...}, ...]}'
_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Decoder:
    """Reads the requests of one signature. Nothing in it changes after it was made, so threads may share it."""

    def __init__(self, fields: Sequence[Field], blocks: Sequence[Block], known: Known) -> None:
        self._fields = tuple(fields)
        self._known = known
        self._by_name = {field.name: field for field in fields}
        self._blocks = [
            _Reader(block, start, any(self._by_name[name].nullable for name in block.fields))
            for block, start in zip(blocks, _starts(blocks), strict=True)
        ]
        self._order = [name for block in blocks for name in block.fields]
        self._decode = self._make_decoder()
        self._as_tuple = msgspec.structs.astuple

    def decode(self, body: bytes | bytearray | memoryview) -> Columns:
        """Return the columns of a body `{"rows": [{...}, ...]}`.

        Raises:
            InvalidInput: for anything that does not fit; details: row, field, value, expected, where they exist.
        """
        try:
            rows = self._decode(body).rows
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return self._walk(bytes(body), error)
        as_tuple = self._as_tuple
        return self._columns([as_tuple(row) for row in rows])

    def _columns(self, rows: list[tuple[Any, ...]]) -> Columns:
        """Return the columns of tuples whose order is that of the blocks."""
        return Columns(len(rows), {reader.name: reader.read(rows) for reader in self._blocks})

    def _make_decoder(self) -> Callable[[Any], Any]:
        names = {f"f{index}": name for index, name in enumerate(self._order)}
        members = [(key, self._type(self._by_name[name])) for key, name in names.items()]
        row = msgspec.defstruct("Row", members, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)
        rows = Annotated[list[row], msgspec.Meta(min_length=1)]
        body = msgspec.defstruct("Body", [("rows", rows)], forbid_unknown_fields=True, gc=False)
        return msgspec.json.Decoder(body).decode

    def _type(self, field: Field) -> Any:
        kinds: dict[str, Any] = {"int64": _INT64, "float64": float, "bool": bool, "string": str}
        kind: Any = kinds[field.dtype]
        known = self._known.get(field.name)
        if known is not None and field.dtype == "string":
            kind = cast(Any, Literal[tuple(sorted(known))])
        elif known is not None and field.dtype == "int64":
            kind = cast(Any, Literal[tuple(sorted(int(value) for value in known))])
        elif known is not None:
            # msgspec has no type for a set of floats: this one takes none, and the slow way decides on each value.
            kind = cast(Any, Annotated[float, msgspec.Meta(gt=0.0, lt=0.0)])
        return kind | None if field.nullable else kind

    # ------------------------------------------------------------------------------------------ the slow way

    def _walk(self, body: bytes, error: Exception) -> Columns:
        rows = _raw_rows(body, error)
        out: list[tuple[Any, ...]] = []
        for place, row in enumerate(rows):
            self._check_row(place, row)
            out.append(tuple(self._converted(self._by_name[name], row[name]) for name in self._order))
        return self._columns(out)

    def _check_row(self, place: int, row: Any) -> None:
        if not isinstance(row, dict):
            raise InvalidInput(
                f"Row {place} is {shown(row)}: expected an object with one value for each field.",
                row=place,
                field=None,
                value=shown(row),
                expected="an object",
            )
        for field in self._fields:
            if field.name not in row:
                expected = describe(field, self._known)
                raise InvalidInput(
                    f"Row {place} has no field {field.name!r}: expected {expected}.",
                    row=place,
                    field=field.name,
                    value=None,
                    expected=expected,
                )
            if not fits(row[field.name], field, self._known):
                raise invalid(place, field, row[field.name], self._known)
        for name in row:
            if name not in self._by_name:
                raise InvalidInput(
                    f"Row {place} has the field {shown(name)}, which the model does not take: "
                    f"expected {', '.join(self._by_name)}.",
                    row=place,
                    field=str(name).encode("utf-8", "replace").decode("utf-8")[:200],
                    value=None,
                    expected=f"only the fields {', '.join(self._by_name)}",
                )

    def _converted(self, field: Field, value: Any) -> Any:
        return int(value) if field.dtype == "int64" and value is not None else value


class _Reader:
    """Builds one block from the tuples of all rows."""

    def __init__(self, block: Block, start: int, nullable: bool) -> None:
        self.name = block.name
        stop = start + len(block.fields)
        self._cut: Callable[[Any], Any] = itemgetter(slice(start, stop))
        self._nullable = nullable
        self._text = block.dtype == "string"
        self._dtype: Any = np.float64 if block.dtype == "float64" else np.int64

    def read(self, rows: list[tuple[Any, ...]]) -> np.ndarray[Any, Any]:
        """Return the block, shape (rows, fields of the block)."""
        cut = self._cut
        if not self._text:
            # numpy writes None as NaN.
            return np.array([cut(row) for row in rows], dtype=self._dtype)
        array = np.array([cut(row) for row in rows], dtype=object)
        if self._nullable:
            array[array == None] = MISSING  # noqa: E711  numpy compares element by element
        return array


def _starts(blocks: Sequence[Block]) -> list[int]:
    starts: list[int] = []
    place = 0
    for block in blocks:
        starts.append(place)
        place += len(block.fields)
    return starts


def _raw_rows(body: bytes, error: Exception) -> list[Any]:
    """Return the rows of a body as plain values, or say why it is not a body at all."""
    try:
        value: Any = json.loads(body.decode("utf-8"), parse_constant=_no_constant, parse_float=_float, parse_int=_int)
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
    if "rows" not in keys:
        raise InvalidInput(f"The body has no 'rows': expected {_SHAPE}.", expected=_SHAPE)
    if extra := [key for key in keys if key != "rows"]:
        raise InvalidInput(f"The body has {shown(extra[0])} beside 'rows': expected {_SHAPE}.", expected=_SHAPE)
    rows: Any = value["rows"]
    if not isinstance(rows, list):
        raise InvalidInput(f"'rows' is {_kind(rows)}: expected a list.", value=shown(rows), expected="a list")
    if not rows:
        raise InvalidInput("'rows' is empty: expected at least one row.", value="[]", expected="at least one row")
    return rows


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value (numbers are finite; a missing value is null)")


def _float(text: str) -> float:
    return float(text)


def _int(text: str) -> int | float:
    # Python refuses to read integers of more than 4,300 digits; no field takes one, so infinity stands for it.
    return int(text) if len(text) < 4000 else math.copysign(math.inf, -1 if text.startswith("-") else 1)
