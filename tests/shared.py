"""What takes seconds to make and nobody changes is made once for a whole run of pytest, whatever processes it has."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["free_port", "once"]

_PORTS = range(20_000, 32_000)
"""Below those that the kernel gives away by itself (from 32,768 on Linux): no connection of another test takes one."""


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` filled; whoever asks first makes it, and the others wait.

    It is to be read or copied, never changed. `make` gets a folder that is there and empty; what it raises, all who ask
    get to see. It must leave no process behind: the one that made it may end before those that use it.
    """
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)
    folder, made = shared / name, shared / f"{name}.made"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            folder.mkdir()
            try:
                make(folder)
            except BaseException as error:
                made.write_text(f"{type(error).__name__}: {error}")
                raise
            made.touch()
        assert not (failure := made.read_text()), f"{name!r} could not be made: {failure}"
    return folder


def free_port() -> int:
    """Return a port of the loopback that nothing listens on; who asks next, in any process, gets another one."""
    with (Path(tempfile.gettempdir()) / f"plusone-tests-{os.getuid()}.port").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        last = int(file.read() or os.getpid())
        for step in range(1, len(_PORTS)):
            port = _PORTS[(last + step) % len(_PORTS)]
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            file.truncate(0)
            file.write(str(last + step))
            return port
    raise AssertionError(f"no port of {_PORTS} is free")
