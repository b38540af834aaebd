"""Fingerprints: two functions have the same one when their code, and the project code that they call, is the same.

What counts is the compiled code: comments, formatting and docstrings do not. From a function the walk goes to all that
its code names: project functions, classes and modules, plain values and containers, instances of project classes with
their attributes, arrays; and on from there. A module that is imported inside of a function counts by its syntax tree,
as nothing of it ran yet. Code outside of the project's folder counts by the environment lock. Any other value counts by
its type alone: an open connection, a fitted estimator.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import dis
import functools
import hashlib
import inspect
import re
import sys
import types
from pathlib import Path, PurePath
from typing import Any

from .sources import Sources

__all__ = ["code_digest"]

_SCALARS = (str, bytes, bool, int, float, complex, type(None), type(...))
_SHOWN = (dt.date, dt.time, dt.timedelta, decimal.Decimal, range, slice)  # their repr says all there is
_HAS_CONST = frozenset(dis.hasconst)
_EXTENDED_ARG, _IMPORT_NAME = dis.opmap["EXTENDED_ARG"], dis.opmap["IMPORT_NAME"]
_HAS_DOCSTRING = 0x4000000  # a flag from Python 3.14 on
_STORE_NAME = dis.opmap["STORE_NAME"]
# What the interpreter writes into a class, and what says where a class stands and not what it does.
_NO_PART = frozenset(
    ("__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__firstlineno__", "__static_attributes__")
)


def code_digest(function: Any, root: Path) -> str:
    """Return the sha256 of a function's code and of all project code below `root` that it reaches."""
    walk = _Walk(root.resolve())
    walk.visit(function, "")
    return walk.digest.hexdigest()


class _Walk:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.digest = hashlib.sha256()
        self.sources = Sources(root)
        self._files: dict[str, bool] = {}
        self._seen: set[int] = set()
        self._inside: set[int] = set()
        self._keep: list[Any] = []  # what was seen stays alive, so that an id is not given twice

    def visit(self, value: Any, name: str) -> None:
        """Add what `value`, found under `name`, means to the digest."""
        if isinstance(value, (*_SCALARS, *_SHOWN, PurePath)):
            self._add("value", name, self._text(value))
        elif isinstance(value, (list, tuple, set, frozenset, dict, types.MappingProxyType)):
            self._container(value, name)
        elif id(value) in self._seen:
            self._add("again", name)
        else:
            self._seen.add(id(value))
            self._keep.append(value)
            self._object(value, name)

    def _object(self, value: Any, name: str) -> None:
        if isinstance(value, types.FunctionType):
            self._function(value, name)
        elif isinstance(value, type):
            self._class(value, name)
        elif isinstance(value, types.ModuleType):
            self._module(value, name)
        elif isinstance(value, types.CodeType):
            self._code(value, "")
        elif (parts := _parts(value)) is not None:
            self._add("parts", name, _kind(value))
            for part in parts:
                self.visit(part, name)
        elif self._is_ours_class(type(value)):
            self._instance(value, name)
        elif hasattr(value, "__wrapped__"):
            self.visit(inspect.unwrap(value), name)
        elif type(value).__module__ == "numpy" and not getattr(getattr(value, "dtype", None), "hasobject", True):
            self._add("array", name, f"{value.dtype.descr}{value.shape}", hashlib.sha256(value.tobytes()).hexdigest())
        else:
            self._add("object", name, _kind(value))

    def _container(self, value: Any, name: str) -> None:
        if id(value) in self._inside:  # it holds itself
            self._add("inside", name)
            return
        self._inside.add(id(value))
        self._add(_kind(value), name, str(len(value)))
        if isinstance(value, (set, frozenset)):
            self._add(*sorted(self._text(part) for part in value))
        elif isinstance(value, (list, tuple)):
            for part in value:
                self.visit(part, "")
        else:
            for key, part in value.items():
                self._add(self._text(key))
                self.visit(part, "")
        self._inside.discard(id(value))

    def _function(self, function: types.FunctionType, name: str) -> None:
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        if not self._is_ours(function.__code__.co_filename):
            self._add("outside", name, f"{function.__module__}.{function.__qualname__}")
            # A library's decorator around a function of the project: contextmanager, a cache, a retry.
            around = [getattr(function, "__wrapped__", None), *(_content(cell) for cell in cells.values())]
            for part in around:
                if isinstance(part, (types.FunctionType, types.MethodType, type, functools.partial)):
                    self.visit(part, "")
            return
        self._add("function", name)
        self._code(function.__code__, function.__globals__.get("__package__") or "")
        self.visit(function.__defaults__, "defaults")
        self.visit(function.__kwdefaults__, "kwdefaults")
        self.visit(getattr(function, "__wrapped__", None), "__wrapped__")
        for cell_name, cell in cells.items():
            self.visit(_content(cell), cell_name)
        for used in sorted(_names(function.__code__)):
            # The dunder names say where the module lies and how it was loaded.
            if used in function.__globals__ and not used.startswith("__"):
                self.visit(function.__globals__[used], used)

    def _class(self, kind: type, name: str) -> None:
        if not self._is_ours_class(kind):
            self._add("outside", name, f"{kind.__module__}.{kind.__qualname__}")
            return
        self._add("class", name)
        for base in kind.__bases__:
            self.visit(base, "base")
        for key, part in sorted(vars(kind).items()):
            if key not in _NO_PART:
                self.visit(part, key)

    def _instance(self, value: Any, name: str) -> None:
        self._add("instance", name)
        self.visit(type(value), "")
        state = dict(getattr(value, "__dict__", {}))
        for kind in type(value).__mro__:
            slots = [*_listed(vars(kind).get("__slots__", ())), *getattr(kind, "__struct_fields__", ())]
            state |= {slot: getattr(value, slot) for slot in slots if hasattr(value, slot) and slot[:2] != "__"}
        for key, part in sorted(state.items()):
            self.visit(part, key)

    def _module(self, module: types.ModuleType, name: str) -> None:
        places = [getattr(module, "__file__", None) or "", *(f"{one}/_" for one in getattr(module, "__path__", ()))]
        if not any(self._is_ours(place) for place in places):
            self._add("outside", name, module.__name__)
            return
        # Which of its names are used can't be told from the code that names the module: all count.
        self._add("module", name)
        for key, part in sorted(vars(module).items()):
            if not key.startswith("__"):
                self.visit(part, key)

    def _code(self, code: types.CodeType, package: str) -> None:
        """Add the instructions, with constants by value and not by place: a docstring would move the others."""
        flags = code.co_flags & ~_HAS_DOCSTRING
        self._add(f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {flags}", code.co_name)
        self._add(" ".join(code.co_names), " ".join(code.co_varnames), code.co_exceptiontable.hex())
        body, kept, constants, extended = code.co_code, bytearray(), [], 0
        for place in range(0, len(body), 2):
            operation, argument = body[place], body[place + 1] | extended
            extended = argument << 8 if operation == _EXTENDED_ARG else 0
            if operation == _EXTENDED_ARG:
                continue
            kept.append(operation)
            if operation in _HAS_CONST:
                if not _says_where(code, body[place + 2 : place + 4]):
                    constants.append(code.co_consts[argument])
                continue
            kept += argument.to_bytes(4, "little")
            if operation == _IMPORT_NAME:
                level = next((one for one in constants[-2:] if type(one) is int), 0)
                names = constants[-1] if constants and isinstance(constants[-1], tuple) else ()
                self._add(*self.sources.imported(code.co_names[argument], names, level, package))
        self._add(kept.hex())
        for constant in constants:
            if isinstance(constant, types.CodeType):
                self._code(constant, package)
            else:
                self.visit(constant, "constant")

    def _is_ours_class(self, kind: type) -> bool:
        module = sys.modules.get(kind.__module__)
        return self._is_ours(getattr(module, "__file__", None) or "")

    def _is_ours(self, file: str) -> bool:
        if file not in self._files:
            path = Path(file).resolve()
            # A virtual environment inside of the project folder is not the project's code.
            self._files[file] = bool(file) and self.root in path.parents and "site-packages" not in path.parts
        return self._files[file]

    def _text(self, value: Any) -> str:
        if isinstance(value, (*_SCALARS, *_SHOWN)):
            # The folder that the project lies in is not part of what it does.
            return f"{_kind(value)}:{value!r}".replace(str(self.root), ".")
        if isinstance(value, PurePath):
            return f"path:{value}".replace(str(self.root), ".")
        if isinstance(value, (tuple, frozenset)):
            parts = [self._text(part) for part in value]
            return f"{_kind(value)}:{parts if isinstance(value, tuple) else sorted(parts)}"
        return f"object:{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}:{_kind(value)}"

    def _add(self, *parts: str) -> None:
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            self.digest.update(len(data).to_bytes(8, "little"))
            self.digest.update(data)


def _parts(value: Any) -> list[Any] | None:
    """Return what a wrapper of the standard library holds, or None for anything else."""
    if isinstance(value, types.MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, (staticmethod, classmethod)):
        return [value.__func__]
    if isinstance(value, property):
        return [value.fget, value.fset, value.fdel]
    if isinstance(value, functools.cached_property):
        return [value.func]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, dataclasses.Field):
        return [value.name, value.default, value.default_factory]
    if isinstance(value, re.Pattern):
        return [value.pattern, value.flags]
    return None


def _says_where(code: types.CodeType, following: bytes) -> bool:
    """Say whether the next instruction keeps a class's docstring or its line."""
    return (
        len(following) == 2
        and following[0] == _STORE_NAME
        and code.co_names[following[1]] in ("__doc__", "__firstlineno__")
    )


def _names(code: types.CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is not filled yet
        return ...


def _listed(slots: Any) -> list[str]:
    return [slots] if isinstance(slots, str) else list(slots)


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
