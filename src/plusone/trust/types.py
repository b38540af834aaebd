"""The types that a packaged model asks for, told by their names alone: nothing is imported, so nothing of them runs."""

from __future__ import annotations

import sys
from typing import Any

from ..base.records import Package
from ..base.trusted import AskedType

__all__ = ["asked_of", "describe"]

_KNOWN = {"numpy": "numpy", "scipy": "scipy", "sklearn": "scikit-learn", "plusone": "plusone"}
# fmt: off
_POWERFUL = frozenset({
    "builtins", "code", "codeop", "ctypes", "ftplib", "functools", "gc", "http", "importlib", "inspect", "io",
    "marshal", "multiprocessing", "operator", "os", "pathlib", "pickle", "platform", "posix", "pty", "runpy",
    "shutil", "signal", "site", "smtplib", "socket", "subprocess", "sys", "tempfile", "threading", "timeit", "types",
    "urllib", "webbrowser",
})
# fmt: on


def asked_of(package: Package) -> tuple[AskedType, ...]:
    """Return the types that a package asks for and that are not known to be safe, sorted by name."""
    names: Any = package.options.get("types", ())
    return tuple(describe(str(name)) for name in sorted(set(map(str, names))))


def describe(name: str) -> AskedType:
    """Return what a type is, as far as its name says it."""
    module, _, own = name.rpartition(".")
    root = (module or name).partition(".")[0]
    if root in _KNOWN:
        source = _KNOWN[root]
    elif root in sys.stdlib_module_names:
        source = "the standard library"
    else:
        source = "another package, or the project's own code"
    powerful = root in _POWERFUL and root in sys.stdlib_module_names
    return AskedType(name=name, module=module, own_name=own, source=source, powerful=powerful)
