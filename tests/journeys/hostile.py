"""A worker with a model of flights, and clients that send it what no good client would."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from plusone import packaging
from plusone.workers import routes
from plusone.workers.supervisor import stop_workers
from tests.serving.serving_folder import ServingFolder

MB = 1024 * 1024
MAX_BODY_BYTES = 64 * MB
PREDICT = "/models/m/predict"
LABELS = "/models/m/labels"
INFER = "/v2/models/m/infer"
ROW: dict[str, Any] = {
    "carrier": "UA",
    "origin": "JFK",
    "tailnum": None,
    "month": 3,
    "distance": 1400,
    "weekend": False,
    "gust": 20.5,
}
GOOD = json.dumps({"rows": [ROW]}, separators=(",", ":")).encode()
GOOD_ROW = json.dumps(ROW, separators=(",", ":")).encode()
JSON = {"content-type": "application/json"}
ARROW = {"content-type": "application/vnd.apache.arrow.stream"}


class Answer(NamedTuple):
    """A status, headers with names in lower case, and a body."""

    status: int
    headers: dict[str, str]
    body: bytes


def pack_flights(flights: pd.DataFrame, folder: Path) -> str:
    """Write a model of flights: an origin that it never saw it refuses, a carrier it takes, some fields may be null."""
    lenient = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    strict = OneHotEncoder(handle_unknown="error", sparse_output=False)
    encode = make_column_transformer((lenient, ["carrier", "tailnum"]), (strict, ["origin"]), remainder="passthrough")
    data = flights[[*ROW, "target"]]
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=5))
    _, digest = packaging.pack(
        model.fit(data.drop(columns="target"), data["target"]),
        name="m",
        target="target",
        features=list(ROW),
        train=pa.Table.from_pandas(data, preserve_index=False),
        environment="none==0\n",
        folder=folder,
    )
    return digest


class Hostage:
    """One worker that serves the model, and what it is like from outside."""

    def __init__(self, digest: str, folder: Path) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="plusone-hostile-"))
        self.folder = ServingFolder(self._root / "serving", {1: (digest, folder)})
        self.folder.route(1, live=1)
        try:
            self._supervisor = self.folder.start(workers=1, max_body_bytes=MAX_BODY_BYTES)
        except BaseException:
            self.end()
            raise
        self.port = self._supervisor.port
        self.pid = self.pids()[0]

    def pids(self) -> list[int]:
        """The workers that run now."""
        return [report.pid for report in routes.read_reports(self.folder.path)]

    def end(self) -> None:
        """End it, and remove what it wrote."""
        for supervisor in self.folder.supervisors:
            supervisor.stop(timeout_s=5.0)
        stop_workers(self.folder.path, timeout_s=1.0)
        shutil.rmtree(self._root)

    def ask(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request on a connection of its own."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, JSON if headers is None else headers)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def check_alive(self) -> None:
        """Fail unless the worker is the one that was started, and answers a good request."""
        answer = self.ask("POST", PREDICT, GOOD)
        assert answer.status == 200, answer
        assert self.pids() == [self.pid], "the worker died and was started again"

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def exchange(self, data: bytes, *, timeout_s: float = 30.0) -> bytes:
        """Send bytes on a connection, say that no more will come, and return all that comes back."""
        with self.connect() as connection:
            connection.settimeout(timeout_s)
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            return receive_all(connection)


def receive_all(connection: socket.socket) -> bytes:
    """Return what comes until the server closes the connection, or resets it."""
    parts: list[bytes] = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def check_refusal(answer: Answer, statuses: Sequence[int], *, inference: bool = False) -> Any:
    """Fail unless an answer is an error of these, in the protocol's own form; return its `error`."""
    assert answer.status in statuses, answer
    assert answer.headers["content-type"].startswith("application/json"), answer
    assert b"Traceback" not in answer.body
    value = json.loads(answer.body)
    if inference:
        assert list(value) == ["error"], value
        assert isinstance(value["error"], str), value
        assert len(value["error"]) > 10, value
    else:
        assert list(value) == ["error"], value
        assert {"code", "message"} <= value["error"].keys() <= {"code", "message", "mend", "details"}, value
        assert value["error"]["message"].endswith((".", ")")), value
    return value["error"]


def answers_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the status and the body of each answer that a server sent on one connection.

    Fails when there is anything but whole answers of HTTP/1.1.
    """
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        assert end, f"no whole head: {data[:200]!r}"
        line, *lines = head.split(b"\r\n")
        protocol, status = line.split(b" ")[:2]
        assert protocol == b"HTTP/1.1", line
        code = int(status)
        if code == 100:
            data = rest
            continue
        headers = dict(one.lower().split(b": ", 1) for one in lines)
        size = int(headers[b"content-length"])
        assert len(rest) >= size, f"{len(rest)} of {size} bytes: {data[:200]!r}"
        yield code, rest[:size]
        data = rest[size:]


class Quick:
    """A thread that sends small requests on one connection, one after the other, and measures how long each takes."""

    def __init__(self, port: int) -> None:
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self._port = port
        self._begun = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Quick:
        """Begin; return when the first request was answered, so that there is always something to look at."""
        self._thread.start()
        assert self._begun.wait(60), "the first small request was not answered"
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)

    def _send(self) -> None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            while not self._end.wait(0.001):
                began = time.perf_counter()
                connection.request("POST", PREDICT, GOOD, JSON)
                response = connection.getresponse()
                body = response.read()
                self.seconds.append(time.perf_counter() - began)
                self._begun.set()
                if response.status != 200:
                    self.failures.append(f"{response.status} {body[:200]!r}")

    def worst_ms(self, share: float = 1.0) -> float:
        """The time that this share of the requests did not exceed, in milliseconds."""
        return sorted(self.seconds)[int((len(self.seconds) - 1) * share)] * 1000


# ---------------------------------------------------------------------------------------------- good requests


def head_of(path: str, more: str, kind: str = "application/json") -> bytes:
    """Return the head of a POST."""
    return f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\n{more}\r\n\r\n".encode()


def tensors(**changes: Any) -> dict[str, Any]:
    """Return a request of the Open Inference Protocol of one row; `...` leaves an input out."""
    kinds = {"carrier": "BYTES", "origin": "BYTES", "tailnum": "BYTES", "month": "INT64", "distance": "INT64"}
    inputs: list[dict[str, Any]] = []
    for name, value in {**ROW, "tailnum": "N1"}.items():
        kind = kinds.get(name, "BOOL" if name == "weekend" else "FP64")
        tensor = {"name": name, "shape": [1, 1], "datatype": kind, "data": [value]}
        change = changes.get(name, {})
        if change is not ...:
            inputs.append({**tensor, **change})
    return {"inputs": inputs}


def arrow_body(rows: int = 1) -> bytes:
    """Return a good Arrow IPC stream."""
    table = pa.Table.from_pylist([ROW] * rows).set_column(2, "tailnum", pa.array([None] * rows, pa.string()))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


# ---------------------------------------------------------------------------------------------- fixtures


@pytest.fixture(scope="module")
def hostage(flights: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostage]:
    """The worker that all these tests are sent to."""
    folder = tmp_path_factory.mktemp("package") / "flights"
    hostage = Hostage(pack_flights(flights, folder), folder)
    yield hostage
    hostage.end()


@pytest.fixture
def worker(hostage: Hostage) -> Iterator[Hostage]:
    """The worker, which must have survived the test."""
    hostage.check_alive()
    yield hostage
    hostage.check_alive()
