"""The Open Inference Protocol over gRPC, on the models and lanes that HTTP requests use. Needs the extra [grpc]."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec

from ..base.errors import PlusoneError
from ..hosting.evidence import ADDRESSED, SERVED
from ..hosting.lanes import Job
from ..hosting.table import Target
from ..predictions.layout import GRPC, Entry
from ..predictor import Answer
from ..protocols.grpc_service import InferenceServer
from ..protocols.served import Served
from ..protocols.tensors import Read
from . import inference
from .ways import way_of

if TYPE_CHECKING:
    from .app import App

__all__ = ["Remote"]


class _Asked(msgspec.Struct):
    """An inference call under way."""

    began: float
    """When it came to its release."""
    target: Target
    key: str | None
    """As `Job` has it."""
    rows: int = 0


class Remote:
    """What the gRPC service of one worker asks of it."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.server = InferenceServer(
            self, version=version("plusone"), max_body_bytes=app.serve.max_body_bytes, log=app.log
        )
        self._asked: dict[str, _Asked] = {}
        """The inference calls under way, by the prediction's id."""

    def live(self) -> bool:
        """Whether the process lives."""
        return True

    def ready(self) -> bool:
        """Whether predictions are answered."""
        return not self._app.models.table.unready()

    def models(self) -> Sequence[Served]:
        """Return every release that can be asked."""
        return [one for entry in self._app.models.table.entries.values() for one in inference.served(entry)]

    def failed(self) -> Mapping[str, str]:
        """Return, by model, why its release could not be loaded."""
        return {name: str(what["error"]) for name, what in self._app.models.table.failed.items()}

    def find(self, model: str, version: str) -> Served:
        """Return a release."""
        target = inference.find(self._app, model, version)
        return Served(model, target.release, target.predictor)

    def choose(self, model: str, version: str, prediction_id: str, metadata: Mapping[str, str]) -> Served:
        """Return the release that answers a call."""
        began = time.perf_counter()
        entry = self._app.entry(model)
        way = way_of(metadata, version or None)
        if way is None:
            target, key = entry.choose(prediction_id), ""
        else:
            target, key = way.choose(entry, metadata, prediction_id)
        self._asked[prediction_id] = _Asked(began, target, key)
        return Served(model, target.release, target.predictor)

    async def run(self, served: Served, read: Read, prediction_id: str) -> Answer:
        """Return the answer to these rows, from the batch that they were in."""
        asked = self._asked[prediction_id]
        asked.rows = read.count
        ended: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        columns = read.columns if read.rows is None else None
        target, began, key = asked.target, asked.began, asked.key
        job = Job(_CALLS, None, prediction_id, target, read.rows, columns, read.count, began, key, ended)
        self._app.put(job)
        return await ended

    def answered(
        self, served: Served | None, prediction_id: str, request: bytes, outcome: bytes | PlusoneError
    ) -> None:
        """Count how an inference call ended, and log its answer."""
        asked = self._asked.pop(prediction_id, None)
        app = self._app
        if served is None or asked is None:
            return
        if isinstance(outcome, PlusoneError):
            seconds = time.perf_counter() - asked.began
            kind = ADDRESSED if asked.key is None else SERVED
            app.counts.observe(served.model, served.release, outcome.status, seconds, 0, kind=kind)
        else:
            app.keep(asked.target, [(prediction_id, GRPC, asked.rows, request, outcome)])


class _Calls:
    """Where the jobs of gRPC calls come from: each waits for a future."""

    def write(self, job: Job, answer: Answer) -> Answer:
        """Return the answer: the service writes it."""
        return answer

    def done(self, job: Job, result: Answer) -> None:
        """Give the answer to the call that waits for it, if it still does."""
        if not job.asked.done():
            job.asked.set_result(result)

    def failed(self, job: Job, error: Exception) -> None:
        """Give the error to the call that waits."""
        if not job.asked.done():
            job.asked.set_exception(error)

    def entry(self, job: Job) -> Entry | None:
        """Return None: a call is logged when its answer was written."""
        return None


_CALLS = _Calls()
