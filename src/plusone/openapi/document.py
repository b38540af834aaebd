"""The OpenAPI document of a worker: every address, with the request schema and an example of each model it serves.

Addresses of predictions and labels stand there once for each model, because each has schemas of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..protocols.served import Served
from .inference_paths import inference_components, inference_paths, routing_headers
from .schemas import columns_schema, example_row, label_schema, media_types, prediction_schema, row_schema

__all__ = ["ARROW", "document"]

ARROW = "application/vnd.apache.arrow.stream"
_JSON = "application/json"

_ERRORS = {
    400: ("BadRequest", "What came is no HTTP request that can be read, or its headers say what can't be."),
    404: ("NotFound", "There is no such model, release or address."),
    408: ("RequestTimeout", "The request did not come in whole in time."),
    413: ("BodyTooLarge", "The body has more bytes than are taken."),
    415: ("WrongContentType", "The body is of a type that is not read here."),
    422: (
        "InvalidInput",
        "The body does not fit: the details say which row and field, what came and what was expected.",
    ),
    429: ("Overloaded", "More is asked of the model than may wait. Nothing was done; see the header Retry-After."),
    431: ("HeadTooLarge", "The headers have more bytes than are taken."),
    500: ("Unexpected", "The model raised what it must not; the worker's log has the cause."),
    503: ("Unavailable", "The model can't be asked at present; see the header Retry-After, where there is one."),
    504: ("TooSlow", "The model did not answer in time."),
}


def document(
    served: Sequence[Served],
    *,
    server_url: str,
    version: str,
    max_body_bytes: int,
    model_body_bytes: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document, ready for JSON.

    Args:
        served: the release of each model that an address without a version asks.
        server_url: where this server is reached, `http://host:port`, or `/` for where the document came from.
        version: plusone's.
        max_body_bytes: how many bytes a body may have.
        model_body_bytes: the same, by model, where one has a limit of its own.
    """
    models = sorted(served, key=lambda one: one.model)
    limits = model_body_bytes or {}
    paths: dict[str, Any] = {}
    schemas = _shared_schemas()
    for one in models:
        schemas |= _model_schemas(one)
        limit = limits.get(one.model, max_body_bytes)
        paths[f"/models/{one.model}/predict"] = {"post": _predict(one, limit)}
        paths[f"/models/{one.model}/labels"] = {"post": _labels(one, limit)}
    paths |= _pages(models)
    paths |= inference_paths(models, max_body_bytes)
    shared_schemas, inference_responses = inference_components()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "plusone: predictions",
            "version": version,
            "description": "Predictions of the models that are live here, and the truth for them when it is known. "
            'Errors are JSON with a stable `code`; those of the Open Inference Protocol are `{"error": "..."}`.',
        },
        "servers": [{"url": server_url}],
        "tags": [
            {"name": "predictions", "description": "One address for each model."},
            {"name": "models", "description": "What is served."},
            {"name": "operation", "description": "For those who run the server."},
            {"name": "inference", "description": "The Open Inference Protocol, version 2."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas | shared_schemas,
            "responses": {name: _error(words) for name, words in _ERRORS.values()}
            | {"Error": _error("Any other refusal.")}
            | inference_responses,
        },
    }


def _error(words: str) -> dict[str, Any]:
    return {"description": words, "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}


def _errors(*statuses: int) -> dict[str, Any]:
    named = {str(status): {"$ref": f"#/components/responses/{_ERRORS[status][0]}"} for status in statuses}
    return named | {"default": {"$ref": "#/components/responses/Error"}}


# ---------------------------------------------------------------------------------------------- one model


def _model_schemas(one: Served) -> dict[str, Any]:
    signature, known = one.predictor.signature, one.predictor.known
    row = f"{one.model}.row"
    rows = {"type": "array", "minItems": 1, "items": {"$ref": f"#/components/schemas/{row}"}}
    return {
        row: row_schema(signature, known),
        f"{one.model}.request": {
            "oneOf": [
                _closed({"rows": rows}),
                _closed({"columns": columns_schema(signature, f"#/components/schemas/{row}")}),
            ]
        },
        f"{one.model}.prediction": prediction_schema(signature.output),
        f"{one.model}.answer": _closed(
            {
                "model": {"const": one.model},
                "release": {"type": "integer", "description": "The release that answered."},
                "id": {
                    "type": "string",
                    "description": "The prediction's id: its label is sent under it, that of row 3 of several as ID:3.",
                },
                "predictions": {
                    "type": "array",
                    "minItems": 1,
                    "description": "One for each row, in their order.",
                    "items": {"$ref": f"#/components/schemas/{one.model}.prediction"},
                },
            }
        ),
        f"{one.model}.labels": _labels_schema(one),
    }


def _labels_schema(one: Served) -> dict[str, Any]:
    label = {
        "type": "object",
        "required": ["id", "label"],
        "additionalProperties": False,
        "properties": {
            "id": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "pattern": "^[!-~]+$",
                "description": "The id of the prediction; ID:3 is the row 3, counted from 0, of one with several.",
            },
            "label": {**label_schema(one.predictor.signature.output), "description": "The truth."},
            "at": {
                "type": ["string", "null"],
                "format": "date-time",
                "pattern": "^(19[7-9]|2[0-9]{2})[0-9]-",
                "description": "Since when it is known, with its zone, from 1970 on; without it: now.",
            },
        },
    }
    return _closed({"labels": {"type": "array", "minItems": 1, "maxItems": 10_000, "items": label}})


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with these members, all of them and no other."""
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _predict(one: Served, limit: int) -> dict[str, Any]:
    signature, known = one.predictor.signature, one.predictor.known
    row = example_row(signature, known)
    name = f"#/components/schemas/{one.model}"
    examples: dict[str, Any] = {}
    if row is not None:
        examples = {
            "rows": {"value": {"rows": [row]}},
            "columns": {"value": {"columns": {field: [value] for field, value in row.items()}}},
        }
    files = {
        kind: {
            "schema": {"type": "string", "contentMediaType": kind, "description": "One row, as the bytes of a file."}
        }
        for kind in media_types(signature)
    }
    arrow = {"type": "string", "contentMediaType": ARROW, "description": "A column for each field, by its name."}
    return {
        "tags": ["predictions"],
        "operationId": f"predict.{one.model}",
        "summary": f"Predict {signature.output.name} with {one.model}",
        "description": f"Answers each row with a prediction. The body has at most {limit} bytes. The answer names the "
        f"release that gave it; now live: {one.release}. `/models/{one.model}@RELEASE/predict` asks the one that is "
        "named, as the header `plusone-release` does. Members that stand twice in an object: the last counts.",
        "parameters": routing_headers(),
        "requestBody": {
            "required": True,
            "content": {
                _JSON: {"schema": {"$ref": f"{name}.request"}, **({"examples": examples} if examples else {})},
                ARROW: {"schema": arrow},
                **files,
            },
        },
        "responses": {
            "200": {
                "description": "One prediction for each row.",
                "content": {_JSON: {"schema": {"$ref": f"{name}.answer"}}, ARROW: {"schema": arrow}},
            },
            **_errors(400, 404, 408, 413, 415, 422, 429, 431, 500, 503, 504),
        },
    }


def _labels(one: Served, limit: int) -> dict[str, Any]:
    return {
        "tags": ["predictions"],
        "operationId": f"label.{one.model}",
        "summary": f"Send the truth for predictions of {one.model}",
        "description": "Once it is answered 202 it is kept. The same one again changes nothing; another one for the "
        f"same prediction is a correction. The body has at most {limit} bytes.",
        "requestBody": {
            "required": True,
            "content": {_JSON: {"schema": {"$ref": f"#/components/schemas/{one.model}.labels"}}},
        },
        "responses": {
            "202": {
                "description": "All of them are kept.",
                "content": {_JSON: {"schema": _closed({"accepted": {"type": "integer", "minimum": 0}})}},
            },
            **_errors(400, 404, 408, 413, 415, 422, 429, 431, 503),
        },
    }


# ---------------------------------------------------------------------------------------------- pages


def _pages(models: Sequence[Served]) -> dict[str, Any]:
    name: dict[str, Any] = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    if models:
        name["example"] = models[0].model
    ready = {"$ref": "#/components/schemas/Ready"}
    return {
        "/models": {"get": _page("models", "listModels", "The models that are served", {"$ref": _schema("Models")})},
        "/models/{name}": {
            "parameters": [name],
            "get": _page(
                "models",
                "describeModel",
                "A model's live release, its signature, and a request to try",
                {"$ref": _schema("Model")},
                404,
                503,
            ),
        },
        "/health/live": {
            "get": _page("operation", "live", "Whether the process lives", _closed({"live": {"const": True}}))
        },
        "/health/ready": {
            "get": {
                **_page("operation", "ready", "Whether predictions are answered", ready),
                "responses": {
                    "200": _json("They are.", ready),
                    "503": _json("Not yet, or no more; the reason is given.", ready),
                    **_errors(),
                },
            }
        },
        "/metrics": {
            "get": {
                "tags": ["operation"],
                "operationId": "metrics",
                "summary": "Counts and times, as Prometheus reads them",
                "responses": {
                    "200": {
                        "description": "Of all workers.",
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    },
                    **_errors(),
                },
            }
        },
        "/openapi.json": {"get": _page("operation", "openapi", "This document", {"type": "object"})},
    }


def _schema(name: str) -> str:
    return f"#/components/schemas/{name}"


def _json(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {_JSON: {"schema": schema}}}


def _page(tag: str, operation: str, summary: str, schema: dict[str, Any], *statuses: int) -> dict[str, Any]:
    return {
        "tags": [tag],
        "operationId": operation,
        "summary": summary,
        "responses": {"200": _json("As described.", schema), **_errors(*statuses)},
    }


def _shared_schemas() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "Error": _closed(
            {
                "error": {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {
                        "code": {**text, "description": "Stable, for programs."},
                        "message": {**text, "description": "What happened, where, and what was expected."},
                        "mend": {**text, "description": "What helps."},
                        "details": {
                            "type": "object",
                            "description": "The same in values: row, field, value, expected.",
                        },
                    },
                }
            }
        ),
        "Models": {
            "type": "object",
            "required": ["models"],
            "properties": {
                "models": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["model", "release"],
                        "properties": {"model": text, "release": {"type": "integer"}},
                    },
                },
                "failed": {"type": "object", "description": "By model, why a release could not be loaded."},
            },
        },
        "Model": {
            "type": "object",
            "required": ["model", "release", "signature"],
            "properties": {"model": text, "release": {"type": "integer"}, "signature": {"type": "object"}},
        },
        "Ready": {
            "type": "object",
            "required": ["ready"],
            "properties": {"ready": {"type": "boolean"}, "reason": text},
        },
    }
