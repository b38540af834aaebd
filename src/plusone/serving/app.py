"""The HTTP application of one worker: predictions, health, metrics and descriptions, over RSGI.

A small request is decoded, run and answered on the event loop: handing it to a thread would cost more than the work. A
big one goes to a thread, so that the small ones beside it don't wait. Nothing a client sends gives a 5xx, and no
traceback leaves the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..base.errors import PlusoneError, Unavailable
from . import protocol, routes, stats, swap

__all__ = ["App"]

INLINE_ROWS = 256
INLINE_BYTES = 256 * 1024
_BIG_THREADS = 2
_DISCARD_BYTES = 64 * 1024 * 1024
_DISCARD_S = 2.0

Headers = list[tuple[str, str]]
_JSON = ("content-type", "application/json")
_CLOSE = ("connection", "close")
_READ = ("GET", "HEAD")
_PAGES = ("/health/live", "/health/ready", "/metrics", "/models")


class App:
    """Answers the requests of one worker. Everything but the big predictions runs on one event loop."""

    def __init__(self, models: swap.Models, counts: stats.Stats, log: swap.Log, *, max_body_bytes: int) -> None:
        self.in_flight = 0
        self.last_request_at = 0.0
        """`time.perf_counter` of the newest request."""
        self._models = models
        self._counts = counts
        self._log = log
        self._max_body_bytes = max_body_bytes
        self._ids = protocol.Ids()
        self._pool = ThreadPoolExecutor(_BIG_THREADS, thread_name_prefix="big-predictions")
        self._headers: Headers = [_JSON]

    def drain(self) -> None:
        """From now on ask every client, with its answer, to come back on a new connection."""
        self._headers = [_JSON, _CLOSE]

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer one request."""
        if scope.proto != "http":
            proto.close(404)
            return
        began = self.last_request_at = time.perf_counter()
        self.in_flight += 1
        try:
            entry = self._models.table.pathways.get(scope.path)
            if entry is not None and scope.method == "POST":
                await self._predict(entry, scope.headers, proto, began)
            else:
                await self._page(scope, proto, began)
        finally:
            self.in_flight -= 1

    # ---------------------------------------------------------------------------------- predictions

    async def _predict(self, entry: swap.Entry, headers: Any, proto: Any, began: float) -> None:
        request_id = self._ids.new()
        target = entry.choose(request_id)
        rows = 0
        try:
            length = headers.get("content-length")
            if length is None or not length.isdigit():
                body = await self._chunks(proto)
            elif int(length) > self._max_body_bytes:
                raise protocol.too_large(self._max_body_bytes, int(length))
            else:
                body = await proto()
            kind = headers.get("content-type")
            if kind is not None and kind != "application/json":
                protocol.check_content_type(kind)
            payload, rows = await self._answer(target, request_id, body)
        except PlusoneError as error:
            self._count(entry.model, target.release, error.status, began, 0)
            await self._refuse(proto, error)
            return
        except Exception as error:
            if _is_gone(error):
                return
            self._count(entry.model, target.release, 500, began, 0)
            self._report_unexpected(error, request_id, entry.model, target.release)
            await self._refuse(proto, protocol.unexpected(request_id))
            return
        proto.response_bytes(200, self._headers, payload)
        self._count(entry.model, target.release, 200, began, rows)

    async def _answer(self, target: swap.Target, request_id: str, body: bytes) -> tuple[bytes, int]:
        """Return the answer to `body` and its number of rows; big ones are computed in a thread."""
        predictor = target.predictor
        loop = asyncio.get_running_loop
        if len(body) > INLINE_BYTES:
            return await loop().run_in_executor(self._pool, _compute, target, request_id, body)
        columns = predictor.decode(body)
        if columns.rows > INLINE_ROWS:
            return await loop().run_in_executor(self._pool, _run, target, request_id, columns)
        return _run(target, request_id, columns)

    async def _chunks(self, proto: Any) -> bytes:
        """Return a body of unknown length, read up to the limit and no further."""
        parts: list[bytes] = []
        size = 0
        stream = _parts(proto)
        async for part in stream:
            size += len(part)
            if size > self._max_body_bytes:
                parts.clear()
                await _discard(stream)
                raise protocol.too_large(self._max_body_bytes, None)
            parts.append(part)
        return b"".join(parts)

    def _report_unexpected(self, error: Exception, request_id: str, model: str, release: int) -> None:
        cause = "".join(traceback.format_exception(error))[-4000:]
        self._log("prediction_failed", id=request_id, model=model, release=release, error=cause)

    def _count(self, model: str, release: int, code: int, began: float, rows: int) -> None:
        self._counts.observe(model, release, code, time.perf_counter() - began, rows)

    # ---------------------------------------------------------------------------------- everything else

    async def _page(self, scope: Any, proto: Any, began: float) -> None:
        path, parts, table = scope.path, scope.path.split("/"), self._models.table
        try:
            payload, kind = self._page_content(scope.method, path, parts, table)
        except PlusoneError as error:
            if len(parts) == 4 and parts[3] == "predict":
                self._count(parts[2] if parts[2] in table.entries else "", 0, error.status, began, 0)
            await self._refuse(proto, error)
        except Exception as error:
            request_id = self._ids.new()
            self._report_unexpected(error, request_id, "", 0)
            await self._refuse(proto, protocol.unexpected(request_id))
        else:
            status = 503 if path == "/health/ready" and table.unready() else 200
            proto.response_bytes(status, [("content-type", kind), *self._headers[1:]], payload)

    def _page_content(self, method: str, path: str, parts: list[str], table: swap.Table) -> tuple[bytes, str]:
        """Return the body and the content type of a page; raise what the caller did wrong."""
        if path in _PAGES:
            self._require(method in _READ, method, path, "GET, HEAD")
            if path == "/metrics":
                return self._metrics(table), stats.CONTENT_TYPE
            return protocol.encode(_page_value(path, table)), "application/json"
        if len(parts) == 3 and parts[1] == "models":
            entry = table.entries.get(parts[2])
            if entry is None:
                raise protocol.no_such_model(parts[2], table)
            self._require(method in _READ, method, path, "GET, HEAD")
            return protocol.encode(protocol.describe(entry)), "application/json"
        if len(parts) == 4 and parts[1] == "models" and parts[3] == "predict":
            self._require(parts[2] not in table.entries, method, path, "POST")
            raise protocol.no_such_model(parts[2], table)
        raise protocol.no_such_address(path)

    def _require(self, allowed: bool, method: str, path: str, methods: str) -> None:
        if not allowed:
            raise protocol.method_not_allowed(method, path, methods)

    def _metrics(self, table: swap.Table) -> bytes:
        versions = dict(table.versions)
        for report in routes.read_reports(self._counts.folder):
            for model, version in report.versions.items():
                if model in versions:
                    versions[model] = min(version, versions[model])
        try:
            self._counts.flush()
        except OSError as error:
            self._log("stats_not_written", error=str(error))
        return self._counts.prometheus(versions)

    async def _refuse(self, proto: Any, error: PlusoneError) -> None:
        """Answer with an error, then take in what the client still sends: closing at once could lose the answer."""
        headers = list(self._headers)
        if error.status == 405:
            headers.append(("allow", error.message.rpartition("expected ")[2].rstrip(".")))
        if error.status == 413 and _CLOSE not in headers:
            headers.append(_CLOSE)
        proto.response_bytes(error.status, headers, protocol.encode(error.as_dict()))
        with contextlib.suppress(Exception):  # the body was read already: nothing is left to take in
            await _discard(_parts(proto))


def _page_value(path: str, table: swap.Table) -> dict[str, Any]:
    if path == "/health/live":
        return {"live": True}
    if path == "/models":
        models = [
            {"model": name, "release": entry.live.release, "route_version": entry.version, "at": f"/models/{name}"}
            for name, entry in sorted(table.entries.items())
        ]
        return {"models": models, "failed": table.failed}
    reason = table.unready()
    if not reason:
        return {"ready": True, "versions": table.versions, "failed": table.failed, "problem": table.problem}
    error = Unavailable(f"This worker can't answer predictions yet: {reason}", mend="plusone status")
    return {"ready": False, "reason": reason, **error.as_dict()}


def _compute(target: swap.Target, request_id: str, body: bytes) -> tuple[bytes, int]:
    return _run(target, request_id, target.predictor.decode(body))


def _run(target: swap.Target, request_id: str, columns: Any) -> tuple[bytes, int]:
    answer = target.predictor.run(columns)
    predictions = protocol.encode(target.predictor.predictions(answer))
    return b'%b%b","predictions":%b}' % (target.prefix, request_id.encode(), predictions), answer.rows


async def _parts(proto: Any) -> AsyncIterator[bytes]:
    """Give the body part by part. Granian lets a body be iterated once only; this may be left and taken up again."""
    async for part in proto:
        yield part


async def _discard(stream: AsyncIterator[bytes]) -> None:
    """Take in what the client still sends, within bounds: a client cut off while it sends loses the answer."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_S):
            async for part in stream:
                size += len(part)
                if size > _DISCARD_BYTES:
                    return


def _is_gone(error: Exception) -> bool:
    """Whether `error` says that the client left before its request was whole."""
    return type(error).__name__ in ("RSGIProtocolClosed", "RSGIProtocolError")
