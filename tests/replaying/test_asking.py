"""A fresh Python reports what it imported, what it answered, and which module it lacks."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from plusone.base.errors import BrokenEnvironment
from plusone.execution import venvs
from plusone.execution.environment import imports_of
from plusone.replaying import asking
from plusone.replaying.asking import compiled_lock, replay
from tests.replaying.conftest import Changed


def test_the_lock_of_a_compiled_model_is_small_and_does_not_name_plusone():
    lock = compiled_lock()
    names = [line.partition("==")[0] for line in lock.splitlines() if not line.startswith("#")]
    assert {"msgspec", "numpy", "onnxruntime"} <= set(names)
    assert not {"plusone", "pandas", "pyarrow", "scikit-learn", "onnx", "pytest", "pip"} & set(names)
    assert set(imports_of(lock)) >= {"msgspec", "numpy", "onnxruntime"}
    assert compiled_lock() is lock


def test_what_a_fresh_python_reports_of_a_package(changed: Changed):
    folder, digest = changed()
    found = replay(Path(sys.executable), folder, digest)
    assert found.error is None
    assert (found.rows, found.differing, found.max_difference) == (20, (), 0.0)
    assert any(re.search(r"/numpy/__init__\.py$", file) for file in found.files)
    assert not any("/plusone/predictor" in file for file in found.files)


def test_a_module_that_is_not_there_is_named_however_early(changed: Changed):
    folder, digest = changed()
    found = replay(venvs.ensure(""), folder, digest)
    assert found.error is not None
    assert found.error.module == "msgspec"


def test_a_package_that_was_changed_is_reported(changed: Changed):
    folder, digest = changed()
    (folder / "model.onnx").write_bytes(b"other")
    found = replay(Path(sys.executable), folder, digest)
    assert found.error is not None
    assert (found.error.kind, found.error.module) == ("BrokenArtifact", "")


def test_a_process_that_dies_or_hangs_is_told(tmp_path: Path, changed: Changed, monkeypatch: pytest.MonkeyPatch):
    folder, digest = changed()
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho some last words\nkill -9 $$\n")
    python.chmod(0o755)
    with pytest.raises(BrokenEnvironment, match=r"-9: some last words"):
        replay(python, folder, digest)
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(asking, "_PATIENCE_S", 0.1)
    with pytest.raises(BrokenEnvironment, match="did not answer"):
        replay(python, folder, digest)
