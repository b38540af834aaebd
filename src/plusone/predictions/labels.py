"""Writes labels to a journal of their own: what `append` returned from outlives `kill -9`, and is never dropped.

They have their own folder and no limit but the disk's, so that predictions can't take their room.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from ..base import clock
from ..base.errors import StoreError
from ..journal import Journal
from .layout import LabelRow, encode_labels

__all__ = ["LabelLog"]

_ROTATE_S = 1.0


class LabelLog:
    """The labels of one worker, in a folder that all workers share. Threads may share it.

    Attributes:
        accepted: how many labels are in the journal.
    """

    def __init__(self, folder: Path) -> None:
        self.accepted = 0
        self._journal = Journal(folder)
        self._lock = threading.Lock()
        self._written = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def append(self, model: str, labels: Sequence[LabelRow]) -> None:
        """Keep the labels of one request, all or none. When this returns they survive the death of this process.

        A second later whoever collects may have them.

        Raises:
            StoreError: when the disk is full, they are over 64 MiB together, or the log is closed: none is kept.
        """
        if self._ended.is_set():
            raise StoreError(f"Labels can't be kept in {self._journal.folder}: this worker is stopping.")
        self._journal.append(encode_labels(model, clock.now(), labels))
        self.accepted += len(labels)
        if not self._written.is_set():
            self._written.set()
        if self._thread is None:
            self._start()

    def close(self) -> None:
        """Take no more labels and let go of the segments; safe to call twice."""
        self._ended.set()
        self._written.set()
        if self._thread is not None:
            self._thread.join()
        self._journal.let_go()
        self._journal.close()

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._rotate, name="plusone-labels", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # too many threads: the labels are kept, and collected when this process ends
                return
            self._thread = thread

    def _rotate(self) -> None:
        while not self._ended.is_set():
            self._written.wait()
            # Cleared before the segment is let go of: a label that is written in between sets it again.
            self._written.clear()
            self._ended.wait(_ROTATE_S)
            self._journal.let_go()
