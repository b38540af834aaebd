"""plusone's records as MLflow writes them: names, milliseconds, statuses; and MLflow's limits of names and values."""

from __future__ import annotations

import datetime as dt
import posixpath
import re
from collections.abc import Sequence
from typing import Any, Literal

from ..base.records import Experiment, Latest, Run, RunInput
from ..search.search import MLFLOW_STATUS, milliseconds
from ..tracking.changing import setting_text
from ..tracking.logged_models import ModelOfRun
from .endpoint import Tag
from .errors import invalid

__all__ = [
    "ARTIFACTS",
    "RUN_NAME",
    "VIEWS",
    "View",
    "as_dict",
    "check_key",
    "check_value",
    "experiment_json",
    "info_json",
    "offset_of",
    "run_json",
    "tag_list",
    "tags_of",
    "text_of",
]

ARTIFACTS = "mlflow-artifacts:"
"""The scheme of addresses that MLflow's clients reach through the tracking server."""
RUN_NAME = "mlflow.runName"
MOST_KEY = 250
View = Literal["ACTIVE_ONLY", "DELETED_ONLY", "ALL", 1, 2, 3]
VIEWS: dict[View, Literal["active", "deleted", "all"]] = {
    "ACTIVE_ONLY": "active",
    "DELETED_ONLY": "deleted",
    "ALL": "all",
    1: "active",
    2: "deleted",
    3: "all",
}
# What MLflow takes as the name of a parameter, a metric or a tag.
_KEY = re.compile(r"[/\w.\- :]+\Z")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def text_of(ms: int) -> str:
    """Return milliseconds since 1970 as a time of ours.

    Raises:
        MlflowError: for a time before 1970 or after the year 9999.
    """
    try:
        if ms < 0:
            raise OverflowError
        return (_EPOCH + dt.timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError:
        raise invalid(f"{ms} is no time: expected milliseconds since 1970.") from None


def check_key(key: str, what: str) -> str:
    """Return `key` if MLflow takes it as the name of a parameter, a metric or a tag; `what` says of which.

    Raises:
        MlflowError: INVALID_PARAMETER_VALUE.
    """
    if len(key) > MOST_KEY:
        raise invalid(f"'{what}' exceeds the maximum length of {MOST_KEY} characters")
    if not _KEY.match(key):
        raise invalid(
            f"Invalid value {key[:100]!r} for parameter '{what}' supplied: Names may only contain alphanumerics, "
            "underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
        )
    plain = posixpath.normpath(key)
    if plain != key or plain == "." or plain.startswith(("..", "/")):
        raise invalid(
            f"Invalid value {key[:100]!r} for parameter '{what}' supplied: Names may be treated as files in certain "
            f"cases, and must not resolve to other names when treated as such. This name would resolve to {plain!r}"
        )
    return key


def check_value(value: str, what: str, most: int, *, cut: bool = False) -> str:
    """Return `value`, at most `most` characters of it if `cut`.

    Raises:
        MlflowError: INVALID_PARAMETER_VALUE, when it is longer, or has a character that no database keeps.
    """
    if "\0" in value:
        raise invalid(f"'{what}' has a NUL character: expected text without one.")
    if len(value) <= most:
        return value
    if cut:
        return value[:most]
    raise invalid(f"'{what}' exceeds the maximum length of {most} characters")


def offset_of(token: str) -> int:
    """Return where the page begins that an answer named as the next one; '' is the first.

    Raises:
        MlflowError: for what no answer held.
    """
    if not token:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) <= 18):
        raise invalid(f"Invalid page token: {token[:100]!r}. Expected one that an answer held as next_page_token.")
    return int(token)


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags, settings or options as MLflow lists them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def as_dict(tags: Sequence[Tag]) -> dict[str, str]:
    """Return a list of tags as a mapping; of two with one key the last counts."""
    return {tag.key: tag.value for tag in tags}


def experiment_json(record: Experiment) -> dict[str, Any]:
    """Return an experiment as MLflow writes it."""
    return {
        "experiment_id": record.id,
        "name": record.name,
        "artifact_location": f"{ARTIFACTS}/{record.id}",
        "lifecycle_stage": record.status,
        "creation_time": milliseconds(record.created_at),
        "last_update_time": milliseconds(record.updated_at),
        "tags": tag_list(record.tags),
    }


def info_json(run: Run) -> dict[str, Any]:
    """Return MLflow's `RunInfo` of a run."""
    info: dict[str, Any] = {
        "run_id": run.id,
        "run_uuid": run.id,
        "run_name": run.name,
        "experiment_id": run.experiment,
        "user_id": run.by,
        "status": MLFLOW_STATUS[run.status],
        "start_time": milliseconds(run.started_at),
        "artifact_uri": f"{ARTIFACTS}/{run.experiment}/{run.id}/artifacts",
        "lifecycle_stage": "deleted" if run.deleted_at else "active",
    }
    if run.finished_at:
        info["end_time"] = milliseconds(run.finished_at)
    return info


def run_json(run: Run, inputs: Sequence[RunInput] = (), models: Sequence[ModelOfRun] = ()) -> dict[str, Any]:
    """Return a run as MLflow writes it.

    Args:
        inputs: the datasets that it read.
        models: the logged models that it made or used.
    """
    return {
        "info": info_json(run),
        "data": {
            "metrics": [_latest(key, latest) for key, latest in run.metrics.items()],
            "params": [{"key": key, "value": setting_text(value)} for key, value in run.settings.items()],
            "tags": tag_list(tags_of(run)),
        },
        "inputs": {
            "dataset_inputs": [_input(one) for one in inputs],
            "model_inputs": [{"model_id": one.model_id} for one in models if one.role == "input"],
        },
        "outputs": {
            "model_outputs": [{"model_id": one.model_id, "step": one.step} for one in models if one.role == "output"]
        },
    }


def tags_of(run: Run) -> dict[str, str]:
    """Return a run's tags with those that MLflow's clients expect on every run; what was set by hand goes first."""
    tags = {RUN_NAME: run.name}
    if run.by:
        tags["mlflow.user"] = run.by
    if run.source != "mlflow":
        tags["mlflow.source.type"] = "PROJECT" if run.source == "release" else "LOCAL"
        tags["mlflow.source.name"] = run.model or run.name
    if run.code.commit:
        tags["mlflow.source.git.commit"] = run.code.commit
    return {**tags, **run.tags}


def _latest(key: str, latest: Latest) -> dict[str, Any]:
    return {"key": key, "value": latest.value, "timestamp": round(latest.at * 1000), "step": latest.step}


def _input(one: RunInput) -> dict[str, Any]:
    dataset = {
        "name": one.name,
        "digest": one.digest,
        "source_type": one.source_type,
        "source": one.source,
        "schema": one.schema,
        "profile": one.profile,
    }
    return {"tags": tag_list(one.tags), "dataset": dataset}
