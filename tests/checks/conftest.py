"""Small projects on disk, and packaged models, for the tests of the checks."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from plusone.base.records import Dataset
from plusone.checks.context import Context, ReleaseRef
from plusone.checks.result import Part
from plusone.checks.session import run_tests
from plusone.data.datasets import save
from plusone.store.blobs import Blobs
from tests.checks.models import make_packages, rows


class Sandbox:
    """A project folder with step outputs in its blobs, and a context to run its tests with."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = Blobs(root.parent / f"{root.name}-blobs")  # not beside the records of the project's store
        self.context = Context(
            root=str(root),
            tests=str(root / "tests"),
            blobs=str(self.blobs.folder),
            subject="data",
            model="delays",
            models=("delays",),
            outputs={},
        )
        (root / "tests").mkdir(parents=True)
        self.write("pyproject.toml", "[tool.plusone]\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")

    def output(self, **values: Any) -> None:
        made: dict[str, Dataset] = {name: save(value, self.blobs) for name, value in values.items()}
        self.change(outputs={**self.context.outputs, **made})

    def change(self, **fields: Any) -> None:
        self.context = msgspec.structs.replace(self.context, **fields)

    def run(self, subject: str = "data", **options: Any) -> Part:
        return run_tests(msgspec.structs.replace(self.context, subject=subject), **options)


@pytest.fixture(autouse=True)
def light_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each pytest process the import of hypothesis, which its plugin does even when no test uses it."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    box = Sandbox(tmp_path / "project")
    box.output(flights={"rows": [1, 2, 3]})
    return box


@pytest.fixture(scope="session")
def holdout() -> pd.DataFrame:
    return rows(2, 1500)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ReleaseRef]:
    return make_packages(tmp_path_factory.mktemp("packages"))
