"""Addresses of the artifact proxy: what they mean, and those that lead elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import PlusoneError
from plusone.mlflow.artifacts import EndUpload, NewUpload, Part, Proxy, Uploads
from plusone.tracking.artifacts import read_artifact
from plusone.tracking.logged_models import add_logged_model
from tests.mlflow.asking import Asking


@pytest.fixture
def proxy(mlflow: Asking, tmp_path: Path) -> Proxy:
    return Proxy(mlflow.app.store, Uploads(tmp_path / "uploads"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, str]]:
    folder = tmp_path_factory.mktemp("artifacts")
    asking = Asking(folder / "p")
    yield Proxy(asking.app.store, Uploads(folder / "uploads")), asking.run()
    asking.close()


def test_an_address_means_an_artifact_of_a_run_or_of_a_logged_model(mlflow: Asking, proxy: Proxy):
    run_id = mlflow.run()
    model = add_logged_model(mlflow.app.store, "0", name="m").id
    assert proxy.place(f"0/{run_id}/artifacts/a/b.txt") == (run_id, "a/b.txt")
    assert proxy.place(f"0/models/{model}/artifacts/MLmodel") == (model, "MLmodel")
    assert proxy.place(f"0/{run_id}/artifacts", whole=True) == (run_id, "")
    proxy.keep_bytes(proxy.place(f"0/{run_id}/artifacts/a/b.txt"), b"x")
    assert read_artifact(mlflow.app.store, run_id, "a/b.txt") == b"x"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "..",
        "../x",
        "a/../x",
        "a/..",
        "/x",
        "a//x",
        "./x",
        "a/./x",
        "a\\x",
        "a\0x",
        "a\nx",
        "a" * 256,
        "/".join("a" for _ in range(600)),
        "\ud800",
    ],
)
def test_a_path_that_leads_elsewhere_is_none(mlflow: Asking, proxy: Proxy, path: str):
    run_id = mlflow.run()
    with pytest.raises(PlusoneError):
        proxy.place(f"0/{run_id}/artifacts/{path}")
    if path:
        assert mlflow.send("GET", "artifacts/list", {"run_id": run_id, "path": path.replace("\ud800", "..")})[0] == 400


@pytest.mark.parametrize(
    "address", ["", "x", "a/b", "a/b/c/d", "0/RUN/files/x", "1/RUN/artifacts/x", "0/none/artifacts/x"]
)
def test_an_address_that_nothing_owns_is_refused(mlflow: Asking, proxy: Proxy, address: str):
    with pytest.raises(PlusoneError):
        proxy.place(address.replace("RUN", mlflow.run()))
    with pytest.raises(PlusoneError):
        proxy.place("0/models/none/artifacts/x")


@given(
    st.lists(st.one_of(st.text(max_size=5), st.sampled_from(["..", ".", "", "artifacts", "models", "0"])), max_size=8)
)
def test_no_address_is_a_fault_of_ours(shared: tuple[Proxy, str], parts: list[str]):
    proxy, run_id = shared
    for address in ("/".join(parts), f"0/{run_id}/artifacts/{'/'.join(parts)}"):
        try:
            owner, path = proxy.place(address, whole=True)
        except PlusoneError:
            continue
        assert owner == run_id
        assert ".." not in path.split("/")
        assert not path.startswith("/")


def test_a_folder_is_listed_one_level_deep(mlflow: Asking, proxy: Proxy):
    run_id = mlflow.run()
    root = f"0/{run_id}/artifacts"
    for path in ("a", "b/c", "b/d/e", "b0"):
        proxy.keep_bytes(proxy.place(f"{root}/{path}"), b"12")
    listed = proxy.list(root)["files"]
    assert [(one["path"], one["is_dir"], one.get("file_size")) for one in listed] == [
        ("a", False, 2),
        ("b", True, None),
        ("b0", False, 2),
    ]
    assert [one["path"] for one in proxy.list(f"{root}/b")["files"]] == ["c", "d"]
    assert proxy.list(f"{root}/a") == {"files": []}
    assert proxy.list(f"{root}/none") == {"files": []}
    with pytest.raises(PlusoneError, match="is a file already"):
        proxy.keep_bytes(proxy.place(f"{root}/a/x"), b"")
    proxy.delete(f"{root}/b")
    assert [one["path"] for one in proxy.list(root)["files"]] == ["a", "b0"]
    with pytest.raises(PlusoneError):
        proxy.delete(f"{root}/b")
    proxy.delete(root)
    assert proxy.list(root) == {"files": []}


def test_a_file_may_come_in_parts(mlflow: Asking, proxy: Proxy, tmp_path: Path):
    uploads = Uploads(tmp_path / "uploads")
    run_id = mlflow.run()
    address = f"0/{run_id}/artifacts/deep"
    begun = proxy.begin_parts(address, NewUpload("/home/ann/big.bin", 2), "http://localhost/part")
    upload_id = begun["upload_id"]
    assert [one["url"] for one in begun["credentials"]] == [f"http://localhost/part/{upload_id}/{n}" for n in (1, 2)]
    uploads.part(upload_id, "2").write_bytes(b"second")
    end = EndUpload("/home/ann/big.bin", upload_id, [Part(2, "x"), Part(1, "y")])
    with pytest.raises(PlusoneError, match="never sent"):
        proxy.end_parts(address, end)
    uploads.part(upload_id, "1").write_bytes(b"first ")
    proxy.end_parts(address, end)
    assert read_artifact(mlflow.app.store, run_id, "deep/big.bin") == b"first second"
    with pytest.raises(PlusoneError, match="no upload"):
        proxy.end_parts(address, end)
    again = proxy.begin_parts(address, NewUpload("big.bin"), "http://localhost/part")["upload_id"]
    proxy.drop_parts(address, EndUpload("big.bin", again))
    assert list(uploads.folder.iterdir()) == []


@pytest.mark.parametrize("upload_id", ["", "..", "../x", "none", "a/b", "\0", "x" * 1000])
def test_an_upload_that_is_not_under_way_is_refused(tmp_path: Path, upload_id: str):
    uploads = Uploads(tmp_path / "uploads")
    with pytest.raises(PlusoneError):
        uploads.part(upload_id, "1")
    begun = uploads.begin().name
    for number in ("0", "-1", "x", "", "10001", "9" * 400, "../1"):
        with pytest.raises(PlusoneError):
            uploads.part(begun, number)


def test_an_upload_that_nobody_finished_is_forgotten_after_a_day(tmp_path: Path):
    uploads = Uploads(tmp_path / "uploads")
    old, new = uploads.begin(), uploads.begin()
    (old / "1").write_bytes(b"x")
    os.utime(old, (1, 1))
    Uploads(tmp_path / "uploads")
    assert not old.exists()
    assert new.exists()
