"""Breaks a serving worker from inside. Python imports it at the start of every process whose PYTHONPATH has this
folder; without the environment variable below it does nothing.

TESTS_BREAKING names a folder. A file in it is named after a package, and says what happens to the worker that reads
that package's model: `hang`, `segfault`, `kill`, or `memory`. SIGUSR2 hangs the event loop, and holds the interpreter's
lock.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def _break(how: str) -> None:
    if how == "hang":
        while True:
            time.sleep(60.0)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "memory":
        raise MemoryError("no room for the model")
    raise AssertionError(f"{how!r} is no way to break")


def _install(folder: Path) -> None:
    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith("model.onnx"):
            order = folder / Path(str(arguments[0])).parent.name
            if order.exists():
                _break(order.read_text("ascii"))

    if "plusone.serving.worker" in " ".join(sys.orig_argv):
        sys.addaudithook(audit)
        signal.signal(signal.SIGUSR2, lambda *_: ctypes.PyDLL(None).sleep(60))


if os.environ.get("TESTS_BREAKING"):
    _install(Path(os.environ["TESTS_BREAKING"]))
