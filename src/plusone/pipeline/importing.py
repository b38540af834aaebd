"""Imports a project's own code from its source each time, and leaves no bytecode behind in the project.

Python decides by the second and the size of a file whether its cached bytecode is still good: a setting changed from
1.0 to 0.7 right after a release could be released with the old code. Libraries keep their cache: compiling them anew
costs seconds at every start.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

__all__ = ["import_file", "import_from_source"]


class _FromSource(SourceFileLoader):
    """Compiles what is in the file now."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def import_from_source(root: Path) -> None:
    """From now on import every module below `root` from source; environments inside of it are left alone."""
    root = root.resolve()

    def find(path: str) -> FileFinder:
        folder = Path(path).resolve()
        if (folder != root and root not in folder.parents) or "site-packages" in folder.parts:
            raise ImportError(path)
        return FileFinder(path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_FromSource, [".py"]))

    sys.path_hooks.insert(0, find)
    sys.path_importer_cache.clear()


def import_file(file: Path) -> ModuleType:
    """Import one file as the module of its name, with its folder first on the import path.

    Whatever the file raises is raised.
    """
    import_from_source(file.parent)
    sys.path.insert(0, str(file.parent))
    sys.modules.pop(file.stem, None)  # one of another folder
    return importlib.import_module(file.stem)
