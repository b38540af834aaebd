"""The state of a trained object of the project, as files: JSON, arrays, tables, fitted estimators. Nothing is pickled.

What `child.py` reads. An object that has `save(folder)` and `load(folder)` is asked to write and read itself.
"""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from ..base.errors import Incompatible, UnsafeValue
from .sources import Sources, is_ours

__all__ = ["STATE", "State", "dump_skops"]

STATE = "state/state.json"
_DEEP = 50
_MOST_FILES = 10_000
_PICKLED = tuple(bytes((0x80, protocol)) for protocol in (2, 3, 4, 5))
_MEND = "give the class methods save(folder) and load(folder), or keep plain values, arrays or tables in it"


class State:
    """What an object holds, written down.

    Attributes:
        files: by path in the package, the bytes of each file.
        types: what skops names and does not know to be safe, of types that are not the project's.
    """

    def __init__(self, sources: Sources) -> None:
        self.files: dict[str, bytes] = {}
        self.types: set[str] = set()
        self._sources = sources

    def keep(self, model: Any) -> dict[str, Any]:
        """Write down a function or an object of the project; return how it is found again.

        Raises:
            Incompatible: naming the attribute that can't be written, and what to do.
        """
        if not isinstance(model, type) and hasattr(model, "__qualname__"):
            module, name = self._sources.add(model, "The function")
            return {"kind": "function", "module": module, "name": name}
        kind = type(model)
        module, name = self._sources.add(kind, "The model's class")
        if callable(getattr(model, "save", None)) and callable(getattr(kind, "load", None)):
            self._saved(model)
            return {"kind": "saved", "module": module, "name": name}
        self.files[STATE] = json.dumps(self._attributes(model, kind.__name__, 0), separators=(",", ":")).encode()
        return {"kind": "object", "module": module, "name": name}

    def _saved(self, model: Any) -> None:
        with tempfile.TemporaryDirectory(prefix="plusone-") as name:
            folder = Path(name)
            model.save(folder)
            found = sorted(path for path in folder.rglob("*") if not path.is_dir())
            if len(found) > _MOST_FILES:
                raise Incompatible(f"save() wrote {len(found)} files: expected at most {_MOST_FILES}.")
            for path in found:
                place = path.relative_to(folder).as_posix()
                if path.is_symlink() or not path.is_file():
                    raise Incompatible(f"save() wrote {place}, which is no plain file.", mend="write plain files")
                data = path.read_bytes()
                if data.startswith(_PICKLED) and data.endswith(b"."):
                    raise UnsafeValue(
                        f"save() wrote {place}, which is a pickle: nothing that is released is unpickled.",
                        mend="write JSON, arrays (numpy.save with allow_pickle=False), Parquet, ONNX or safetensors",
                    )
                self.files[f"state/saved/{place}"] = data

    def _attributes(self, thing: Any, where: str, depth: int) -> dict[str, Any]:
        held: dict[str, Any] = dict(getattr(thing, "__dict__", {}))
        for kind in type(thing).__mro__:
            slots: Any = vars(kind).get("__slots__", ())
            for slot in [slots] if isinstance(slots, str) else slots:
                if slot not in ("__dict__", "__weakref__") and hasattr(thing, slot):
                    held[slot] = getattr(thing, slot)
        return {name: self._value(value, f"{where}.{name}", depth + 1) for name, value in held.items()}

    def _value(self, value: Any, where: str, depth: int) -> Any:
        """Return what stands for a value in JSON: itself, or an object whose key `$` says what it is."""
        if depth > _DEEP:
            raise Incompatible(f"{where[:200]} is more than {_DEEP} levels deep, or holds itself.", mend=_MEND)
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) is list:
            return [self._value(one, f"{where}[{place}]", depth + 1) for place, one in enumerate(value)]
        if type(value) is dict:
            return self._mapping(value, where, depth)
        if type(value) in (tuple, set, frozenset):
            items = [self._value(one, f"{where}[{place}]", depth + 1) for place, one in enumerate(value)]
            # A set of texts comes in another order in each process, and equal models are to have equal bytes.
            items = items if type(value) is tuple else sorted(items, key=json.dumps)
            return {"$": type(value).__name__, "items": items}
        if isinstance(value, (bytes, bytearray)):
            return {"$": "bytes", "base64": base64.b64encode(value).decode()}
        if type(value) in (dt.date, dt.datetime, dt.time):
            return {"$": type(value).__name__, "iso": value.isoformat()}
        if isinstance(value, PurePath):
            return {"$": "path", "path": self._project_file(Path(value), where)}
        return self._library_value(value, where) or self._own_value(value, where, depth)

    def _mapping(self, value: Mapping[Any, Any], where: str, depth: int) -> Any:
        if all(type(key) is str for key in value) and "$" not in value:
            return {key: self._value(one, f"{where}[{key!r}]", depth + 1) for key, one in value.items()}
        pairs = [
            [self._value(key, f"a key of {where}", depth + 1), self._value(one, f"{where}[{key!r}]", depth + 1)]
            for key, one in value.items()
        ]
        return {"$": "dict", "pairs": pairs}

    def _own_value(self, value: Any, where: str, depth: int) -> Any:
        """Return what stands for a function, a class or an instance of the project."""
        kind = value if hasattr(value, "__qualname__") else type(value)
        module = sys.modules.get(str(getattr(kind, "__module__", "")))
        if not is_ours(getattr(module, "__file__", None), self._sources.root):
            raise Incompatible(
                f"{where} is a {type(value).__module__}.{type(value).__qualname__}, which can't be packaged as it is: "
                "expected plain values, paths of the project, numpy arrays, dataframes, fitted scikit-learn "
                "estimators, or objects of the project made of these.",
                mend=_MEND,
                attribute=where,
            )
        module_name, name = self._sources.add(kind, where)
        if kind is value:
            return {"$": "named", "module": module_name, "name": name}
        state = self._attributes(value, where, depth)
        return {"$": "object", "module": module_name, "name": name, "state": state}

    def _library_value(self, value: Any, where: str) -> Any:
        """Return what stands for an array, a table or an estimator; None when it is none of them."""
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic) and not value.dtype.hasobject:
            return {"$": "scalar", "file": self._array(numpy.asarray(value))}
        if numpy is not None and type(value) is numpy.ndarray:
            if value.dtype.hasobject:
                raise Incompatible(
                    f"{where} is an array of Python objects: expected numbers, booleans or text of fixed width.",
                    mend=f"{where} = {where}.astype(str), or keep a list",
                    attribute=where,
                )
            return {"$": "array", "file": self._array(value)}
        package = type(value).__module__.partition(".")[0]
        if package in ("pandas", "polars", "pyarrow") and type(value).__name__ in ("DataFrame", "Series", "Table"):
            return self._table(value, package, where)
        base = sys.modules.get("sklearn.base")
        if base is not None and isinstance(value, base.BaseEstimator):
            data, types = dump_skops(value, self._sources, where)
            self.types |= types
            return {"$": "skops", "file": self._file("skops", data)}
        return None

    def _array(self, array: Any) -> str:
        import numpy as np

        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
        return self._file("npy", stream.getvalue())

    def _table(self, value: Any, package: str, where: str) -> Any:
        import pyarrow as pa

        from ..data.tables import to_arrow

        series = type(value).__name__ == "Series"
        name: Any = value.name if series else None
        if series and not (name is None or isinstance(name, str)):
            raise Incompatible(f"{where} is a series named {name!r}: expected a text, or no name.", mend=_MEND)
        try:
            table = to_arrow(value.to_frame("values") if series else value)
        except UnsafeValue as error:
            raise Incompatible(f"{where}: {error.message}", mend=error.mend, attribute=where) from error
        sink = io.BytesIO()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        found = {"$": "table", "file": self._file("arrow", sink.getvalue()), "flavour": package}
        return {**found, "series": name or ""} if series else found

    def _project_file(self, path: Path, where: str) -> str:
        """Package the file, or the files of the folder, that a path leads to; return it below the project's folder."""
        root = self._sources.root
        place = (path if path.is_absolute() else root / path).resolve()
        if not place.exists() or not is_ours(str(place), root):
            raise Incompatible(
                f"{where} is the path {path}: expected a file or folder that exists, below the project's folder.",
                mend="put the file into the project, or keep its content in the model",
                attribute=where,
            )
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.is_file() and is_ours(str(file), root) and "__pycache__" not in file.parts:
                self._sources.files[file.resolve().relative_to(root).as_posix()] = file.read_bytes()
        return place.relative_to(root).as_posix()

    def _file(self, ending: str, data: bytes) -> str:
        path = f"state/{len(self.files)}.{ending}"
        self.files[path] = data
        return path


def dump_skops(model: Any, sources: Sources, where: str) -> tuple[bytes, set[str]]:
    """Return a fitted estimator as skops writes it, and the types in it that skops does not know to be safe.

    Types and functions of the project are not among these: their sources are packaged with it.

    Raises:
        Incompatible: when skops is not installed or can't write it.
    """
    try:
        import skops.io as skops
    except ImportError as error:
        raise Incompatible(
            f"{where} is kept by skops, which is not installed.", mend="pip install 'plusone[sklearn]'"
        ) from error
    dumps: Callable[[Any], bytes] = skops.dumps
    try:
        data = dumps(model)
        unknown = set(skops.get_untrusted_types(data=data))
    except Exception as error:  # whatever of the model skops can't write
        raise Incompatible(
            f"{where} can't be written by skops: {type(error).__name__}: {str(error)[:500]}", mend=_MEND
        ) from error
    foreign: set[str] = set()
    for name in unknown:
        thing = _find(name)
        if thing is None and _is_made_inside(name, sources):
            raise Incompatible(
                f"{where} uses {name}, which can't be found under that name: it is a lambda, or was made inside of a "
                "function.",
                mend="define it with `def` at the top level of a module of the project that does not import plusone",
            )
        module = sys.modules.get(str(getattr(thing, "__module__", "")))
        if thing is not None and is_ours(getattr(module, "__file__", None), sources.root):
            sources.add(thing, f"{where}: {name}")
        else:
            foreign.add(name)
    return data, foreign


def _is_made_inside(name: str, sources: Sources) -> bool:
    """Say whether a name that leads to nothing is of the project's code; other libraries' are not ours to judge."""
    module = sys.modules.get(name.rpartition(".")[0])
    return "<" in name or is_ours(getattr(module, "__file__", None), sources.root)


def _find(name: str) -> Any:
    """Return what is meant by a dotted name among the modules that are loaded; None for nothing."""
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:count]))
        if found is not None:
            for part in parts[count:]:
                found = getattr(found, part, None)
            return found
    return None
