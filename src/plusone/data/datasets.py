"""Values to datasets and back, safely: tables, arrays, plain JSON values and files. Nothing is ever unpickled.

A table is stored as Parquet, or as an Arrow file where Parquet would change it (`tables.py`), an array as `.npy`, a
dict of arrays as `.npz`, a JSON value as canonical JSON and a file as it is. Each reading gives a fresh copy, so that
no step can change what another one gets.
"""

from __future__ import annotations

import io
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..base import clock
from ..base.errors import UnsafeValue
from ..base.files import atomic_file
from ..base.ids import canonical_json, digest_file, digest_json
from ..base.records import Column, Dataset
from ..store.blobs import Blobs
from .tables import decode, encode, flavour_of, from_arrow, to_arrow
from .tensors import is_array, to_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["flavour_of", "from_arrow", "load", "load_table", "save", "to_arrow"]

_STORABLE = (
    "What can be stored: a dataframe (pandas, polars, pyarrow and others that narwhals knows), a numpy array or a dict "
    "of them, a plain JSON value (str, int, float, bool, None, lists and dicts with text keys), or a pathlib.Path of "
    "a file."
)


_DEEPEST = 200


def save(value: Any, blobs: Blobs) -> Dataset:
    """Store `value` and return its dataset.

    Raises:
        UnsafeValue: when it is none of the kinds that can be stored; the message names them and what was found where.
    """
    if isinstance(value, Path):
        return _save_file(value, blobs)
    flavour = flavour_of(value)
    if flavour:
        return _save_table(value, flavour, blobs)
    if type(value).__module__.partition(".")[0] == "numpy":
        return _save_array(value, blobs)
    if isinstance(value, dict) and value and all(is_array(part) for part in value.values()):
        return _save_arrays(value, blobs)
    _check_json(value, "The value")
    blob = blobs.put_bytes(canonical_json(value))
    return _dataset("json", "json", blob, blobs, rows=len(value) if isinstance(value, list) else None)


def load(dataset: Dataset, blobs: Blobs) -> Any:
    """Return the value of a dataset, in the flavour in which it was saved; a file as the path of a read-only file.

    Raises:
        BrokenArtifact: when its bytes are missing or were changed.
    """
    if dataset.kind == "table":
        return from_arrow(load_table(dataset, blobs), dataset.flavour)
    if dataset.kind == "file":
        return _load_file(dataset, blobs)
    data = blobs.get(dataset.blob)
    if dataset.kind == "json":
        return msgspec.json.decode(data)
    import numpy as np

    # The bytes are those that we wrote, so a header may be as long as it is: a structured dtype has a long one.
    loaded: Any = np.load(io.BytesIO(data), allow_pickle=False, max_header_size=len(data))
    if dataset.kind == "array":
        return loaded
    return {name: loaded[name] for name in loaded.files}


def load_table(dataset: Dataset, blobs: Blobs) -> pa.Table:
    """Return a table dataset as an Arrow table; so is a dict of arrays with equally many rows.

    Raises:
        UnsafeValue: when the dataset is neither.
        BrokenArtifact: when its bytes are missing or were changed.
    """
    if dataset.kind == "arrays":
        return to_table(load(dataset, blobs))
    if dataset.kind != "table":
        raise UnsafeValue(f"The dataset {dataset.digest[:12]} is of kind {dataset.kind!r}: expected a table.")
    return decode(blobs.verify(dataset.blob))


def _dataset(kind: Any, flavour: str, blob: str, blobs: Blobs, **more: Any) -> Dataset:
    return Dataset(
        digest=digest_json({"kind": kind, "flavour": flavour, "blob": blob}),
        blob=blob,
        kind=kind,
        flavour=flavour,
        size_bytes=blobs.path(blob).stat().st_size,
        created_at=clock.now(),
        **more,
    )


def _save_table(value: Any, flavour: str, blobs: Blobs) -> Dataset:
    table = to_arrow(value)
    blob = blobs.put_bytes(encode(table))
    columns = tuple(
        Column(name=field.name, type=str(field.type), nullable=table.column(place).null_count > 0)
        for place, field in enumerate(table.schema)
    )
    return _dataset("table", flavour, blob, blobs, rows=table.num_rows, columns=columns)


def _save_array(value: Any, blobs: Blobs) -> Dataset:
    import numpy as np

    _check_array(value, "The array")
    array = np.asarray(value)
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=False)
    column = Column(name="array", type=f"{array.dtype}{list(array.shape)}", nullable=False)
    rows = int(array.shape[0]) if array.ndim else None
    return _dataset("array", "numpy", blobs.put_bytes(sink.getbuffer()), blobs, rows=rows, columns=(column,))


def _save_arrays(value: dict[Any, Any], blobs: Blobs) -> Dataset:
    import numpy as np

    for name, array in value.items():
        # The names that a .npz file can't hold or gives back as others.
        if not _is_text(name) or name in ("file", "allow_pickle") or "\0" in name or name.endswith(".npy"):
            raise UnsafeValue(
                f"A dict of arrays has the key {name!r}: expected text, and not 'file', 'allow_pickle' or '….npy'."
            )
        _check_array(array, f"The array {name!r}")
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **value)
    columns = tuple(
        Column(name=name, type=f"{array.dtype}{list(array.shape)}", nullable=False) for name, array in value.items()
    )
    return _dataset("arrays", "numpy", blobs.put_bytes(sink.getbuffer()), blobs, columns=columns)


def _check_array(value: Any, name: str) -> None:
    import numpy as np

    if isinstance(value, (np.ma.MaskedArray, np.matrix)):
        raise UnsafeValue(
            f"{name} is a {type(value).__name__}, which would come back as an array without its mask or its algebra.",
            mend="convert it, for example array.filled(0) or numpy.asarray(matrix)",
        )
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise UnsafeValue(
            f"{name} has dtype {array.dtype}, which only pickle can store: expected numbers, booleans, text or times.",
            mend="convert it, for example array.astype(float) or array.astype(str)",
        )


def _save_file(path: Path, blobs: Blobs) -> Dataset:
    if path.is_dir():
        raise UnsafeValue(
            f"{path} is a folder: expected a file.",
            mend="return one archive, or a dict of arrays, or a table of contents",
        )
    if not _is_text(path.name):
        raise UnsafeValue(f"The file name {path.name!r} is no valid Unicode text.", mend="rename the file")
    if not path.is_file():
        raise UnsafeValue(f"{path} is no file: a step that returns a path must have written it.")
    return _dataset("file", path.name, blobs.put_file(path), blobs)


def _load_file(dataset: Dataset, blobs: Blobs) -> Path:
    # The reader often looks at the ending, so the file is given under its own name. It is a copy, and checked: root may
    # write into a read-only file, and a link would lead a step that does into the blob.
    place = blobs.folder / "files" / dataset.digest / dataset.flavour
    if not place.is_file() or digest_file(place) != dataset.blob:
        with blobs.verify(dataset.blob).open("rb") as reader, atomic_file(place, mode=0o444) as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
    return place


def _is_text(value: Any) -> bool:
    """Say whether `value` is text that can be written: a lone surrogate can't."""
    if type(value) is not str:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_json(value: Any, place: str, depth: int = 0) -> None:
    """Refuse what JSON can't hold without changing it; `place` says where in the value we are."""
    if value is None or isinstance(value, bool) or _is_text(value):
        return
    if type(value) is int:
        if not -(2**63) <= value < 2**64:
            raise UnsafeValue(f"{place} is {value}: expected an integer of 64 bits. {_STORABLE}")
    elif type(value) is float:
        if not math.isfinite(value):
            raise UnsafeValue(f"{place} is {value}, which JSON has no word for: expected a finite number or None.")
    elif type(value) is str:
        raise UnsafeValue(f"{place} is {value!r}: a lone surrogate is no valid Unicode text. {_STORABLE}")
    elif depth > _DEEPEST:
        raise UnsafeValue(f"The value is nested over {_DEEPEST} deep, or in itself: {place[:60]}... {_STORABLE}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _check_json(part, f"{place}[{index}]", depth + 1)
    elif isinstance(value, dict):
        for key, part in value.items():
            if not _is_text(key):
                raise UnsafeValue(f"{place} has the key {key!r}: expected text. {_STORABLE}")
            _check_json(part, f"{place}[{key!r}]", depth + 1)
    else:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise UnsafeValue(f"{place} is of type {kind}, which can't be stored safely. {_STORABLE}", mend=_mend(value))


def _mend(value: Any) -> str:
    if isinstance(value, (tuple, set, frozenset)):
        return "return a list; or name several outputs: @plusone.step(outputs=...)"
    if hasattr(value, "collect"):
        return "return value.collect()"
    if hasattr(value, "to_frame"):
        return "return value.to_frame()"
    return "return value.item()" if hasattr(value, "item") else ""
