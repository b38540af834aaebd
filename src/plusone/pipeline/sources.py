"""Project modules as text, for code that is imported only when a function runs: found by name, read as syntax trees.

Knows files and Python's syntax; runs nothing.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

__all__ = ["Sources"]


class Sources:
    """The modules below one folder. Each is given once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._given: set[str] = set()

    def imported(self, module: str, names: Collection[str], level: int, package: str) -> Iterator[str]:
        """Give the name and the syntax tree, as text, of every project module that this import reaches, and of those
        that these import. Comments, formatting and docstrings are not in it.

        Args:
            module: the name behind `import` or `from`, empty for `from . import x`.
            names: the names behind `from ... import`: each may be a module.
            level: the number of dots before `module`.
            package: the package of the code that imports.
        """
        if level:
            above = package.split(".")[: len(package.split(".")) - level + 1]
            module = ".".join([*above, module]) if module else ".".join(above)
        whole = [module, *(f"{module}.{name}" for name in names)]
        for name in whole:
            parts = name.split(".")
            for count in range(1, len(parts) + 1):
                yield from self._one(parts[:count])

    def _one(self, parts: list[str]) -> Iterator[str]:
        name = ".".join(parts)
        if not name or name in self._given:
            return
        self._given.add(name)
        file = self._file(parts)
        if file is None:
            return
        text = file.read_text("utf-8", "replace")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):  # it fails when it is run, not here
            yield from (name, text)
            return
        imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                _drop_docstring(node)
        yield from (name, ast.dump(tree))
        package = name if file.name == "__init__.py" else ".".join(parts[:-1])
        for node in imports:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self.imported(alias.name, (), 0, package)
            else:
                yield from self.imported(node.module or "", [alias.name for alias in node.names], node.level, package)

    def _file(self, parts: list[str]) -> Path | None:
        for base in [self.root, *(Path(place) for place in sys.path)]:
            if base != self.root and (self.root not in base.parents or "site-packages" in base.parts):
                continue
            stem = base.joinpath(*parts)
            for file in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
                if file.is_file():
                    return file
        return None


def _drop_docstring(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        node.body.pop(0)
