"""The JSON of a request to rows, in one pass, with a decoder that is made for one signature.

The fast way is a msgspec decoder of a type that is the signature. When it refuses a body, `walk` goes through the raw
JSON to say precisely what was wrong; it also takes integers that were written as floats (`3.0`), which this refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, UnsetType

from ..base.records import Field
from ..graphs.layout import Block, Columns
from ..signatures.tables import Known
from . import media, walk
from .gather import Gatherer

__all__ = ["Decoder"]

Row = tuple[Any, ...]

_LARGE_BYTES = 4 * 1024 * 1024
_SOME = msgspec.Meta(min_length=1)
_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_FLOAT32 = 3.4028234663852886e38
_TENSORS: dict[str, Any] = {
    "float32": Annotated[float, msgspec.Meta(ge=-_FLOAT32, le=_FLOAT32)],
    "float64": float,
    "uint8": Annotated[int, msgspec.Meta(ge=0, le=255)],
    "int64": _INT64,
}
"""The values of a tensor, by its dtype."""


class Decoder:
    """Reads the requests of one signature. Nothing in it changes after it was made, so threads may share it."""

    def __init__(
        self, fields: Sequence[Field], blocks: Sequence[Block], known: Known, gatherer: Gatherer | None = None
    ) -> None:
        self._gatherer = gatherer or Gatherer(fields, blocks)
        self._fields = tuple(fields)
        self._known = known
        self._by_name = {field.name: field for field in fields}
        self._order = [name for block in blocks for name in block.fields]
        self._decode = self._make_decoder()
        self._as_tuple = msgspec.structs.astuple
        self._media = {
            place: self._by_name[name]
            for place, name in enumerate(self._order)
            if self._by_name[name].media is not None
        }
        # msgspec has no type for a set of floats: these are looked up after it.
        self._floats = [
            (place, known[name])
            for place, name in enumerate(self._order)
            if name in known and self._by_name[name].dtype == "float64"
        ]

    def rows(self, body: bytes | bytearray | memoryview) -> list[Row]:
        """Return the rows of a body, validated, one tuple of plain values each, in the order of the layout's blocks.

        A body is `{"rows": [{"field": value, ...}, ...]}` or `{"columns": {"field": [value, ...], ...}}`. Where a key
        is written twice, the last one counts.

        Raises:
            InvalidInput: for anything that does not fit; details: row, field, value, expected, where they exist. Of a
                body of more than 4 MB it does not say the value.
        """
        found = self._read(body)
        rows = list(zip(*found, strict=True)) if type(found) is tuple else cast("list[Row]", found)
        return media.decode_rows(rows, self._media) if self._media else rows

    def request(self, body: bytes | bytearray | memoryview) -> list[Row] | Columns:
        """Return the same as rows or, where they are many and came in columns, as what `gather` would make of them.

        Raises:
            InvalidInput: as `rows` does.
        """
        if self._media:
            return self.rows(body)
        found = self._read(body)
        if type(found) is not tuple:
            return cast("list[Row]", found)
        many = self._gatherer.many
        if many is not None and len(found[0]) >= many:
            return self._gatherer.join(found)
        return list(zip(*found, strict=True))

    def _read(self, body: bytes | bytearray | memoryview) -> list[Row] | tuple[list[Any], ...]:
        """Return the rows as a list or, if the body has columns, these as a tuple, in the order of the blocks."""
        try:
            found = self._decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            # The slow way makes an object of each value: of a big body that is many times its size, and seconds.
            wrong = (
                walk.told(error, self._fields, self._known)
                if len(body) > _LARGE_BYTES and self._decode is not _refuse
                else None
            )
            if wrong is not None:
                raise wrong from None
            return self._walk(body, error)
        as_tuple = self._as_tuple
        if found.columns is UNSET and found.rows is not UNSET:
            rows = [as_tuple(row) for row in found.rows]
            for place, values in self._floats:
                if any(row[place] is not None and row[place] not in values for row in rows):
                    return self._walk(body, None)
            return rows
        if found.rows is not UNSET or found.columns is UNSET:
            return self._walk(body, None)
        columns: tuple[list[Any], ...] = as_tuple(found.columns)
        count = len(columns[0])
        if any(len(column) != count for column in columns):
            return self._walk(body, None)
        for place, values in self._floats:
            if any(value is not None and value not in values for value in columns[place]):
                return self._walk(body, None)
        return columns

    def _walk(self, body: bytes | bytearray | memoryview, error: Exception | None) -> list[Row]:
        return walk.rows(bytes(body), error, self._fields, self._order, self._known)

    def _make_decoder(self) -> Callable[[Any], Any]:
        names = {f"f{index}": name for index, name in enumerate(self._order)}
        types = {key: self._type(self._by_name[name]) for key, name in names.items()}
        options: Any = {"rename": names, "forbid_unknown_fields": True, "kw_only": True, "gc": False}
        try:
            row = msgspec.defstruct("Row", list(types.items()), **options)
        except ValueError:  # msgspec takes no keys with a quote, a backslash or a control character
            return _refuse
        lists: list[Any] = [(key, Annotated[cast(Any, list[kind]), _SOME]) for key, kind in types.items()]
        columns = msgspec.defstruct("Columns", lists, **options)
        # Which of the two is there is looked at afterwards: two kinds of bodies would need a tag.
        rows: Any = Annotated[list[row], _SOME]
        members: list[Any] = [("rows", rows | UnsetType, UNSET), ("columns", columns | UnsetType, UNSET)]
        return msgspec.json.Decoder(msgspec.defstruct("Body", members, forbid_unknown_fields=True, gc=False)).decode

    def _type(self, field: Field) -> Any:
        if field.shape is not None:
            kind: Any = _TENSORS[field.dtype]
            for size in reversed(field.shape):
                kind = Annotated[cast(Any, list[kind]), msgspec.Meta(min_length=size, max_length=size)]
            return kind | media.Encoded if field.media is not None else kind
        kinds: dict[str, Any] = {"int64": _INT64, "float64": float, "bool": bool, "string": str}
        kind = kinds[field.dtype]
        known = self._known.get(field.name)
        if known is not None and field.dtype == "string":
            kind = cast(Any, Literal[tuple(sorted(known))])
        elif known is not None and field.dtype == "int64":
            kind = cast(Any, Literal[tuple(sorted(int(value) for value in known))])
        return kind | None if field.nullable else kind


def _refuse(_: Any) -> Any:
    raise msgspec.ValidationError("the names of the fields are for the slow way")
