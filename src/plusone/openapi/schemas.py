"""A signature as JSON Schema: what a request may hold, field by field, and what its answer will.

The schemas say what the decoder does: what they allow is answered, what they forbid is refused. Only that all columns
are of one length can't be said in a schema; it is said in words.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from ..base.errors import WrongContentType
from ..base.records import Field, Output, Signature
from ..labels.several import singles
from ..media import example_bytes, expected
from ..predictor.media import field_of
from ..signatures.tables import Known, describe

__all__ = [
    "MEDIA_TYPES",
    "columns_schema",
    "example_row",
    "field_schema",
    "label_schema",
    "media_types",
    "prediction_schema",
    "row_schema",
]

_TYPES = {"int64": "integer", "float64": "number", "bool": "boolean", "string": "string"}
_LARGEST = 1.7976931348623157e308
_FLOAT32 = 3.4028234663852886e38
_SHOWN = 20

MEDIA_TYPES = {
    "image/jpeg": "image/jpeg",
    "image/png": "image/png",
    "audio/wav": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
}
"""The content types of images and sounds, under all names that clients have for them."""


def field_schema(field: Field, known: Known) -> dict[str, Any]:
    """Return the schema of one value."""
    if field.shape is not None:
        return _tensor_schema(field, known)
    kind: Any = _TYPES[field.dtype]
    schema: dict[str, Any] = {"type": [kind, "null"] if field.nullable else kind, "description": _words(field, known)}
    if field.name in known:
        values: list[Any] = sorted(known[field.name])
        if field.dtype == "int64":
            values = [int(value) for value in values]
        schema["enum"] = [*values, None] if field.nullable else values
    elif field.dtype == "int64":
        schema |= {"format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}
    elif field.dtype == "float64":
        schema |= {"format": "double", "minimum": -_LARGEST, "maximum": _LARGEST}
    schema["examples"] = [_example(field, known)]
    return schema


def _tensor_schema(field: Field, known: Known) -> dict[str, Any]:
    """Return the schema of a tensor: nested lists, or the bytes of a file where the field takes such."""
    least: dict[str, Any] = {
        "float32": {"type": "number", "minimum": -_FLOAT32, "maximum": _FLOAT32},
        "float64": {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST},
        "uint8": {"type": "integer", "minimum": 0, "maximum": 255},
        "int64": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    }
    schema: dict[str, Any] = least[field.dtype]
    for size in reversed(field.shape or ()):
        schema = {"type": "array", "minItems": size, "maxItems": size, "items": schema}
    said = f"{describe(field, known).capitalize()}."
    if field.minimum is not None and field.maximum is not None:
        said += f" In training from {field.minimum:g} to {field.maximum:g}; a value outside is answered."
    if field.media is not None:
        file = {"type": "string", "contentEncoding": "base64", "description": f"The bytes of {expected(field.media)}."}
        encoded = {
            "type": "object",
            "required": ["base64"],
            "additionalProperties": False,
            "properties": {"base64": file},
        }
        made = ", ".join(f"{key} {value}" for key, value in field.media.items() if value not in (None, ""))
        said += f" Or {expected(field.media)} in base64, which becomes one so: {made}."
        schema = {"oneOf": [schema, encoded]}
    schema["description"] = said
    example = _example(field, known)
    return schema if example is None else {**schema, "examples": [example]}


def media_types(signature: Signature) -> tuple[str, ...]:
    """Return the content types of the bodies that are one image or sound, for a model that takes such."""
    return tuple(one for one in dict.fromkeys(MEDIA_TYPES.values()) if _takes(signature, one))


def _takes(signature: Signature, content_type: str) -> bool:
    try:
        field_of(signature.fields, content_type)
    except WrongContentType:
        return False
    return True


def _words(field: Field, known: Known) -> str:
    """Say what the field holds, and what is done with values that training did not have."""
    words = {
        "int64": "An integer of 64 bits.",
        "float64": "A finite number.",
        "bool": "True or false.",
        "string": "Text.",
    }[field.dtype]
    parts = [words]
    if field.minimum is not None and field.maximum is not None:
        low, high = (_number(value, field) for value in (field.minimum, field.maximum))
        parts.append(f"In training from {low} to {high}; a value outside is answered.")
    if field.name in known:
        parts.append("Any other value is refused with 422: the model does not answer to values it has not seen.")
    elif field.dtype == "string" and field.categories is not None:
        shown = ", ".join(field.categories[:_SHOWN])
        more = f", ... ({len(field.categories)} values)" if len(field.categories) > _SHOWN else ""
        parts.append(f"In training: {shown}{more}; any other text is answered as one that was never seen.")
    parts.append(
        "Null says that it is missing." if field.nullable else "It can't be missing: null is refused with 422."
    )
    return " ".join(parts)


def _number(value: float, field: Field) -> str:
    return str(int(value)) if field.dtype == "int64" else repr(value)


def row_schema(signature: Signature, known: Known) -> dict[str, Any]:
    """Return the schema of one row: every field, and no other."""
    row = example_row(signature, known)
    return {
        "type": "object",
        "required": [field.name for field in signature.fields],
        "additionalProperties": False,
        "properties": {field.name: field_schema(field, known) for field in signature.fields},
        **({} if row is None else {"examples": [row]}),
    }


def columns_schema(signature: Signature, row: str) -> dict[str, Any]:
    """Return the schema of columns: a list for every field; `row` is where the row's schema lies."""
    return {
        "type": "object",
        "description": "A list of values for each field, all of one length.",
        "required": [field.name for field in signature.fields],
        "additionalProperties": False,
        "properties": {
            field.name: {"type": "array", "minItems": 1, "items": {"$ref": f"{row}/properties/{_escaped(field.name)}"}}
            for field in signature.fields
        },
    }


def _escaped(name: str) -> str:
    """Return a name as a part of a JSON pointer in the fragment of an address."""
    kept = "-._"
    text = name.replace("~", "~0").replace("/", "~1")
    return "".join(
        char if (char.isascii() and char.isalnum()) or char in kept + "~" else _percent(char) for char in text
    )


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def prediction_schema(output: Output) -> dict[str, Any]:
    """Return the schema of the prediction for one row."""
    if output.kind == "number":
        return {
            "type": ["number", "null"],
            "description": f"The predicted {output.name}. Null where the model answers no finite number.",
        }
    if output.kind == "vector":
        return _vector_schema(
            output, f"The predicted {output.name}. Null for a number that is not finite.", ["number", "null"]
        )
    if output.kind == "ranking":
        return _ranking_schema(output)
    if output.kind == "labels":
        each = {one.name: _class_schemas(one) for one in singles(output)}
        kinds = next(iter(each.values()))
        return _object({kind: _object({name: found[kind] for name, found in each.items()}) for kind in kinds})
    return _object(_class_schemas(output))


def _class_schemas(output: Output) -> dict[str, Any]:
    """Return the schemas of `label` and, where the model has some, of `probabilities`."""
    said = f"The predicted {output.name}. Null where the model answers no class."
    properties: dict[str, Any] = {"label": {"enum": [*output.classes, None], "description": said}}
    if output.probabilities:
        shares = {_key(label): {"type": ["number", "null"]} for label in output.classes}
        properties["probabilities"] = {"description": "The probability of each label.", **_object(shares)}
    return properties


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with these members, all of them and no other."""
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _vector_schema(output: Output, said: str, kind: Any) -> dict[str, Any]:
    if output.names:
        return {"description": said, **_named(output.names, {"type": kind})}
    width = {"minItems": output.width, "maxItems": output.width}
    return {"type": "array", "description": said, "items": {"type": kind}, **width}


def _named(names: Sequence[str], value: dict[str, Any]) -> dict[str, Any]:
    return _object(dict.fromkeys(names, value))


def _ranking_schema(output: Output) -> dict[str, Any]:
    return {
        "type": "array",
        "description": f"The items of {output.name}, best first; fewer where there are no more to recommend.",
        "maxItems": output.width,
        "items": _named(("item", "score"), {})
        | {
            "properties": {
                "item": _item_schema(output),
                "score": {"type": ["number", "null"], "description": "Larger is better."},
            },
        },
    }


def _item_schema(output: Output) -> dict[str, Any]:
    return {"type": "integer" if all(type(item) is int for item in output.classes) else "string"}


def label_schema(output: Output) -> dict[str, Any]:
    """Return the schema of what a prediction's truth may be."""
    if output.kind == "number":
        return {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}
    if output.kind == "vector":
        finite: dict[str, Any] = {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}
        items: dict[str, Any] = {"type": "array", "items": finite, "minItems": output.width, "maxItems": output.width}
        if not output.names:
            return items
        named = _named(output.names, finite)
        return {"oneOf": [items, named]}
    if output.kind == "ranking":
        item = _item_schema(output)
        return {"oneOf": [item, {"type": "array", "items": item, "maxItems": 1000}]}
    if output.kind == "labels":
        return _object({one.name: label_schema(one) for one in singles(output)})
    return {"enum": list(output.classes)}


def example_row(signature: Signature, known: Known, *, media: bool = True) -> dict[str, Any] | None:
    """Return one row that fits: each field's example from training, or a value of its type.

    None where a tensor is so large that it has no example.

    Args:
        media: whether images and sounds may stand in it.
    """
    row = {field.name: _example(field, known, media=media) for field in signature.fields}
    large = any(field.shape is not None and row[field.name] is None for field in signature.fields)
    return None if large else row


def _example(field: Field, known: Mapping[str, frozenset[Any]], *, media: bool = True) -> Any:
    if media and field.media is not None:
        return {"base64": base64.b64encode(example_bytes(field.media)).decode()}
    if field.shape is not None:
        return field.example
    if field.example is not None or field.nullable:
        return field.example
    if field.name in known:
        least = min(known[field.name])
        return int(least) if field.dtype == "int64" else least
    if field.categories:
        return field.categories[0]
    plain: dict[str, Any] = {"int64": 0, "float64": 0.0, "bool": False, "string": ""}
    return plain[field.dtype]


def _key(label: Any) -> str:
    """Return what stands for a label among the keys of `probabilities`."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)
