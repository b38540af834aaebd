"""Kills a process at a chosen write boundary. Python imports it at the start of every process of a release whose
PYTHONPATH has this folder; without the environment variables below it does nothing.

PLUSONE_KILL_COUNTER names the file that counts the boundaries of all processes together: one record of 96 bytes each.
PLUSONE_KILL_AT is the number of the boundary at which the process that reaches it is killed; 0 only counts.
PLUSONE_KILL_ROOT is the project: what is written elsewhere does not count.
"""

from __future__ import annotations

import atexit
import os
import signal
import sqlite3
import subprocess
import sys
from typing import Any

_RECORD_BYTES = 96
_STORE_CALLS = ("os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")


def _install(counter: str, at: int, root: str) -> None:
    def boundary(what: str) -> None:
        place = os.open(counter, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        text = f"{os.getpid()} {_role()} {what.replace(root, '')}".encode()[: _RECORD_BYTES - 1]
        os.write(place, text.ljust(_RECORD_BYTES - 1) + b"\n")
        number = os.lseek(place, 0, os.SEEK_CUR) // _RECORD_BYTES
        os.close(place)
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STORE_CALLS and str(arguments[0]).startswith(root):
            boundary(f"before {event} {arguments[0]}")

    def wrapped(name: str, whole: Any, wanted: Any, *, before: bool) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            if not wanted(arguments):
                return whole(*arguments, **named)
            if before:
                boundary(f"before {name}")
            result = whole(*arguments, **named)
            boundary(f"after {name}")
            return result

        return call

    def below_root(arguments: tuple[Any, ...]) -> bool:
        return str(arguments[0]).startswith(root)

    for name in ("replace", "rename", "link"):
        setattr(os, name, wrapped(name, getattr(os, name), below_root, before=False))
    os.fsync = wrapped("fsync", os.fsync, lambda arguments: True, before=True)
    # A segment of the journal is begun; what is copied into it makes no call that could be counted.
    os.posix_fallocate = wrapped("posix_fallocate", os.posix_fallocate, lambda arguments: True, before=True)
    start = subprocess._fork_exec  # pyright: ignore[reportAttributeAccessIssue]  it has no public name
    subprocess._fork_exec = wrapped("start of a process", start, lambda arguments: True, before=True)  # pyright: ignore[reportAttributeAccessIssue]  it has no public name

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            word = sql.split(maxsplit=1)[0].upper()
            if word not in ("BEGIN", "COMMIT"):
                return super().execute(sql, *arguments)
            boundary(f"before {word}")
            result = super().execute(sql, *arguments)
            boundary(f"after {word}")
            return result

    connect = sqlite3.connect
    sqlite3.connect = lambda *arguments, **named: connect(*arguments, **{"factory": Connection, **named})
    sys.addaudithook(audit)
    atexit.register(boundary, "end")
    boundary("start")


def _role() -> str:
    words = " ".join(getattr(sys, "orig_argv", []))
    return next((name for name in ("pipeline.worker", "pytest", "runner", "git") if name in words), "release")


if os.environ.get("PLUSONE_KILL_COUNTER"):
    _install(
        os.environ["PLUSONE_KILL_COUNTER"],
        int(os.environ.get("PLUSONE_KILL_AT", "0")),
        os.environ["PLUSONE_KILL_ROOT"],
    )
