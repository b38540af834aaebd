"""Makes release n+1: data, tests on the data, training, package, tests on the package, the gate, live.

Whatever is finished is in the store at once and is taken over by the next attempt, so a killed one is resumed by
making it again. The release itself, its checks, its stages and its route appear in one transaction, or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..base import clock, errors
from ..base.config import Project, plan_of
from ..base.errors import Conflict, PlusoneError
from ..base.ids import canonical_json, digest_json
from ..base.records import Check, Dataset, Decision, Learning, Release, Route, Session, finite
from ..base.rollouts import RolloutStep
from ..checks.clean import environment_check
from ..checks.layout import described
from ..checks.names import reserved_fixture_names
from ..checks.result import Part
from ..checks.session import assemble, pytest_options, run_tests, test_sources
from ..checks.skips import check_skips
from ..checks.verdict import problems_of, problems_so_far
from ..execution.local import Child
from ..packaging import keeping
from ..registry.sources import keep_package
from ..registry.taking import Taken, check_open, find_taken
from ..store import Store
from ..store.database import Database, Transaction
from ..store.rows import from_row, to_row
from ..tracking.changing import add_settings, set_tags
from ..tracking.code import capture_code
from ..tracking.runs import OpenRun, get_run, latest_metrics, list_steps, recover_runs, start_run
from ..trust.keys import PrivateKey
from ..trust.records import check_signed, sign_in, signer_of, trusted_digests
from .gate import may_take_traffic, newest_session
from .lifecycle import Move, decide, go_live, list_releases
from .rollout import begin_in
from .testing import add_session, context_for

__all__ = ["Made", "Request", "make_release"]

OnEvent = Callable[[dict[str, Any]], None]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What `plusone release` was asked for."""

    model: str | None = None
    settings: dict[str, Any] = {}
    force: tuple[str, ...] = ()
    until: str | None = None
    again: bool = False
    clean: bool = False
    """Whether it must also answer its examples in a clean environment of its lock alone; a check of the session."""
    promote: bool = True
    rollout: bool = True
    """Whether it goes live by the model's plan, if it has one and a release is live; else it goes live at once."""
    by: str = ""
    reason: str = ""
    source: str = ""
    """`NAME@n`: the version registered through MLflow that becomes the release, instead of a model trained now."""
    trust: str = ""
    """sha256 of that version's model file, when a person trusts what it holds."""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    `outcome` is `live`, `rollout` (it goes live step by step), `passed` (made and not promoted: not asked for, or for
    the reason in `problems`), `failed` (the gate stays closed), `stopped` (the tests on the data failed, nothing was
    trained), `unchanged`, or `ran` (only some steps, with `until`).
    """

    outcome: Literal["live", "rollout", "passed", "failed", "stopped", "unchanged", "ran"]
    run_id: str
    model: str | None = None
    release: Release | None = None
    session: Session | None = None
    problems: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    route: Route | None = None
    rollout: str = ""
    """The id of the rollout that began, or that it ended by going live."""
    mend: str = ""
    """What to type where the gate is closed because nobody trusts the package yet."""
    outputs: dict[str, Dataset] = {}


def make_release(project: Project, store: Store, request: Request, *, on_event: OnEvent) -> Made:
    """Make the next release of a model of the project, and return what came of it.

    Events: `{"event": "phase", "phase": ...}`, those of the steps, and `{"event": "line", "text": ...}` for each line
    that the project's code or its tests print.

    Raises:
        Conflict: when another process makes a release of this project.
        ConfigError: when releases are to be signed, and can't be.
        PipelineError, StepFailed, UnsafeValue, Incompatible: as the project's code deserves; the run is kept.
    """
    with _only_one(store.folder / "release.lock"):
        key = signer_of(project)
        taken = find_taken(store, request.source, trust=request.trust) if request.source else None
        if taken is not None:
            request = msgspec.structs.replace(request, model=taken.model)
        interrupted = recover_runs(store)
        _sweep(store)
        run = start_run(
            store,
            name="release",
            model=request.model,
            by=request.by,
            code=capture_code(project.root, store.blobs),
            resumed_from=interrupted[-1].id if interrupted else None,
        )
        if interrupted:
            on_event({"event": "resumed", "run": interrupted[-1].id})
        making = _Making(project, store, request, run, on_event, taken, key)
        try:
            return making.go()
        except BaseException as error:
            status = "failed" if isinstance(error, Exception) else "interrupted"
            message = error.message if isinstance(error, PlusoneError) else f"{type(error).__name__}: {error}"
            run.finish(status, error=message)
            raise


class _Making:
    def __init__(
        self,
        project: Project,
        store: Store,
        request: Request,
        run: OpenRun,
        on_event: OnEvent,
        taken: Taken | None,
        key: PrivateKey | None,
    ) -> None:
        self.key = key
        self.taken = taken
        self.project = project
        self.store = store
        self.request = request
        self.run = run
        self.on_event = on_event
        self.plan: dict[str, Any] = {}
        self.outputs: dict[str, Dataset] = {}
        self.model = ""
        self.sources: dict[str, str] = {}
        self.child: Child | None = None
        self.compared: Release | None = None
        """The live release that the tests compared with."""

    def go(self) -> Made:
        arguments = ["--pipeline", str(self.project.pipeline), "--store", str(self.store.folder)]
        with Child(
            "plusone.pipeline.worker",
            arguments,
            folder=self.project.root,
            log=self.run.output,
            on_line=lambda text: self.on_event({"event": "line", "text": text}),
            environment=self.store.environment,
        ) as child:
            self.child = child
            self._plan(child)
            self.on_event({"event": "phase", "phase": "data"})
            reply = self._ask(child, {"do": "steps", "steps": self.plan["steps"]})
            self.outputs = msgspec.convert(reply["outputs"], dict[str, Dataset])
            if self.request.until is not None:
                self._finish("done")
                return Made(outcome="ran", run_id=self.run.record.id, outputs=self.outputs)
            fingerprint = self._fingerprint(child)
            if unchanged := self._unchanged(fingerprint):
                return unchanged
            self.on_event({"event": "phase", "phase": "data tests", "model": self.model})
            data = self._test("data", None)
            if stopped := self._stopped(data):
                return stopped
            package = self._package(child)
        self.on_event({"event": "phase", "phase": "model tests"})
        release = self._release(package, fingerprint)
        session = assemble(release.digest, data, self._test("model", release), run_id=self.run.record.id)
        if self.request.clean:
            session = msgspec.structs.replace(session, checks=(*session.checks, self._clean(release)))
        if test_sources(self.project.tests, self.project.root) != self.sources:
            problem = "the test files were changed while the tests ran"
            session = msgspec.structs.replace(session, problems=(*session.problems, problem))
        return self._record(release, session)

    def _package(self, child: Child) -> str:
        self.on_event({"event": "phase", "phase": "take" if self.taken else "train"})
        if self.taken is None:
            return self._ask(child, {"do": "train", "model": self.model})["package"]
        return self._ask(child, {"do": "take", **msgspec.to_builtins(self.taken.request)})["package"]

    def _plan(self, child: Child) -> None:
        request = self.request
        self.plan = self._ask(
            child,
            {
                "do": "plan",
                "model": request.model,
                "settings": request.settings,
                "force": list(request.force),
                "until": request.until,
                "taken": self.taken.files if self.taken else None,
                "reserved": sorted(reserved_fixture_names()),
                "run_id": self.run.record.id,
            },
        )
        self.model = self.plan["model"] or ""
        check_skips(self.project.checks.skip, self.plan["outputs"], str(self.project.root / "pyproject.toml"))
        environment = self.store.blobs.put_bytes(self.plan["environment"].encode())
        with self.store.db.write() as tx:
            tx.execute(
                "run_describe",
                id=self.run.record.id,
                model=self.plan["model"],
                environment=environment,
            )
        add_settings(self.store, self.run.record.id, self.plan["settings"])
        if self.taken is not None:
            set_tags(self.store, self.run.record.id, dict(self.taken.tags(self.request.by)))

    def _ask(self, child: Child, request: dict[str, Any]) -> dict[str, Any]:
        reply = child.ask(request, on_event=self.on_event)
        if "error" in reply:
            raise _as_error(reply["error"])
        return reply

    @property
    def learning(self) -> Learning:
        """What the model learns from, as the project declares it."""
        return msgspec.convert(self.plan["learning"], Learning)

    def _fingerprint(self, child: Child) -> str:
        asked = {"do": "fingerprint", "model": self.model, "taken": self.taken.files if self.taken else None}
        training = self._ask(child, asked)["fingerprint"]
        self.sources = test_sources(self.project.tests, self.project.root)
        # What pytest is told decides which tests run, so it belongs to them.
        options = pytest_options(self.project.root)
        checks = msgspec.to_builtins(self.project.checks)
        return digest_json({"training": training, "tests": self.sources, "options": options, "checks": checks})

    def _unchanged(self, fingerprint: str) -> Made | None:
        if self.taken is not None:
            return None  # it was asked for by its number, which is no release yet
        row = self.store.db.one("release_newest", model=self.model)
        newest = from_row(Release, row) if row else None
        if newest is None or newest.fingerprint != fingerprint or self.request.again:
            return None
        session = newest_session(self.store.db, newest.digest)
        if newest.stage == "failed" and (session is None or session.problems):
            return None  # its tests did not run to their end (killed, say): that is no verdict, so they run again
        self._finish("done")
        return Made(outcome="unchanged", run_id=self.run.record.id, model=self.model, release=newest)

    def _test(self, subject: Literal["data", "model"], candidate: Release | None) -> Part:
        live = self.compared = _live(self.store.db, self.model)
        context = context_for(
            self.project,
            self.store,
            subject=subject,
            model=self.model,
            models=self.plan["models"],
            outputs=self.outputs,
            declared=self.plan["outputs"],
            learning=self.learning,
            candidate=candidate,
            live=live,
            packages=self.run.folder / "packages",
        )
        with self.run.output.open("ab") as log:

            def keep(line: str) -> None:
                log.write(line.encode() + b"\n")
                self.on_event({"event": "line", "text": line})

            part = run_tests(context, on_line=keep)
        for check in part.checks:
            self.on_event({"event": "check", "check": msgspec.to_builtins(check)})
        return part

    def _clean(self, release: Release) -> Check:
        self.on_event({"event": "phase", "phase": "environment"})
        folder = keeping.give(release.package, self.store.blobs, self.run.folder / "packages")
        check = environment_check(
            folder, release.package, on_event=self.on_event, trusted=trusted_digests(self.store.db)
        )
        self.on_event({"event": "check", "check": msgspec.to_builtins(check)})
        return check

    def _stopped(self, data: Part) -> Made | None:
        problems = problems_so_far(data.checks, data.problems)
        if not problems:
            return None
        # The tests on the model were not due yet: only what the data said is kept.
        session = assemble(None, data, run_id=self.run.record.id)
        session = msgspec.structs.replace(session, problems=data.problems, checks=data.checks)
        with self.store.db.write() as tx:
            add_session(tx, session)
        self._finish("failed", error=f"The tests on the data failed: {problems[0]}")
        return Made(
            outcome="stopped", run_id=self.run.record.id, model=self.model, session=session, problems=tuple(problems)
        )

    def _release(self, package: str, fingerprint: str) -> Release:
        """Return the release as it will be, its number still open (0). Its digest is that of its stored manifest."""
        for path in self.sources:
            self.store.blobs.put_file(self.project.root / path)
        manifest = canonical_json(
            {
                "model": self.model,
                "package": package,
                "settings": self.plan["settings"],
                "tests": self.sources,
                "run": self.run.record.id,
                "fingerprint": fingerprint,
                "learning": msgspec.to_builtins(self.learning),
                "testing": described(self.project, self.plan["models"], self.plan["outputs"]),
                **(self.taken.evidence if self.taken else {}),
            }
        )
        return Release(
            model=self.model,
            number=0,
            digest=self.store.blobs.put_bytes(manifest),
            package=package,
            run_id=self.run.record.id,
            fingerprint=fingerprint,
            settings=self.plan["settings"],
            tests=self.sources,
            created_at=clock.now(),
        )

    def _record(self, release: Release, session: Session) -> Made:
        problems = problems_of(session)
        # The metrics belong to the release, so the run is closed first; a crash in between leaves a run without a
        # release, and the next attempt takes over its steps.
        metrics = self._finish("done" if not problems else "failed", error=problems[0] if problems else None)
        with self.store.db.write() as tx:
            number = self._number(tx)
            kept = {key: finite(value) for key, value in {**self._taken_over(), **metrics}.items()}
            release = msgspec.structs.replace(release, number=number, metrics=kept)
            columns = to_row(release)
            del columns["stage"]
            tx.execute("release_add", **columns)
            if self.key is not None:
                sign_in(tx, self.key, release, by=self.request.by)
            keep_package(tx, release, self.store.blobs)
            tx.execute("freed_remove", package=release.package)  # its files were stored again, by this run
            add_session(tx, session)
            evidence = {"session": session.id, "problems": problems, **(self.taken.evidence if self.taken else {})}
            after = "failed" if problems else "passed"
            why = problems[0] if problems else f"all {len(session.checks)} checks are done and none closes the gate"
            decisions = [decide(tx, release, after, by="plusone", reason=why, evidence=evidence)]
            release = msgspec.structs.replace(release, stage=after)
            route, rollout = None, ""
            outcome: Literal["live", "rollout", "failed", "passed"] = "failed" if problems else "passed"
            held = self._held(tx, release)
            if not problems and self.request.promote and not held:
                move, outcome = self._move(tx, release, evidence)
                decisions += move.decisions
                route, rollout = move.route, move.rollout
                moved = next(one for one in move.decisions if one.release == number)
                release = msgspec.structs.replace(release, stage=moved.after)
        return Made(
            outcome=outcome,
            run_id=self.run.record.id,
            model=self.model,
            release=release,
            session=session,
            problems=tuple(problems) or held,
            decisions=tuple(decisions),
            route=route,
            rollout=rollout,
            mend=self._asks_for_trust(release) if problems else "",
        )

    def _asks_for_trust(self, release: Release) -> str:
        """Return the commands that permit a release whose package no check could load; '' where that is not why."""
        types = keeping.describe(release.package, self.store.blobs).options.get("types")
        if not types or release.package in trusted_digests(self.store.db):
            return ""
        settings = "".join(f" --set {shlex.quote(f'{key}={value}')}" for key, value in self.request.settings.items())
        return f"plusone trust {release.model}@{release.number}, then plusone release {release.model} --again{settings}"

    def _move(
        self, tx: Transaction, release: Release, evidence: dict[str, Any]
    ) -> tuple[Move, Literal["live", "rollout"]]:
        """Let the release go live, or begin to: by the plan when there is one and something to be compared with."""
        plan = self._rollout_plan()
        by, reason = self.request.by, self.request.reason
        if plan and _live(tx, release.model) is not None:
            return begin_in(tx, release, plan, by=by, reason=reason, evidence=evidence), "rollout"
        reason = reason or "made and passed its checks"
        return go_live(tx, release, by=by, reason=reason, evidence=evidence), "live"

    def _rollout_plan(self) -> tuple[RolloutStep, ...]:
        return plan_of(self.project, self.model) if self.request.rollout else ()

    def _number(self, tx: Transaction) -> int:
        if self.taken is not None:
            check_open(tx, self.taken.model, self.taken.number)
            return self.taken.number
        row = tx.one("release_next", model=self.model)
        return int(row["number"]) if row else 1

    def _finish(self, status: Literal["done", "failed"], *, error: str | None = None) -> dict[str, float]:
        """Close the run, and before it the process that logs to it: it holds its journal as long as it lives."""
        if self.child is not None:
            self.child.close()
        return self.run.finish(status, error=error)

    def _held(self, tx: Transaction, release: Release) -> tuple[str, ...]:
        """Return why it does not go live at once: no server would take it, or while it was tested somebody moved the
        traffic, or closed a gate."""
        now = _live(tx, self.model)
        if not self.request.promote:
            return ()
        try:
            check_signed(tx, release, self.project.serve.signed_by)
        except Conflict as error:
            return (f"{error.message} Then: {error.mend}; plusone promote {release.model}@{release.number}",)
        if (now and now.digest) == (self.compared and self.compared.digest):
            if now is None or not self._rollout_plan() or may_take_traffic(tx, now):
                return ()
            return (f"{now.model}@{now.number} is live and may not have traffic any more: no rollout beside it",)
        names = [f"{one.model}@{one.number}" if one else "no release" for one in (self.compared, now)]
        found = f"{names[1]} is live now, and {names[0]} was when the tests compared with it"
        return (f"{found}: what was decided meanwhile is not overruled",)

    def _taken_over(self) -> dict[str, float]:
        """Return what was logged where the model was trained, when this run took that training over."""
        for step in list_steps(self.store, self.run.record.id):
            if step.step == self.plan["trainer"] and step.status == "cached":
                row = self.store.db.one("step_run_made", step=step.step, fingerprint=step.fingerprint)
                return latest_metrics(self.store, get_run(self.store, row["run_id"])) if row else {}
        return {}


def _live(db: Database | Transaction, model: str) -> Release | None:
    return next((one for one in list_releases(db, model) if one.stage == "live"), None)


def _sweep(store: Store) -> None:
    """Remove what killed releases left half-written. Nobody else writes there: the caller holds the release lock."""
    for place in (*store.folder.glob(".tmp-package-*"), *store.blobs.folder.glob(".tmp-*")):
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def _as_error(body: dict[str, Any]) -> PlusoneError:
    kind = getattr(errors, str(body.get("kind", "")), PlusoneError)
    return kind(body["message"], mend=body.get("mend", ""), **body.get("details", {}))


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the file lock that says a release is being made; the kernel frees it when the process dies."""
    with path.open("a+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read(32).decode("ascii", "replace").strip() or "unknown"
            raise Conflict(
                f"Another release of this project is being made just now, by process {holder}.",
                mend="wait for it to end, then: plusone release",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        lock.flush()
        yield
