"""The application of one worker: what is at each address, and what all addresses share. It runs on one event loop."""

from __future__ import annotations

import time
import traceback
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from ..aside.client import Aside
from ..base.config import Limits, Serve, limits_of
from ..base.errors import PlusoneError
from ..hosting import stats, swap
from ..hosting.lanes import Job, Lane
from ..hosting.table import Entry as Served
from ..hosting.table import Target
from ..predictions.labels import LabelLog
from ..predictions.layout import Entry, labels_folder, predictions_folder, sampled
from ..predictions.log import PredictionLog
from ..transport import Endpoint, Head, Request
from ..workers import routes
from . import beside, inference, pages, predicting, protocol

__all__ = ["App"]

Headers = Sequence[tuple[str, str]]
_RETRY = ("retry-after", "1")
_SWEEP_S = 0.25


class App:
    """Answers the requests of one worker.

    Args:
        loop: the event loop that the requests come in on.
        log: called with an event's name and its fields.
    """

    def __init__(
        self, models: swap.Models, counts: stats.Stats, log: swap.Log, *, loop: Any, serve: Serve, folder: Path
    ) -> None:
        self.models = models
        self.counts = counts
        self.log = log
        self.serve = serve
        self.ids = protocol.Ids()
        self.labels = LabelLog(labels_folder(folder))
        self.predictions = PredictionLog(predictions_folder(folder), max_bytes=serve.log_max_bytes)
        self.aside = Aside(beside.COMMAND, log=log)
        self._loop = loop
        self._lanes: dict[str, Lane] = {}
        self._tasks: set[Any] = set()
        self._shares: dict[str, float] = {}

    # ---------------------------------------------------------------------------------- addresses

    def resolve(self, head: Head) -> Endpoint:
        """Return what is at the address of a request; what is nowhere is an endpoint that says so."""
        parts = head.path.split("/")
        if parts[1:2] == ["v2"]:
            return inference.resolve(self, head)
        if len(parts) == 4 and parts[1] == "models":
            if parts[3] == "predict":
                return predicting.resolve(self, head, parts[2])
            if parts[3] == "labels":
                return predicting.resolve_labels(self, head, parts[2])
        return pages.Page(self, head.method, head.path, parts)

    def refuse(self, head: Head | None, error: PlusoneError) -> tuple[int, bytes, bytes, Headers]:
        """Return status, content type, body and headers of an error, in the form of the protocol that was spoken."""
        if head is not None and head.path.split("/", 2)[1:2] == ["v2"]:
            return inference.refusal(self, error)
        return error.status, b"application/json", protocol.encode(error.as_dict()), self.headers_of(error)

    def headers_of(self, error: PlusoneError) -> Headers:
        """Return the headers that belong to an error."""
        if error.status in (429, 503):
            return (_RETRY,)
        if isinstance(error, protocol.MethodNotAllowed):
            return (("allow", error.details["allowed"]),)
        return ()

    def fail(self, request: Request, error: Exception, *, model: str, release: int, request_id: str = "") -> None:
        """Answer with an error, and count it; what nobody foresaw is logged, and told by an id only."""
        if not isinstance(error, PlusoneError):
            request_id = request_id or self.ids.new()
            cause = "".join(traceback.format_exception(error))[-4000:]
            self.log("prediction_failed", id=request_id, model=model, release=release, error=cause)
            error = protocol.unexpected(request_id)
        status, kind, body, headers = self.refuse(request.head, error)
        request.respond(status, body, kind, headers)
        self.counts.observe(model, release, status, time.perf_counter() - request.began, 0)

    def server_url(self) -> str:
        """Return where this worker is reached, as far as it knows."""
        host = f"[{self.serve.host}]" if ":" in self.serve.host else self.serve.host
        return f"http://{host}:{self.serve.port}"

    # ---------------------------------------------------------------------------------- models

    def limits(self, model: str) -> Limits:
        """Return the limits of a model."""
        return limits_of(self.serve, model)

    def entry(self, model: str) -> Served:
        """Return the model of that name as it is served now.

        Raises:
            NotFound: when there is none of that name.
            Unavailable: when it is routed and could not be loaded, or nothing is served yet.
        """
        table = self.models.table
        entry = table.entries.get(model)
        if entry is None:
            raise protocol.no_such_model(model, table)
        return entry

    def lane(self, model: str) -> Lane:
        """Return the lane of a model."""
        lane = self._lanes.get(model)
        if lane is None:
            lane = self._lanes[model] = Lane(
                model,
                self.limits(model),
                self._loop.call_soon,
                self._loop.call_soon_threadsafe,
                lambda target, answered: self.answered(model, target, answered),
            )
        return lane

    def answered(self, model: str, target: Target, answered: list[Job]) -> None:
        """Count and log what was answered: jobs of one release."""
        self.counts.answered(model, target.release, answered)
        entries = [job.endpoint.entry(job) for job in answered]
        self.keep(model, target, [entry for entry in entries if entry is not None])

    def keep(self, model: str, target: Target, entries: Sequence[Entry]) -> None:
        """Log the share of these predictions that is to be logged."""
        share = self._shares.get(model)
        if share is None:
            share = self._shares[model] = self.limits(model).log_share or 0.0
        if share < 1.0:
            entries = [entry for entry in entries if sampled(entry[0], share)]
        if entries:
            self.predictions.log(model, target.release, target.package, entries, time.time())

    # ---------------------------------------------------------------------------------- the life of the worker

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something on the loop whose end nobody waits for."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def start(self) -> None:
        """Begin to look after what waits too long."""
        self._loop.call_later(_SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        for lane in self._lanes.values():
            lane.sweep()
        self._loop.call_later(_SWEEP_S, self._sweep)

    async def close(self) -> None:
        """Write what is left to write, and end the process beside this one."""
        for lane in self._lanes.values():
            lane.close()
        await self.aside.close()
        self.predictions.close()
        self.labels.close()

    def tally(self) -> None:
        """Bring what the logs and the lanes count to the counts of this worker."""
        logged, dropped, accepted = self.predictions.logged, self.predictions.dropped, self.labels.accepted
        self.counts.tally(
            {"predictions_logged": logged, "predictions_dropped": dropped, "labels_accepted": accepted},
            {lane.model: lane.waiting for lane in self._lanes.values()},
        )

    def metrics(self) -> bytes:
        """Return the counts of all workers, and the state of this one, as Prometheus text."""
        table = self.models.table
        versions = dict(table.versions)
        for report in routes.read_reports(self.counts.folder):
            for model, version in report.versions.items():
                if model in versions:
                    versions[model] = min(version, versions[model])
        self.tally()
        try:
            self.counts.flush()
        except OSError as error:
            self.log("stats_not_written", error=str(error))
        return self.counts.prometheus(versions)
