"""Processes that begin in a millisecond: forked off one that has loaded what they need, to be killed by the hundred.

`kill -9` cannot tell them from processes that were started and imported everything themselves; that takes them half a
second each.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["Child", "Nursery"]

_ROOT = Path(__file__).resolve().parent.parent


class Child:
    """A process that a nursery forked, with pipes to and from it."""

    def __init__(self, nursery: Nursery, pid: int, stdin: int, stdout: int) -> None:
        self.pid = pid
        self.stdin = os.fdopen(stdin, "wb")
        self.stdout = os.fdopen(stdout, "rb")
        self._nursery = nursery

    def kill(self) -> None:
        """Kill it at once (signal 9). It may have ended before, and is not taken in before `wait`."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end, close the pipes, and return its exit code as `subprocess` counts it."""
        self.stdin.close()
        status: int = self._nursery.ask({"wait": self.pid})
        self.stdout.close()
        return os.waitstatus_to_exitcode(status)


class Nursery:
    """A process that has imported some modules, and forks. Not for several threads at once."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._gate, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.nursery", str(theirs.fileno()), *modules]
            self._process = subprocess.Popen(
                command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.close()
        self._process.wait()

    def start(self, program: str, *words: str) -> Child:
        """Run a program's text in a new process, with `words` in `sys.argv[1:]`."""
        (read_in, write_in), (read_out, write_out) = os.pipe(), os.pipe()
        order = json.dumps({"program": program, "words": words}).encode()
        socket.send_fds(self._gate, [order], [read_in, write_out])
        os.close(read_in)
        os.close(write_out)
        return Child(self, self._answer(), write_in, read_out)

    def ask(self, order: dict[str, Any]) -> Any:
        """Send an order and return the answer."""
        self._gate.send(json.dumps(order).encode())
        return self._answer()

    def _answer(self) -> Any:
        answer = self._gate.recv(65536)
        assert answer, "the nursery has died"
        return json.loads(answer)


def _serve(gate: socket.socket) -> None:
    """Fork and wait, as the other end says, until it goes."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(gate, 1 << 20, 2)
        if not data:
            return
        order = json.loads(data)
        if "wait" in order:
            gate.send(json.dumps(os.waitpid(order["wait"], 0)[1]).encode())
            continue
        pid = os.fork()
        if pid == 0:
            gate.close()
            _live(order, descriptors)
        for one in descriptors:
            os.close(one)
        gate.send(json.dumps(pid).encode())


def _live(order: dict[str, Any], descriptors: list[int]) -> None:
    code = 1
    try:
        for place, one in enumerate(descriptors):
            os.dup2(one, place)
            os.close(one)
        sys.argv = ["-c", *order["words"]]
        exec(compile(order["program"], "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102  it is the test's own
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        importlib.import_module(name)
    with socket.socket(fileno=int(sys.argv[1])) as end:
        _serve(end)
