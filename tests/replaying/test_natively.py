"""A model in a process of its own is asked its examples in an environment of its lock, and each line is missed."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from plusone.base.ids import digest_file
from plusone.packaging.artifact import read
from plusone.replaying.natively import replay_natively
from plusone.replaying.verify import verify
from tests.native.conftest import SCRIPTS, data, pack


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package of the project's forecaster."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import forecaster  # pyright: ignore[reportMissingImports] - of the project

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    frame = data()
    pack(forecaster.Seasonal().fit(frame, frame["target"]), tmp_path / "package", frame)
    return tmp_path / "package"


@pytest.mark.slow
def test_it_works_in_its_own_environment_and_each_line_is_missed(packed: Path):
    found = verify(packed, digest_file(packed / "manifest.json"), each_line=True)
    assert found.problems == ()
    assert found.rows > 10
    assert {line.name for line in found.lines if line.imported} >= {"numpy"}
    assert all(line.module for line in found.lines if line.imported)


@pytest.mark.slow
def test_types_that_nobody_trusted_are_not_loaded(packed: Path):
    package = read(packed)
    wild = msgspec.structs.replace(package, options={**package.options, "types": ["os.system"]})
    found = replay_natively(Path(sys.executable), packed, digest_file(packed / "manifest.json"), package=wild)
    assert found.error is not None
    assert found.error.kind == "UnsafeValue"
