"""A process of its own that sends requests steadily over a few kept-alive connections and writes down every answer.

    python traffic.py ADDRESS ROWS OUT --rate 60 --connections 4

Request i is due at start + i / rate, whether or not the ones before it were answered (an open loop), as far as there
are connections. Nothing is sent twice: a connection that fails is a failed request, and the next one opens a new one.
It ends when its standard input closes, after what is under way was answered.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

TIMEOUT_S = 10.0


class Traffic:
    """Sends the bodies in turn, over and over, from several threads.

    Args:
        url: where to POST each body.
        out: gets a line per request: `[sent, answered, status, release, error]`.
    """

    def __init__(self, url: str, bodies: Sequence[bytes], out: TextIO, *, rate: float, connections: int) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "127.0.0.1", parts.port or 80, parts.path
        self._bodies = bodies
        self._out = out
        self._rate = rate
        self._lock = threading.Lock()
        self._next = 0
        self._start = 0.0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send_all) for _ in range(connections)]

    def start(self) -> None:
        """Begin to send."""
        self._start = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send nothing more, and return when every request was answered or failed."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send_all(self) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        while True:
            with self._lock:
                number = self._next
                self._next += 1
            if self._stop.wait(max(0.0, self._start + number / self._rate - time.monotonic())):
                break
            line = json.dumps(self._send(connection, self._bodies[number % len(self._bodies)]))
            with self._lock:
                self._out.write(line + "\n")
                self._out.flush()
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, body: bytes) -> list[object]:
        sent = time.monotonic()
        status, release, error = 0, 0, ""
        try:
            connection.request("POST", self._path, body, {"content-type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            status = response.status
            if status == 200:
                release = int(json.loads(text)["release"])
            else:
                error = text.decode("utf-8", "replace")[:300]
        except (OSError, http.client.HTTPException, ValueError, KeyError) as problem:
            error = f"{type(problem).__name__}: {problem}"
            connection.close()
        return [sent, time.monotonic(), status, release, error]


def main() -> None:
    """Send until standard input closes: the process that started this one ends it so, or by dying."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("rows", type=Path, help="one JSON object a line: a row of a request")
    parser.add_argument("out", type=Path)
    parser.add_argument("--rate", type=float, required=True, help="requests per second")
    parser.add_argument("--connections", type=int, required=True)
    given = parser.parse_args()
    bodies = [b'{"rows": [%s]}' % line for line in given.rows.read_bytes().splitlines()]
    with given.out.open("a") as out:
        traffic = Traffic(given.url, bodies, out, rate=given.rate, connections=given.connections)
        traffic.start()
        sys.stdin.read()
        traffic.stop()


if __name__ == "__main__":
    main()
