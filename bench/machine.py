"""What is measured about the machine, and processes that are started and ended around a measurement."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path


def calibrate() -> float:
    """Seconds for a fixed piece of Python: how fast this machine is at this moment."""
    began = time.perf_counter()
    total = 0
    for number in range(2_000_000):
        total += number & 7
    assert total
    return time.perf_counter() - began


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def running(
    command: list[str], ready: str, log: Path, environment: Mapping[str, str], cwd: Path, within_s: float = 15.0
) -> Iterator[int]:
    """Run a server while the block runs: started, answering 200 at `ready`, ended. Gives its process id.

    It is asked to end, killed when it has not within `within_s`, and whatever it started ends with it.

    One thread for every numeric library: it favours the peer, whose model spends more on threads than it gains.
    """
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env=env, cwd=cwd, start_new_session=True
        )
        try:
            _wait(process, ready, log)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(within_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it started and left behind


def _wait(process: subprocess.Popen[bytes], ready: str, log: Path, within_s: float = 60.0) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(
                f"the server ended with {process.returncode}:\n{log.read_text('utf-8', 'replace')[-4000:]}"
            )
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(ready, timeout=2) as answer:  # noqa: S310 - our own address
            if answer.status == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(
        f"the server did not answer at {ready} within {within_s} s:\n{log.read_text('utf-8', 'replace')[-4000:]}"
    )


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(folder.name))
    found = [pid]
    for one in found:
        found.extend(parents.get(one, []))
    return found


def memory(pid: int) -> dict[str, int]:
    """What a process holds now, in bytes: `rss`, `pss` (shared pages divided among their users), `uss` (its own)."""
    found = {"rss": 0, "pss": 0, "uss": 0}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            key, _, rest = line.partition(":")
            name = {"Rss": "rss", "Pss": "pss", "Private_Clean": "uss", "Private_Dirty": "uss"}.get(key)
            if name is not None:
                found[name] += int(rest.split()[0]) * 1024
    return found


def resident_bytes(pid: int) -> int:
    """The memory that a process holds now."""
    with contextlib.suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
