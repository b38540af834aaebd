"""The Open Inference Protocol, version 2, over HTTP: `/v2/...`. What its bodies mean is the room `protocols`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ..base.errors import PlusoneError
from ..evidence.evidence import SERVED, Kind
from ..hosting import table
from ..hosting.lanes import Job
from ..predictions.layout import INFERENCE, Entry
from ..protocols import descriptions, inference
from ..protocols.addresses import Address, read_address
from ..protocols.served import Served
from ..transport import Endpoint, Head, Request
from . import protocol
from .predicting import ASIDE_BYTES, Refuse
from .ways import Way, way_of

if TYPE_CHECKING:
    from .app import App

__all__ = ["find", "refusal", "resolve", "served"]

_JSON = b"application/json"
_PAGE_BYTES = 64 * 1024
"""The longest body that a request for a page may have: no more than `{"ready": true}` says anything."""


def resolve(app: App, head: Head) -> Endpoint:
    """Return the endpoint of an address below `/v2`."""
    try:
        address = read_address(head.method, head.path)
        if address.what == "infer":
            way = way_of(head.headers, address.version or None)
            return _Infer(app, head, address, way, inference.header_length(head.headers))
    except PlusoneError as error:
        return Refuse(app, head, error)
    return _Page(app, address)


def served(entry: table.Entry) -> list[Served]:
    """Return the releases of a model that are in memory."""
    return [Served(entry.model, target.release, target.predictor) for target in entry.held]


def find(app: App, model: str, version: str) -> table.Target:
    """Return the release of that number, or that a word addresses; without either the live one.

    Raises:
        NotFound: when the model is not served, or has no such release in its route.
        Unavailable: when nothing is served yet, or the model could not be loaded.
    """
    entry = app.entry(model)
    return entry.find(version) if version else entry.live


def refusal(app: App, error: PlusoneError) -> tuple[int, bytes, bytes, Sequence[tuple[str, str]]]:
    """Return status, content type, body and headers of an error, in this protocol's form."""
    status, body = inference.refusal(error)
    return status, _JSON, body, app.headers_of(error)


class _Page:
    """Health, metadata and what there is."""

    def __init__(self, app: App, address: Address) -> None:
        self.max_body_bytes = _PAGE_BYTES
        self._app = app
        self._address = address
        self._answer = self._answers()[address.what]

    def __call__(self, request: Request) -> None:
        """Answer."""
        try:
            status, value = self._answer(request)
        except Exception as error:
            self._app.fail(request, error, model="", release=0)
            return
        request.respond(status, protocol.encode(value), _JSON)

    def _answers(self) -> dict[str, Callable[[Request], tuple[int, Any]]]:
        return {
            "server": lambda _: (200, descriptions.server_metadata(version("plusone"))),
            "live": lambda _: (200, descriptions.server_live()),
            "ready": self._ready,
            "index": self._index,
            "model": self._metadata,
            "model-ready": lambda _: (200, descriptions.model_ready(self._served())),
            "config": lambda _: (200, descriptions.config(self._served())),
            "stats": lambda _: (200, descriptions.statistics(self._figures(self._address.model))),
            "all-stats": lambda _: (200, descriptions.statistics(self._figures(""))),
        }

    def _served(self) -> Served:
        address = self._address
        entry = self._app.entry(address.model)
        target = find(self._app, address.model, address.version)
        return Served(entry.model, target.release, target.predictor)

    def _ready(self, request: Request) -> tuple[int, Any]:
        ready = not self._app.models.table.unready()
        return (200 if ready else 503), descriptions.server_ready(ready)

    def _index(self, request: Request) -> tuple[int, Any]:
        table = self._app.models.table
        ready = descriptions.read_index_request(request.body)
        releases = [one for entry in table.entries.values() for one in served(entry)]
        failed = {name: str(what["error"]) for name, what in table.failed.items()}
        return 200, descriptions.index(releases, failed, ready=ready)

    def _metadata(self, request: Request) -> tuple[int, Any]:
        releases = [target.release for target in self._app.entry(self._address.model).held]
        return 200, descriptions.model_metadata(self._served(), releases)

    def _figures(self, model: str) -> list[descriptions.Figures]:
        entries = [self._app.entry(model)] if model else self._app.models.table.entries.values()
        asked = self._address.version
        release = find(self._app, model, asked).release if asked else None
        return [
            self._app.counts.figures(entry.model, target.release)
            for entry in entries
            for target in entry.held
            if release in (None, target.release)
        ]


class _Infer:
    """`POST /v2/models/{name}[/versions/{n}]/infer`."""

    def __init__(self, app: App, head: Head, address: Address, way: Way | None, length: int | None) -> None:
        self.max_body_bytes: int = app.limits(address.model).max_body_bytes or 0
        self._app = app
        self._model = address.model
        self._way = way
        self._how: Kind = SERVED if way is None else way.kind
        self._length = length
        self._encoding = head.headers.get("content-encoding", "")
        self._kind = INFERENCE if length is None else f"{INFERENCE};{length}"

    def __call__(self, request: Request) -> None:
        """Hand the request to the lane of its model."""
        app = self._app
        request_id = app.ids.new()
        release = 0
        try:
            entry = app.entry(self._model)
            key: str | None = ""
            if self._way is None:
                target = entry.choose(request_id)
            else:
                target, key = self._way.choose(entry, request.head.headers, request_id)
            release = target.release
            parts = request.parts
            if self._encoding:
                parts = [inference.inflate(request.body, self._encoding, self.max_body_bytes)]
            if sum(map(len, parts)) > ASIDE_BYTES:
                app.spawn(self._beside(request, parts, request_id, target, key))
                return
            body = parts[0] if len(parts) == 1 else request.body
            asked = inference.read_infer(target.predictor, body, self._length)
            rows = asked.read.rows
            columns = asked.columns if rows is None else None
            count, began = asked.read.count, request.began
            app.put(Job(self, request, request_id, target, rows, columns, count, began, key, (asked, body)))
        except Exception as error:
            self._fail(request, error, request_id, release)

    def _fail(self, request: Request, error: Exception, request_id: str, release: int) -> None:
        model = self._model if release else ""
        self._app.fail(request, error, model=model, release=release, request_id=request_id, kind=self._how)

    def write(self, job: Job, answer: Any) -> Any:
        """Return the body, its type and the headers of the answer."""
        asked, _ = job.asked
        return inference.write_infer(
            asked,
            job.target.predictor,
            answer,
            model=self._model,
            release=job.target.release,
            prediction_id=job.id,
        )

    def done(self, job: Job, result: Any) -> None:
        """Answer with the outputs."""
        job.payload, kind, headers = result
        job.request.respond(200, job.payload, kind, headers)

    def failed(self, job: Job, error: Exception) -> None:
        """Answer with an error."""
        self._fail(job.request, error, job.id, job.target.release)

    def entry(self, job: Job) -> Entry:
        """Return what is logged of an answered request."""
        # Of what the process beside the worker answered nothing more is known: it was too big for the log.
        return job.id, self._kind, job.count, job.asked and job.asked[1], job.payload

    async def _beside(
        self, request: Request, parts: list[bytes], request_id: str, target: table.Target, key: str | None
    ) -> None:
        """Have a big request answered by the process beside the worker."""
        app, model = self._app, self._model
        options = {"length": self._length, "model": model, "release": target.release, "prediction_id": request_id}
        try:
            reply = await app.aside.predict(
                target.package,
                target.folder,
                INFERENCE,
                parts,
                options=options,
                timeout_s=app.limits(model).timeout_s or 0.0,
            )
        except Exception as error:
            self._fail(request, error, request_id, target.release)
            return
        headers = [(str(name), str(value)) for name, value in reply.info["headers"]]
        request.respond(200, b"".join(reply.parts), reply.info["kind"].encode(), headers)
        job = Job(self, request, request_id, target, None, None, reply.rows, request.began, key)
        app.answered(target, [job], None, reply.outputs)
