"""Turns the store's route versions into the route file, with the packages it names laid out beside it."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import msgspec

from ..base import clock
from ..base.errors import BrokenArtifact, BrokenEnvironment
from ..base.records import ModelRoute, Release, Route, RouteFile, RouteTarget, Share, Stage
from ..packaging import keeping
from ..packaging.environments import make_environment
from ..store import Store
from ..store.rows import from_row
from ..workers import routes

__all__ = ["Publisher"]


class Publisher:
    """Publishes the routes of one store for the workers of one machine."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder

    def publish(self) -> list[tuple[str, int, str]]:
        """Write the route file if any model's route has changed.

        Returns the model, version and error of each route that has a release which gets requests and can't be laid
        out; that model stays on the version that the file has.
        """
        before = self._before()
        current = {row["model"]: from_row(Route, row) for row in self.store.db.all("route_current")}
        if before is not None and {m: r.version for m, r in before.models.items() if m in current} == {
            m: r.version for m, r in current.items() if r.shares
        }:
            return []
        # A route only ever gets further versions. A model that the store does not know was published from another one,
        # which was removed or restored from a backup: that takes no traffic away.
        unknown = {} if before is None else {m: r for m, r in before.models.items() if m not in current}
        models: dict[str, ModelRoute] = dict(unknown)
        broken: list[tuple[str, int, str]] = []
        for model, route in current.items():
            try:
                if route.shares:
                    models[model] = self._model(route)
            except (BrokenArtifact, BrokenEnvironment) as error:
                broken.append((model, route.version, error.message))
                if before is not None and model in before.models:
                    models[model] = before.models[model]
        sequence = before.sequence + 1 if before else 1
        routes.publish(self.folder, RouteFile(sequence=sequence, models=models, at=clock.now()))
        self._tidy(models, before)
        return broken

    def repair(self, model: str, version: int) -> int:
        """Lay damaged packages of a published route out anew, and let the workers try again: return the sequence of the
        route file that they try it with, 0 when nothing was damaged.

        Blobs that are damaged themselves are no matter for an error: whoever could not load the route says it.
        """
        before = self._before()
        if before is None or model not in before.models or before.models[model].version != version:
            return 0
        repaired = False
        for target in before.models[model].targets:
            place = self.folder / target.folder
            was = _identity(place)
            with contextlib.suppress(BrokenArtifact):
                keeping.give(target.package, self.store.blobs, self.folder / "packages")
                repaired |= _identity(place) != was
        if not repaired:
            return 0
        again = msgspec.structs.replace(before, sequence=before.sequence + 1, at=clock.now())
        routes.publish(self.folder, again)
        return again.sequence

    def _before(self) -> RouteFile | None:
        try:
            return routes.read(self.folder)
        except Exception:  # a damaged file is simply written anew
            return None

    def _model(self, route: Route) -> ModelRoute:
        live, *others = route.shares  # the live release comes first
        targets = [self._target(route.model, live, "live")]
        targets += [self._target(route.model, share, "canary") for share in others]
        if route.shadow is not None:
            targets.append(self._target(route.model, route.shadow, "shadow"))
        if route.previous is not None:
            try:
                targets.append(self._target(route.model, route.previous, "previous"))
            except (BrokenArtifact, BrokenEnvironment):
                pass  # the previous release is only kept warm: the live one is served without it
        return ModelRoute(version=route.version, targets=tuple(targets))

    def _target(self, model: str, share: Share, stage: Stage) -> RouteTarget:
        row = self.store.db.one("release_get", model=model, number=share.release)
        if row is None:
            raise BrokenArtifact(f"The route of {model} names release {share.release}, which is not in the store.")
        release = from_row(Release, row)
        place = keeping.give(release.package, self.store.blobs, self.folder / "packages")
        make_environment(place)
        return RouteTarget(
            release=release.number,
            digest=release.digest,
            package=release.package,
            folder=f"packages/{release.package}",
            share=0.0 if stage == "shadow" else share.share,
            shadow=share.share if stage == "shadow" else 0.0,
            stage=stage,
        )

    def _tidy(self, models: dict[str, ModelRoute], before: RouteFile | None) -> None:
        """Remove laid-out packages that neither this route nor the one before it needs; their blobs stay."""
        needed = {target.package for route in models.values() for target in route.targets}
        needed |= {
            target.package for route in routes.read_good(self.folder).models.values() for target in route.targets
        }
        if before is not None:
            needed |= {target.package for route in before.models.values() for target in route.targets}
        for place in (self.folder / "packages").glob("[0-9a-f]*"):
            if place.name not in needed:
                shutil.rmtree(place, ignore_errors=True)


def _identity(place: Path) -> tuple[int, int] | None:
    """Return what changes when a package is laid out anew: a number of an inode alone may be given again at once."""
    try:
        stat = place.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_ctime_ns
