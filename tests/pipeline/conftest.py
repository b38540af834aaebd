"""Small projects on disk."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plusone.pipeline.graph import Graph, load_graph

Load = Callable[..., Graph]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Return a function that writes a project into a new folder and imports its pipeline as a fresh process would."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    modules, path = dict(sys.modules), list(sys.path)
    count = 0

    def forget() -> None:
        sys.path[:] = path
        for name in [name for name, module in sys.modules.items() if modules.get(name) is not module]:
            file = getattr(sys.modules[name], "__file__", None) or str(getattr(sys.modules[name], "__path__", ""))
            if str(tmp_path) in file:
                del sys.modules[name]

    def load_one(files: dict[str, str] | str, *, reserved: tuple[str, ...] = ()) -> Graph:
        nonlocal count
        forget()
        count += 1
        root = tmp_path / f"project{count}"
        for name, text in ({"pipeline.py": files} if isinstance(files, str) else files).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(textwrap.dedent(text))
        return load_graph(root / "pipeline.py", reserved=reserved)

    yield load_one
    forget()
