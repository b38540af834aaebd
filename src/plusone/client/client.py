"""Client: the operations of App, called over HTTP."""

from __future__ import annotations

import http.client
import re
from typing import Any, get_type_hints
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from ..app.app import App
from ..app.operations import OPERATIONS, Operation
from ..base import errors
from ..base.errors import PlusoneError, Unavailable, UsageError

__all__ = ["Client"]


class Client:
    """The operations of a project whose control API is at `address`, with the names and answers of `App`.

    `Client("http://127.0.0.1:7400").promote(target="flights@4", reason="...")` returns a `Moved`, as App does, and
    raises the same errors.

    Args:
        address: where `plusone up` says that its control API is.
    """

    def __init__(self, address: str = "http://127.0.0.1:7400") -> None:
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            parts, host, port = None, None, 0
        if parts is None or parts.scheme != "http" or not host or parts.path not in ("", "/"):
            raise UsageError(f"{address!r} is no address of a control API: expected http://HOST:PORT.")
        self.address = address.rstrip("/")
        self._host = host
        self._port = port

    def __getattr__(self, name: str) -> Any:
        for operation in OPERATIONS:
            if operation.name == name:
                return lambda **values: self._call(operation, values)
        raise AttributeError(f"Client has no operation {name!r}; it has {', '.join(o.name for o in OPERATIONS)}")

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *(operation.name for operation in OPERATIONS)])

    def _call(self, operation: Operation, values: dict[str, Any]) -> Any:
        given = {name: value for name, value in values.items() if value is not None}
        path = operation.path
        for name in list(given):
            if f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", quote(str(given.pop(name)), safe="@"))
        if missing := re.search(r"{(\w+)}", path):
            raise UsageError(f"Parameter {missing[1]!r} is missing.")
        body = None
        if operation.verb == "GET" and given:
            path += "?" + urlencode(given)
        elif operation.verb == "POST":
            body = msgspec.json.encode(given)
        # The server answers when the workers follow, or after `wait_s`.
        status, data = self._send(operation.verb, path, body, operation.timeout_s + float(given.get("wait_s") or 0.0))
        if status != 200:
            raise _as_error(status, data)
        try:
            return msgspec.json.decode(data, type=get_type_hints(getattr(App, operation.name))["return"])
        except msgspec.MsgspecError as error:
            raise Unavailable(
                f"What answers at {self.address} is no control API of this version of plusone: {error}."
            ) from error

    def _send(self, verb: str, path: str, body: bytes | None, timeout_s: float) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        try:
            connection.request(verb, path, body, {"content-type": "application/json"} if body is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"No control API answers at {self.address}: {error}.", mend="plusone up") from error
        finally:
            connection.close()


def _as_error(status: int, data: bytes) -> PlusoneError:
    try:
        body = msgspec.json.decode(data)["error"]
        kinds = {kind.code: kind for name in errors.__all__ if (kind := getattr(errors, name))}
        return kinds.get(body["code"], PlusoneError)(
            body["message"], mend=body.get("mend", ""), **body.get("details", {})
        )
    except (msgspec.DecodeError, KeyError, TypeError):
        return PlusoneError(f"The control API answered {status}: {data[:200]!r}.")
