"""Clients that look at single requests: a probe beside something large, one large body, and a fixed rate of requests.

Each is a process of its own (`python -m bench.serving_clients`), so that none waits for another's Python.
"""

from __future__ import annotations

import asyncio
import json
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["Client", "at_rate", "latencies", "probe", "send"]

_STATUS = re.compile(rb"^HTTP/1\.1 (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PIECE_BYTES = 1 << 16


def latencies(seconds: list[float]) -> dict[str, float]:
    """Count, median, p99 and largest, in milliseconds."""
    if not seconds:
        return {"count": 0, "p50_ms": float("nan"), "p99_ms": float("nan"), "max_ms": float("nan")}
    found = sorted(second * 1000 for second in seconds)
    last = len(found) - 1
    return {"count": len(found), "p50_ms": found[last // 2], "p99_ms": found[last * 99 // 100], "max_ms": found[-1]}


class Client:
    """A client in a process of its own, started at once; `result` ends it and gives what it found."""

    def __init__(self, kind: str, **job: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.serving_clients", kind, json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the client did not start"

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        """Tell it to end, when it has no end of its own, and return what it found."""
        out, _ = self._process.communicate()
        assert self._process.returncode == 0, f"the client ended with {self._process.returncode}"
        return json.loads(out)


def _head(path: str, size: int) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {size}\r\n\r\n".encode()


def _answer(connection: socket.socket) -> tuple[int, bytes, float]:
    """Read one answer: its status, its bytes, and when its first byte was there."""
    data = bytearray(connection.recv(_PIECE_BYTES))
    first = time.perf_counter()
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(connection)
    status, length = _STATUS.match(data), _LENGTH.search(data, 0, end + 2)
    assert status is not None, bytes(data[:200])
    size = end + 4 + int(length[1]) if length else len(data)
    while len(data) < size:
        data += _more(connection)
    return int(status[1]), bytes(data), first


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(1 << 20)
    if not piece:
        raise ConnectionResetError("the connection ended within an answer")
    return piece


def probe(port: int, path: str, body: str, pause_s: float = 0.001) -> dict[str, Any]:
    """Send one small request after the other until stdin ends; return what each took."""
    whole = _head(path, len(body)) + body.encode()
    took: list[float] = []
    statuses: dict[int, int] = {}
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not _stdin_ended():
            began = time.perf_counter()
            connection.sendall(whole)
            status, _, _ = _answer(connection)
            took.append(time.perf_counter() - began)
            statuses[status] = statuses.get(status, 0) + 1
            time.sleep(pause_s)
    return {**latencies(took), "statuses": statuses}


def _stdin_ended() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable) and not sys.stdin.readline()


def send(port: int, path: str, file: str, chunked: bool = False) -> dict[str, Any]:
    """Send the bytes of a file as one request; return the status, and what the answer took.

    A server may answer before it has it all, and close: what can't be sent any more is not.
    """
    body = Path(file).read_bytes()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(180)  # a peer may take a minute where the machine is slow
        head = _head(path, len(body))
        if chunked:
            head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
        began = time.perf_counter()
        connection.sendall(head)
        sent = _send_body(connection, body, chunked)
        status, data, first = _answer(connection)
        whole = time.perf_counter()
    return {
        "status": status,
        "sent_bytes": sent,
        "first_byte_s": first - began,
        "seconds": whole - began,
        "answer_bytes": len(data),
    }


def _send_body(connection: socket.socket, body: bytes, chunked: bool) -> int:
    """Send until the server has answered or closed; return how many bytes of the body went out."""
    view = memoryview(body)
    sent = 0
    for at in range(0, len(body), _PIECE_BYTES):
        piece = view[at : at + _PIECE_BYTES]
        if select.select([connection], [], [], 0)[0]:
            return sent
        try:
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        except OSError:
            return sent
        sent += len(piece)
    if chunked:
        connection.sendall(b"0\r\n\r\n")
    return sent


async def at_rate(port: int, path: str, body: str, rate: float, seconds: float) -> dict[str, Any]:
    """Send so many requests a second for so long, whether or not the ones before were answered.

    Each goes out on a connection that is free, or on a new one. Returns latencies by status, and how many refusals say
    when to come again.
    """
    whole = _head(path, len(body)) + body.encode()
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    took: dict[int, list[float]] = {}
    told = failed = 0

    async def one() -> None:
        nonlocal told, failed
        try:
            reader, writer = free.pop() if free else await asyncio.open_connection("127.0.0.1", port)
            began = time.perf_counter()
            writer.write(whole)
            head = await reader.readuntil(b"\r\n\r\n")
            status, length = _STATUS.match(head), _LENGTH.search(head)
            assert status is not None, head
            assert length is not None, head
            await reader.readexactly(int(length[1]))
        except (OSError, asyncio.IncompleteReadError):
            failed += 1
            return
        took.setdefault(int(status[1]), []).append(time.perf_counter() - began)
        told += b"\r\nretry-after:" in head.lower()
        free.append((reader, writer))

    tasks: set[asyncio.Task[None]] = set()
    began = time.perf_counter()
    count = 0
    while (now := time.perf_counter() - began) < seconds:
        while count <= now * rate:
            task = asyncio.ensure_future(one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            count += 1
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)
    for _, writer in free:
        writer.close()
    statuses = {status: latencies(values) for status, values in took.items()}
    return {"sent": count, "seconds": time.perf_counter() - began, "statuses": statuses, "told_when": told,
            "failed": failed}  # fmt: skip


def main() -> None:
    """Run one client: its kind and its job are the arguments; it begins when a line comes in."""
    kind, job = sys.argv[1], json.loads(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    found = asyncio.run(at_rate(**job)) if kind == "at_rate" else {"probe": probe, "send": send}[kind](**job)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
