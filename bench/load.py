"""Load from a fixed number of connections, each sending its next request when the last one was answered.

`wrk` when it is installed: it takes less of the machine, so that more is left for the server. Otherwise a client of our
own on raw asyncio streams, which itself takes most of a core: its numbers are lower for the faster of the servers.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

SCRIPT = """
-- One line for each body: its bytes, and how many of them are JSON where bytes follow (0: all).
local file = io.open("%(bodies)s", "rb")
local all = file:read("*a")
file:close()
local bodies, headers = {}, {}
local from = 1
for line in io.lines("%(sizes)s") do
  local size, json = line:match("(%%d+) (%%d+)")
  bodies[#bodies + 1] = all:sub(from, from + size - 1)
  from = from + size
  if json ~= "0" then
    headers[#bodies] = {["Content-Type"] = "application/octet-stream", ["Inference-Header-Content-Length"] = json}
  end
end
local at = 0
local whole = {}
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
-- Each request is put together once: that halves what the generator takes of the machine.
request = function()
  at = at %% #bodies + 1
  local ready = whole[at]
  if not ready then
    ready = wrk.format(nil, nil, headers[at], bodies[at])
    whole[at] = ready
  end
  return ready
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('RESULT {"requests": %%d, "seconds": %%f, "failed": %%d, "p50": %%f, "p99": %%f}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one cell of load came to; latencies in milliseconds."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    requests: int
    failed: int


def generator() -> str:
    """Which load generator `load` uses on this machine."""
    return "wrk" if shutil.which("wrk") else "asyncio client"


Body = bytes | tuple[bytes, int | None]
"""What is sent, and how many bytes of it are JSON where the values follow it (the Open Inference Protocol's header)."""


def load(port: int, path: str, bodies: Sequence[Body], connections: int, seconds: float, scratch: Path) -> Measured:
    """Send `bodies` in turn over `connections` for `seconds`; return what came back."""
    pairs = [(body, None) if isinstance(body, bytes) else body for body in bodies]
    if generator() == "wrk":
        return _wrk(f"http://127.0.0.1:{port}{path}", pairs, connections, seconds, scratch)
    # In a process of its own, so that the garbage of one cell does not slow the next.
    texts = [(body.decode("latin-1"), length) for body, length in pairs]
    job = {"port": port, "path": path, "bodies": texts, "connections": connections}
    out = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps({**job, "seconds": seconds}),
        capture_output=True,
        text=True,
        check=True,
    )
    return Measured(**json.loads(out.stdout))


def _wrk(
    url: str, bodies: Sequence[tuple[bytes, int | None]], connections: int, seconds: float, scratch: Path
) -> Measured:
    (scratch / "bodies").write_bytes(b"".join(body for body, _ in bodies))
    (scratch / "sizes").write_text("".join(f"{len(body)} {length or 0}\n" for body, length in bodies), "utf-8")
    script = scratch / "load.lua"
    script.write_text(SCRIPT % {"bodies": scratch / "bodies", "sizes": scratch / "sizes"}, "utf-8")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "10s", "-s", str(script), url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^RESULT (.*)$", out, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk said: {out}")
    said = json.loads(found[1])
    return Measured(
        requests_per_s=said["requests"] / said["seconds"],
        p50_ms=said["p50"],
        p99_ms=said["p99"],
        requests=said["requests"],
        failed=said["failed"],
    )


async def _client(
    port: int, path: str, bodies: Sequence[tuple[bytes, int | None]], first: int, until: float
) -> tuple[list[float], int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    whole: list[bytes] = []
    for body, length in bodies:
        kind = "application/json" if length is None else "application/octet-stream"
        more = "" if length is None else f"Inference-Header-Content-Length: {length}\r\n"
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n{more}Content-Length: "
        whole.append(f"{head}{len(body)}\r\n\r\n".encode() + body)
    took: list[float] = []
    failed, at = 0, first
    while (began := time.perf_counter()) < until:
        writer.write(whole[at % len(whole)])
        at += 1
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", answer, re.IGNORECASE)
        assert length is not None, answer
        await reader.readexactly(int(length[1]))
        failed += not answer.startswith(b"HTTP/1.1 200")
        took.append((time.perf_counter() - began) * 1000)
    writer.close()
    return took, failed


async def _asyncio(
    port: int, path: str, bodies: Sequence[tuple[bytes, int | None]], connections: int, seconds: float
) -> Measured:
    began = time.perf_counter()
    results = await asyncio.gather(
        *(_client(port, path, bodies, first * 7, began + seconds) for first in range(connections))
    )
    spent = time.perf_counter() - began
    took = sorted(value for values, _ in results for value in values)
    return Measured(
        requests_per_s=len(took) / spent,
        p50_ms=took[len(took) // 2],
        p99_ms=took[len(took) * 99 // 100],
        requests=len(took),
        failed=sum(failed for _, failed in results),
    )


if __name__ == "__main__":
    given = json.load(sys.stdin)
    given["bodies"] = [(body.encode("latin-1"), length) for body, length in given["bodies"]]
    json.dump(dataclasses.asdict(asyncio.run(_asyncio(**given))), sys.stdout)
