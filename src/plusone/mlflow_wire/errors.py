"""Errors as MLflow's clients read them: `{"error_code": ..., "message": ...}` with the status that belongs to it.

Its clients send a request again when the status is 429, 500, 502, 503 or 504: only what may mend itself has one of
those.
"""

from __future__ import annotations

import re
import traceback

import msgspec

from ..base.errors import (
    BodyTooLarge,
    BrokenArtifact,
    Conflict,
    GateClosed,
    NotFound,
    PlusoneError,
    StoreError,
    Unavailable,
    UsageError,
)
from ..base.ids import new_id
from .endpoint import MlflowError

__all__ = ["invalid", "missing", "no_endpoint", "not_taken", "to_answer"]

_LACKS = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?(.*)`)?")
# The first that fits: from the narrow to the wide.
_CODES: tuple[tuple[type[PlusoneError], str], ...] = (
    (BrokenArtifact, "DATA_LOSS"),
    (NotFound, "RESOURCE_DOES_NOT_EXIST"),
    (GateClosed, "INVALID_STATE"),
    (Conflict, "INVALID_STATE"),
    (StoreError, "TEMPORARILY_UNAVAILABLE"),
    (Unavailable, "TEMPORARILY_UNAVAILABLE"),
    (UsageError, "INVALID_PARAMETER_VALUE"),
)


def invalid(message: str) -> MlflowError:
    """Return the error for a value that can't be taken."""
    return MlflowError("INVALID_PARAMETER_VALUE", message)


def missing(name: str) -> MlflowError:
    """Return the error for a parameter that must be given and is not; it has the words of MLflow's own server."""
    return invalid(
        f"Missing value for required parameter '{name}'. See the API docs for more information about request "
        "parameters."
    )


def no_endpoint(verb: str, path: str) -> MlflowError:
    """Return the error for an address that is none."""
    return MlflowError(
        "ENDPOINT_NOT_FOUND",
        f"plusone has no endpoint {verb[:20]} {path[:200]}: it answers MLflow's tracking API, artifact proxy and model "
        "registry, and not its traces, prompts, gateway or evaluations.",
    )


def not_taken(error: msgspec.DecodeError | UnicodeDecodeError | RecursionError) -> MlflowError:
    """Return the error for a request that is no JSON, or not of the type that the endpoint takes."""
    if isinstance(error, msgspec.ValidationError):
        if found := _LACKS.fullmatch(str(error)):
            name, place = found.groups()
            return missing(f"{place}.{name}" if place else name)
        return invalid(f"The request does not fit: {error}.")
    return MlflowError("BAD_REQUEST", f"The body is no JSON: {error}.")


def to_answer(error: Exception) -> tuple[int, bytes]:
    """Return the status and the body that tell a client of this error; what is a fault of ours goes to the log."""
    if isinstance(error, MlflowError):
        code = error.error_code
        return _body(MlflowError.STATUS.get(code, 400), code, str(error))
    if isinstance(error, BodyTooLarge):
        return _body(413, "INVALID_PARAMETER_VALUE", str(error))
    for kind, code in _CODES:
        if isinstance(error, kind):
            return _body(MlflowError.STATUS[code], code, str(error))
    reference = new_id()
    print(f"error {reference}\n{''.join(traceback.format_exception(error))}", flush=True)
    return _body(500, "INTERNAL_ERROR", f"Something went wrong in plusone; the log has it under {reference}.")


def _body(status: int, code: str, message: str) -> tuple[int, bytes]:
    return status, msgspec.json.encode({"error_code": code, "message": message})
