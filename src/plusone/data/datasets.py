"""Values to datasets and back, safely: tables, arrays, plain JSON values and files. Nothing is ever unpickled.

A table is stored as Parquet (zstd), an array as `.npy`, a dict of arrays as `.npz`, a JSON value as canonical JSON and
a file as it is. Each reading gives a fresh copy, so that no step can change what another one gets.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..base import clock
from ..base.errors import UnsafeValue
from ..base.ids import canonical_json, digest_json
from ..base.records import Column, Dataset
from ..store.blobs import Blobs
from .tables import flavour_of, from_arrow, to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["flavour_of", "from_arrow", "load", "load_table", "save", "to_arrow"]

_STORABLE = (
    "What can be stored: a dataframe (pandas, polars, pyarrow and others that narwhals knows), a numpy array or a dict "
    "of them, a plain JSON value (str, int, float, bool, None, lists and dicts with text keys), or a pathlib.Path of "
    "a file."
)


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
    if isinstance(value, dict) and value and all(_is_array(part) for part in value.values()):
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

    loaded = np.load(io.BytesIO(data), allow_pickle=False)
    if dataset.kind == "array":
        return loaded
    return {name: loaded[name] for name in loaded.files}


def load_table(dataset: Dataset, blobs: Blobs) -> pa.Table:
    """Return a table dataset as an Arrow table.

    Raises:
        UnsafeValue: when the dataset is no table.
        BrokenArtifact: when its bytes are missing or were changed.
    """
    if dataset.kind != "table":
        raise UnsafeValue(f"The dataset {dataset.digest[:12]} is of kind {dataset.kind!r}: expected a table.")
    import pyarrow.parquet as pq

    return pq.read_table(blobs.verify(dataset.blob))


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
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = to_arrow(value)
    sink = io.BytesIO()
    try:
        pq.write_table(table, sink, compression="zstd")
    except (pa.ArrowException, ValueError) as error:
        raise UnsafeValue(f"The table can't be written as Parquet: {error}. {_STORABLE}") from error
    blob = blobs.put_bytes(sink.getbuffer())
    columns = tuple(
        Column(name=field.name, type=str(field.type), nullable=table.column(place).null_count > 0)
        for place, field in enumerate(table.schema)
    )
    return _dataset("table", flavour, blob, blobs, rows=table.num_rows, columns=columns)


def _is_array(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "dtype") and hasattr(value, "shape")


def _save_array(value: Any, blobs: Blobs) -> Dataset:
    import numpy as np

    array = np.asarray(value)
    _check_array(array, "The array")
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=False)
    column = Column(name="array", type=f"{array.dtype}{list(array.shape)}", nullable=False)
    rows = int(array.shape[0]) if array.ndim else None
    return _dataset("array", "numpy", blobs.put_bytes(sink.getbuffer()), blobs, rows=rows, columns=(column,))


def _save_arrays(value: dict[Any, Any], blobs: Blobs) -> Dataset:
    import numpy as np

    for name, array in value.items():
        if not isinstance(name, str) or name == "file":
            raise UnsafeValue(f"A dict of arrays has the key {name!r}: expected text, and not 'file'. {_STORABLE}")
        _check_array(np.asarray(array), f"The array {name!r}")
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **value)
    columns = tuple(
        Column(name=name, type=f"{array.dtype}{list(array.shape)}", nullable=False) for name, array in value.items()
    )
    return _dataset("arrays", "numpy", blobs.put_bytes(sink.getbuffer()), blobs, columns=columns)


def _check_array(array: Any, name: str) -> None:
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
    if not path.is_file():
        raise UnsafeValue(f"{path} is no file: a step that returns a path must have written it.")
    return _dataset("file", path.name, blobs.put_file(path), blobs)


def _load_file(dataset: Dataset, blobs: Blobs) -> Path:
    # The reader often looks at the ending, so the file is given under its own name beside its blob.
    source = blobs.verify(dataset.blob)
    link = blobs.folder / "files" / dataset.digest / dataset.flavour
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            link.hardlink_to(source)
        except FileExistsError:
            pass
        except OSError:
            # Some file systems have no hard links: a copy does as well.
            link.write_bytes(source.read_bytes())
    return link


def _check_json(value: Any, place: str) -> None:
    """Refuse what JSON can't hold without changing it; `place` says where in the value we are."""
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise UnsafeValue(f"{place} is {value}: expected an integer of 64 bits. {_STORABLE}")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise UnsafeValue(f"{place} is {value}, which JSON has no word for: expected a finite number or None.")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _check_json(part, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                raise UnsafeValue(f"{place} has the key {key!r}: expected text. {_STORABLE}")
            _check_json(part, f"{place}[{key!r}]")
    else:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise UnsafeValue(f"{place} is of type {kind}, which can't be stored safely. {_STORABLE}")
