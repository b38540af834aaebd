"""The control API's process, over real sockets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.doors.story import write_story
from tests.http.server import ask, free_port, raw, served
from tests.serving.serving_folder import until


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("api") / "p"
    write_story(root)
    with served(root) as address:
        yield address


def test_an_encoded_at_sign_is_one_and_is_decoded_once(address: str):
    assert ask(address, "GET", "/api/releases/flights%401")[0] == 200
    assert ask(address, "GET", "/api/releases/flights@1")[0] == 200
    assert ask(address, "GET", "/api/releases/flights%25401")[0] == 400


def test_a_page_under_a_foreign_name_reaches_nothing(address: str):
    status, answer = ask(address, "GET", "/api/status", headers={"host": "example.org"})
    assert (status, answer["error"]["code"]) == (400, "usage")


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/api/runs/..%2f..%2f/log", "/api/releases/%00", "/%ff", "/api/%2e%2e/status"]
)
def test_no_path_leads_out(address: str, path: str):
    status, answer = ask(address, "GET", path)
    assert status in (400, 404)
    assert answer["error"]["code"] in ("usage", "not_found")


def test_a_body_that_is_too_long_is_refused_and_the_server_goes_on(address: str):
    status, answer = ask(address, "POST", "/api/roll_back", b" " * (1 << 20) + b"{}")
    assert (status, answer["error"]["code"]) == (413, "body_too_large")
    assert ask(address, "GET", "/health") == (200, {"status": "ok"})


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /api/status HTTP/1.0\r\n\r\n",
        b"POST /api/roll_back HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"POST /api/roll_back HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/roll_back HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"GET http://example.org/api/status HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x00\xff" * 20,
        b"GET /api/status\r\n",
    ],
)
def test_what_is_no_proper_request_changes_nothing_and_gets_no_record(address: str, data: bytes):
    answer = raw(address, data)
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert b" 500 " not in answer.split(b"\r\n")[0]
    assert ask(address, "GET", "/health")[0] == 200


def test_many_at_once_get_each_their_answer(address: str):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: ask(address, "GET", f"/api/releases/flights@{1 + n % 5}"), range(100)))
    assert [answer["release"]["number"] for _, answer in answers] == [1 + n % 5 for n in range(100)]


def test_it_ends_when_whoever_started_it_has_gone(tmp_path: Path):
    write_story(tmp_path / "p")
    port = free_port()
    command = [sys.executable, "-m", "plusone.gateway.server", "--project", str(tmp_path / "p"), "--port", str(port)]
    process = subprocess.Popen([*command, "--until-input-ends"], stdin=subprocess.PIPE)
    try:
        until(lambda: process.poll() is None and _up(port), "it answers", seconds=90)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def _up(port: int) -> bool:
    try:
        return ask(f"http://127.0.0.1:{port}", "GET", "/health")[0] == 200
    except OSError:
        return False
