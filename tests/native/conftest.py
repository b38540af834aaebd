"""A project of plain Python models, packages of them, and processes that must all be gone at the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plusone import packaging
from plusone.native.runner import NativeRunner
from plusone.packaging.artifact import read
from tests.packaged import environments
from tests.shared import once

__all__ = ["environments"]

SCRIPTS = Path(__file__).parent / "scripts"
"""The project's folder."""


class Packed(NamedTuple):
    """A package: its digest and its folder."""

    digest: str
    folder: Path


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the modules of the project importable, as they are where its pipeline runs."""
    monkeypatch.syspath_prepend(str(SCRIPTS))


def data() -> pd.DataFrame:
    """Return training data with columns of every kind."""
    hours = np.arange(120)
    return pd.DataFrame(
        {
            "hour": hours % 24,
            "origin": pd.array(["JFK", "LGA", None] * 40, dtype="str"),
            "weekend": hours % 7 < 2,
            "gust": np.where(hours % 5 > 0, hours / 7.0, np.nan),
            "target": np.sin(hours / 4.0),
        }
    )


def pack(model: Any, folder: Path, frame: pd.DataFrame | None = None, target: str = "target", **more: Any) -> Packed:
    """Package a model of the project, trained on this data."""
    frame = data() if frame is None else frame
    table = pa.Table.from_pandas(frame, preserve_index=False)
    more.setdefault("features", [name for name in frame.columns if name != target])
    more.setdefault("root", SCRIPTS)
    _, digest = packaging.pack(
        model, name="m", target=target, train=table, proof=[table], environment="a==1\n", folder=folder, **more
    )
    return Packed(digest, folder)


@pytest.fixture(scope="session")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a package that answers x + z + 1, and does what `scripts/wild.py` says for some x."""

    def make(folder: Path) -> None:
        sys.path.insert(0, str(SCRIPTS))
        try:
            import wild  # pyright: ignore[reportMissingImports] - of the project

            x = np.linspace(0.0, 1.0, 20)
            pack(wild.Wild(1.0), folder / "wild", pd.DataFrame({"x": x, "z": x**2, "target": x + x**2 + 1.0}))
        finally:
            sys.path.remove(str(SCRIPTS))

    return once(tmp_path_factory, "wild", make) / "wild"


class Events(list[tuple[str, dict[str, Any]]]):
    """What was logged."""

    def __call__(self, event: str, **fields: Any) -> None:
        self.append((event, fields))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self if name == event]


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def runner(wild: Path, events: Events) -> Iterator[NativeRunner]:
    """Run the wild model; it is ended when the test is."""
    found = NativeRunner(wild, read(wild), Path(sys.executable), log=events)
    yield found
    found.close()


def is_there(pid: int) -> bool:
    """Say whether a process holds its files still, its sockets among them.

    Its first thread is a zombie as soon as it ended itself: the files are closed by the last one.
    """
    try:
        ended = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
        return not ended or len(os.listdir(f"/proc/{pid}/task")) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(done: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.005)
