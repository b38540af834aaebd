"""What other processes do to a store: `python -m tests.contracts.work BACKEND FOLDER WHAT ...`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from sqlite3 import IntegrityError
from typing import Any

from plusone.base.ids import digest_bytes
from plusone.base.records import Run
from plusone.store import Store
from plusone.store.rows import to_row
from tests.contracts.backends import BACKENDS

CONTENT = b"0123456789abcdef" * 6000


def add_run(store: Store, run_id: str, **fields: Any) -> None:
    """Write one run, with `fields` over the plainest ones."""
    row = to_row(Run(id=run_id, name="x", status="running", started_at="now"))
    with store.db.write() as tx:
        tx.execute("run_add", **(row | fields))


def add_chunk(store: Store, run_id: str, key: str) -> None:
    """Write one chunk; its sequence number is read and written in one transaction."""
    with store.db.write() as tx:
        tx.execute("series_chunk_add", run_id=run_id, key=key, count=1, codec="x", summary=b"", points=b"")


def write_first(open_one: Callable[[], Store], name: str, count: str) -> None:
    """Wait for a line, then open the store, which nobody has made yet, and add chunks to a run that all share."""
    print("ready", flush=True)
    sys.stdin.readline()
    store = open_one()
    with contextlib.suppress(IntegrityError):
        add_run(store, "shared")
    for _ in range(int(count)):
        add_chunk(store, "shared", "loss")


def die_in_transaction(open_one: Callable[[], Store], run_id: str) -> None:
    store = open_one()
    with store.db.write() as tx:
        tx.execute("series_chunk_add", run_id=run_id, key="loss", count=1, codec="x", summary=b"", points=b"")
        os.kill(os.getpid(), signal.SIGKILL)


def die_everywhere(open_one: Callable[[], Store], way: str) -> None:
    """Put a blob in a forked process that kills itself at its first, second, third ... call into C, until it does not
    reach that many. After each death the blob is whole or absent, and print how many deaths there were."""
    store = open_one()
    digest = digest_bytes(CONTENT)
    source = store.folder / "source.bin"
    source.write_bytes(CONTENT)
    deaths = absent = 0
    while True:
        child = os.fork()
        if child == 0:
            sys.setprofile(_killer(deaths + 1))
            _ = store.blobs.put_bytes(CONTENT) if way == "bytes" else store.blobs.put_file(source)
            sys.setprofile(None)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if store.blobs.has(digest):
            if store.blobs.get(digest) != CONTENT:
                raise AssertionError("half a blob")
            store.blobs.path(digest).unlink()
        else:
            absent += 1
        if status == 0:
            break
        if not os.WIFSIGNALED(status):
            raise AssertionError(status)
        deaths += 1
    print(deaths, absent)


def _killer(number: int) -> Callable[..., None]:
    seen = 0

    def hook(frame: Any, event: str, argument: Any) -> None:
        nonlocal seen
        if event in ("c_call", "c_return"):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


if __name__ == "__main__":
    backend, folder, what, *rest = sys.argv[1:]
    globals()[what](lambda: BACKENDS[backend](Path(folder)), *rest)
