"""One tree of errors. Each says what happened, where, what was expected, and how to mend it.

Each class has a stable `code` (the command line, the HTTP API and the docs share it), an `exit_code` for the
command line and a `status` for HTTP. Messages are complete sentences; `mend` is the command or the line that helps.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "BadRequest",
    "BodyTooLarge",
    "BrokenArtifact",
    "BrokenEnvironment",
    "BrokenRule",
    "ConfigError",
    "Conflict",
    "GateClosed",
    "HeadTooLarge",
    "Incompatible",
    "InvalidInput",
    "MethodNotAllowed",
    "NoStore",
    "NotFound",
    "NothingChanged",
    "Overloaded",
    "PipelineError",
    "PlusoneError",
    "RequestTimeout",
    "StepFailed",
    "StoreError",
    "TooSlow",
    "Unavailable",
    "UnsafeValue",
    "UsageError",
    "WrongContentType",
]


class PlusoneError(Exception):
    """The root: something in plusone went wrong.

    Attributes:
        code: stable, for programs: never changes once released.
        mend: the command or the line that mends it; empty when there is none.
        details: plain JSON values that say more (row, field, value ...).
    """

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 3
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, mend: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        self.details = details

    def __str__(self) -> str:
        return f"{self.message}\n  to mend it: {self.mend}" if self.mend else self.message

    def as_dict(self) -> dict[str, Any]:
        """Return the error as the JSON object that the HTTP API and `--json` answer with."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.mend:
            body["mend"] = self.mend
        if self.details:
            body["details"] = self.details
        return {"error": body}


class UsageError(PlusoneError):
    """The caller asked for something that can't be: a wrong name, option or order."""

    code = "usage"
    exit_code = 2
    status = 400


class ConfigError(UsageError):
    """A setting in pyproject.toml or in the environment can't be used."""

    code = "config"


class NotFound(UsageError):
    """The named thing does not exist in this store."""

    code = "not_found"
    status = 404


class Conflict(UsageError):
    """The thing exists, but not in a state that allows this."""

    code = "conflict"
    status = 409


class BrokenRule(Conflict):
    """A write breaks a rule of the store: two rows of one key, a reference to nothing, a change of what is final."""

    code = "broken_rule"


class PipelineError(UsageError):
    """The steps of the project do not fit together."""

    code = "pipeline"


class UnsafeValue(UsageError):
    """A step returned a value that can't be stored safely."""

    code = "unsafe_value"


class StepFailed(PlusoneError):
    """A step or a train function of the project raised."""

    code = "step_failed"
    exit_code = 2


class Incompatible(PlusoneError):
    """A model can't be packaged: it does not compile, or the compiled model answers differently."""

    code = "incompatible"
    exit_code = 1
    status = 422


class GateClosed(PlusoneError):
    """A release may not take traffic: law 1."""

    code = "gate_closed"
    exit_code = 1
    status = 409


class NothingChanged(PlusoneError):
    """There is nothing to release: code, settings, data and tests are those of the newest release."""

    code = "nothing_changed"
    exit_code = 0
    status = 200


class InvalidInput(PlusoneError):
    """A request does not fit the signature of the model it was sent to."""

    code = "invalid_input"
    exit_code = 2
    status = 422


class BrokenArtifact(PlusoneError):
    """A stored file is missing or its content is not what its digest says."""

    code = "broken_artifact"


class BrokenEnvironment(PlusoneError):
    """The environment of a model can't be made as its lock says, or its lock is not enough."""

    code = "broken_environment"
    exit_code = 1
    status = 503


class StoreError(PlusoneError):
    """The store could not be opened, read or written."""

    code = "store"
    status = 503


class NoStore(StoreError):
    """There is no store yet, or not where it was looked for: nothing is broken."""

    code = "no_store"
    exit_code = 2


class Unavailable(PlusoneError):
    """A process that is needed does not answer."""

    code = "unavailable"
    status = 503


class MethodNotAllowed(UsageError):
    """The address exists, but does not take this HTTP method."""

    code = "method_not_allowed"
    status = 405


class BodyTooLarge(UsageError):
    """A request has a body of more bytes than the server takes."""

    code = "body_too_large"
    status = 413


class WrongContentType(UsageError):
    """A request says that its body is of a type that this address does not read."""

    code = "wrong_content_type"
    status = 415


class BadRequest(UsageError):
    """What came over the connection is no HTTP request, or its headers say what can't be."""

    code = "bad_request"


class HeadTooLarge(UsageError):
    """A request has a line or headers of more bytes than the server takes."""

    code = "head_too_large"
    status = 431


class RequestTimeout(UsageError):
    """A request did not come in whole within the time that the server waits."""

    code = "request_timeout"
    status = 408


class Overloaded(PlusoneError):
    """More is asked of a model than its limits let wait. Nothing was done: the same request may be sent again."""

    code = "overloaded"
    status = 429


class TooSlow(PlusoneError):
    """A model did not answer within the time that its limits give it."""

    code = "too_slow"
    status = 504
