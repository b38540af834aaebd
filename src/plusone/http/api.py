"""The HTTP side of the table of operations: which method of App a request means, and its answer as JSON.

It answers only to requests that name this machine as their host, and takes changes only as JSON, so that a page in a
browser can't reach it by a detour.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from ..app.app import App
from ..app.operations import OPERATIONS, Operation
from ..base.errors import MethodNotAllowed, NotFound, PlusoneError, UsageError, WrongContentType
from ..base.hosts import check_host
from ..base.ids import new_id

__all__ = ["Answer", "Api"]


class Answer(NamedTuple):
    """A status and a JSON body."""

    status: int
    body: bytes


class _Route(NamedTuple):
    operation: Operation
    pattern: re.Pattern[str]
    parameters: dict[str, tuple[Any, bool]]
    """By name: the type, and whether it must be given."""


class Api:
    """Answers requests with the operations of one App; `answer` may be called from several threads."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._routes = [_route(operation) for operation in OPERATIONS]

    def answer(self, verb: str, path: str, query: str, host: str, content_type: str, body: bytes) -> Answer:
        """Return the answer to one request, whose path is decoded already. Nothing raises: errors are answers too."""
        try:
            return Answer(200, msgspec.json.encode(self._do(verb, path, query, host, content_type, body)))
        except PlusoneError as error:
            return Answer(error.status, msgspec.json.encode(error.as_dict()))
        except Exception:
            reference = new_id()
            print(f"error {reference}\n{traceback.format_exc()}", flush=True)
            error = PlusoneError(f"Something went wrong in plusone; the log has it under {reference}.")
            return Answer(500, msgspec.json.encode(error.as_dict()))

    def _do(self, verb: str, path: str, query: str, host: str, content_type: str, body: bytes) -> Any:
        check_host(host)
        if path == "/health":
            return {"status": "ok"}
        if path == "/api":
            return {"operations": [operation._asdict() for operation in OPERATIONS]}
        allowed: list[str] = []
        for route in self._routes:
            match = route.pattern.match(path)
            if match and route.operation.verb == verb:
                named = match.groupdict()
                given = _query(query) if verb == "GET" else _body(content_type, body)
                if twice := sorted(set(given) & set(named)):
                    raise UsageError(f"Parameter {twice[0]!r} is given twice: it is part of the path {path}.")
                return self._call(route, {**given, **named})
            if match:
                allowed.append(route.operation.verb)
        if allowed:
            raise MethodNotAllowed(f"{verb[:20]} {path}: expected {' or '.join(allowed)}.", allowed=allowed)
        raise NotFound(f"There is nothing at {verb} {path}.", mend="GET /api lists the operations")

    def _call(self, route: _Route, given: dict[str, Any]) -> Any:
        unknown = sorted(set(given) - set(route.parameters))
        if unknown:
            raise UsageError(f"Unknown parameter {unknown[0]!r}. Known: {', '.join(route.parameters) or 'none'}.")
        values: dict[str, Any] = {}
        for name, (hint, required) in route.parameters.items():
            if name in given:
                try:
                    values[name] = msgspec.convert(given[name], hint, strict=route.operation.verb != "GET")
                except msgspec.ValidationError as error:
                    raise UsageError(f"Parameter {name!r}: {error}.") from None
            elif required:
                raise UsageError(f"Parameter {name!r} is missing.")
        method: Callable[..., Any] = getattr(self._app, route.operation.name)
        return method(**values)


def _route(operation: Operation) -> _Route:
    method = getattr(App, operation.name)
    hints = get_type_hints(method)
    parameters = {
        name: (hints[name], part.default is part.empty)
        for name, part in inspect.signature(method).parameters.items()
        if name != "self"
    }
    pattern = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(operation.path)) + r"\Z")
    return _Route(operation, pattern, parameters)


def _query(query: str) -> dict[str, Any]:
    return dict(parse_qsl(query, keep_blank_values=True))


def _body(content_type: str, body: bytes) -> dict[str, Any]:
    # A form in a foreign page can't send this type without the browser asking first, and we never allow it.
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise WrongContentType(f"The content type is {content_type!r}: expected application/json.")
    try:
        given = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"The body is no JSON: {error}.") from None
    if not isinstance(given, dict):
        raise UsageError(f"The body is a JSON {type(given).__name__}: expected an object.")
    return given
