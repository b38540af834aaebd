"""What tests read of the journals that workers write, without a store, and a way to wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from plusone.journal import list_segments
from plusone.journal.reading import read
from plusone.predictions.layout import decode_batches, decode_labels

__all__ = ["labels_in", "predictions_in", "until"]

PATIENCE_S = 30.0


def predictions_in(folder: Path) -> list[str]:
    """The ids of the predictions in a folder's segments, in order."""
    return [
        entry[0]
        for path in list_segments(folder)
        for record in read(path).records
        for batch in decode_batches(record)
        for entry in batch[4]
    ]


def labels_in(folder: Path) -> list[tuple[str, str, str]]:
    """The model, id and value of each label in a folder's segments, in order."""
    return [
        (model, one, value)
        for path in list_segments(folder)
        for model, _, labels in [decode_labels(record) for record in read(path).records]
        for one, value, _ in labels
    ]


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be so"
        time.sleep(0.01)
