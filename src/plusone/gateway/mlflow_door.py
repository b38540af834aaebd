"""How requests of MLflow's clients come in and answers go back: RSGI on one side, `Api` on the other."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Any

from ..app.app import App
from ..base.errors import BodyTooLarge, UsageError
from ..base.hosts import check_host
from ..mlflow.artifacts import Proxy, Uploads
from ..mlflow.recorders import Recorders
from ..mlflow_wire.api import Answer, Api
from ..mlflow_wire.errors import to_answer
from .table import at_once, endpoints
from .transfer import GONE, HEADERS, PROXY, Transfer, host_of, read_body

__all__ = ["MlflowDoor"]

# The largest that a client may send is the profile of a dataset, 16 MB of text.
_MOST_BODY_BYTES = 32 << 20
_VERSION = "3.17.2"
_PLAIN = [("content-type", "text/plain; charset=utf-8"), *HEADERS[1:]]


class MlflowDoor:
    """Answers the requests of one event loop; what needs the store runs in threads of `pool`."""

    def __init__(self, app: App, pool: Executor) -> None:
        self._pool = pool
        self._recorders = Recorders(app.store)
        self._api = Api(app, endpoints(self._recorders), at_once(self._recorders))
        uploads = Uploads(app.store.folder / "uploads")
        self._transfer = Transfer(Proxy(app.store, uploads), uploads, pool)

    def close(self) -> None:
        """Have everything that was logged in the store."""
        self._recorders.close_all()

    async def answer(self, scope: Any, protocol: Any) -> None:
        """Answer one request; `scope` and `protocol` are those of RSGI."""
        if scope.path.startswith(PROXY):
            await self._transfer.answer(scope, protocol)
        elif scope.path == "/version":
            _version(scope, protocol)
        else:
            try:
                found = await self._answered(scope, protocol)
            except GONE:
                return  # whoever sent it has gone: there is nobody to answer
            protocol.response_bytes(found.status, HEADERS, found.body)

    async def _answered(self, scope: Any, protocol: Any) -> Answer:
        try:
            body = await read_body(scope, protocol, _MOST_BODY_BYTES)
        except BodyTooLarge as error:
            return Answer(*to_answer(error))
        content_type = scope.headers.get("content-type") or ""
        asked = (scope.method, scope.path, scope.query_string, host_of(scope), content_type, body)
        # A point for a run that is known needs a few microseconds and no store; a thread would cost more than that.
        found = self._api.answer_at_once(*asked)
        if found is None:
            found = await asyncio.get_running_loop().run_in_executor(self._pool, self._api.answer, *asked)
        return found


def _version(scope: Any, protocol: Any) -> None:
    """Answer with the version of MLflow whose protocol this is: its clients use what that version knows."""
    try:
        check_host(host_of(scope))
    except UsageError as error:
        status, body = to_answer(error)
        protocol.response_bytes(status, HEADERS, body)
    else:
        protocol.response_str(200, _PLAIN, _VERSION)
