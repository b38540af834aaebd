"""The nouns of the prediction log: what was asked and answered, and what the truth was."""

from __future__ import annotations

from typing import Any

from .records import Record

__all__ = ["Label", "LabelsTaken", "Prediction", "PredictionPage"]


class Label(Record, frozen=True, kw_only=True):
    """The truth for a prediction, which may arrive months later. The newest that was received counts."""

    model: str
    prediction_id: str
    """The id of a prediction with one row, or `ID:3`, the row 3 (from 0) of one that has more."""
    value: Any
    at: str
    """When the truth came to be known, as the caller says; else when it was received."""
    received_at: str


class Prediction(Record, frozen=True, kw_only=True):
    """A logged request with its answer."""

    id: str
    model: str
    release: int
    package: str
    """Digest of the package that answered."""
    at: str
    kind: str
    """What the request is: `json`, `inference` (Open Inference Protocol; `inference;N`: N bytes of JSON, then tensors)
    or `arrow`."""
    rows: int
    request: Any
    """As it came: JSON, or base64 where it is none; None when it was too big to be logged."""
    answer: Any
    """As it was sent, likewise."""
    labels: tuple[Label, ...] = ()
    """The newest label of each row; of one prediction that was asked for by its id all of them, the oldest first."""


class PredictionPage(Record, frozen=True, kw_only=True):
    """Some predictions, the newest first, and where to go on."""

    predictions: tuple[Prediction, ...]
    next_page: str | None = None


class LabelsTaken(Record, frozen=True, kw_only=True):
    """How many labels were taken; those that were known already are among them."""

    model: str
    accepted: int
