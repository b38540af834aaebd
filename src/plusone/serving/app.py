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
from ..evidence.evidence import ADDRESSED, SERVED, SHADOW, Kind
from ..evidence.histograms import Outputs
from ..hosting import stats, swap
from ..hosting.lanes import Job, Lane
from ..hosting.shadows import ShadowLane
from ..hosting.table import Entry as Served
from ..hosting.table import Target
from ..predictions.labels import LabelLog
from ..predictions.layout import Entry, labels_folder, predictions_folder, sampled
from ..predictions.log import PredictionLog
from ..predictor import Answer
from ..transport import Endpoint, Head, Request
from ..workers import routes
from . import beside, inference, pages, predicting, protocol, ways

__all__ = ["App"]

Headers = Sequence[tuple[str, str]]
_Place = tuple[str, int, str, Kind]
"""Model, release, the digest of the package, and how requests come to it."""
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
        self._lanes: dict[_Place, Lane] = {}
        self._shadows: dict[_Place, ShadowLane] = {}
        self._tasks: set[Any] = set()
        self._shares: dict[str, float] = {}

    # ---------------------------------------------------------------------------------- addresses

    def resolve(self, head: Head) -> Endpoint:
        """Return what is at the address of a request; what is nowhere is an endpoint that says so."""
        parts = head.path.split("/")
        if parts[1:2] == ["v2"]:
            return inference.resolve(self, head)
        if len(parts) == 4 and parts[1] == "models":
            model, which = ways.split(parts[2])
            try:
                if parts[3] == "predict":
                    return predicting.resolve(self, head, model, ways.way_of(head.headers, which))
                if parts[3] == "labels":
                    return predicting.resolve_labels(self, head, model, ways.way_of(head.headers, which))
            except PlusoneError as error:
                return predicting.Refuse(self, head, error, model)
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

    def fail(
        self,
        request: Request,
        error: Exception,
        *,
        model: str,
        release: int,
        request_id: str = "",
        kind: Kind | None = None,
    ) -> None:
        """Answer with an error, and count it; what nobody foresaw is logged, and told by an id only.

        Args:
            kind: how the request came to its release, if it did: the error is evidence then.
        """
        if not isinstance(error, PlusoneError):
            request_id = request_id or self.ids.new()
            cause = "".join(traceback.format_exception(error))[-4000:]
            self.log("prediction_failed", id=request_id, model=model, release=release, error=cause)
            error = protocol.unexpected(request_id)
        status, form, body, headers = self.refuse(request.head, error)
        request.respond(status, body, form, headers)
        self.counts.observe(model, release, status, time.perf_counter() - request.began, 0, kind=kind)

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

    def put(self, job: Job) -> None:
        """Let a job wait in the lane of its release.

        Raises:
            Overloaded: when as many wait as may, or it could not be begun in time.
        """
        target = job.target
        if job.key is None:
            self._lane(target, ADDRESSED).put(job)
        else:
            (target.put or self._lane(target, SERVED).put)(job)

    def _lane(self, target: Target, kind: Kind) -> Lane:
        """Return the lane of a release, which stays the same while the route changes around it. Requests that chose
        their release have one of their own: a batch is counted in one way.
        """
        place = (target.model, target.release, target.package, kind)
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = Lane(
                target.model,
                self.limits(target.model),
                self._loop.call_soon,
                self._loop.call_soon_threadsafe,
                self.answered,
            )
        if kind is SERVED:
            target.put = lane.put
        return lane

    def answered(self, target: Target, jobs: list[Job], answer: Answer | None, outputs: Outputs | None = None) -> None:
        """Count, log and copy what was answered: jobs of one lane.

        Args:
            answer: their rows, one job after the other; None where another process has them.
            outputs: what that process counted of them.
        """
        chosen = jobs[0].key is None
        kind = ADDRESSED if chosen else SERVED
        self.counts.answered(target, jobs, answer, kind)
        # A shadow is not sent what is so big: live's answers to it would be compared with none.
        if outputs is not None and target.mirror is None:
            self.counts.count(target, outputs, kind)
        entries = [job.endpoint.entry(job) for job in jobs]
        self.keep(target, [entry for entry in entries if entry is not None])
        if target.mirror is not None and not chosen:
            self._shadow(target.mirror).copy(target, jobs, answer)

    def _shadow(self, target: Target) -> ShadowLane:
        """Return what runs the copies of a release in the shadow."""
        place = (target.model, target.release, target.package, SHADOW)
        lane = self._shadows.get(place)
        if lane is None:
            lane = self._shadows[place] = ShadowLane(
                target,
                self.counts.ledger.open(SHADOW, target),
                self.limits(target.model).timeout_s or 0.0,
                call_soon=self._loop.call_soon,
                call_later=self._loop.call_later,
                call_from_thread=self._loop.call_soon_threadsafe,
            )
        return lane

    def keep(self, target: Target, entries: Sequence[Entry]) -> None:
        """Log the share of these predictions that is to be logged."""
        model = target.model
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
        for lane in (*self._lanes.values(), *self._shadows.values()):
            lane.sweep()
        self._leave_lanes()
        self._loop.call_later(_SWEEP_S, self._sweep)

    def _leave_lanes(self) -> None:
        """Close the lanes of releases that are out of the route, once nothing waits in them."""
        entries = self.models.table.entries.values()
        held = {(one.model, one.release, one.package) for entry in entries for one in entry.held}
        for place, lane in list(self._lanes.items()):
            if place[:3] not in held and lane.idle:
                # A request that found its release before the route changed may still come: it opens the lane again.
                lane.close()
                del self._lanes[place]
        shadows = [entry.shadow for entry in entries if entry.shadow is not None]
        copied = {(one.model, one.release, one.package, SHADOW) for one in shadows}
        for place in self._shadows.keys() - copied:
            self._shadows.pop(place).close()

    async def close(self) -> None:
        """Write what is left to write, and end the process beside this one."""
        for lane in (*self._lanes.values(), *self._shadows.values()):
            lane.close()
        await self.aside.close()
        self.predictions.close()
        self.labels.close()

    def tally(self) -> None:
        """Bring what the logs and the lanes count to the counts of this worker."""
        waiting: dict[str, int] = {}
        for lane in self._lanes.values():
            waiting[lane.model] = waiting.get(lane.model, 0) + lane.waiting
        logged, dropped, accepted = self.predictions.logged, self.predictions.dropped, self.labels.accepted
        self.counts.tally(
            {"predictions_logged": logged, "predictions_dropped": dropped, "labels_accepted": accepted},
            waiting,
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
