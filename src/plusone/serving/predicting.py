"""`POST /models/{name}/predict` and `/labels`: from the bytes of a request to a job of a lane, and back to bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..base.errors import PlusoneError
from ..base.records import Output
from ..evidence.evidence import SERVED, Kind
from ..hosting.lanes import Job
from ..hosting.table import Target
from ..openapi.schemas import MEDIA_TYPES
from ..predictions.layout import ARROW, JSON, MEDIA, Entry, LabelRow
from ..predictions.log import MOST_BODY_BYTES
from ..predictions.wire import accepted, read_labels
from ..transport import Endpoint, Head, Request
from . import protocol
from .ways import Way

if TYPE_CHECKING:
    from .app import App

__all__ = ["ASIDE_BYTES", "Refuse", "resolve", "resolve_labels"]

ASIDE_BYTES = 256 * 1024
"""Bodies over this are read by the process beside the worker: on the loop they would hold up small requests."""
_ARROW_TYPE = "application/vnd.apache.arrow.stream"
_SMALL_BYTES = 64 * 1024
_LABELS_BYTES = 4 * 1024 * 1024
"""As many labels as a request may have fit into this, with long ids and texts."""


def resolve(app: App, head: Head, model: str, way: Way | None) -> Endpoint:
    """Return the endpoint of a prediction request. `way`: what it says of its release."""
    if head.method != "POST":
        return Refuse(app, head, protocol.method_not_allowed(head.method, head.path, "POST"), model)
    if head.content_type in ("application/json", ""):
        return _Predict(app, model, way)
    if head.content_type == _ARROW_TYPE:
        return _PredictArrow(app, model, way)
    if head.content_type in MEDIA_TYPES:
        return _PredictMedia(app, model, way, MEDIA_TYPES[head.content_type])
    files = tuple(MEDIA_TYPES) if head.content_type.startswith(("image/", "audio/")) else ()
    wanted = ("application/json", _ARROW_TYPE, *files)
    return Refuse(app, head, protocol.wrong_content_type(head.content_type, wanted), model)


def resolve_labels(app: App, head: Head, model: str, way: Way | None) -> Endpoint:
    """Return the endpoint of a request that brings labels. `way`: what it says of the release that predicted."""
    if head.method != "POST":
        return Refuse(app, head, protocol.method_not_allowed(head.method, head.path, "POST"), model)
    if head.content_type not in ("application/json", ""):
        return Refuse(app, head, protocol.wrong_content_type(head.content_type, ("application/json",)), model)
    return _Labels(app, model, way)


class Refuse:
    """An address that answers with one error, and counts it for the model that was meant."""

    def __init__(self, app: App, head: Head, error: PlusoneError, model: str = "") -> None:
        # A small body is read, so that the connection can go on; a big one is not worth it.
        self.max_body_bytes = _SMALL_BYTES if error.status == 404 else app.serve.max_body_bytes
        self._app = app
        self._error = error
        self._model = model

    def __call__(self, request: Request) -> None:
        """Answer."""
        known = self._model in self._app.models.table.entries
        self._app.fail(request, self._error, model=self._model if known else "", release=0)


class _Predict:
    """JSON rows or columns, answered in JSON."""

    kind = JSON
    handler = JSON
    options: Mapping[str, str] = {}
    aside_bytes = ASIDE_BYTES

    def __init__(self, app: App, model: str, way: Way | None) -> None:
        self.max_body_bytes: int = app.limits(model).max_body_bytes or 0
        self._app = app
        self._model = model
        self._way = way
        self._kind: Kind = SERVED if way is None else way.kind
        self._new_id = app.ids.new
        self._put = app.put

    def __call__(self, request: Request) -> None:
        """Hand the request to the lane of its model; the answer comes with the batch that it is in."""
        app = self._app
        request_id = self._new_id()
        entry = app.models.table.entries.get(self._model)
        if entry is None:
            app.fail(request, protocol.no_such_model(self._model, app.models.table), model="", release=0)
            return
        key: str | None = ""
        if self._way is None:
            target = entry.choose(request_id)
        else:
            try:
                target, key = self._way.choose(entry, request.head.headers, request_id)
            except PlusoneError as error:
                app.fail(request, error, model=self._model, release=0, request_id=request_id)
                return
        if request.size > self.aside_bytes or (target.predictor.has_media and _may_hold_media(request.body)):
            app.spawn(self._beside(request, request_id, target, key))
            return
        try:
            found = target.predictor.decode_request(request.body)
            if isinstance(found, list):
                job = Job(self, request, request_id, target, found, None, len(found), request.began, key)
            else:
                job = Job(self, request, request_id, target, None, found, found.rows, request.began, key)
            (target.put or self._put)(job)
        except Exception as error:
            self._fail(request, error, request_id, target)

    def _fail(self, request: Request, error: Exception, request_id: str, target: Target) -> None:
        kind, model = self._kind, self._model
        self._app.fail(request, error, model=model, release=target.release, request_id=request_id, kind=kind)

    def write(self, job: Job, answer: Any) -> Any:
        """Return what `done` takes, for a job that came as columns."""
        return job.target.predictor.encode_joined(answer, [job.count])[0]

    def done(self, job: Job, result: Any) -> None:
        """Answer with the predictions."""
        job.payload = payload = b'%b%b","predictions":[%b]}' % (job.target.prefix, job.id.encode(), result)
        job.request.respond(200, payload)

    def failed(self, job: Job, error: Exception) -> None:
        """Answer with an error."""
        self._fail(job.request, error, job.id, job.target)

    def entry(self, job: Job) -> Entry:
        """Return what is logged of an answered request."""
        return job.id, self.kind, job.count, job.request.body or None, job.payload

    async def _beside(self, request: Request, request_id: str, target: Target, key: str | None) -> None:
        """Have a big request answered by the process beside the worker."""
        app = self._app
        # What is sent goes out of its list. Bodies that will be logged are joined, and so stay with the request.
        parts = [request.body] if request.size <= MOST_BODY_BYTES else request.parts
        try:
            reply = await app.aside.predict(
                target.package,
                target.folder,
                self.handler,
                parts,
                options=self.options,
                timeout_s=app.limits(self._model).timeout_s or 0.0,
            )
        except Exception as error:
            self._fail(request, error, request_id, target)
            return
        job = Job(self, request, request_id, target, None, None, reply.rows, request.began, key)
        self._reply(job, reply.parts)
        app.answered(target, [job], None, reply.outputs)

    def _reply(self, job: Job, parts: list[bytes]) -> None:
        head = b'%b%b","predictions":' % (job.target.prefix, job.id.encode())
        job.payload = payload = b"".join([head, *parts, b"}"])
        job.request.respond(200, payload)


class _PredictArrow(_Predict):
    """An Arrow IPC stream of rows, answered by one of predictions; model, release and id are headers.

    Always by the process beside the worker: the library that reads them would take the memory of a second worker.
    """

    kind = ARROW
    handler = ARROW
    aside_bytes = -1

    def _reply(self, job: Job, parts: list[bytes]) -> None:
        headers = (
            ("plusone-model", self._model),
            ("plusone-release", str(job.target.release)),
            ("plusone-prediction-id", job.id),
        )
        job.payload = payload = b"".join(parts)
        job.request.respond(200, payload, _ARROW_TYPE.encode(), headers)


class _PredictMedia(_Predict):
    """The bytes of an image or a sound, answered in JSON as one row.

    Always by the process beside the worker: to decode them takes from a millisecond to a second, and up to hundreds of
    megabytes.
    """

    handler = MEDIA
    aside_bytes = -1

    def __init__(self, app: App, model: str, way: Way | None, content_type: str) -> None:
        super().__init__(app, model, way)
        self.kind = f"{MEDIA};{content_type}"
        self.options = {"content_type": content_type}

    async def _beside(self, request: Request, request_id: str, target: Target, key: str | None) -> None:
        try:
            target.predictor.media_field(self.options["content_type"])
        except PlusoneError as error:
            self._fail(request, error, request_id, target)
            return
        await super()._beside(request, request_id, target, key)


def _may_hold_media(body: bytes) -> bool:
    """Whether an object with the key `base64` may be in a body of JSON; a backslash may stand for any letter of it."""
    return b"base64" in body or b"\\" in body


class _Labels:
    """Labels for predictions made earlier; 202 says that they are kept, whatever happens to this process."""

    def __init__(self, app: App, model: str, way: Way | None) -> None:
        self._which = "" if way is None else way.which
        self.max_body_bytes: int = min(app.limits(model).max_body_bytes or 0, _LABELS_BYTES)
        self._app = app
        self._model = model

    def __call__(self, request: Request) -> None:
        """Keep the labels, or say why not."""
        app = self._app
        known = False
        try:
            entry = app.entry(self._model)
            known = True
            output = (entry.find(self._which) if self._which else entry.live).predictor.signature.output
            if request.size > _SMALL_BYTES:
                app.spawn(self._in_a_thread(request, output))
                return
            self._keep(request, read_labels(request.body, output))
        except Exception as error:
            app.fail(request, error, model=self._model if known else "", release=0)

    async def _in_a_thread(self, request: Request, output: Output) -> None:
        """Keep many labels: thousands of them take longer to look at than others should wait."""
        try:
            self._keep(request, await asyncio.to_thread(read_labels, request.body, output))
        except Exception as error:
            self._app.fail(request, error, model=self._model, release=0)

    def _keep(self, request: Request, labels: list[LabelRow]) -> None:
        app = self._app
        app.labels.append(self._model, labels)
        request.respond(202, accepted(len(labels)))
        app.counts.observe(self._model, 0, 202, time.perf_counter() - request.began, 0)
