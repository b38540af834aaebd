"""What MLflow's server answers, as plusone's records. Ids and times are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from ..base.errors import UsageError
from ..base.records import Run, RunInput, RunStatus, as_number
from ..base.registered import LoggedModel, ModelMetric
from ..mlflow_wire.wire import text_of
from ..search.search import MLFLOW_STATUS
from ..tracking.logged_models import ModelOfRun

__all__ = ["inputs_of", "links_of", "model_of", "run_of", "tags_of"]

_ID = re.compile(r"[A-Za-z0-9][\w-]{0,127}\Z", re.ASCII)
_STATUS: dict[str, RunStatus] = {theirs: cast(RunStatus, ours) for ours, theirs in MLFLOW_STATUS.items()}
_READY = {"LOGGED_MODEL_PENDING": "PENDING", "LOGGED_MODEL_READY": "READY", "LOGGED_MODEL_UPLOAD_FAILED": "FAILED"}


def run_of(found: dict[str, Any], experiment: str) -> Run:
    """Return a run as the store has it, in the experiment with that id of ours.

    Raises:
        UsageError: when its id can't be one here.
    """
    info, data = found["info"], found.get("data") or {}
    tags = tags_of(data.get("tags"))
    started = text_of(int(info.get("start_time") or 0))
    finished = int(info.get("end_time") or 0)
    return Run(
        id=_checked(str(info["run_id"])),
        name=str(info.get("run_name") or tags.get("mlflow.runName") or ""),
        status=_STATUS.get(str(info.get("status")), "interrupted"),
        started_at=started,
        finished_at=text_of(finished) if finished else None,
        settings=tags_of(data.get("params")),
        experiment=experiment,
        source="mlflow",
        by=str(info.get("user_id") or ""),
        tags=tags,
        deleted_at=(text_of(finished) if finished else started) if info.get("lifecycle_stage") == "deleted" else None,
    )


def inputs_of(found: dict[str, Any]) -> list[RunInput]:
    """Return the datasets that a run says it read."""
    made: list[RunInput] = []
    for one in (found.get("inputs") or {}).get("dataset_inputs") or ():
        dataset = one.get("dataset") or {}
        texts = {name: str(dataset.get(name) or "") for name in ("name", "digest", "source_type", "source")}
        made.append(
            RunInput(
                run_id=str(found["info"]["run_id"]),
                schema=str(dataset.get("schema") or ""),
                profile=str(dataset.get("profile") or ""),
                tags=tags_of(one.get("tags")),
                **texts,
            )
        )
    return made


def links_of(found: dict[str, Any]) -> list[ModelOfRun]:
    """Return the logged models that a run used or made."""
    used = (found.get("inputs") or {}).get("model_inputs") or ()
    made = (found.get("outputs") or {}).get("model_outputs") or ()
    return [ModelOfRun(str(one["model_id"]), "input", 0) for one in used] + [
        ModelOfRun(str(one["model_id"]), "output", int(one.get("step") or 0)) for one in made
    ]


def model_of(found: dict[str, Any], experiment: str) -> LoggedModel:
    """Return a logged model as the store has it, in the experiment with that id of ours.

    Raises:
        UsageError: when its id can't be one here.
    """
    info, data = found["info"], found.get("data") or {}
    return LoggedModel(
        id=_checked(str(info["model_id"])),
        experiment=experiment,
        run_id=str(info.get("source_run_id") or "") or None,
        name=str(info.get("name") or ""),
        type=str(info.get("model_type") or ""),
        status=cast(Any, _READY.get(str(info.get("status")), "UNSPECIFIED")),
        settings=tags_of(data.get("params")),
        tags=tags_of(info.get("tags")),
        metrics=tuple(_metric(one) for one in data.get("metrics") or ()),
        created_at=text_of(int(info.get("creation_timestamp_ms") or 0)),
        updated_at=text_of(int(info.get("last_updated_timestamp_ms") or 0)),
    )


def tags_of(found: Iterable[dict[str, Any]] | None) -> dict[str, str]:
    """Return MLflow's list of tags, parameters or aliases as a mapping."""
    return {str(one["key"]): str(one.get("value") or "") for one in found or ()}


def _metric(one: dict[str, Any]) -> ModelMetric:
    return ModelMetric(
        key=str(one["key"]),
        value=as_number(float(one["value"])),
        step=int(one.get("step") or 0),
        at=int(one.get("timestamp") or 0) / 1000,
        dataset_name=str(one.get("dataset_name") or ""),
        dataset_digest=str(one.get("dataset_digest") or ""),
        run_id=str(one.get("run_id") or ""),
    )


def _checked(text: str) -> str:
    if not _ID.match(text):
        raise UsageError(f"{text[:100]!r} can't be an id here: expected letters, digits, '-' and '_'.")
    return text
