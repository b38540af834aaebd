"""The nouns that come in through MLflow: logged models, registered models and their versions. Plain values, as ever."""

from __future__ import annotations

from typing import Literal

import msgspec

from .records import Number, Record

__all__ = ["LoggedModel", "ModelMetric", "ModelVersion", "RegisteredModel"]


class ModelMetric(Record, frozen=True, kw_only=True):
    """The latest value of a metric of a logged model, on one dataset and of one run."""

    key: str
    value: Number
    step: int = 0
    at: float = 0.0
    """Unix time in seconds."""
    dataset_name: str = ""
    dataset_digest: str = ""
    run_id: str = ""


class LoggedModel(Record, frozen=True, kw_only=True):
    """A model that a script logged through MLflow: its files are artifacts, whose owner is its id. Nothing loads it."""

    id: str
    experiment: str
    run_id: str | None
    name: str
    type: str = ""
    status: Literal["UNSPECIFIED", "PENDING", "READY", "FAILED"] = "PENDING"
    settings: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    tags: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    metrics: tuple[ModelMetric, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    deleted_at: str | None = None


class RegisteredModel(Record, frozen=True, kw_only=True):
    """A name in the registry, with what was said of it. A model that has releases is registered by that."""

    name: str
    description: str = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    created_at: str = ""
    updated_at: str = ""


class ModelVersion(Record, frozen=True, kw_only=True):
    """A version of a registered model: a candidate that came through MLflow, or what was said of a release."""

    model: str
    number: int
    source: str = ""
    """Where its files are, as the client said it; empty for a release that `plusone release` made from scratch."""
    owner: str = ""
    """The run or the logged model whose artifacts below `path` are its files; empty when they are not in this store."""
    path: str = ""
    run_id: str = ""
    model_id: str = ""
    description: str = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    by: str = ""
    created_at: str = ""
    updated_at: str = ""
    deleted_at: str | None = None
