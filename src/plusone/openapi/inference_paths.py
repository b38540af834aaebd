"""The addresses of the Open Inference Protocol, as the OpenAPI document has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..protocols.served import Served
from ..tensors.tensors import interface_of
from ..tensors.values import DTYPES
from .schemas import example_row

__all__ = ["inference_components", "inference_paths", "routing_headers"]

_JSON = "application/json"
_TEXT: dict[str, Any] = {"type": "string"}
_SHAPE: dict[str, Any] = {"type": "array", "items": {"type": "integer", "minimum": -1}}
_DATATYPES = [*DTYPES, "BYTES"]
_ANY: dict[str, Any] = {"type": "object", "description": "Those that are not known are passed over."}
_PARAMETERS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}

_ERRORS = {
    400: "The request does not fit the model: the message names the tensor, what came and what was expected.",
    404: "There is no such model or release.",
    413: "The body has more bytes than are taken.",
    415: "The body has an encoding that is not read here.",
    429: "More is asked of the model than may wait. Nothing was done; see the header Retry-After.",
    500: "The model raised what it must not.",
    503: "The model can't be asked at present.",
    504: "The model did not answer in time.",
}


def inference_paths(models: Sequence[Served], max_body_bytes: int) -> dict[str, Any]:
    """Return the paths; those of a model stand there with its name as a parameter."""
    paths: dict[str, Any] = {
        "/v2": {"get": _get("serverMetadata", "The server's name, version and extensions", "ServerMetadata")},
        "/v2/health/live": {"get": _get("serverLive", "Whether the server lives", "ServerLive")},
        "/v2/health/ready": {
            "get": {
                **_get("serverReady", "Whether the server answers", "ServerReady"),
                "responses": {
                    "200": _answer("It does.", "ServerReady"),
                    "503": _answer("Not yet, or no more.", "ServerReady"),
                    "default": {"$ref": "#/components/responses/InferenceError"},
                },
            }
        },
        "/v2/repository/index": {"post": _index()},
        "/v2/models/stats": {"get": _get("allStatistics", "The statistics of all models", "InferenceStatistics")},
    }
    for prefix, suffix in (("/v2/models/{model}", ""), ("/v2/models/{model}/versions/{version}", "OfVersion")):
        parameters = _path_parameters(models, versioned=bool(suffix))
        for end, operation, words, schema in (
            ("", "modelMetadata", "The tensors that a model takes and answers", "ModelMetadata"),
            ("/ready", "modelReady", "Whether a model is ready", "ModelReady"),
            ("/config", "modelConfig", "A model's configuration, in Triton's words", "ModelConfig"),
            ("/stats", "modelStatistics", "A model's statistics", "InferenceStatistics"),
        ):
            paths[prefix + end] = {
                "parameters": parameters,
                "get": _get(operation + suffix, words, schema, 404, 503),
            }
        paths[f"{prefix}/infer"] = {"parameters": parameters, "post": _infer(models, suffix, max_body_bytes)}
    return paths


def routing_headers() -> list[dict[str, Any]]:
    """Return the headers that say which release answers, as parameters."""
    key = {"type": "string", "maxLength": 200}
    words = "Requests with equal keys are answered by one release while several share the traffic."
    chosen = "Which release answers: `live`, `previous`, `canary`, `shadow`, or a number. Only those in the route do."
    return [
        {"name": "plusone-key", "in": "header", "required": False, "schema": key, "description": words},
        {"name": "plusone-release", "in": "header", "required": False, "schema": _TEXT, "description": chosen},
    ]


def _path_parameters(models: Sequence[Served], *, versioned: bool) -> list[dict[str, Any]]:
    model: dict[str, Any] = {"name": "model", "in": "path", "required": True, "schema": _TEXT}
    version: dict[str, Any] = {
        "name": "version",
        "in": "path",
        "required": True,
        "schema": _TEXT,
        "description": "The number of a release.",
    }
    if models:
        model["example"] = models[0].model
        version["example"] = str(models[0].release)
    return [model, version] if versioned else [model]


def _get(operation: str, summary: str, schema: str, *statuses: int) -> dict[str, Any]:
    return {
        "tags": ["inference"],
        "operationId": f"v2.{operation}",
        "summary": summary,
        "responses": {"200": _answer("As the protocol has it.", schema), **_errors(*statuses)},
    }


def _answer(words: str, schema: str) -> dict[str, Any]:
    return {"description": words, "content": {_JSON: {"schema": {"$ref": f"#/components/schemas/v2.{schema}"}}}}


def _errors(*statuses: int) -> dict[str, Any]:
    named = {
        str(status): {"description": _ERRORS[status], "content": {_JSON: {"schema": {"$ref": _ERROR}}}}
        for status in statuses
    }
    return named | {"default": {"$ref": "#/components/responses/InferenceError"}}


_ERROR = "#/components/schemas/v2.Error"


def _index() -> dict[str, Any]:
    schema = {"type": "object", "properties": {"ready": {"type": "boolean", "description": "Only what is ready."}}}
    return {
        **_get("repositoryIndex", "The releases that are served, and what could not be loaded", "RepositoryIndex", 400),
        "requestBody": {"required": False, "content": {_JSON: {"schema": schema}}},
    }


def _infer(models: Sequence[Served], suffix: str, max_body_bytes: int) -> dict[str, Any]:
    found = {one.model: _example(one) for one in models}
    examples = {model: {"value": example} for model, example in found.items() if example is not None}
    binary = {
        "type": "string",
        "contentMediaType": "application/octet-stream",
        "description": "JSON with tensors behind it as bytes. The header Inference-Header-Content-Length says how many "
        "bytes are JSON.",
    }
    return {
        "tags": ["inference"],
        "operationId": f"v2.infer{suffix}",
        "summary": "Predict, from tensors",
        "description": "One tensor for each field: of one value for each row, or of the field's own shape for each. A "
        "missing value is NaN among floats, null in JSON; for BYTES, the string that the parameter `missing_string` "
        f"names. The body has at most {max_body_bytes} bytes, where the model has no limit of its own.",
        "parameters": routing_headers(),
        "requestBody": {
            "required": True,
            "content": {
                _JSON: {
                    "schema": {"$ref": "#/components/schemas/v2.InferRequest"},
                    **({"examples": examples} if examples else {}),
                },
                "application/octet-stream": {"schema": binary},
            },
        },
        "responses": {
            "200": {
                "description": "The tensors that were asked for.",
                "content": {
                    _JSON: {"schema": {"$ref": "#/components/schemas/v2.InferResponse"}},
                    "application/octet-stream": {"schema": binary},
                },
            },
            **_errors(*_ERRORS),
        },
    }


def _example(one: Served) -> dict[str, Any] | None:
    row = example_row(one.predictor.signature, one.predictor.known, media=False)
    if row is None:
        return None
    inputs = [
        {"name": slot.name, "shape": [1, *slot.dimensions[1:]], "datatype": slot.datatype, "data": [row[slot.name]]}
        for slot in interface_of(one.predictor).inputs.values()
    ]
    return {"id": "42", "inputs": inputs}


def inference_components() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the protocol's schemas and responses, by the names that the paths use."""
    schemas = {f"v2.{name}": schema for name, schema in (_schemas() | _infer_schemas()).items()}
    error = {"description": "What was wrong.", "content": {_JSON: {"schema": {"$ref": _ERROR}}}}
    return schemas, {"InferenceError": error}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of something that may be null: clients write so what they leave out."""
    return {"anyOf": [schema, {"type": "null"}]}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": required | (optional or {})}


def _schemas() -> dict[str, Any]:
    texts = {"type": "array", "items": _TEXT}
    tensor = _object({"name": _TEXT, "datatype": {"enum": _DATATYPES}, "shape": _SHAPE}, {"parameters": _PARAMETERS})
    config = _object({"name": _TEXT, "data_type": _TEXT, "dims": _SHAPE})
    tensors = {"type": "array", "items": tensor}
    configs = {"type": "array", "items": config}
    entry = _object({"name": _TEXT, "state": _TEXT, "reason": _TEXT}, {"version": _TEXT})
    truth = {"type": "boolean"}
    return {
        "Error": _object({"error": _TEXT}),
        "ServerMetadata": _object({"name": _TEXT, "version": _TEXT, "extensions": texts}),
        "ServerLive": _object({"live": truth}),
        "ServerReady": _object({"live": truth, "ready": truth}),
        "ModelReady": _object({"name": _TEXT, "ready": truth}, {"version": _TEXT}),
        "ModelMetadata": _object(
            {"name": _TEXT, "versions": texts, "platform": _TEXT, "inputs": tensors, "outputs": tensors},
            {"parameters": _PARAMETERS},
        ),
        "ModelConfig": _object(
            {"name": _TEXT, "max_batch_size": {"type": "integer"}, "input": configs, "output": configs}
        ),
        "RepositoryIndex": {"type": "array", "items": entry},
        "InferenceStatistics": _object({"model_stats": {"type": "array", "items": _object({"name": _TEXT})}}),
    }


def _infer_schemas() -> dict[str, Any]:
    data: dict[str, Any] = {"type": "array", "description": "Flat, or one list for each row."}
    tensor: dict[str, Any] = {
        "name": _TEXT,
        "shape": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "integer", "minimum": 1}},
        "datatype": {"enum": _DATATYPES},
    }
    asked = _object({"name": _TEXT}, {"parameters": _or_null(_ANY)})
    output = _object(
        {"name": _TEXT, "shape": _SHAPE, "datatype": {"enum": _DATATYPES}}, {"data": data, "parameters": _PARAMETERS}
    )
    return {
        "InferRequest": _object(
            {
                "inputs": {
                    "type": "array",
                    "minItems": 1,
                    "items": _object(tensor, {"data": data, "parameters": _or_null(_ANY)}),
                }
            },
            {
                "id": _or_null(_TEXT),
                "parameters": _or_null(_ANY),
                "outputs": _or_null({"type": "array", "items": asked}),
            },
        ),
        "InferResponse": _object(
            {"model_name": _TEXT, "model_version": _TEXT, "id": _TEXT, "outputs": {"type": "array", "items": output}},
            {"parameters": _PARAMETERS},
        ),
    }
