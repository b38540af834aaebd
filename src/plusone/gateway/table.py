"""The table of endpoints: every one that MLflow's clients find on the control port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..app.app import App
from ..mlflow import artifacts, experiments, inputs, runs
from ..mlflow.metrics import Metrics
from ..mlflow.recorders import Recorders
from ..mlflow_models import models, registry
from ..mlflow_wire.endpoint import Endpoint, Taken

__all__ = ["at_once", "endpoints"]

# What a client may find here, by the names that MLflow's own server has for it.
_SERVER_INFO = {
    "store_type": "SqlStore",
    "workspaces_enabled": False,
    "trace_archival_enabled": False,
    "multipart_uploads_enabled": True,
    "multipart_downloads_enabled": False,
}


def endpoints(recorders: Recorders) -> Iterator[Endpoint]:
    """Return the endpoints, over the recorders of this process."""
    yield Endpoint("GET", "server-info", Taken, _server_info)
    yield from experiments.ENDPOINTS
    yield from runs.endpoints(recorders)
    yield from inputs.ENDPOINTS
    yield from artifacts.ENDPOINTS
    yield from Metrics(recorders).endpoints
    yield from registry.ENDPOINTS
    yield from models.ENDPOINTS


def at_once(recorders: Recorders) -> dict[tuple[str, str], Callable[[Any], bool]]:
    """Return, by verb and path, what can answer without the store: it says whether it did."""
    metrics = Metrics(recorders)
    return {("POST", "runs/log-metric"): metrics.log_at_once, ("POST", "runs/log-batch"): metrics.log_at_once}


def _server_info(app: App, asked: Taken) -> dict[str, Any]:
    return dict(_SERVER_INFO)
