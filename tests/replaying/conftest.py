"""One package of a small model, with the lock that packages get."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from plusone import packaging
from plusone.base.ids import canonical_json, digest_bytes
from plusone.replaying.asking import compiled_lock
from tests.shared import once

Changed = Callable[..., tuple[Path, str]]


def _make(folder: Path) -> None:
    x = np.linspace(-1.0, 1.0, 100)
    frame = pd.DataFrame({"x": x, "target": x > 0})
    packaging.pack(
        LogisticRegression().fit(frame[["x"]], frame["target"]),
        name="sign",
        target="target",
        features=["x"],
        train=pa.Table.from_pandas(frame),
        environment=compiled_lock(),
        folder=folder / "package",
    )


@pytest.fixture
def changed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Changed:
    """Return a function that lays the package out with some files replaced, and gives its folder and digest."""
    source = once(tmp_path_factory, "replayed", _make) / "package"

    def lay_out(**replaced: bytes) -> tuple[Path, str]:
        folder = tmp_path / "package"
        folder.mkdir()
        manifest = json.loads((source / "manifest.json").read_bytes())
        for file in manifest["files"]:
            path = str(file["path"])
            data = replaced.get(path.partition(".")[0]) or (source / path).read_bytes()
            (folder / path).write_bytes(data)
            file |= {"digest": digest_bytes(data), "size_bytes": len(data)}
        (folder / "manifest.json").write_bytes(canonical_json(manifest))
        return folder, digest_bytes(canonical_json(manifest))

    return lay_out
