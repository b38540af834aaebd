"""Reads another tracking server by MLflow's REST API: its experiments, runs, series, files and registered models."""

from __future__ import annotations

import base64
import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ..base.errors import NotFound, Unavailable, UsageError

__all__ = ["Source"]

_TIMEOUT_S = 60.0
_PIECE_BYTES = 1 << 20
_PAGE = 1000
_HISTORY_PAGE = 25_000  # the most that MLflow's server gives at once
_TRIES = 4
_RETRIED = {429, 500, 502, 503, 504}


class Source:
    """A tracking server at `http://HOST:PORT` or `https://...`; one connection, so one thread at a time.

    The user name and password, or the token, come from the variables that MLflow's own client reads:
    MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_TOKEN.

    Raises:
        UsageError: when the address is none.
    """

    def __init__(self, address: str) -> None:
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = None, None, None
        if parts is None or parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
            raise UsageError(
                f"{_without_secret(address)!r} is no address of a tracking server: expected http://HOST:PORT."
            )
        self.address = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
        self.port = port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(host, port, timeout=_TIMEOUT_S)
        self._headers = _credentials(parts.username, parts.password)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def version(self) -> str:
        """Return the version of MLflow that the server says it is, '' when it does not say.

        Raises:
            Unavailable: when nothing answers there, or something else than a tracking server.
        """
        try:
            return self._get("/version").decode("utf-8", "replace").strip()[:40]
        except NotFound:
            self._json("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 1})
            return ""

    def experiments(self) -> Iterator[dict[str, Any]]:
        """Yield every experiment, deleted ones included."""
        yield from self._pages("POST", "experiments/search", "experiments", {"view_type": "ALL"})

    def runs(self, experiment_id: str) -> Iterator[dict[str, Any]]:
        """Yield every run of an experiment, the oldest first, deleted ones included."""
        given = {
            "experiment_ids": [experiment_id],
            "run_view_type": "ALL",
            "order_by": ["attributes.start_time ASC", "attributes.run_id ASC"],
        }
        yield from self._pages("POST", "runs/search", "runs", given)

    def history(self, run_id: str, key: str) -> Iterator[dict[str, Any]]:
        """Yield every point of a series in the order in which the server has it."""
        given = {"run_id": run_id, "metric_key": key}
        yield from self._pages("GET", "metrics/get-history", "metrics", given, _HISTORY_PAGE)

    def files(self, run_id: str) -> Iterator[tuple[str, int]]:
        """Yield the path and the size in bytes of every file of a run."""
        yield from self._files(lambda path: self._list_run(run_id, path), "")

    def model_files(self, model_id: str) -> Iterator[tuple[str, int]]:
        """Yield the path and the size in bytes of every file of a logged model."""
        yield from self._files(lambda path: self._list_model(model_id, path), "")

    def download(self, run_id: str, path: str, to: Path) -> int:
        """Write a file of a run to `to`, in constant memory; return its size in bytes."""
        return self._download("/get-artifact?" + urlencode({"run_uuid": run_id, "path": path}), to)

    def download_model_file(self, model_id: str, path: str, to: Path) -> int:
        """Write a file of a logged model to `to`, in constant memory; return its size in bytes."""
        where = f"/ajax-api/2.0/mlflow/logged-models/{quote(model_id, safe='')}/artifacts/files?"
        return self._download(where + urlencode({"artifact_file_path": path}), to)

    def logged_models(self, experiment_id: str) -> Iterator[dict[str, Any]]:
        """Yield the logged models of an experiment; none where the server is older than MLflow 3."""
        try:
            yield from self._pages("POST", "logged-models/search", "models", {"experiment_ids": [experiment_id]})
        except NotFound:
            return

    def registered_models(self) -> Iterator[dict[str, Any]]:
        """Yield every registered model, with its tags and aliases."""
        yield from self._pages("GET", "registered-models/search", "registered_models", {})

    def versions(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the versions of a registered model."""
        # As MLflow's filters have it, a quote in text is written twice in neither kind: the other kind stands around.
        mark = '"' if "'" in name else "'"
        yield from self._pages("GET", "model-versions/search", "model_versions", {"filter": f"name={mark}{name}{mark}"})

    # -------------------------------------------------------------------------------------------- inside

    def _list_run(self, run_id: str, path: str) -> Iterator[dict[str, Any]]:
        given = {"run_id": run_id, **({"path": path} if path else {})}
        yield from self._pages("GET", "artifacts/list", "files", given, None)

    def _list_model(self, model_id: str, path: str) -> Iterator[dict[str, Any]]:
        where = f"logged-models/{quote(model_id, safe='')}/artifacts/directories"
        given = {"artifact_directory_path": path} if path else {}
        yield from self._pages("GET", where, "files", given, None)

    def _files(self, listing: Any, path: str) -> Iterator[tuple[str, int]]:
        for entry in listing(path):
            found = str(entry["path"])
            if path and not found.startswith(f"{path}/"):
                found = f"{path}/{found}"  # some stores list a folder's content by its bare name
            if entry.get("is_dir"):
                yield from self._files(listing, found)
            else:
                yield found, int(entry.get("file_size") or 0)

    def _pages(
        self, verb: str, path: str, field: str, given: dict[str, Any], size: int | None = _PAGE
    ) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            asked = {**given, **({"max_results": size} if size else {}), **({"page_token": token} if token else {})}
            answer = self._json(verb, f"/api/2.0/mlflow/{path}", asked)
            yield from answer.get(field) or ()
            after = str(answer.get("next_page_token") or "")
            if not after or after == token:
                return
            token = after

    def _json(self, verb: str, path: str, given: dict[str, Any]) -> dict[str, Any]:
        body = None
        if verb == "GET":
            path += f"?{urlencode(given)}" if given else ""
        else:
            body = json.dumps(given).encode()
        data = self._get(path, verb, body)
        try:
            answer = json.loads(data)  # unlike msgspec it reads the NaN that some servers write
        except ValueError:
            raise Unavailable(f"What answers at {self.address} is no tracking server: {data[:80]!r}.") from None
        if not isinstance(answer, dict):
            raise Unavailable(f"What answers at {self.address} is no tracking server: {data[:80]!r}.")
        return answer

    def _get(self, path: str, verb: str = "GET", body: bytes | None = None) -> bytes:
        with self._answer(verb, path, body) as answer:
            return answer.read()

    def _download(self, path: str, to: Path) -> int:
        for attempt in range(_TRIES):
            size = 0
            try:
                with self._answer("GET", path, None) as answer, to.open("wb") as stream:
                    while piece := answer.read(_PIECE_BYTES):
                        stream.write(piece)
                        size += len(piece)
                    expected = answer.headers.get("content-length")
                if expected is None or int(expected) == size:
                    return size
            except http.client.IncompleteRead:
                pass
            self._wait(attempt)
        raise Unavailable(f"{self.address}{path} ended before it was whole, {_TRIES} times.")

    def _answer(self, verb: str, path: str, body: bytes | None) -> http.client.HTTPResponse:
        """Return the answer to a request, tried again while the server can't be reached or says that it is busy."""
        said = ""
        for attempt in range(_TRIES):
            if attempt:
                self._wait(attempt)
            try:
                headers = {**self._headers, **({"content-type": "application/json"} if body is not None else {})}
                self._connection.request(verb, self._prefix + path, body, headers)
                answer = self._connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                said = str(error) or type(error).__name__
                continue
            if answer.status == 200:
                return answer
            said = f"{answer.status} {_message(answer.read())}"
            if answer.status not in _RETRIED:
                break
        self._connection.close()
        if said.startswith("404"):
            raise NotFound(f"The tracking server {self.address} has nothing at {path[:200]}: {said}.")
        raise Unavailable(
            f"The tracking server {self.address} did not answer {verb} {path[:200]}: {said}.",
            mend="see that it runs; if it asks who you are: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )

    @staticmethod
    def _wait(attempt: int) -> None:
        time.sleep(min(0.2 * 2**attempt, 2.0))


def _credentials(user: str | None, password: str | None) -> dict[str, str]:
    user = user or os.environ.get("MLFLOW_TRACKING_USERNAME")
    password = password or os.environ.get("MLFLOW_TRACKING_PASSWORD")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if user:
        return {"authorization": "Basic " + base64.b64encode(f"{user}:{password or ''}".encode()).decode()}
    return {"authorization": f"Bearer {token}"} if token else {}


def _without_secret(address: str) -> str:
    head, at, tail = address.rpartition("@")
    return f"{head.partition('://')[0]}://***@{tail}" if at else address


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return data[:80].decode("utf-8", "replace")
