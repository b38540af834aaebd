"""The environments of packages that run in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from plusone.base.errors import BrokenArtifact, BrokenEnvironment
from plusone.base.ids import canonical_json
from plusone.base.records import Output, Package, Signature
from plusone.native.pythons import find_interpreter
from plusone.packaging.environments import is_native, make_environment


def _package(folder: Path, kind: str, lock: str) -> Path:
    signature = Signature(fields=(), output=Output(name="y", kind="number"))
    (folder / "manifest.json").write_bytes(
        canonical_json(Package(model="m", format=kind, signature=signature, files=()))
    )
    (folder / "environment.txt").write_text(lock)
    return folder


@pytest.fixture(autouse=True)
def own_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLUSONE_ENVIRONMENTS", str(tmp_path / "environments"))
    return tmp_path / "environments"


def test_a_native_package_has_its_environment_made(tmp_path: Path):
    lock = "# nothing but the standard library\n"
    folder = _package(tmp_path, "python", lock)
    assert is_native(folder)
    make_environment(folder)
    assert find_interpreter(lock).exists()


def test_a_compiled_one_needs_none(tmp_path: Path, own_environments: Path):
    folder = _package(tmp_path, "onnx", "numpy==0.0.0\n")
    assert not is_native(folder)
    make_environment(folder)
    assert not own_environments.exists()


def test_what_cannot_be_made_or_read_is_an_error(tmp_path: Path):
    with pytest.raises(BrokenArtifact):
        make_environment(tmp_path / "none")
    with pytest.raises(BrokenEnvironment):
        make_environment(_package(tmp_path, "skops", "# python 2.7.18 cpython\n"))
