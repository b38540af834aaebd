"""The source files of a project that an object needs.

Imports are read from the syntax trees, those inside of functions too. Only files below the project's folder are
packaged, never those of an environment inside of it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..base.errors import Incompatible

__all__ = ["Sources", "is_ours"]


def is_ours(file: str | None, root: Path) -> bool:
    """Say whether a file is the project's own code or data: below its folder, and of no environment in it."""
    if not file:
        return False
    path = Path(file).resolve()
    return root in path.parents and "site-packages" not in path.parts


class Sources:
    """What a set of objects needs to be imported elsewhere. `root`: the project's folder, resolved.

    Attributes:
        files: by path below the project's folder (with `/`), the bytes of each source file.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, bytes] = {}
        self._seen: set[str] = set()

    def add(self, thing: Any, what: str) -> tuple[str, str]:
        """Take in the module of a function or class of the project; return its module and its name there.

        Args:
            what: how messages name it.

        Raises:
            Incompatible: when it is not to be had under that name, or its module can't be imported without plusone.
        """
        module, name = str(thing.__module__), str(thing.__qualname__)
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is not thing or module == "__main__":
            raise Incompatible(
                f"{what} is {module}.{name}, which can't be found under that name: it was made inside of a function, "
                "or in a module that is not imported.",
                mend="define it at the top level of a module of the project",
            )
        self._module(module, what)
        return module, name

    def _module(self, name: str, what: str) -> None:
        parts = name.split(".")
        # A package's own file runs before the module in it.
        for count in range(1, len(parts) + 1):
            self._one(".".join(parts[:count]), what)

    def _one(self, name: str, what: str) -> None:
        if name in self._seen:
            return
        self._seen.add(name)
        file = self._file(name)
        if file is None:
            return
        data = file.read_bytes()
        place = file.resolve().relative_to(self.root).as_posix()
        self.files[place] = data
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        tree = ast.parse(data, str(file))
        for imported, line in _imports(tree.body, package, at_once=True):
            if imported.partition(".")[0] == "plusone":
                raise Incompatible(
                    f"{what} is in {place}, which imports plusone (line {line}): a model runs in a process of its own, "
                    "without plusone and without the pipeline.",
                    mend="move it to a module of its own, e.g. forecaster.py, and import that in the pipeline",
                )
        for imported, _ in _imports(ast.walk(tree), package, at_once=False):
            self._module(imported, what)

    def _file(self, name: str) -> Path | None:
        """Return the source file of a module if it is the project's."""
        module = sys.modules.get(name)
        if isinstance(module, ModuleType):
            place = getattr(module, "__file__", None)
            return Path(place) if place and place.endswith(".py") and is_ours(place, self.root) else None
        stem = name.replace(".", "/")
        for base in self._bases():
            for file in (base / stem / "__init__.py", base / f"{stem}.py"):
                if file.is_file() and is_ours(str(file), self.root):
                    return file
        return None

    def _bases(self) -> Iterator[Path]:
        yield self.root
        for place in sys.path:
            if is_ours(place, self.root):
                yield Path(place)


def _imports(nodes: Iterable[ast.AST], package: str, *, at_once: bool) -> Iterator[tuple[str, int]]:
    """Give the names of what is imported, each with its line; `at_once`: only what is as the module itself runs."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parts = package.split(".")
                above = parts[: len(parts) - node.level + 1]
                module = ".".join([*above, module]) if module else ".".join(above)
            if module:
                yield module, node.lineno
            yield from ((f"{module}.{alias.name}" if module else alias.name, node.lineno) for alias in node.names)
        elif at_once and isinstance(node, (ast.If, ast.Try, ast.With)):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            yield from _imports(ast.iter_child_nodes(node), package, at_once=True)
