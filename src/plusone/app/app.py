"""App: the operations of one project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..base.config import Project, load_project, plan_of
from ..base.errors import NotFound
from ..base.logged import LabelsTaken, Prediction, PredictionPage
from ..base.plans import parse_plan
from ..base.records import (
    Artifact,
    Decision,
    Experiment,
    Freeing,
    Kept,
    Output,
    Release,
    Route,
    Run,
    ServerReport,
    finite,
)
from ..base.rollouts import Look, Rollout
from ..lineage import kept
from ..lineage.collecting import OLDER_THAN_S, PREDICTIONS_S, collect, plan
from ..lineage.nodes import Lineage
from ..lineage.trees import trace
from ..packaging import keeping
from ..predictions import reading
from ..registry.catalogue import list_candidates
from ..release import events, lifecycle, rollout
from ..release.gate import sessions_of
from ..release.lifecycle import Move
from ..search.search import RunPage, View, search_runs
from ..store import Store, open_project
from ..store.rows import from_row
from ..tracking import artifacts, runs
from ..tracking.experiments import list_experiments
from ..trust.records import check_signed
from .compare import compare, compare_runs
from .data import Profiling
from .following import current_servers, follow, served_now
from .looking import curve_of, experiment_ids, shapes_of
from .packages import PackageDetail, PackageVerified, describe_package, verify_package
from .reporting import Reporting, describe_release
from .routing import describe_route
from .scoring import Scoring
from .testing import Retesting
from .trusting import Trusting, who
from .views import (
    Curve,
    Difference,
    ModelStatus,
    Moved,
    ReleaseDetail,
    RouteDetail,
    RunDetail,
    RunsDifference,
    Status,
)

if TYPE_CHECKING:
    from ..predictions.exporting import Exported
    from ..release.making import Made, Request

__all__ = ["App"]

_REJECTED_S = 30.0


class App(Profiling, Reporting, Retesting, Scoring, Trusting):
    """The operations of the project in a folder. Each answers with a record; bad input raises a `PlusoneError`.

    Args:
        folder: the project's folder or one below it; default: the working folder.
        create: whether to make the store when there is none yet.

    Raises:
        ConfigError: when the folder is in no project.
        StoreError: when the store can't be opened, or does not exist and `create` is False.
    """

    def __init__(self, folder: Path | None = None, *, create: bool = True) -> None:
        self.project: Project = load_project(folder)
        self.store: Store = open_project(self.project, create=create)

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    # -------------------------------------------------------------------------------------------- making and moving

    def make_release(
        self, request: Request, *, on_event: Callable[[dict[str, Any]], None], wait_s: float = 30.0
    ) -> tuple[Made, Moved | None]:
        """Make release n+1 and, if it gets requests now, all or some, wait until the servers follow."""
        from ..release.making import make_release  # here: it knows pipelines, and other operations need none

        if not request.by:
            request = msgspec.structs.replace(request, by=who())
        made = make_release(self.project, self.store, request, on_event=on_event)
        if made.route is None or made.model is None:
            return made, None
        return made, self._followed(made.model, Move(list(made.decisions), made.route, made.rollout), wait_s)

    def promote(
        self, *, target: str, by: str = "", reason: str = "", override: bool = False, wait_s: float = 30.0
    ) -> Moved:
        """Give a release its model's traffic; return when every registered worker serves it."""
        self._check_signed(target)
        move = lifecycle.promote(self.store, target, by=by or who(), reason=reason, override=override)
        return self._followed(move.decisions[0].model, move, wait_s)

    def roll_back(self, *, target: str | None = None, by: str = "", reason: str = "", wait_s: float = 30.0) -> Moved:
        """Give the traffic back to the previous release; return when every registered worker serves it."""
        if target is not None:
            self._check_signed(target)
        move = lifecycle.roll_back(self.store, target, by=by or who(), reason=reason)
        return self._followed(move.decisions[0].model, move, wait_s)

    def reject(self, *, target: str, reason: str, by: str = "") -> Moved:
        """Record that a release is not to go live."""
        move = lifecycle.reject(self.store, target, by=by or who(), reason=reason)
        return msgspec.structs.replace(
            self._followed(move.decisions[0].model, move, _REJECTED_S), release=move.decisions[0].release
        )

    # -------------------------------------------------------------------------------------------- rollouts

    def begin_rollout(
        self, *, target: str, plan: list[str] | None = None, by: str = "", reason: str = "", wait_s: float = 30.0
    ) -> Moved:
        """Begin to give a release its model's traffic step by step; `plan` is as in pyproject.toml, and its default.

        A rollout of another release of the model that is under way is superseded by it.
        """
        release = self._check_signed(target)
        steps = plan_of(self.project, release.model) if plan is None else parse_plan(plan, "the plan")
        name = f"{release.model}@{release.number}"
        move = rollout.begin(self.store, name, steps, by=by or who(), reason=reason)
        return self._followed(release.model, move, wait_s)

    def pause_rollout(self, *, model: str, by: str = "", reason: str = "") -> Moved:
        """Let no step end until it is resumed. Its share of the traffic stays, and harm still takes it back."""
        return self._followed(model, rollout.pause(self.store, model, by=by or who(), reason=reason), 0.0)

    def resume_rollout(self, *, model: str, by: str = "", reason: str = "") -> Moved:
        """Let a rollout that was paused go on; one that is held goes on in spite of what it was held for."""
        return self._followed(model, rollout.resume(self.store, model, by=by or who(), reason=reason), 0.0)

    def promote_rollout(self, *, model: str, by: str = "", reason: str = "", wait_s: float = 30.0) -> Moved:
        """Give the release that is being rolled out all of its model's traffic now."""
        return self._followed(model, rollout.promote(self.store, model, by=by or who(), reason=reason), wait_s)

    def abort_rollout(self, *, model: str, by: str = "", reason: str = "", wait_s: float = 30.0) -> Moved:
        """End a rollout: the live release has all of the traffic again, and the candidate is `passed`, as before."""
        return self._followed(model, rollout.abort(self.store, model, by=by or who(), reason=reason), wait_s)

    def get_rollout(self, *, model: str | None = None) -> Rollout:
        """Return the newest rollout of a model, under way or ended, with what happened to it and its newest look."""
        name = lifecycle.pick_model(self.store.db, model)
        found = events.newest_rollout(self.store.db, name)
        if found is None:
            raise NotFound(f"There was no rollout of {name} yet.", mend=f"plusone rollout start {name}@N")
        return found

    def list_rollouts(self, *, model: str | None = None) -> list[Rollout]:
        """Return the rollouts of a model, or of all, the newest first."""
        return events.list_rollouts(self.store.db, model and lifecycle.pick_model(self.store.db, model))

    def list_looks(self, *, rollout: str, before: int | None = None, count: int = 100) -> list[Look]:
        """Return up to `count` looks of a rollout (its id), the newest first, older than the one with seq `before`."""
        found = events.get_rollout(self.store.db, rollout)
        return events.list_looks(self.store.db, found.id, before=before, count=count)

    # -------------------------------------------------------------------------------------------- looking

    def status(self, *, model: str | None = None) -> Status:
        """Return the models with their releases, routes and whether they are served, and the servers."""
        db = self.store.db
        servers = current_servers(self.store)
        known = sorted({row["model"] for row in db.all("model_list")} | {one.model for one in list_candidates(db)})
        names = known if model is None else [model if model in known else lifecycle.pick_model(db, model)]
        return Status(
            project=self.project.name,
            models=tuple(self._model_status(name, servers) for name in names),
            servers=tuple(servers),
        )

    def list_releases(self, *, model: str | None = None) -> list[Release]:
        """Return the releases of a model, or of all, and the candidates registered through MLflow: those have no digest
        yet."""
        db = self.store.db
        candidates = list_candidates(db, model)
        releases = lifecycle.list_releases(db, model if candidates else model and lifecycle.pick_model(db, model))
        return sorted([*releases, *candidates], key=lambda one: (one.model, one.number))

    def get_release(self, *, target: str) -> ReleaseDetail:
        """Return a release with its package, its sessions of checks and its decisions."""
        return describe_release(self.store, target)

    def get_package(self, *, target: str) -> PackageDetail:
        """Return what a release's package is made of: files, digests, sizes, lock, signature, proof."""
        return describe_package(self.store, target)

    def verify_package(self, *, target: str, each_line: bool = False) -> PackageVerified:
        """Load a release in a clean environment of its lock alone, ask its examples again, and return what came of it.

        With `each_line` also without each line of the lock of which something was imported.
        """
        return verify_package(self.store, target, each_line=each_line)

    def list_decisions(self, *, model: str | None = None, release: int | None = None) -> list[Decision]:
        """Return the decisions in the order in which they were taken."""
        rows = self.store.db.all("decision_list", model=model, release=release)
        return [from_row(Decision, row) for row in rows]

    def list_routes(self, *, model: str | None = None) -> list[Route]:
        """Return every version of a model's route, the oldest first."""
        name = lifecycle.pick_model(self.store.db, model)
        return [from_row(Route, row) for row in self.store.db.all("route_list", model=name)]

    def get_route(self, *, model: str | None = None) -> RouteDetail:
        """Return where a model's requests go now: releases, stages, shares, why, and which workers serve it so."""
        return describe_route(self.store, model)

    def compare_releases(self, *, a: str, b: str) -> Difference:
        """Return what differs between two releases of a model: settings, code, data, metrics, checks, signature."""
        first = self.get_release(target=a)
        other = b if "@" in b or not b.isdigit() else f"{first.release.model}@{b}"
        return compare(self.store, first, self.get_release(target=other))

    def list_runs(self, *, model: str | None = None, before: str | None = None, count: int = 20) -> list[Run]:
        """Return up to `count` runs, the newest first, older than the run id `before`."""
        return runs.list_runs(self.store, model=model, before=before, count=max(1, min(count, 1000)))

    def search_runs(
        self,
        *,
        filter: str = "",
        order_by: list[str] | None = None,
        experiments: list[str] | None = None,
        view: View = "active",
        count: int = 20,
        page: str | None = None,
    ) -> RunPage:
        """Return the next runs that fulfil a filter, sorted; `experiments` are names or ids."""
        ids = None if experiments is None else experiment_ids(self.store, experiments)
        return search_runs(
            self.store, filter=filter, order_by=order_by or (), experiments=ids, view=view, count=count, page=page
        )

    def compare_runs(self, *, run_ids: list[str]) -> RunsDifference:
        """Return what differs between two runs or more: settings, metrics, code, environment."""
        return compare_runs(self.store, run_ids)

    def get_run(self, *, run_id: str) -> RunDetail:
        """Return a run with its steps, metrics, files and sessions of checks."""
        run = runs.get_run(self.store, run_id)
        return RunDetail(
            run=run,
            steps=tuple(runs.list_steps(self.store, run.id)),
            metrics={key: finite(value) for key, value in runs.latest_metrics(self.store, run).items()},
            sessions=tuple(sessions_of(self.store.db, run_id=run.id)),
            series=shapes_of(self.store, run.id),
            artifacts=tuple(artifacts.list_artifacts(self.store, run.id)),
        )

    def get_series(
        self,
        *,
        run_id: str,
        key: str,
        count: int = 2000,
        first_step: int | None = None,
        last_step: int | None = None,
    ) -> Curve:
        """Return a metric of a run as it is drawn: at most `count` points, and no spike lost."""
        run = runs.get_run(self.store, run_id)
        return curve_of(self.store, run.id, key, count, first_step, last_step)

    def list_experiments(self) -> list[Experiment]:
        """Return every experiment, the oldest first, deleted ones included."""
        return list_experiments(self.store)

    def get_log(self, *, run_id: str) -> str:
        """Return what a run printed; of a run under way, what it has printed so far."""
        run = runs.get_run(self.store, run_id)
        if run.log:
            return self.store.blobs.get(run.log).decode("utf-8", "replace")
        living = self.store.folder / "runs" / run.id / "output.log"
        return living.read_text("utf-8", "replace") if living.exists() else ""

    def list_artifacts(self, *, run_id: str, prefix: str = "") -> list[Artifact]:
        """Return the files that a run keeps: all, or the one called `prefix` and those in the folder of that name."""
        return artifacts.list_artifacts(self.store, runs.get_run(self.store, run_id).id, prefix)

    def read_artifact(self, *, run_id: str, path: str) -> bytes:
        """Return the bytes of a file of a run, checked against their digest."""
        return artifacts.read_artifact(self.store, runs.get_run(self.store, run_id).id, path)

    def save_artifact(self, *, run_id: str, path: str, to: Path) -> Artifact:
        """Write a file of a run to `to`, whole or not at all."""
        return artifacts.save_artifact(self.store, runs.get_run(self.store, run_id).id, path, to)

    def lineage(self, *, thing: str, depth: int = 10, count: int = 10) -> Lineage:
        """Return what made a thing and what was made of it, as trees.

        `thing` is a digest or a run's id or the beginning of one, `RUN:PATH`, `MODEL@n`, or the name of a step, of its
        output or of a model.
        """
        return trace(self.store, thing, depth=depth, count=count)

    # -------------------------------------------------------------------------------------------- predictions

    def list_predictions(
        self,
        *,
        model: str,
        release: int | None = None,
        since: str | None = None,
        until: str | None = None,
        labelled: bool | None = None,
        count: int = 20,
        page: str | None = None,
    ) -> PredictionPage:
        """Return the next logged predictions of a model, the newest first, with their labels.

        `since` and `until` are times or ages such as `1h`.
        """
        name = lifecycle.pick_model(self.store.db, model)
        return reading.list_predictions(
            self.store, name, release=release, since=since, until=until, labelled=labelled, count=count, page=page
        )

    def get_prediction(self, *, prediction_id: str) -> Prediction:
        """Return a logged prediction: what was asked and answered, and every label that came for it."""
        return reading.get_prediction(self.store, prediction_id)

    def export_predictions(
        self,
        *,
        model: str,
        to: Path,
        release: int | None = None,
        since: str | None = None,
        until: str | None = None,
        on_progress: Callable[[int, int], object] = lambda done, total: None,
    ) -> Exported:
        """Write the logged predictions of a model, with their labels, to a Parquet file."""
        from ..predictions.exporting import export_predictions

        name = lifecycle.pick_model(self.store.db, model)
        return export_predictions(
            self.store, name, to, release=release, since=since, until=until, on_progress=on_progress
        )

    def add_labels(self, *, model: str, labels: list[dict[str, Any]]) -> LabelsTaken:
        """Give predictions their labels, `{"id", "label"}` and perhaps `"at"` each: all or none; again adds nothing."""
        from ..predictions.late import take_labels

        return take_labels(self.store, model, labels, self._output(model))

    def label_from_file(self, *, model: str, file: Path) -> LabelsTaken:
        """Give predictions their labels from a CSV or JSON Lines file; an error names the line."""
        from ..predictions.late import read_file, take_labels

        output = self._output(model)
        return take_labels(self.store, model, read_file(file, output), output)

    # -------------------------------------------------------------------------------------------- keeping and freeing

    def keep(self, *, thing: str, reason: str, by: str = "") -> Kept:
        """Record that a thing, as `lineage` takes it, and all that it reaches stay."""
        return kept.keep(self.store, thing, by=by or who(), reason=reason)

    def forget(self, *, thing: str) -> list[Kept]:
        """Record that a thing is no longer kept, and return what still is."""
        kept.forget(self.store, thing)
        return self.list_kept()

    def list_kept(self) -> list[Kept]:
        """Return what is kept because a person said so, the oldest first."""
        return kept.list_kept(self.store)

    def plan_gc(self, *, older_than_s: float = OLDER_THAN_S, predictions_s: float = PREDICTIONS_S) -> Freeing:
        """Return what `gc` would free; nothing is changed."""
        return plan(self.store, older_than_s=older_than_s, predictions_s=predictions_s)

    def gc(
        self,
        *,
        older_than_s: float = OLDER_THAN_S,
        predictions_s: float = PREDICTIONS_S,
        on_progress: Callable[[int, int], object] = lambda done, total: None,
    ) -> Freeing:
        """Free what nothing needs and return what was freed."""
        return collect(self.store, older_than_s=older_than_s, predictions_s=predictions_s, on_progress=on_progress)

    # -------------------------------------------------------------------------------------------- inside

    def _check_signed(self, target: str) -> Release:
        """Return the release if servers of this project would take it: one that they refuse would be rolled back."""
        release = lifecycle.find_release(self.store.db, target)
        check_signed(self.store.db, release, self.project.serve.signed_by)
        return release

    def _output(self, model: str) -> Output:
        """Return what the live release of a model answers; while none is live, the newest one."""
        releases = lifecycle.list_releases(self.store.db, lifecycle.pick_model(self.store.db, model))
        release = next((one for one in releases if one.stage == "live"), releases[-1])
        return keeping.describe(release.package, self.store.blobs).signature.output

    def _model_status(self, model: str, servers: list[ServerReport]) -> ModelStatus:
        releases = self.list_releases(model=model)
        route = lifecycle.current_route(self.store.db, model)
        by_stage = {one.stage: one.number for one in releases}
        return ModelStatus(
            model=model,
            live=by_stage.get("live"),
            previous=by_stage.get("previous"),
            route=route,
            served=served_now(servers, route) if route and route.shares else None,
            releases=tuple(releases),
        )

    def _followed(self, model: str, move: Move, wait_s: float) -> Moved:
        served = follow(self.store, move.route, wait_s=wait_s) if move.route else None
        shares = move.route.shares if move.route else ()
        return Moved(
            model=model,
            release=shares[0].release if shares else None,
            decisions=tuple(move.decisions),
            route=move.route,
            served=served,
            rollout=events.get_rollout(self.store.db, move.rollout) if move.rollout else None,
        )
