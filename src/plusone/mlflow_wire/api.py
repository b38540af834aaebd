"""Which endpoint a request of an MLflow client means, and its answer as JSON.

It answers only to requests that name this machine as their host, and takes changes only as JSON, so that a page in a
browser can't reach it by a detour.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from ..app.app import App
from ..base.hosts import check_host
from . import PATHS
from .endpoint import Endpoint, MlflowError, Taken
from .errors import missing, no_endpoint, not_taken, to_answer

__all__ = ["Answer", "Api", "check_json"]

_MOST_QUERY_FIELDS = 2000


class Answer(NamedTuple):
    """A status and a JSON body."""

    status: int
    body: bytes


_DONE = Answer(200, b"{}")


class _Way(NamedTuple):
    """An endpoint, and what is worked out once about how its requests are read."""

    endpoint: Endpoint
    decoder: msgspec.json.Decoder[Any]
    lists: frozenset[str]
    """Fields that a query may give more than once."""
    required: tuple[str, ...]
    """Fields of text that may not be empty."""


class Api:
    """Answers requests with the endpoints of one App; `answer` may be called from several threads.

    Args:
        at_once: by verb and path, what can fulfil a request without waiting for anything; says whether it did.
    """

    def __init__(
        self, app: App, endpoints: Iterable[Endpoint], at_once: Mapping[tuple[str, str], Callable[[Any], bool]] = {}
    ) -> None:
        self._app = app
        self._at_once = at_once
        self._exact: dict[tuple[str, str], _Way] = {}
        self._patterns: list[tuple[str, re.Pattern[str], _Way]] = []
        for endpoint in endpoints:
            way = _way(endpoint)
            if "{" in endpoint.path:
                pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(endpoint.path))
                self._patterns.append((endpoint.verb, re.compile(pattern + r"\Z"), way))
            else:
                self._exact[endpoint.verb, endpoint.path] = way

    def answer(self, verb: str, path: str, query: str, host: str, content_type: str, body: bytes) -> Answer:
        """Return the answer to one request, whose path is decoded already. Nothing raises: errors are answers too."""
        try:
            check_host(host)
            way, named = self._find(verb, path)
            taken = _taken(way, named, verb, query, content_type, body)
            return Answer(200, msgspec.json.encode(way.endpoint.answer(self._app, taken)))
        except Exception as error:
            return Answer(*to_answer(error))

    def answer_at_once(
        self, verb: str, path: str, query: str, host: str, content_type: str, body: bytes
    ) -> Answer | None:
        """Return the answer to a request that nothing has to be waited for, else None: `answer` is for that one."""
        prefix = next((prefix for prefix in PATHS if path.startswith(prefix)), path)
        rest = path[len(prefix) :]
        act = self._at_once.get((verb, rest))
        if act is None:
            return None
        try:
            check_host(host)
            taken = _taken(self._exact[verb, rest], {}, verb, query, content_type, body)
            return _DONE if act(taken) else None
        except Exception as error:
            return Answer(*to_answer(error))

    def _find(self, verb: str, path: str) -> tuple[_Way, dict[str, str]]:
        prefix = next((prefix for prefix in PATHS if path.startswith(prefix)), path)
        rest = path[len(prefix) :]
        if way := self._exact.get((verb, rest)):
            return way, {}
        for wanted, pattern, way in self._patterns:
            if wanted == verb and (found := pattern.match(rest)):
                return way, found.groupdict()
        raise no_endpoint(verb, path)


def _taken(way: _Way, named: dict[str, str], verb: str, query: str, content_type: str, body: bytes) -> Taken:
    try:
        if verb == "GET" or (verb == "DELETE" and not body):
            taken = msgspec.convert({**_query(way, query), **named}, way.endpoint.takes, strict=False)
        else:
            check_json(content_type)
            if named:
                given = msgspec.json.decode(body or b"{}")
                if not isinstance(given, dict):
                    raise MlflowError("BAD_REQUEST", f"The body is a JSON {type(given).__name__}: expected an object.")
                taken = msgspec.convert({**given, **named}, way.endpoint.takes, strict=False)
            else:
                taken = way.decoder.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_taken(error) from None
    for name in way.required:
        if not getattr(taken, name):
            raise missing(name)
    return taken


def check_json(content_type: str) -> None:
    """Accept the content type of JSON.

    Raises:
        MlflowError: for any other: a form in a foreign page can't send this one without the browser asking first, and
            we never allow it.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise MlflowError(
            "BAD_REQUEST", f"Bad Request. The content type is {content_type[:100]!r}: expected application/json."
        )


def _query(way: _Way, query: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_QUERY_FIELDS)
    except ValueError as error:
        raise MlflowError("INVALID_PARAMETER_VALUE", f"The query can't be read: {error}.") from None
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name in way.lists:
            given.setdefault(name, []).append(value)
        else:
            given.setdefault(name, value)
    return given


def _way(endpoint: Endpoint) -> _Way:
    hints = get_type_hints(endpoint.takes)
    fields = msgspec.structs.fields(endpoint.takes)
    return _Way(
        endpoint=endpoint,
        decoder=msgspec.json.Decoder(endpoint.takes, strict=False),
        lists=frozenset(name for name, hint in hints.items() if _is_list(hint)),
        required=tuple(field.name for field in fields if field.required and hints[field.name] is str),
    )


def _is_list(hint: Any) -> bool:
    return get_origin(hint) in (list, tuple) or any(_is_list(part) for part in get_args(hint))
