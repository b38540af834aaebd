"""Fingerprints: two functions have the same one when their code, and the project code that they call, is the same.

What counts is the compiled code: comments, formatting and docstrings do not. From a function the walk goes to every
project function, class, module and plain constant that its code names, and on from there; code outside of the
project's folder counts by the environment lock. A global that is neither code nor plain data counts by its type alone.
"""

from __future__ import annotations

import hashlib
import inspect
import types
from pathlib import Path
from typing import Any

__all__ = ["code_digest"]


def code_digest(function: Any, root: Path) -> str:
    """Return the sha256 of a function's code and of all project code below `root` that it reaches."""
    walk = _Walk(root.resolve())
    walk.visit(function, "")
    return walk.digest.hexdigest()


class _Walk:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.digest = hashlib.sha256()
        self._seen: set[int] = set()
        self._keep: list[Any] = []  # what was seen stays alive, so that an id is not given twice

    def visit(self, value: Any, name: str) -> None:
        """Add what `value`, found under `name`, means to the digest."""
        if isinstance(value, (types.FunctionType, types.MethodType, type, types.ModuleType)):
            if id(value) in self._seen:
                self._add("again", name)
                return
            self._seen.add(id(value))
            self._keep.append(value)
        if isinstance(value, types.MethodType):
            value = value.__func__
        if isinstance(value, types.FunctionType):
            self._function(value, name)
        elif isinstance(value, type):
            self._class(value, name)
        elif isinstance(value, types.ModuleType):
            self._module(value, name)
        elif hasattr(value, "__wrapped__"):
            self.visit(inspect.unwrap(value), name)
        else:
            self._add("value", name, _plain(value))

    def _function(self, function: types.FunctionType, name: str) -> None:
        if not self._is_ours(function.__code__.co_filename):
            self._add("outside", name, f"{function.__module__}.{function.__qualname__}")
            return
        self._add("function", name)
        self._code(function.__code__)
        self._add("defaults", _plain(function.__defaults__), _plain(function.__kwdefaults__))
        if hasattr(function, "__wrapped__"):
            self.visit(vars(function)["__wrapped__"], "__wrapped__")
        for cell_name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                self.visit(cell.cell_contents, cell_name)
            except ValueError:  # a cell that is not filled yet
                self._add("empty", cell_name)
        for used in sorted(_names(function.__code__)):
            if used in function.__globals__:
                self.visit(function.__globals__[used], used)
            else:
                self._imported_inside(used)

    def _imported_inside(self, name: str) -> None:
        """Add a project module that a function imports in its own body: the text of its files, as nothing ran yet."""
        for file in [self.root / f"{name}.py", *sorted((self.root / name).rglob("*.py"))]:
            if file.is_file():
                self._add("file", str(file.relative_to(self.root)), file.read_text("utf-8", "replace"))

    def _class(self, kind: type, name: str) -> None:
        module = inspect.getmodule(kind)
        if not self._is_ours(getattr(module, "__file__", None)):
            self._add("outside", name, f"{kind.__module__}.{kind.__qualname__}")
            return
        self._add("class", name)
        for base in kind.__bases__:
            self.visit(base, "base")
        for key, part in sorted(vars(kind).items()):
            if key in ("__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__firstlineno__"):
                continue
            if isinstance(part, property):
                for accessor in (part.fget, part.fset, part.fdel):
                    if accessor is not None:
                        self.visit(accessor, key)
            else:
                self.visit(getattr(part, "__func__", part), key)

    def _module(self, module: types.ModuleType, name: str) -> None:
        file = getattr(module, "__file__", None)
        if not self._is_ours(file):
            self._add("outside", name, module.__name__)
            return
        # Which of its names are used can't be told from the code that names the module: all count.
        self._add("module", name)
        for key, part in sorted(vars(module).items()):
            if not key.startswith("__"):
                self.visit(part, key)

    def _code(self, code: types.CodeType) -> None:
        self._add(code.co_code.hex(), " ".join(code.co_names), " ".join(code.co_varnames), str(code.co_argcount))
        constants = code.co_consts[1:] if _docstring(code) is not None else code.co_consts
        for constant in constants:
            if isinstance(constant, types.CodeType):
                self._code(constant)
            else:
                self._add("constant", _plain(constant))

    def _is_ours(self, file: str | None) -> bool:
        if not file:
            return False
        path = Path(file).resolve()
        # A virtual environment inside of the project folder is not the project's code.
        return self.root in path.parents and "site-packages" not in path.parts

    def _add(self, *parts: str) -> None:
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            self.digest.update(len(data).to_bytes(8, "little"))
            self.digest.update(data)


def _docstring(code: types.CodeType) -> str | None:
    flag = getattr(inspect, "CO_HAS_DOCSTRING", None)  # Python 3.14 says so; before it was always the first constant
    first = code.co_consts[0] if code.co_consts else None
    if not isinstance(first, str) or code.co_name.startswith("<"):
        return None
    return first if flag is None or code.co_flags & flag else None


def _names(code: types.CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found


def _plain(value: Any) -> str:
    if value is None or isinstance(value, (str, bytes, bool, int, float, complex)) or value is ...:
        return f"{type(value).__name__}:{value!r}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}:[{','.join(_plain(part) for part in value)}]"
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}:{{{','.join(sorted(_plain(part) for part in value))}}}"
    if isinstance(value, dict):
        return f"dict:{{{','.join(f'{_plain(key)}={_plain(part)}' for key, part in value.items())}}}"
    if isinstance(value, Path):
        return f"path:{value}"
    return f"object:{type(value).__module__}.{type(value).__qualname__}"
