"""Packages on disk: written whole, read only as they were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from plusone import packaging
from plusone.base.errors import BrokenArtifact, UsageError
from plusone.base.ids import digest_file
from plusone.predictor import load

DATA = pd.DataFrame({"x": [1.0, 2.0, 4.0, 3.0], "y": [0, 5, 1, 2], "target": [2.0, 3.0, 5.0, 1.0]})


def pack(folder: Path, **changes: Any) -> tuple[Any, str]:
    """Package a small linear model."""
    model = changes.pop("model", None) or LinearRegression().fit(DATA[["x", "y"]], DATA["target"])
    arguments: dict[str, Any] = {
        "name": "small",
        "target": "target",
        "features": ["x", "y"],
        "train": pa.Table.from_pandas(DATA),
        "proof": [],
        "environment": "numpy==2\n",
        "folder": folder,
    }
    return packaging.pack(model, **(arguments | changes))


def test_equal_models_give_equal_bytes_and_the_digest_is_the_manifests(tmp_path: Path) -> None:
    package, digest = pack(tmp_path / "a")
    _, again = pack(tmp_path / "b")
    assert digest == again == digest_file(tmp_path / "a" / "manifest.json")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "environment.txt",
        "examples.json",
        "manifest.json",
        "model.onnx",
    ]
    assert packaging.read(tmp_path / "a", digest) == package
    assert package.trained == "sklearn.linear_model._base.LinearRegression"
    for path in (tmp_path / "a").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()
        assert b"site-packages" not in path.read_bytes()


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "environment.txt"])
def test_a_changed_or_missing_file_is_named_with_both_digests(name: str, tmp_path: Path) -> None:
    package, digest = pack(tmp_path)
    expected = digest if name == "manifest.json" else {file.path: file.digest for file in package.files}[name]
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BrokenArtifact, match=name) as caught:
        load(tmp_path, digest)
    assert caught.value.details["expected"] == expected
    assert caught.value.details["actual"] == digest_file(tmp_path / name)
    (tmp_path / name).unlink()
    with pytest.raises(BrokenArtifact, match=name):
        load(tmp_path, digest)


def test_a_file_that_was_added_is_refused_wherever_it_lies(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    _, digest = pack(folder)
    for path in ("more.py", "numpy/__init__.py", "__pycache__/model.cpython-311.pyc", ".hidden"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(b"print('x')")
        with pytest.raises(BrokenArtifact, match="is not in the package's manifest") as caught:
            load(folder, digest)
        assert caught.value.details["file"] == path
        (folder / path).unlink()
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BrokenArtifact, match="is not in the package's manifest"):
        load(folder, digest)
    (folder / "link").unlink()
    load(folder, digest)


@pytest.mark.parametrize("path", ["../outside", "/etc/hostname", "link/file"])
def test_a_manifest_that_leads_out_of_its_folder_is_refused(path: str, tmp_path: Path) -> None:
    folder = tmp_path / "package"
    pack(folder)
    (tmp_path / "outside").write_text("secret")
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][0]["path"] = path
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BrokenArtifact, match="leads out"):
        packaging.read(folder)


def test_a_manifest_that_is_no_manifest(tmp_path: Path) -> None:
    pack(tmp_path)
    for text in (b"", b"[]", b'{"model": 1}', b"\xff"):
        (tmp_path / "manifest.json").write_bytes(text)
        with pytest.raises(BrokenArtifact, match="not a package's manifest"):
            packaging.read(tmp_path)


def test_what_the_caller_got_wrong_is_said(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UsageError, match="not empty"):
        pack(tmp_path / "full")
    with pytest.raises(UsageError, match="tolerance"):
        pack(tmp_path / "a", tolerance=float("nan"))
    with pytest.raises(UsageError, match="target 'target' is among"):
        pack(tmp_path / "a", features=["x", "y", "target"])
    with pytest.raises(UsageError, match="not fitted on 'z'"):
        pack(tmp_path / "a", features=["x", "y", "z"])
    with pytest.raises(UsageError, match="fitted on 'y', not among"):
        pack(tmp_path / "a", features=["x"])
    leaky = LogisticRegression().fit(DATA, DATA["y"])
    with pytest.raises(UsageError, match="fitted on the target 'target' too"):
        pack(tmp_path / "a", model=leaky)
    matrix = LinearRegression().fit(DATA[["x"]].to_numpy(), DATA["target"])
    with pytest.raises(UsageError, match="fitted on 1 columns"):
        pack(tmp_path / "a", model=matrix)
    with pytest.raises(UsageError, match="proof table 1 has no column 'y'"):
        pack(tmp_path / "a", proof=[pa.table({"x": [1.0]})])
    assert not (tmp_path / "a").exists()


def test_features_in_another_order_are_put_right(tmp_path: Path) -> None:
    package, _ = pack(tmp_path, features=["y", "x"])
    assert [field.name for field in package.signature.fields] == ["x", "y"]
    assert package.profile["x"]["maximum"] == 4.0
