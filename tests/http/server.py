"""A control API process for tests, and plain requests to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.serving.serving_folder import until
from tests.shared import free_port

__all__ = ["ask", "free_port", "raw", "served"]


@contextlib.contextmanager
def served(root: Path) -> Iterator[str]:
    """Run the control API of a project; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "plusone.gateway.server", "--project", str(root), "--port", str(port)]
    with (root.parent / "api.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until(lambda: _answers(port), "the control API answers", seconds=90)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert "Traceback" not in (root.parent / "api.log").read_text("utf-8"), "every error is an answer"


def _answers(port: int) -> bool:
    try:
        return ask(f"http://127.0.0.1:{port}", "GET", "/health")[0] == 200
    except OSError:
        return False


def ask(
    address: str, verb: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Send one request; return the status and the JSON of the answer."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    try:
        connection.request(verb, path, body, {"content-type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        data = answer.read()
        assert answer.headers["content-type"] == "application/json"
        return answer.status, json.loads(data) if data else None
    finally:
        connection.close()


def raw(address: str, data: bytes) -> bytes:
    """Send bytes and return everything that comes back until the server closes or is silent for 2 s."""
    parts = urlsplit(address)
    assert parts.hostname
    assert parts.port
    answer = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=2) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        while piece := connection.recv(65536):
            answer += piece
    return answer
