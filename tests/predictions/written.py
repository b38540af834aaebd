"""What tests write as workers do, what they read of journals and stores, and a way to wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from plusone.journal import list_segments
from plusone.journal.reading import read
from plusone.predictions.labels import LabelLog
from plusone.predictions.layout import (
    JSON,
    decode_batches,
    decode_labels,
    encode_batch,
    labels_folder,
    predictions_folder,
)
from plusone.predictions.reading import chunks_of, read_ids
from plusone.predictions.ring import Ring
from plusone.predictions.writer import Writer
from plusone.store import Store

__all__ = [
    "labels_in",
    "labels_kept",
    "log_predictions",
    "predictions_in",
    "predictions_kept",
    "send_labels",
    "until",
]

PATIENCE_S = 90.0


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


def log_predictions(
    serving: Path,
    ids: Sequence[str],
    *,
    model: str = "m",
    release: int = 1,
    at: float = 1e9,
    request: bytes = b'{"rows":[{"x":1.0}]}',
    size: int = 0,
) -> None:
    """Log these predictions as a worker does that has ended since; each a second after the one before."""
    # By both sides of the ring in this process: a test that does so a hundred times starts no hundred processes.
    ring = Ring()
    writer = Writer(ring, predictions_folder(serving), max_bytes=1 << 30)
    for number, one in enumerate(ids):
        answer = b'{"id":"%s","predictions":[0.5]}' % one.encode() + b" " * size
        entries = [(one, JSON, 1, request, answer)]
        while not ring.put(encode_batch((model, release, f"digest{release}", at + number, entries)), 1):
            writer.look()
    writer.close()
    assert ring.logged == len(ids)
    ring.close()


def send_labels(serving: Path, *labels: tuple[str, str], model: str = "m", at: str | None = None) -> None:
    """Have a worker take these labels (id and JSON), one request each, and end."""
    log = LabelLog(labels_folder(serving))
    for one, value in labels:
        log.append(model, [(one, value, at)])
    log.close()


def labels_kept(store: Store, model: str = "m") -> dict[str, list[str]]:
    """Every label in the store by the prediction's id, in the order in which they were received."""
    found: dict[str, list[str]] = {}
    for row in store.db.all("label_of", model=model, first="", last="\U0010ffff"):
        found.setdefault(row["prediction_id"], []).append(row["value"])
    return found


def predictions_kept(store: Store, model: str = "m") -> list[str]:
    """The ids of all predictions in the store, sorted; one that is there twice is there twice."""
    return sorted(one for chunk in chunks_of(store, model) for one in read_ids(store, chunk["id"]))
