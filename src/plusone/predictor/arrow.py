"""Arrow's IPC streams to tables, within bounds, and answers to streams.

What comes is hostile until it was looked at: a stream may declare more than it carries, be compressed a millionfold, or
name one long string in a million places. Sizes are therefore read from the messages before anything is made of them,
only types that a field can have are taken, and Arrow checks every offset before a value is touched.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import InvalidInput, PlusoneError
from ..graphs.runner import Answer
from ..signatures.tables import compute
from .lists import Labels

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_stream", "write_stream"]

_EXPECTED = "an Arrow IPC stream with one column for each field"
_DEEPEST = 8
_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2  # the tags of the union MessageHeader in Arrow's Message.fbs


def read_stream(body: bytes | bytearray | memoryview, max_bytes: int) -> pa.Table:
    """Return the table of a stream, whole and valid; its values are not looked at.

    Args:
        max_bytes: how large the table may be once it is decompressed, and once it is columns of 8 bytes a value.

    Raises:
        InvalidInput: when it is no such stream, or a larger one.
    """
    import pyarrow as pa

    if bytes(body[:6]) == b"ARROW1":
        raise InvalidInput(
            "The body is an Arrow file (it begins with ARROW1): expected an Arrow IPC stream.",
            mend="write it with pyarrow.ipc.new_stream in place of new_file",
            expected=_EXPECTED,
        )
    with _refusing():
        data = pa.py_buffer(body)
        _check_sizes(data, max_bytes)
        with pa.ipc.open_stream(data) as reader:
            _check_types(reader.schema)
            batches = list(reader)
            rows = sum(batch.num_rows for batch in batches)
            width = max(1, sum(_width(field.type) for field in reader.schema))
            if rows * width * 8 > max_bytes:
                raise _too_large(f"has {rows} rows of {width} values", max_bytes)
            for batch in batches:
                batch.validate(full=True)
            table = pa.Table.from_batches(batches, reader.schema)
        text = sum(_text_bytes(column) for column in table.columns)
        if text > max_bytes:
            raise _too_large(f"has strings of {text} bytes", max_bytes)
        return table


def write_stream(
    answer: Answer, keys: Sequence[str], metadata: Mapping[str, str], several: Labels | None = None
) -> bytes:
    """Return the answers as a stream: a column `prediction` of numbers or lists, or `label` and `probabilities`.

    The label of a row where a probability is no number is null.

    Args:
        keys: the names of the probabilities, each a field of the structs in that column; or of a vector's numbers.
        metadata: what the schema carries beside them.
        several: of labels of several targets: their names and those of their probabilities.
    """
    import pyarrow as pa

    columns: dict[str, Any] = {}
    if several is not None:
        parts = zip(several.names, answer.each(several.sizes), several.keys, strict=True)
        found = {name: _classified(part, own) for name, part, own in parts}
        for column in next(iter(found.values())):
            columns[column] = pa.StructArray.from_arrays([one[column] for one in found.values()], list(found))
    elif answer.numbers is not None:
        columns["prediction"] = _vectors(answer.numbers, keys) if answer.numbers.ndim == 2 else pa.array(answer.numbers)
    elif answer.scores is not None:
        columns["prediction"] = _rankings(answer)
    else:
        columns = _classified(answer, keys)
    table = pa.table(columns).replace_schema_metadata(dict(metadata) or None)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _classified(answer: Answer, keys: Sequence[str]) -> dict[str, Any]:
    """Return the column of labels and, where there are some, that of probabilities."""
    import pyarrow as pa

    if answer.probabilities is None:
        return {"label": pa.array(answer.labels)}
    shares = [pa.array(share) for share in answer.probabilities.T.copy()]
    return {
        "label": pa.array(answer.labels, mask=np.isnan(answer.probabilities).any(axis=1)),
        "probabilities": pa.StructArray.from_arrays(shares, list(keys)),
    }


def _vectors(numbers: Any, names: Sequence[str]) -> Any:
    """Return vectors as lists of one length, or as structs where their numbers have names."""
    import pyarrow as pa

    if names:
        return pa.StructArray.from_arrays([pa.array(one) for one in numbers.T.copy()], list(names))
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.reshape(-1)), numbers.shape[1])


def _rankings(answer: Answer) -> Any:
    """Return rankings as lists of structs, as long as there are items."""
    import pyarrow as pa

    there = answer.codes >= 0
    items = pa.array(answer.labels[there].tolist())
    ends = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
    parts = [items, pa.array(answer.scores[there].astype(np.float64))]
    return pa.ListArray.from_arrays(pa.array(ends), pa.StructArray.from_arrays(parts, ["item", "score"]))


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Turn whatever Arrow says of a stream that it can't read into our error."""
    import pyarrow as pa

    try:
        yield
    except PlusoneError:
        raise
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError) as error:
        said = str(error).encode("utf-8", "replace").decode("utf-8").split("\n", 1)[0][:300]
        raise InvalidInput(
            f"The body is not a valid Arrow IPC stream: {said or type(error).__name__}.", expected=_EXPECTED
        ) from error


def _too_large(what: str, max_bytes: int) -> InvalidInput:
    return InvalidInput(
        f"The table in the body {what}: expected at most {max_bytes} bytes of columns.",
        mend="send it in several requests",
        expected=f"at most {max_bytes} bytes",
    )


def _check_types(schema: pa.Schema) -> None:
    """Refuse what no field can have: temporal, binary and run-end encoded columns, lists of no fixed size, structs.

    Of extension types Arrow's fixed-shape tensors are taken, and no other.
    """
    import pyarrow as pa
    from pyarrow import types

    numbers = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_null)
    for field in schema:
        if isinstance(field.type, pa.FixedShapeTensorType):
            storage = field.type.storage_type
            good = _is_tensor(storage) and math.prod(field.type.shape) == storage.list_size
        elif types.is_fixed_size_list(field.type):
            good = _is_tensor(field.type)
        elif types.is_dictionary(field.type):
            good = _is_text(field.type.value_type)
        else:
            good = _is_text(field.type) or any(is_kind(field.type) for is_kind in numbers)
        if not good:
            raise InvalidInput(
                f"The column {field.name!r} has the type {str(field.type)[:100]}: expected integers, floats, booleans "
                "or strings, or fixed-size lists or fixed-shape tensors of numbers.",
                row=None,
                field=field.name[:200],
                value=None,
                expected="integers, floats, booleans or strings, or fixed-size lists or fixed-shape tensors of numbers",
            )
    if len(set(schema.names)) < len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise InvalidInput(f"The table has the column {twice!r} twice.", row=None, field=twice, expected=_EXPECTED)


def _is_tensor(kind: Any) -> bool:
    """Whether a type is fixed-size lists, nested or not, of integers or floats."""
    from pyarrow import types

    for _ in range(_DEEPEST):
        if not types.is_fixed_size_list(kind):
            break
        kind = kind.value_type
    return types.is_integer(kind) or types.is_floating(kind)


def _width(kind: Any) -> int:
    """Return how many values a row of a column has."""
    from pyarrow import types

    kind = getattr(kind, "storage_type", kind)
    width = 1
    while types.is_fixed_size_list(kind):
        width *= kind.list_size
        kind = kind.value_type
    return width


def _text_bytes(column: Any) -> int:
    """Return how many bytes the strings of a column have when each is written out."""
    from pyarrow import types

    total = 0
    for chunk in column.chunks:
        if types.is_dictionary(chunk.type) and _is_text(chunk.type.value_type):
            total += int(_lengths(chunk.dictionary)[chunk.indices.drop_null().to_numpy()].sum())
        elif _is_text(chunk.type):
            total += int(_lengths(chunk).sum())
    return total


def _lengths(array: Any) -> Any:
    """Return how many bytes each string has, 0 for nulls, shape (rows,)."""
    import pyarrow as pa

    if not pa.types.is_string_view(array.type) or not len(array):
        array = array.cast(pa.large_string())
        return compute().fill_null(compute().binary_length(array), 0).to_numpy().astype(np.int64)
    # A view has 16 bytes, of which the first four are the length.
    views = np.frombuffer(array.buffers()[1], dtype="<i4").reshape(-1, 4)[array.offset :][: len(array)]
    return np.where(array.is_valid().to_numpy(zero_copy_only=False), views[:, 0], 0).astype(np.int64)


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


# ------------------------------------------------------------------------------------------ sizes before anything else


def _check_sizes(data: Any, max_bytes: int) -> None:
    """Refuse a stream whose buffers would be larger than `max_bytes` once they are decompressed."""
    import pyarrow as pa

    total = 0
    for message in pa.ipc.MessageReader.open_stream(data):
        total += _decompressed_bytes(memoryview(message.metadata), memoryview(message.body or b""))
        if total > max_bytes:
            raise _too_large(f"is {total} bytes or more when it is decompressed", max_bytes)


def _decompressed_bytes(head: memoryview, body: memoryview) -> int:
    """Return how large the compressed buffers of a message say that they are.

    The head is a flatbuffer that Arrow has verified. A compressed buffer begins with its size as an int64; -1 says that
    it is not compressed after all (Arrow's columnar format, "Body compression").
    """
    message = struct.unpack_from("<I", head, 0)[0]
    kind, header = _field(head, message, 1), _field(head, message, 2)
    if not kind or not header or head[kind] not in (_RECORD_BATCH, _DICTIONARY_BATCH):
        return 0
    batch = _follow(head, header)
    if head[kind] == _DICTIONARY_BATCH:
        batch = _follow(head, _field(head, batch, 1))
    buffers = _field(head, batch, 2)
    if not buffers or not _field(head, batch, 3):
        return 0
    start = _follow(head, buffers)
    total = 0
    for place in range(struct.unpack_from("<I", head, start)[0]):
        offset, length = struct.unpack_from("<qq", head, start + 4 + 16 * place)
        if length > 0:
            total += max(0, struct.unpack_from("<q", body, offset)[0])
    return total


def _field(head: memoryview, table: int, number: int) -> int:
    """Return where a field of a flatbuffer's table is, 0 if it is not there."""
    slots = table - struct.unpack_from("<i", head, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", head, slots)[0]:
        return 0
    offset = struct.unpack_from("<H", head, slots + 4 + 2 * number)[0]
    return table + offset if offset else 0


def _follow(head: memoryview, place: int) -> int:
    return place + struct.unpack_from("<I", head, place)[0]
