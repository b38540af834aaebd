"""Files through the artifact proxy, over real sockets: whole, in pieces, cut off, in part."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from plusone.app.app import App
from tests.http.server import ask, raw, served
from tests.serving.serving_folder import until

BASE = "/api/2.0/mlflow-artifacts"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("transfer") / "p"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "p"\n[tool.plusone]\n', "utf-8")
    with App(root):
        pass
    return root


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with served(root) as address:
        yield address


@pytest.fixture
def place(address: str) -> str:
    status, made = ask(address, "POST", "/api/2.0/mlflow/runs/create", b"{}")
    assert status == 200
    return f"{BASE}/artifacts/0/{made['run']['info']['run_id']}/artifacts"


def _get(address: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 1, 100, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_003])
def test_a_file_of_any_size_comes_back_as_it_went(address: str, place: str, size: int):
    data = os.urandom(size)
    assert ask(address, "PUT", f"{place}/a.bin", data, {"content-type": "text/plain"}) == (200, {})
    status, headers, back = _get(address, f"{place}/a.bin")
    assert (status, back) == (200, data)
    assert headers["content-length"] == str(size)
    assert headers["x-content-type-options"] == "nosniff"
    status, listed = ask(address, "GET", f"{BASE}/artifacts?path={place.removeprefix(BASE + '/artifacts/')}")
    assert listed == {"files": [{"path": "a.bin", "is_dir": False, "file_size": size}]}


def test_a_file_of_unknown_length_comes_in_pieces(address: str, place: str):
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    pieces = [os.urandom(300_000) for _ in range(10)]
    connection.request(
        "PUT", f"{place}/p.bin", iter(pieces), encode_chunked=True, headers={"transfer-encoding": "chunked"}
    )
    assert connection.getresponse().status == 200
    connection.close()
    assert _get(address, f"{place}/p.bin")[2] == b"".join(pieces)


@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5000000\r\n\r\n" + "x" * 100_000,
        "Content-Length: 500\r\n\r\n" + "x" * 100,
        "Transfer-Encoding: chunked\r\n\r\n100000\r\n" + "x" * 100,
        "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzz",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
    ],
)
def test_a_file_that_was_cut_off_is_not_kept(address: str, place: str, root: Path, head: str):
    before = len(list((root / ".plusone" / "uploads").iterdir()))
    answer = raw(address, f"PUT {place}/cut.bin HTTP/1.1\r\nHost: localhost\r\n{head}".encode())
    assert b" 200 " not in answer.split(b"\r\n")[0]
    until(lambda: len(list((root / ".plusone" / "uploads").iterdir())) == before, "the upload is given up")
    assert _get(address, f"{place}/cut.bin")[0] == 404
    assert ask(address, "GET", "/health")[0] == 200


def test_a_part_of_a_file(address: str, place: str):
    data = bytes(range(256)) * 10
    ask(address, "PUT", f"{place}/r.bin", data)
    for asked, (start, end) in {
        "bytes=0-9": (0, 10),
        "bytes=10-": (10, 2560),
        "bytes=-5": (2555, 2560),
        "bytes=2559-9999": (2559, 2560),
    }.items():
        status, headers, back = _get(address, f"{place}/r.bin", range=asked)
        assert (status, back) == (206, data[start:end]), asked
        assert headers["content-range"] == f"bytes {start}-{end - 1}/2560"
    assert _get(address, f"{place}/r.bin", range="bytes=2560-")[0] == 416
    for odd in ("bytes=-", "bytes=a-b", "rows=1-2", "bytes=1-2,4-5", "bytes=" + "9" * 50 + "-"):
        assert _get(address, f"{place}/r.bin", range=odd)[::2] == (200, data), odd


def test_a_name_with_any_letters(address: str, place: str):
    for name in ("ü ö.txt", "a%b", "100%.txt", "#?&=+;.txt", "日本/文.txt", "'\"<>.txt"):
        path = f"{place}/{quote(name)}"
        assert ask(address, "PUT", path, name.encode())[0] == 200
        assert _get(address, path)[2] == name.encode()


@pytest.mark.parametrize(
    "tail",
    ["..%2fx", "%2e%2e/x", "..%2f..%2f..%2fetc%2fpasswd", "a%00b", "%2fetc%2fpasswd", "a%5cb", "a//b", "%ff", "."],
)
def test_no_path_leads_out(address: str, place: str, tail: str):
    for verb, body in (("PUT", b"x"), ("GET", None), ("DELETE", None)):
        status, answer = ask(address, verb, f"{place}/{tail}", body)
        assert status in (400, 404), (verb, tail)
        assert answer["error_code"] in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "ENDPOINT_NOT_FOUND")


def test_a_file_for_nobody_is_refused_whatever_its_size(address: str):
    for size in (10, 3_000_000):
        status, answer = ask(address, "PUT", f"{BASE}/artifacts/0/none/artifacts/x", b"x" * size)
        assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_foreign_host_reaches_nothing(address: str, place: str):
    for path in (f"{place}/x", "/version", f"{BASE}/artifacts"):
        status, answer = ask(address, "GET", path, headers={"host": "example.org"})
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert ask(address, "PUT", f"{place}/x", b"x", {"host": "example.org"})[0] == 400
    assert _get(address, f"{place}/x")[0] == 404


def test_a_file_in_parts(address: str, place: str):
    where = place.replace("/artifacts/", "/mpu/create/", 1)
    status, begun = ask(address, "POST", where, json.dumps({"path": "/x/big.bin", "num_parts": 2}).encode())
    assert status == 200, begun
    parts = [os.urandom(2_000_000), os.urandom(10)]
    sent: list[dict[str, object]] = []
    for credential, part in zip(begun["credentials"], parts, strict=True):
        url = urlsplit(credential["url"])
        assert f"http://{url.netloc}" == address
        assert ask(address, "PUT", url.path, part)[0] == 200
        sent.append({"part_number": credential["part_number"], "etag": "x", "url": credential["url"]})
    body = {"path": "/x/big.bin", "upload_id": begun["upload_id"], "parts": sent}
    done = where.replace("/create/", "/complete/")
    assert ask(address, "POST", done, json.dumps(body).encode(), {"content-type": "text/plain"})[0] == 400
    assert ask(address, "POST", done, json.dumps(body).encode()) == (200, {})
    assert _get(address, f"{place}/big.bin")[2] == b"".join(parts)
    status, answer = ask(address, "PUT", f"{BASE}/mpu/part/none/1", b"x")
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_bytes_that_were_changed_are_not_sent(address: str, place: str, root: Path):
    data = os.urandom(1000)
    ask(address, "PUT", f"{place}/broken.bin", data)
    [blob] = [file for file in (root / ".plusone" / "blobs").rglob("*") if file.is_file() and file.read_bytes() == data]
    blob.chmod(0o644)
    blob.write_bytes(data[::-1])
    status, _, back = _get(address, f"{place}/broken.bin")
    assert status == 409
    assert data[::-1] not in back
    blob.write_bytes(data)
