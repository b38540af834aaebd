"""The Open Inference Protocol, version 2, over HTTP: `/v2/...`. What its bodies mean is `protocols/inference.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..base.errors import InvalidInput, NotFound, PlusoneError
from ..protocols import inference
from ..transport import Endpoint, Head, Request
from . import protocol, swap
from .lanes import Job
from .predicting import ASIDE_BYTES, Refuse

if TYPE_CHECKING:
    from .app import App

__all__ = ["find", "refusal", "resolve"]

_READ = ("GET", "HEAD")
_JSON = b"application/json"
_KIND = "inference"


class Place(NamedTuple):
    """What an address below `/v2` names."""

    what: str
    """`server`, `live`, `ready`, `index`, or of a model `metadata`, `ready of model`, `config`, `stats`, `infer`."""
    model: str = ""
    version: str = ""


def resolve(app: App, head: Head, parts: list[str]) -> Endpoint:
    """Return the endpoint of an address below `/v2`."""
    place = _place(parts[2:])
    if place is None:
        return Refuse(app, head, protocol.no_such_address(head.path))
    method = "POST" if place.what in ("infer", "index") else "GET, HEAD"
    if head.method not in method.split(", "):
        return Refuse(app, head, protocol.method_not_allowed(head.method, head.path, method), place.model)
    if place.what == "infer":
        return _Infer(app, head, place)
    return _Page(app, place)


def _place(parts: list[str]) -> Place | None:
    """Return what the parts of a path behind `/v2` name, or None."""
    match parts:
        case []:
            return Place("server")
        case ["health", "live" | "ready" as what]:
            return Place(what)
        case ["repository", "index"]:
            return Place("index")
        case ["models", model, *rest] if model:
            version = ""
            if len(rest) >= 2 and rest[0] == "versions":
                version, rest = rest[1], rest[2:]
            match rest:
                case []:
                    return Place("metadata", model, version)
                case ["ready"]:
                    return Place("ready of model", model, version)
                case ["config" | "stats" | "infer" as what]:
                    return Place(what, model, version)
                case _:
                    return None
        case _:
            return None


def find(app: App, model: str, version: str, request_id: str) -> tuple[swap.Entry, swap.Target]:
    """Return the model, and its release of that number; without a number the one that this request falls to.

    Raises:
        NotFound: when the model is not served, or the release is not in memory.
    """
    entry = app.entry(model)
    if not version:
        return entry, entry.choose(request_id)
    for target in entry.held:
        if str(target.release) == version:
            return entry, target
    held = ", ".join(str(target.release) for target in entry.held)
    raise NotFound(
        f"The release {model}@{version[:40]} is not in memory. Served here: {held}.",
        mend="leave /versions/N out, or name one of these",
    )


def refusal(error: PlusoneError) -> tuple[int, bytes, bytes, Sequence[tuple[str, str]]]:
    """Return status, content type, body and headers of an error, in this protocol's form."""
    status = 400 if isinstance(error, InvalidInput) else error.status
    headers = (("retry-after", "1"),) if status in (429, 503) else ()
    if "allow" in error.details:
        headers = (("allow", str(error.details["allow"])),)
    return status, _JSON, protocol.encode({"error": error.message}), headers


class _Page:
    """Health, metadata and what there is."""

    def __init__(self, app: App, place: Place) -> None:
        self.max_body_bytes = app.serve.max_body_bytes
        self._app = app
        self._place = place
        self._answer = self._answers()[place.what]

    def __call__(self, request: Request) -> None:
        """Answer."""
        try:
            status, value = self._answer()
        except Exception as error:
            self._app.fail(request, error, model="", release=0)
            return
        request.respond(status, b"" if value is None else protocol.encode(value), _JSON)

    def _answers(self) -> dict[str, Callable[[], tuple[int, Any]]]:
        return {
            "server": lambda: (200, inference.server_metadata()),
            "live": lambda: (200, {"live": True}),
            "ready": self._ready,
            "index": lambda: (200, self._index()),
            "metadata": lambda: (200, self._described(inference.model_metadata)),
            "ready of model": self._model_ready,
            "config": lambda: (200, self._described(inference.model_config)),
            "stats": lambda: (200, self._stats()),
        }

    def _find(self) -> tuple[swap.Entry, swap.Target]:
        entry, target = find(self._app, self._place.model, self._place.version, "")
        return entry, target if self._place.version else entry.live

    def _ready(self) -> tuple[int, Any]:
        ready = not self._app.models.table.unready()
        return (200 if ready else 503), {"ready": ready}

    def _model_ready(self) -> tuple[int, Any]:
        _, target = self._find()
        return 200, {"name": self._place.model, "version": str(target.release), "ready": True}

    def _described(self, describe: Callable[..., Any]) -> Any:
        entry, target = self._find()
        return describe(entry.model, [one.release for one in entry.held], target.predictor)

    def _index(self) -> list[dict[str, str]]:
        return [
            {"name": entry.model, "version": str(target.release), "state": "READY", "reason": ""}
            for entry in self._app.models.table.entries.values()
            for target in entry.held
        ]

    def _stats(self) -> dict[str, Any]:
        entry, target = self._find()
        return inference.statistics(entry.model, target.release, self._app.counts.totals())


class _Infer:
    """`POST /v2/models/{name}[/versions/{n}]/infer`."""

    def __init__(self, app: App, head: Head, place: Place) -> None:
        self.max_body_bytes: int = app.limits(place.model).max_body_bytes or 0
        self._app = app
        self._place = place
        self._length = inference.header_length(head.headers.get("inference-header-content-length"))

    def __call__(self, request: Request) -> None:
        """Hand the request to the lane of its model."""
        app = self._app
        model = self._place.model
        request_id = app.ids.new()
        release = 0
        try:
            _, target = find(app, model, self._place.version, request_id)
            release = target.release
            if request.size > ASIDE_BYTES:
                app.spawn(self._beside(request, request_id, target))
                return
            asked = inference.read_infer(target.predictor, request.body, self._length)
            job = Job(self, request, request_id, target, None, asked.columns, request.began)
            job.asked = asked
            app.lane(model).put(job)
        except Exception as error:
            known = model if release else ""
            app.fail(request, error, model=known, release=release, request_id=request_id)

    def write(self, job: Job, answer: Any) -> Any:
        """Return the body and the headers of the answer."""
        return inference.write_infer(
            job.asked,
            job.target.predictor,
            answer,
            model=self._place.model,
            release=job.target.release,
            prediction_id=job.id,
        )

    def done(self, job: Job, result: Any) -> None:
        """Answer with the outputs."""
        job.payload, kind, headers = result
        job.request.respond(200, job.payload, kind, headers)

    def failed(self, job: Job, error: Exception) -> None:
        """Answer with an error."""
        self._app.fail(job.request, error, model=self._place.model, release=job.target.release, request_id=job.id)

    def entry(self, job: Job) -> Entry:
        """Return what is logged of an answered request."""
        return job.id, self._kind, job.count, job.request.body, job.payload

    async def _beside(self, request: Request, request_id: str, target: swap.Target) -> None:
        """Have a big request answered by the process beside the worker."""
