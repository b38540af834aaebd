"""What goes on, looked at again and again: each look says what happened since the one some seconds before.

The store is asked on a thread, because nobody should wait for one that does not answer. What is served and counted on
this machine is read from its serving folder, which needs no store.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from ..app.app import App
from ..app.following import served_now
from ..app.routing import routed
from ..app.views import Routed
from ..base import clock
from ..base.config import Project
from ..base.errors import NotFound, PlusoneError, UsageError
from ..base.records import ServerReport
from ..base.rollouts import Rollout
from ..evidence.evidence import Seen, read_evidence
from ..workers import routes
from .glances import Glance, ModelGlance, Traffic
from .traffic import measure

__all__ = ["Watcher"]

_PATIENCE_S = 1.0
_WINDOW_S = 10.0
_REMEMBER_S = 3600.0
_NOTHING = Seen(served={}, shadow={})


class _Told(NamedTuple):
    """What the store says."""

    models: tuple[ModelGlance, ...]
    servers: tuple[ServerReport, ...]


class Watcher:
    """Looks at a project again and again. Neither the store nor a server has to be there.

    Args:
        model: only this one.
        window_s: over how many seconds requests and latencies are measured, at most.
        now: a clock in seconds, whatever it began with.
    """

    def __init__(
        self,
        project: Project,
        *,
        model: str | None = None,
        window_s: float = _WINDOW_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.project = project
        self.folder = project.store / "serving"
        self.model = model
        self.window_s = window_s
        self._now = now
        self._app: App | None = None
        self._file: tuple[int, int] | None = None
        self._question: _Question | None = None
        self._told: _Told | None = None
        self._seen: deque[tuple[float, Seen]] = deque()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        if self._app is not None and self._question is None:
            self._app.store.close()

    def look(self) -> Glance:
        """Return what goes on now.

        Raises:
            NotFound, UsageError: when no model has the name that was asked for.
        """
        problems: list[str] = []
        told = self._ask(problems)
        before, now, span_s = self._count(problems)
        workers = tuple(routes.read_reports(self.folder))
        if told is None:
            told = self._told or _Told(self._published(problems), ())
        elif not told.servers and not workers:
            problems.append("No server is up. To start one: plusone up")
        return Glance(
            at=clock.now(),
            project=self.project.name,
            models=tuple(_with_traffic(one, before, now, span_s) for one in told.models),
            servers=told.servers,
            workers=workers,
            problems=tuple(problems),
        )

    # -------------------------------------------------------------------------------------------- what the store says

    def _ask(self, problems: list[str]) -> _Told | None:
        if self._question is None:
            self._question = _Question(self)
        question = self._question
        if not question.done.wait(_PATIENCE_S):
            waited_s = time.monotonic() - question.asked_at
            problems.append(f"The store has not answered for {waited_s:.0f} s. What was last known is shown.")
            return None
        self._question = None
        if question.error is not None:
            if isinstance(question.error, (NotFound, UsageError)) and self._told is None:
                raise question.error
            message = getattr(question.error, "message", str(question.error))
            problems.append(f"{message} What was last known is shown.")
            return None
        self._told = question.told
        return question.told

    def read(self) -> _Told:
        """Return what the store says now. Called on a thread, one at a time."""
        app = self._opened()
        status = app.status(model=self.model)
        models = tuple(
            ModelGlance(
                model=one.model,
                version=one.route.version if one.route else None,
                served=served_now(list(status.servers), one.route) if one.route and one.route.shares else None,
                releases=tuple(_unmeasured(part) for part in routed(one.route, one.releases)),
                rollout=_rollout(app, one.model),
            )
            for one in status.models
        )
        return _Told(models, status.servers)

    def _opened(self) -> App:
        """Return the project with an open store: opened anew when its file is another one than it was."""
        file = _identity(self.project)
        if self._app is None or file != self._file:
            if self._app is not None:
                self._app.store.close()
            self._app = None
            self._app = App(self.project.root, create=False)
            self._file = _identity(self.project)
        return self._app

    # -------------------------------------------------------------------------------------------- what is counted here

    def _count(self, problems: list[str]) -> tuple[Seen, Seen, float]:
        """Return what was counted at the begin of the window and now, and the seconds between."""
        try:
            now = read_evidence(self.folder)
        except OSError as error:
            problems.append(f"What the workers count can't be read: {error}.")
            return _NOTHING, _NOTHING, 0.0
        present = self._now()
        self._seen.append((present, now))
        while len(self._seen) > 2 and present - self._seen[1][0] >= self.window_s:
            self._seen.popleft()
        began, before = self._seen[0]
        return before, now, present - began

    def _published(self, problems: list[str]) -> tuple[ModelGlance, ...]:
        """Return what the route file of this machine says, for when the store never answered."""
        try:
            file = routes.read(self.folder)
        except PlusoneError as error:
            problems.append(error.message)
            return ()
        return tuple(
            ModelGlance(
                model=name,
                version=route.version,
                served=None,
                releases=tuple(
                    Traffic(release=one.release, stage=one.stage, share=one.share, shadow=one.shadow)
                    for one in route.targets
                ),
                rollout=None,
            )
            for name, route in (file.models if file else {}).items()
            if self.model in (None, name)
        )


class _Question:
    """One reading of the store, under way or done."""

    def __init__(self, watcher: Watcher) -> None:
        self.asked_at = time.monotonic()
        self.done = threading.Event()
        self.told: _Told | None = None
        self.error: PlusoneError | OSError | None = None
        self._watcher = watcher
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            self.told = self._watcher.read()
        except (PlusoneError, OSError) as error:
            self.error = error
        finally:
            self.done.set()


def _identity(project: Project) -> tuple[int, int] | None:
    """Return what tells the file of the records from another one in its place; None when they are in no file."""
    if project.database:
        return None
    with contextlib.suppress(OSError):
        found = (project.store / "plusone.db").stat()
        return found.st_dev, found.st_ino
    return None


def _rollout(app: App, model: str) -> Rollout | None:
    """Return the rollout that is under way, or one that ended just now: whoever watches wants to see how."""
    try:
        found = app.get_rollout(model=model)
    except NotFound:
        return None
    return found if found.ended_at is None or found.ended_at >= clock.ago(_REMEMBER_S) else None


def _unmeasured(one: Routed) -> Traffic:
    return Traffic(release=one.release, stage=one.stage, share=one.share, shadow=one.shadow)


def _with_traffic(model: ModelGlance, before: Seen, now: Seen, span_s: float) -> ModelGlance:
    measured = tuple(measure(model.model, one, before, now, span_s) for one in model.releases)
    return msgspec.structs.replace(model, releases=measured)
