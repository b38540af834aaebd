"""What a worker says of itself: health, models, metrics, and the OpenAPI document."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ..base.errors import PlusoneError, Unavailable
from ..hosting import stats
from ..hosting.table import Table
from ..openapi import document
from ..protocols.served import Served
from ..transport import Request
from . import protocol, ways

if TYPE_CHECKING:
    from .app import App

__all__ = ["Page"]

_READ = ("GET", "HEAD")
_PAGES = ("/health/live", "/health/ready", "/metrics", "/models", "/openapi.json")


class Page:
    """Everything that is no prediction and no label."""

    def __init__(self, app: App, method: str, path: str, parts: list[str]) -> None:
        self.max_body_bytes = app.serve.max_body_bytes
        self._app = app
        self._method = method
        self._path = path
        self._parts = parts

    def __call__(self, request: Request) -> None:
        """Answer."""
        try:
            status, body, kind = self._content()
        except Exception as error:
            self._refuse(request, error)
            return
        request.respond(status, body, kind)

    def _refuse(self, request: Request, error: Exception) -> None:
        if isinstance(error, PlusoneError):
            status, kind, body, headers = self._app.refuse(request.head, error)
            request.respond(status, body, kind, headers)
        else:
            self._app.fail(request, error, model="", release=0)

    def _content(self) -> tuple[int, bytes, bytes]:
        table = self._app.models.table
        parts = self._parts
        if self._path in _PAGES:
            self._require_reading()
            return self._page(table)
        if len(parts) == 3 and parts[1] == "models":
            model, which = ways.split(parts[2])
            entry = self._app.entry(model)
            self._require_reading()
            target = entry.live if which is None else entry.find(which)
            return 200, protocol.encode(protocol.describe(entry, target)), b"application/json"
        raise protocol.no_such_address(self._path)

    def _page(self, table: Table) -> tuple[int, bytes, bytes]:
        if self._path == "/metrics":
            return 200, self._app.metrics(), stats.CONTENT_TYPE.encode()
        if self._path == "/health/ready":
            return (503 if table.unready() else 200), protocol.encode(_readiness(table)), b"application/json"
        if self._path == "/openapi.json":
            return 200, protocol.encode(self._openapi(table)), b"application/json"
        value = {"live": True} if self._path == "/health/live" else _models(table)
        return 200, protocol.encode(value), b"application/json"

    def _openapi(self, table: Table) -> dict[str, Any]:
        app = self._app
        live = [(entry.model, entry.live) for entry in table.entries.values()]
        return document(
            [Served(model, target.release, target.predictor) for model, target in live],
            server_url=app.server_url(),
            version=version("plusone"),
            max_body_bytes=app.serve.max_body_bytes,
            model_body_bytes={model: app.limits(model).max_body_bytes or 0 for model, _ in live},
        )

    def _require_reading(self) -> None:
        if self._method not in _READ:
            raise protocol.method_not_allowed(self._method, self._path, "GET, HEAD")


def _models(table: Table) -> dict[str, Any]:
    models = [
        {"model": name, "release": entry.live.release, "route_version": entry.version, "at": f"/models/{name}"}
        for name, entry in sorted(table.entries.items())
    ]
    return {"models": models, "failed": table.failed}


def _readiness(table: Table) -> dict[str, Any]:
    reason = table.unready()
    if not reason:
        return {"ready": True, "versions": table.versions, "failed": table.failed, "problem": table.problem}
    error = Unavailable(f"This worker can't answer predictions yet: {reason}", mend="plusone status")
    return {"ready": False, "reason": reason, **error.as_dict()}
