"""What runs read, as MLflow's clients say it: datasets with their digest, schema and profile."""

from __future__ import annotations

from typing import Any

import msgspec

from ..app.app import App
from ..base.records import RunInput
from ..mlflow_wire.endpoint import Endpoint, Tag
from ..mlflow_wire.errors import invalid
from ..mlflow_wire.wire import as_dict, check_value
from ..tracking.inputs import add_inputs
from ..tracking.logged_models import ModelOfRun, link_models
from .runs import OfRun, active_run

__all__ = ["ENDPOINTS"]

_MOST_DATASETS = 1000
# MLflow's own limits, in characters.
_MOST = {"name": 500, "digest": 36, "source": 65_535, "schema": 1_048_575, "profile": 16_777_215}


class Dataset(msgspec.Struct, frozen=True):
    """A dataset as MLflow describes it: JSON text in `source`, `schema` and `profile`."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


class DatasetInput(msgspec.Struct, frozen=True):
    """A dataset and what it was for: the tag `mlflow.data.context`."""

    dataset: Dataset
    tags: tuple[Tag, ...] = ()


class ModelInput(msgspec.Struct, frozen=True):
    """A logged model that a run used."""

    model_id: str


class LogInputs(OfRun, frozen=True, kw_only=True):
    """What a run read."""

    datasets: tuple[DatasetInput, ...] = ()
    models: tuple[ModelInput, ...] = ()


def log_inputs(app: App, asked: LogInputs) -> dict[str, Any]:
    """Record what a run read."""
    run = active_run(app.store, asked.id)
    if len(asked.datasets) > _MOST_DATASETS:
        raise invalid(f"A request can hold at most {_MOST_DATASETS} datasets. Got {len(asked.datasets)}.")
    inputs = [_input(run.id, one) for one in asked.datasets]
    if asked.models:
        link_models(app.store, run.id, [ModelOfRun(one.model_id, "input", 0) for one in asked.models])
    add_inputs(app.store, inputs)
    return {}


def _input(run_id: str, one: DatasetInput) -> RunInput:
    for name, most in _MOST.items():
        text: str = getattr(one.dataset, name)
        check_value(text, f"dataset.{name}", most)
        if not text and name in ("name", "digest"):
            raise invalid(f"Dataset {name} cannot be empty.")
    for tag in one.tags:
        check_value(tag.key, "tag.key", 255)
        check_value(tag.value, "tag.value", 500)
    return RunInput(
        run_id=run_id,
        name=one.dataset.name,
        digest=one.dataset.digest,
        source_type=check_value(one.dataset.source_type, "dataset.source_type", 500),
        source=one.dataset.source,
        schema=one.dataset.schema,
        profile=one.dataset.profile,
        tags=as_dict(one.tags),
    )


ENDPOINTS: tuple[Endpoint, ...] = (Endpoint("POST", "runs/log-inputs", LogInputs, log_inputs),)
