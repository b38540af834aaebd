"""Load at a rate that does not wait for answers, each of which is noted: when it was due, sent and answered, and by
which release.

A process of its own: `python -m bench.paced` reads its job as one line of JSON, sends until its input ends, and writes
what it noted as arrays.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

_TICK_S = 0.001
_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_RELEASE = b'"release":'
START_S = 30.0


class _Connection(asyncio.Protocol):
    """One connection, with one request under way at most."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._data = b""
        self._due = self._sent = 0.0
        self._waits = False
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._load.free(self)

    def send(self, due: float, request: bytes) -> None:
        self._due, self._sent, self._waits = due, time.monotonic(), True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head = self._data.find(_END)
        if head < 0:
            return
        at = self._data.lower().find(_LENGTH, 0, head)
        length = int(self._data[at + len(_LENGTH) : self._data.find(b"\r", at)])
        if len(self._data) < head + len(_END) + length:
            return
        status = int(self._data[9:12])
        at = self._data.find(_RELEASE)
        release = int(self._data[at + len(_RELEASE) : self._data.find(b",", at)]) if at >= 0 else 0
        self._data, self._waits = b"", False
        self._load.note(self._due, self._sent, status, release)
        self._load.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waits:
            self._load.note(self._due, self._sent, 0, 0)
        self._load.lost(self)


class _Load:
    def __init__(self, job: dict[str, Any]) -> None:
        self.noted: list[tuple[float, float, float, int, int]] = []
        self.over = False
        self._port = job["port"]
        self._rate = job["rate"]
        self._connections = job["connections"]
        head = f"POST {job['path']} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
        self._requests = [f"{head}{len(body)}\r\n\r\n{body}".encode() for body in job["bodies"]]
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self._count = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, until: asyncio.Event) -> None:
        for _ in range(self._connections):
            await self._connect()
        print("ready", flush=True)
        began = time.monotonic()
        due = 0
        while not until.is_set():
            now = time.monotonic()
            if self._rate:
                for number in range(due, int((now - began) * self._rate)):
                    self._waiting.append(began + number / self._rate)
                    due = number + 1
                while self._waiting and self._idle:
                    self._send(self._idle.popleft(), self._waiting.popleft())
            await asyncio.sleep(_TICK_S)
        self.over = True

    async def _connect(self) -> None:
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().create_connection(lambda: _Connection(self), "127.0.0.1", self._port)

    def _send(self, connection: _Connection, due: float) -> None:
        self._count += 1
        connection.send(due, self._requests[self._count % len(self._requests)])

    def free(self, connection: _Connection) -> None:
        if self.over:
            return
        if not self._rate:
            self._send(connection, time.monotonic())
        elif self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: _Connection) -> None:
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)
        if not self.over:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def note(self, due: float, sent: float, status: int, release: int) -> None:
        self.noted.append((due, sent, time.monotonic(), status, release))


async def _main(job: dict[str, Any]) -> None:
    load = _Load(job)
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), until.set)
    await load.run(until)
    np.save(job["out"], np.array(load.noted, dtype=np.float64).reshape(-1, 5))


class Noted:
    """What a load came to, in the order of the answers: arrays of one length, times in monotonic seconds."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        array = array[np.argsort(array[:, 2])]
        self.due, self.sent, self.ended = array[:, 0], array[:, 1], array[:, 2]
        self.status, self.release = array[:, 3].astype(int), array[:, 4].astype(int)

    def failed(self) -> int:
        """How many were not answered with 200."""
        return int((self.status != 200).sum())

    def longest_gap_ms(self, since: float, upto: float) -> float:
        """The longest time within these in which nothing was answered."""
        inside = self.ended[(self.ended >= since) & (self.ended <= upto)]
        return float(np.diff(np.concatenate([[since], inside, [upto]])).max() * 1000)

    def latency_ms(self, since: float, upto: float) -> dict[str, float]:
        """Median, 99th percentile and most of what those took that were due within these; from when each was due."""
        inside = (self.due >= since) & (self.due <= upto)
        took = (self.ended - self.due)[inside] * 1000
        return {"p50": float(np.median(took)), "p99": float(np.quantile(took, 0.99)), "max": float(took.max())}


@contextlib.contextmanager
def paced(
    port: int, path: str, bodies: Sequence[bytes], *, rate: float, connections: int, scratch: Path
) -> Iterator[list[Noted]]:
    """Send `rate` requests a second while the block runs; 0: as many as are answered. The list has one entry after."""
    out = scratch / "noted.npy"
    job = {"port": port, "path": path, "bodies": [body.decode() for body in bodies], "rate": rate}
    job |= {"connections": connections, "out": str(out)}
    found: list[Noted] = []
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.paced", json.dumps(job)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the load could not be begun")
        yield found
    finally:
        process.stdin.close()
        process.wait(START_S)
        process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"the load ended with {process.returncode}")
    found.append(Noted(np.load(out)))


if __name__ == "__main__":
    uvloop.run(_main(json.loads(sys.argv[1])))
