"""What an endpoint of MLflow's API is: a verb, a path, what it takes, and the function that answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import msgspec

from ..app.app import App
from ..base.errors import PlusoneError

__all__ = ["Endpoint", "MlflowError", "Tag", "Taken"]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The base of what endpoints take: JSON body, or for GET the query, and what stands in braces in the path.

    Fields that MLflow's clients send and we have no use for are left out: msgspec passes over them.
    """


class Tag(msgspec.Struct, frozen=True):
    """A tag, a parameter or an option, as MLflow writes it."""

    key: str
    value: str = ""


class Endpoint(NamedTuple):
    """One endpoint: `Endpoint("POST", "runs/create", CreateRun, create_run)`.

    Attributes:
        path: behind `/api/2.0/mlflow/`; `{name}` stands for one part of it, which fills the field of that name.
        takes: the type of its request.
        answer: called with the App and the request; returns what is written as JSON.
    """

    verb: str
    path: str
    takes: type[Taken]
    answer: Callable[[App, Any], dict[str, Any]]


class MlflowError(PlusoneError):
    """An error that MLflow's clients know by a name of their own, e.g. `INVALID_PARAMETER_VALUE`."""

    STATUS: ClassVar[dict[str, int]] = {
        "INVALID_PARAMETER_VALUE": 400,
        "RESOURCE_ALREADY_EXISTS": 400,
        "RESOURCE_DOES_NOT_EXIST": 404,
        "INVALID_STATE": 400,
        "DATA_LOSS": 409,
        "BAD_REQUEST": 400,
        "ENDPOINT_NOT_FOUND": 404,
        "TEMPORARILY_UNAVAILABLE": 503,
        "INTERNAL_ERROR": 500,
    }

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__(message)
        self.error_code = error_code
