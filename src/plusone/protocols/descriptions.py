"""What the Open Inference Protocol says of a server and of its models: metadata, configuration, index and statistics.

Plain values, ready for JSON; the gRPC form is filled from the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ..base.errors import InvalidInput
from ..signatures.tables import shown
from ..tensors.tensors import Slot, interface_of
from .served import Served

__all__ = [
    "EXTENSIONS",
    "Figures",
    "config",
    "index",
    "model_metadata",
    "model_ready",
    "properties",
    "read_index_request",
    "server_live",
    "server_metadata",
    "server_ready",
    "statistics",
]

PLATFORM = "onnx_onnxv1"
EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "parameters", "statistics")
"""Of Triton's extensions, those that are served. Of the repository, the index: releases are loaded by their route."""

_CONFIG_TYPES = {"BYTES": "TYPE_STRING"}


def server_live() -> dict[str, Any]:
    """Return the answer of a server that lives."""
    return {"live": True}


def server_ready(ready: bool) -> dict[str, Any]:
    """Return whether requests can be answered; KServe's client reads `ready`, the specification has `live`."""
    return {"live": True, "ready": ready}


def server_metadata(version: str) -> dict[str, Any]:
    """Return the server's metadata; `version` is plusone's."""
    return {"name": "plusone", "version": version, "extensions": list(EXTENSIONS)}


def model_ready(served: Served) -> dict[str, Any]:
    """Return the answer for a model that is ready."""
    return {"name": served.model, "version": str(served.release), "ready": True}


def model_metadata(served: Served, releases: Sequence[int]) -> dict[str, Any]:
    """Return a model's tensors. `releases` are those of the model that may be asked for by number."""
    interface = interface_of(served.predictor)
    return {
        "name": served.model,
        "versions": [str(release) for release in sorted(releases)],
        "platform": PLATFORM,
        "inputs": [_tensor(slot) for slot in interface.inputs.values()],
        "outputs": [_tensor(slot) for slot in interface.outputs.values()],
        "parameters": properties(served),
    }


def config(served: Served) -> dict[str, Any]:
    """Return the model's configuration in the words of Triton's `ModelConfig`, as far as they say something of it.

    The batch is a dimension of the tensors (`max_batch_size` 0), as in the metadata.
    """
    interface = interface_of(served.predictor)
    return {
        "name": served.model,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "version_policy": {"specific": {"versions": [served.release]}},
        "max_batch_size": 0,
        "input": [_config_tensor(slot) for slot in interface.inputs.values()],
        "output": [_config_tensor(slot) for slot in interface.outputs.values()],
        "parameters": {name: {"string_value": value} for name, value in properties(served).items()},
    }


def index(served: Sequence[Served], failed: Mapping[str, str], *, ready: bool = False) -> list[dict[str, str]]:
    """Return the models of this server, one entry a release.

    Args:
        failed: by model, why its release could not be loaded.
        ready: leave out what can't be asked.
    """
    entries = [
        {"name": one.model, "version": str(one.release), "state": "READY", "reason": ""}
        for one in sorted(served, key=lambda one: (one.model, one.release))
    ]
    if not ready:
        entries += [
            {"name": name, "version": "", "state": "UNAVAILABLE", "reason": reason}
            for name, reason in sorted(failed.items())
        ]
    return entries


class _IndexRequest(msgspec.Struct):
    ready: bool = False


def read_index_request(body: bytes) -> bool:
    """Return whether a request for the index wants only what is ready; an empty body wants all.

    Raises:
        InvalidInput: when the body is no such request.
    """
    if not body.strip():
        return False
    try:
        return msgspec.json.decode(body, type=_IndexRequest).ready
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        text = shown(body[:40].decode("utf-8", "replace"))
        raise InvalidInput(f'The body is {text}: expected {{"ready": true or false}}, or nothing.') from error


class Figures(NamedTuple):
    """What one release did since its worker began. Seconds are sums over the requests, or the runs."""

    model: str
    release: int
    succeeded: int = 0
    succeeded_s: float = 0.0
    failed: int = 0
    failed_s: float = 0.0
    rows: int = 0
    runs: int = 0
    runs_s: float = 0.0
    queued_s: float = 0.0
    last_ms: int = 0
    """When the last request came, in milliseconds of Unix time."""


def statistics(figures: Sequence[Figures]) -> dict[str, Any]:
    """Return the statistics of models, in the words of Triton's extension."""
    return {"model_stats": [_statistics(one) for one in figures]}


def _statistics(one: Figures) -> dict[str, Any]:
    empty = _duration(0, 0.0)
    return {
        "name": one.model,
        "version": str(one.release),
        "last_inference": one.last_ms,
        "inference_count": one.rows,
        "execution_count": one.runs,
        "inference_stats": {
            "success": _duration(one.succeeded, one.succeeded_s),
            "fail": _duration(one.failed, one.failed_s),
            "queue": _duration(one.succeeded, one.queued_s),
            "compute_input": empty,
            "compute_infer": _duration(one.runs, one.runs_s),
            "compute_output": empty,
            "cache_hit": empty,
            "cache_miss": empty,
        },
        "batch_stats": [],
    }


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": round(seconds * 1e9)}


def _tensor(slot: Slot) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": slot.name, "datatype": slot.datatype, "shape": slot.dimensions}
    if slot.parameters:
        tensor["parameters"] = slot.parameters
    return tensor


def _config_tensor(slot: Slot) -> dict[str, Any]:
    kind = _CONFIG_TYPES.get(slot.datatype, f"TYPE_{slot.datatype}")
    return {"name": slot.name, "data_type": kind, "dims": slot.dimensions}


def properties(served: Served) -> dict[str, str]:
    """Return what is said of a model beside its tensors, as text: its release, its package, its classes as JSON."""
    interface = interface_of(served.predictor)
    found = {"release": str(served.release), "package": served.predictor.digest}
    if interface.classes:
        found["classes"] = interface.classes
    return found
