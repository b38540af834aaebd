"""Blobs that are removed only when nobody asked for them lately."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from plusone.base import clock
from plusone.base.ids import digest_bytes
from plusone.blobs.sweeping import renew
from plusone.store import Blobs


def age(blobs: Blobs, digest: str) -> None:
    os.utime(blobs.path(digest), (1000.0, 1000.0))


def test_the_old_go_and_the_young_and_the_strange_stay(tmp_path: Path):
    blobs = Blobs(tmp_path)
    old, young = blobs.put_bytes(b"old"), blobs.put_bytes(b"young")
    (tmp_path / old[:2] / "note").write_text("not a blob")
    age(blobs, old)
    assert {blob.digest: blob.size_bytes for blob in blobs.list()} == {old: 3, young: 5}
    gone = digest_bytes(b"never there")
    assert [blob.digest for blob in blobs.remove_old([old, young, gone], before=clock.ago(60))] == [old]
    assert (blobs.has(old), blobs.has(young)) == (False, True)


def test_whatever_asks_for_a_blob_makes_it_young(tmp_path: Path):
    blobs = Blobs(tmp_path / "blobs")
    source = tmp_path / "f"
    source.write_bytes(b"x")
    digest = blobs.put_bytes(b"x")
    for ask in (lambda: blobs.put_bytes(b"x"), lambda: blobs.put_file(source), lambda: blobs.renew(digest)):
        age(blobs, digest)
        ask()
        assert blobs.remove_old([digest], before=clock.ago(60)) == []
    assert not blobs.renew(digest_bytes(b"nothing"))


def test_what_was_renewed_is_there(tmp_path: Path):
    """Two that take turns as fast as they can: when `renew` says that a blob is there, it stays."""
    blobs = Blobs(tmp_path)
    lost: list[str] = []
    end = threading.Event()
    digest = digest_bytes(b"wanted")

    def sweep() -> None:
        while not end.is_set():
            blobs.remove_old([digest], before=clock.ago(60))

    sweeper = threading.Thread(target=sweep)
    blobs.put_bytes(b"wanted")
    sweeper.start()
    there = 0
    for _ in range(3000):
        blobs.put_bytes(b"wanted")
        age(blobs, digest) if blobs.has(digest) else None
        if renew(blobs.path(digest)):
            there += 1
            if not blobs.has(digest):
                lost.append(digest)
    end.set()
    sweeper.join()
    assert lost == []
    assert there
