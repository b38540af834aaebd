"""Images and sounds in a request, to the tensors that their fields hold, by the same code that training may call.

Raw, as the body of a request, or in JSON: `{"base64": "..."}` in the place of the nested lists. To decode one takes
milliseconds: who answers small requests on a loop does it elsewhere (`Predictor.has_media`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..base.errors import InvalidInput, PlusoneError, WrongContentType
from ..base.records import Field
from ..media import decode, expected, kind_of

_TYPES = {"audio": "audio/wav", "image": "image/jpeg, image/png"}
"""By the kind of a field's files, what a body may be said to be."""

__all__ = ["Encoded", "decode_rows", "field_of", "is_encoded", "read", "unpacked"]


class Encoded(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The bytes of a JPEG, a PNG or a WAV."""

    base64: bytes


def decode_rows(rows: Sequence[tuple[Any, ...]], fields: Mapping[int, Field]) -> list[tuple[Any, ...]]:
    """Return the rows with an array in place of each `Encoded`.

    Args:
        fields: by place in a row, those whose values may be encoded.

    Raises:
        InvalidInput: for bytes that are no such file.
    """
    out: list[tuple[Any, ...]] = []
    for number, row in enumerate(rows):
        values = list(row)
        for place, field in fields.items():
            if isinstance(values[place], Encoded):
                values[place] = read(values[place].base64, field, number)
        out.append(tuple(values))
    return out


def read(data: bytes, field: Field, row: int) -> Any:
    """Return the tensor that the bytes of a file become.

    Raises:
        InvalidInput: when they are no such file, or a larger one than is taken; it names row and field.
    """
    try:
        return decode(field.media or {}, data)
    except InvalidInput as error:
        raise InvalidInput(
            f"Row {row}, field {field.name!r}: {error.message}",
            mend=error.mend,
            row=row,
            field=field.name,
            value=None,
            expected=expected(field.media or {}),
        ) from error


def field_of(fields: Sequence[Field], content_type: str) -> Field:
    """Return the field that a body of this type is the value of.

    Raises:
        WrongContentType: when the model has no such field, or a request needs more than that one.
    """
    kind = content_type.partition("/")[0]
    found = [field for field in fields if field.media is not None and kind_of(field.media) == kind]
    others = [field.name for field in fields if field not in found[:1] and not field.nullable]
    if len(found) == 1 and not others:
        return found[0]
    if not found:
        what = f"the model takes no {kind}"
    else:
        what = f"the model needs {', '.join(map(repr, [found[0].name, *others]))}, and such a body is one value"
    name = found[0].name if found else fields[0].name
    kinds = {kind_of(field.media) for field in fields if field.media is not None and not found}
    wanted = " or ".join(["application/json", *(_TYPES[one] for one in sorted(kinds))])
    raise WrongContentType(
        f"The body is said to be {content_type}: {what}: expected {wanted}.",
        mend=f'{{"rows": [{{"{name}": {"{" + chr(34) + "base64" + chr(34) + ": ...}" if found else "..."}}}]}}',
    )


def is_encoded(row: int, field: Field, value: Any) -> bool:
    """Whether a plain value is bytes in base64, of a field that takes them.

    Raises:
        InvalidInput: when it is an object of another form, or no base64.
    """
    if field.media is None or not isinstance(value, dict):
        return False
    try:
        unpacked(value)
    except PlusoneError as error:
        raise InvalidInput(
            f"Row {row}, field {field.name!r}: {error.message}",
            row=row,
            field=field.name,
            value=None,
            expected=f'{{"base64": ...}} with {expected(field.media)}, or nested lists',
        ) from error
    return True


def unpacked(value: dict[str, Any]) -> bytes:
    """Return the bytes in `{"base64": "..."}`.

    Raises:
        InvalidInput: when it is of another form.
    """
    text = value.get("base64")
    if len(value) != 1 or not isinstance(text, str):
        raise InvalidInput(
            'an object that is not {"base64": "..."}: expected the bytes of a file so, and nothing else.'
        )
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"what stands in 'base64' can't be read: {error}.") from error
