"""What other processes do to a store: `python -m tests.contracts.work BACKEND FOLDER WHAT ...`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plusone.base.errors import BrokenRule
from plusone.base.ids import digest_bytes
from plusone.base.records import Run
from plusone.store import Store
from plusone.store.rows import to_row
from tests.contracts.backends import BACKENDS

CONTENT = b"0123456789abcdef" * 6000
# What may never change, and a change of it.
FINAL = {
    "release": "number = 9",
    "session": "problems = 'none'",
    "check_result": "outcome = 'passed'",
    "decision": "reason = 'another'",
    "route": "shares = '[]'",
    "rollout": "plan = '[]'",
    "rollout_event": "kind = 'aborted'",
    "score_note": "note = 'another'",
}


def add_run(store: Store, run_id: str, **fields: Any) -> None:
    """Write one run, with `fields` over the plainest ones."""
    row = to_row(Run(id=run_id, name="x", status="running", started_at="now"))
    with store.db.write() as tx:
        tx.execute("run_add", **(row | fields))


def add_chunk(store: Store, run_id: str, key: str) -> None:
    """Write one chunk; its sequence number is read and written in one transaction."""
    with store.db.write() as tx:
        tx.execute("series_chunk_add", run_id=run_id, key=key, count=1, codec="x", summary=b"", points=b"")


def fill(store: Store) -> None:
    """Put one row into each table that may never change."""
    add_run(store, "r")
    with store.db.write() as tx:
        tx.execute("release_add", model="m", number=1, digest="d", package="p", run_id="r", fingerprint="f",
                   settings="{}", tests="{}", metrics="{}", created_at="t")  # fmt: skip
        tx.execute("session_add", id="s", release="d", run_id="r", problems="[]", started_at="t", finished_at="t")
        tx.execute("check_add", session_id="s", position=0, test="t", subject="data", outcome="failed", allowed=0,
                   message="", measured="[]", duration_s=0.0, output="")  # fmt: skip
        tx.execute("decision_add", id="i", model="m", release=1, digest="d", before=None, after="passed", by="x",
                   reason="y", at="t", override=0, evidence="{}")  # fmt: skip
        tx.execute("route_add", model="m", version=1, shares="[]", previous=None, shadow=None, decision="i", at="t")
        tx.execute("rollout_add", id="o", model="m", release=1, digest="d", live=1, plan="[]", by="x", reason="y",
                   begun_at="t")  # fmt: skip
        tx.execute("rollout_event_add", rollout="o", seq=1, at="t", kind="began", step=1, by="x", reason="y",
                   figures="{}", decision="i")  # fmt: skip
        tx.execute(
            "score_note_add", id="n", test="data-1", model="m", release=1, note="y", checked_by="", by="x", at="t"
        )


def write_first(open_one: Callable[[], Store], name: str, count: str) -> None:
    """Wait for a line, then open the store, which nobody has made yet, and add chunks to a run that all share."""
    print("ready", flush=True)
    sys.stdin.readline()
    store = open_one()
    with contextlib.suppress(BrokenRule):
        add_run(store, "shared")
    for _ in range(int(count)):
        add_chunk(store, "shared", "loss")


def die_in_transaction(open_one: Callable[[], Store], run_id: str) -> None:
    store = open_one()
    with store.db.write() as tx:
        tx.execute("series_chunk_add", run_id=run_id, key="loss", count=1, codec="x", summary=b"", points=b"")
        os.kill(os.getpid(), signal.SIGKILL)


def die_after(open_one: Callable[[], Store], source: str, delay_ms: str) -> None:
    """Put a file, and be killed that many milliseconds after beginning."""
    store = open_one()
    signal.setitimer(signal.ITIMER_REAL, int(delay_ms) / 1000)  # SIGALRM ends a process that does not ask for it
    store.blobs.put_file(Path(source))


def die_everywhere(open_one: Callable[[], Store], way: str) -> None:
    """Put a blob in a forked process that kills itself at its first, second, third ... call into C, until it does not
    reach that many. After each death the blob is whole or absent, and print how many deaths there were."""
    store = open_one()
    source = store.folder / "source.bin"
    source.write_bytes(CONTENT)
    deaths = absent = 0
    while True:
        status = _in_child(lambda at=deaths + 1: _put(store, source, way, at))
        # Looked at in a child too: this process never uses the bucket's driver, whose threads no fork takes along.
        found = os.waitstatus_to_exitcode(_in_child(lambda: _look(store)))
        if found not in (0, 1):
            raise AssertionError("half a blob")
        absent += found
        if status == 0:
            break
        if not os.WIFSIGNALED(status):
            raise AssertionError(status)
        deaths += 1
    print(deaths, absent)


def _put(store: Store, source: Path, way: str, killed_at: int) -> int:
    sys.setprofile(_killer(killed_at))
    _ = store.blobs.put_bytes(CONTENT) if way == "bytes" else store.blobs.put_file(source)
    sys.setprofile(None)
    return 0


def _look(store: Store) -> int:
    """Return 0 for a whole blob, 1 for none, 2 for half of one; and remove it."""
    digest = digest_bytes(CONTENT)
    if not store.blobs.has(digest):
        return 1
    if store.blobs.get(digest) != CONTENT:
        return 2
    store.blobs.remove(digest)
    return 0


def _in_child(work: Callable[[], int]) -> int:
    child = os.fork()
    if child == 0:
        code = 3
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


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
