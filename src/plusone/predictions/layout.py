"""How predictions and labels lie in a journal, and which predictions are logged. Whoever logs loads nothing heavy."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

__all__ = [
    "ARROW",
    "GRPC",
    "INFERENCE",
    "JSON",
    "LABELS",
    "MEDIA",
    "PREDICTIONS",
    "Entry",
    "LabelRow",
    "decode_batches",
    "decode_labels",
    "encode_batch",
    "encode_labels",
    "join_batches",
    "labels_folder",
    "predictions_folder",
    "sampled",
]

JSON = "json"
"""The kind of a request in plusone's own protocol: `{"rows": [...]}` or `{"columns": {...}}`."""
INFERENCE = "inference"
"""The kind of one in the Open Inference Protocol; with binary tensors `inference;N`, N bytes being JSON."""
ARROW = "arrow"
"""The kind of one whose body is an Arrow IPC stream."""
MEDIA = "media"
"""The kind of one whose body is an image or a sound; with what it is, e.g. `media;image/png`."""
GRPC = "grpc"
"""The kind of one that is a message `ModelInferRequest` of the Open Inference Protocol."""

PREDICTIONS = "predictions"
LABELS = "labels"

Bytes = bytes | bytearray | memoryview
Entry = tuple[str, str, int, Bytes | None, Bytes | None]
"""One prediction: its id, the kind of its request, how many rows it has, the request and the answer as they were on the
wire. None stands for a body that was too big to be logged."""
LabelRow = tuple[str, str, str | None]
"""One label: the prediction's id, the value as JSON, and when it came to be known, as `clock.now` writes times."""

_Batch = tuple[str, int, str, float, Sequence[Entry]]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_ReadEntry = tuple[str, str, _Count, bytes | None, bytes | None]
_ReadBatch = tuple[str, _Count, str, float, list[_ReadEntry]]
_Labels = tuple[Literal["labels"], str, str, list[LabelRow]]
_SCALE = 2.0**32
_ARRAY = struct.Struct(">BI")

_encode = msgspec.msgpack.Encoder().encode
_batches = msgspec.msgpack.Decoder(list[_ReadBatch])
_labels = msgspec.msgpack.Decoder(_Labels)


def predictions_folder(serving: Path) -> Path:
    """Return where the workers of a serving folder log predictions."""
    return serving / PREDICTIONS


def labels_folder(serving: Path) -> Path:
    """Return where the workers of a serving folder write labels."""
    return serving / LABELS


def sampled(prediction_id: str, share: float) -> bool:
    """Say whether a prediction is among the `share` (0 to 1) that is logged: by its id alone, so always the same.

    Whoever is in a share is in every larger one. Example: CRC-32 of `a` is 0xE8B7BE43, 0.909 of 2^32: it is in a share
    of 0.91 and not in one of 0.9.
    """
    if share >= 1.0:
        return True
    return zlib.crc32(prediction_id.encode("utf-8", "surrogatepass")) < share * _SCALE


encode_batch: Callable[[_Batch], bytes] = _encode
"""Returns a batch as it stands in a record: model, release, package, unix time, and the predictions.

The encoder itself: this is called on the event loop."""


def join_batches(batches: Sequence[bytes | memoryview]) -> bytes:
    """Return a record that holds these encoded batches: MessagePack's array of them, of up to 2^32-1."""
    return b"".join([_ARRAY.pack(0xDD, len(batches)), *batches])


def decode_batches(record: bytes) -> list[_ReadBatch]:
    """Return the batches of a record.

    Raises:
        msgspec.MsgspecError: when it is none.
    """
    return _batches.decode(record)


def encode_labels(model: str, received_at: str, labels: Sequence[LabelRow]) -> bytes:
    """Return a record that holds the labels of one request."""
    return _encode(("labels", model, received_at, labels))


def decode_labels(record: bytes) -> tuple[str, str, list[LabelRow]]:
    """Return the model, when the labels were received, and the labels of a record.

    Raises:
        msgspec.MsgspecError: when it is none.
    """
    _, model, received_at, labels = _labels.decode(record)
    return model, received_at, labels
