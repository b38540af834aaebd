"""scikit-learn models that can't be compiled: packaged by skops, proven in their own process, trusted or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from plusone import packaging
from plusone.base.errors import BrokenArtifact, Incompatible, UnsafeValue
from plusone.predictor import load
from tests.packaged import environments

__all__ = ["environments"]

PROJECT = Path(__file__).resolve().parent / "scripts"
FRAME = pd.DataFrame({"x": np.linspace(-1.0, 1.0, 60), "z": np.cos(np.arange(60.0)), "y": np.arange(60) > 30})


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the project's module."""
    monkeypatch.syspath_prepend(str(PROJECT))
    import own_parts  # pyright: ignore[reportMissingImports] - of the project

    return own_parts


def _pack(model: Any, folder: Path, root: Path | None = PROJECT) -> str:
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    _, digest = packaging.pack(
        model.fit(FRAME[["x", "z"]], FRAME["y"]),
        name="m",
        target="y",
        features=["x", "z"],
        train=table,
        environment="a==1\n",
        folder=folder,
        root=root,
    )
    return digest


@pytest.mark.slow
def test_a_function_of_the_project_in_a_pipeline_needs_no_trust(own: Any, tmp_path: Path):
    model = make_pipeline(FunctionTransformer(own.shifted), LogisticRegression())
    predictor = load(tmp_path, _pack(model, tmp_path))
    assert predictor.package.format == "skops"
    assert "functiontransformer" in predictor.package.options["native_because"]
    assert predictor.package.options["types"] == []
    assert "project/own_parts.py" in {file.path for file in predictor.package.files}
    assert (predictor.predict_proba(FRAME) == model.predict_proba(FRAME[["x", "z"]])).all()


@pytest.mark.slow
def test_types_that_are_not_known_to_be_safe_are_loaded_when_a_person_trusted_the_digest(own: Any, tmp_path: Path):
    model = own.Brittle(max_depth=3)
    digest = _pack(model, tmp_path)
    with pytest.raises(UnsafeValue, match=r"sklearn\.tree\._tree\.Tree") as refused:
        load(tmp_path, digest)
    assert "plusone trust m@" in refused.value.mend
    assert refused.value.details["digest"] == digest
    with pytest.raises(UnsafeValue):
        load(tmp_path, digest, trusted=frozenset({"0" * 64}))
    assert load(tmp_path, digest, trusted=frozenset({digest})).predict(FRAME).tolist() == FRAME["y"].tolist()
    assert load(tmp_path, digest, trusted=lambda asked: asked == digest).predict(FRAME[:1]).tolist() == [False]


def test_nearest_neighbours_run_natively(own: Any, tmp_path: Path):
    model = KNeighborsClassifier(3, algorithm="brute")
    digest = _pack(model, tmp_path)
    predictor = load(tmp_path, digest, trusted=frozenset({digest}))
    assert (predictor.predict_proba(FRAME) == model.predict_proba(FRAME[["x", "z"]])).all()


def test_without_a_project_nothing_runs_natively(own: Any, tmp_path: Path):
    with pytest.raises(Incompatible):
        _pack(make_pipeline(FunctionTransformer(own.shifted), LogisticRegression()), tmp_path, root=None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.skops", "environment.txt", "project/own_parts.py"])
def test_a_package_that_was_changed_is_refused(own: Any, tmp_path: Path, name: str):
    digest = _pack(make_pipeline(FunctionTransformer(own.shifted), LogisticRegression()), tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b" ")
    with pytest.raises(BrokenArtifact, match="was changed"):
        load(tmp_path, digest)
