"""Files over HTTP, up and down, in constant memory whatever their size: MLflow's artifact proxy on RSGI."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
from granian import rsgi

from ..base.errors import BodyTooLarge
from ..base.hosts import check_host
from ..mlflow.artifacts import EndUpload, NewUpload, Proxy, Uploads
from ..mlflow_wire.api import check_json
from ..mlflow_wire.endpoint import MlflowError
from ..mlflow_wire.errors import no_endpoint, not_taken, to_answer

__all__ = ["GONE", "HEADERS", "PROXY", "Transfer", "host_of", "read_body"]

PROXY = ("/api/2.0/mlflow-artifacts/", "/ajax-api/2.0/mlflow-artifacts/")
HEADERS = [
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
]
GONE = (rsgi.ProtocolClosed, rsgi.ProtocolError)  # pyright: ignore[reportPrivateImportUsage] # documented there
"""What reading a body raises when its sender has gone."""
_PART = "/api/2.0/mlflow-artifacts/mpu/part"
_MOST_BODY_BYTES = 1 << 20
_MOST_READ_BYTES = 16 << 20
_PIECE_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z", re.ASCII)


def host_of(scope: Any) -> str:
    """Return whom a request says that it is for."""
    return scope.headers.get("host") or scope.authority or ""


async def read_body(scope: Any, protocol: Any, most: int) -> bytes:
    """Return the body of a request.

    Raises:
        BodyTooLarge: when it has over `most` bytes.
    """
    length = scope.headers.get("content-length")
    if length is not None and length.isdigit() and int(length) <= most:
        return await protocol()
    pieces: list[bytes] = []
    size = 0
    async for piece in protocol:
        size += len(piece)
        if size <= most:
            pieces.append(piece)
        elif size > most + _MOST_READ_BYTES:
            break
    # What was too much was read and thrown away: a client that is still sending would see a broken pipe, no answer.
    if size > most:
        raise BodyTooLarge(f"Expected a body of at most {most} bytes.")
    return b"".join(pieces)


class Transfer:
    """Answers the requests of the artifact proxy; disk and store are used in threads of `pool`."""

    def __init__(self, proxy: Proxy, uploads: Uploads, pool: Executor) -> None:
        self._proxy = proxy
        self._uploads = uploads
        self._pool = pool

    async def answer(self, scope: Any, protocol: Any) -> None:
        """Answer one request. Nothing raises: errors are answers too."""
        try:
            check_host(host_of(scope))
            answer = await self._do(
                scope, protocol, next(scope.path[len(p) :] for p in PROXY if scope.path.startswith(p))
            )
        except GONE:
            return  # whoever sent it has gone: there is nobody to answer
        except Exception as error:
            status, body = to_answer(error)
            await _drain(scope, protocol)
            protocol.response_bytes(status, HEADERS, body)
        else:
            if answer is not None:
                protocol.response_bytes(200, HEADERS, msgspec.json.encode(answer))

    async def _do(self, scope: Any, protocol: Any, rest: str) -> dict[str, Any] | None:
        verb: str = scope.method
        first, _, address = rest.partition("/")
        if first == "artifacts" and verb == "GET" and not address:
            return await self._run(self._proxy.list, parse_qs(scope.query_string).get("path", [""])[0])
        if first == "artifacts" and verb == "GET":
            return await self._download(scope, protocol, address)
        if first == "artifacts" and verb == "PUT":
            return await self._upload(scope, protocol, address)
        if first == "artifacts" and verb == "DELETE":
            return await self._run(self._proxy.delete, address)
        if first == "mpu":
            return await self._parts(scope, protocol, address)
        raise no_endpoint(verb, scope.path)

    async def _upload(self, scope: Any, protocol: Any, address: str) -> dict[str, Any]:
        # Asked before the first byte is read: a file for nobody is not received.
        place = await self._run(self._proxy.place, address)
        length = scope.headers.get("content-length") or ""
        if length.isdigit() and int(length) <= _MOST_BODY_BYTES:
            await self._run(self._proxy.keep_bytes, place, _whole(await protocol(), int(length)))
            return {}
        folder = await self._run(self._uploads.begin)
        try:
            await self._receive(scope, protocol, folder / "whole")
            await self._run(self._proxy.keep, place, folder / "whole")
        finally:
            await self._run(self._uploads.end, folder)
        return {}

    async def _parts(self, scope: Any, protocol: Any, rest: str) -> dict[str, Any] | None:
        what, _, address = rest.partition("/")
        if what == "part" and scope.method == "PUT":
            upload_id, _, number = address.partition("/")
            path = await self._run(self._uploads.part, upload_id, number)
            size = await self._receive(scope, protocol, path)
            protocol.response_bytes(200, [*HEADERS, ("etag", f'"{number}-{size}"')], b"{}")
            return None
        if scope.method != "POST" or what not in ("create", "complete", "abort"):
            raise no_endpoint(scope.method, scope.path)
        check_json(scope.headers.get("content-type") or "")
        body = await read_body(scope, protocol, _MOST_BODY_BYTES)
        if what == "create":
            base = f"http://{host_of(scope)}{_PART}"
            return await self._run(self._proxy.begin_parts, address, _decoded(body, NewUpload), base)
        action = self._proxy.end_parts if what == "complete" else self._proxy.drop_parts
        return await self._run(action, address, _decoded(body, EndUpload))

    async def _receive(self, scope: Any, protocol: Any, path: Path) -> int:
        """Write a body to a file as it comes; return its size in bytes."""
        with path.open("wb") as stream:
            pieces: list[bytes] = []
            held = size = empty = 0
            async for piece in protocol:
                empty += not piece
                pieces.append(piece)
                held += len(piece)
                if held >= _PIECE_BYTES:
                    await self._run(stream.write, b"".join(pieces))
                    size, held, pieces = size + held, 0, []
            await self._run(stream.write, b"".join(pieces))
            size += held
        length = scope.headers.get("content-length")
        # granian ends a body with one empty piece, whole or not, and has put another before it when it broke off.
        if empty > 1 or (length is not None and str(size) != length):
            raise _cut_off(size, length or "?")
        return size

    async def _download(self, scope: Any, protocol: Any, address: str) -> None:
        artifact, path = await self._run(self._proxy.open, address)
        headers = [
            ("content-type", "application/octet-stream"),
            ("content-disposition", "attachment"),
            ("accept-ranges", "bytes"),
            ("etag", f'"{artifact.blob}"'),
            *HEADERS[1:],
        ]
        size = artifact.size_bytes
        part = _range(scope.headers.get("range") or "", size)
        if part is None:
            protocol.response_file(200, [*headers, ("content-length", str(size))], str(path))
        elif part == (0, 0):
            protocol.response_bytes(416, [*headers, ("content-range", f"bytes */{size}")], b"")
        else:
            start, end = part
            headers += [("content-range", f"bytes {start}-{end - 1}/{size}"), ("content-length", str(end - start))]
            protocol.response_file_range(206, headers, str(path), start, end)

    async def _run(self, action: Callable[..., Any], *values: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, action, *values)


def _range(text: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one behind the last; None for all of them, (0, 0) for none that there are."""
    found = _RANGE.match(text)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else (0, 0)


def _decoded(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_taken(error) from None


def _whole(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise _cut_off(len(data), str(length))
    return data


def _cut_off(size: int, length: str) -> MlflowError:
    return MlflowError("BAD_REQUEST", f"The file was cut off: {size} of {length} bytes came.")


async def _drain(scope: Any, protocol: Any) -> None:
    length = scope.headers.get("content-length") or "0"
    if length.isdigit() and int(length) <= _MOST_READ_BYTES:
        # Read and thrown away: a client that is still sending would see a broken pipe, not the answer.
        with contextlib.suppress(Exception):  # it was read already, or its sender has gone
            async for _ in protocol:
                pass
