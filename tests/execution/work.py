"""A child for the tests: does what the request says, and worse."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from plusone.execution.local import serve_requests


def handle(request: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    return ACTIONS[request["do"]](request, send)


def echo(request: dict[str, Any], send: Any) -> dict[str, Any]:
    return {"got": request, "folder": os.getcwd(), "variable": os.environ.get("PLUSONE_TEST_VARIABLE")}


def events(request: dict[str, Any], send: Any) -> dict[str, Any]:
    for number in range(request["count"]):
        send({"event": "step", "number": number})
    return {"done": True}


def write(request: dict[str, Any], send: Any) -> dict[str, Any]:
    data = bytes.fromhex(request["hex"])
    for _ in range(request.get("times", 1)):
        os.write(1, data)
    return {"done": True}


def die(request: dict[str, Any], send: Any) -> dict[str, Any]:
    sys.stdout.write("last words")
    if "signal" in request:
        os.kill(os.getpid(), request["signal"])
    os._exit(request["code"])


def fork_and_die(request: dict[str, Any], send: Any) -> dict[str, Any]:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(60)
        os._exit(0)
    print(f"forked {child}", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def close_all(request: dict[str, Any], send: Any) -> dict[str, Any]:
    os.closerange(3, 100)
    time.sleep(60)
    raise AssertionError


def wait(request: dict[str, Any], send: Any) -> dict[str, Any]:
    send({"event": "waiting", "pid": os.getpid()})
    time.sleep(60)
    raise AssertionError


def descriptors(request: dict[str, Any], send: Any) -> dict[str, Any]:
    """Return what a process that this one starts has open."""
    code = (
        "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + n)))"
    )
    return {"open": subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout}


ACTIONS = {one.__name__: one for one in (echo, events, write, die, fork_and_die, close_all, wait, descriptors)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--pipes", nargs=2, type=int)
    given = parser.parse_args()
    serve_requests(given.pipes[0], given.pipes[1], handle)
