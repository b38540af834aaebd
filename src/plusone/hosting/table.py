"""The models in memory at one moment: which release answers which request. Nothing here ever changes: the next table
takes its place, so that a request sees the old one or the new one, whole.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from ..base.records import RouteTarget
from ..predictor import Predictor

__all__ = ["Entry", "Table", "Target"]


class Target:
    """One release in memory."""

    __slots__ = ("folder", "package", "predictor", "prefix", "release", "row_s", "shadow", "share", "stage")

    def __init__(self, model: str, target: RouteTarget, predictor: Predictor, folder: Path, row_s: float) -> None:
        self.release = target.release
        self.package = target.package
        self.stage = target.stage
        self.share = target.share
        self.shadow = target.shadow
        """The share of the model's requests of which it gets a copy."""
        self.predictor = predictor
        self.folder = folder
        """Where its files lie."""
        self.row_s = row_s
        """What a row takes, in seconds, as learnt from the runs so far; more than 0."""
        self.prefix = f'{{"model":"{model}","release":{target.release},"id":"'.encode()
        """How every answer of this release begins."""

    def observe(self, rows: int, seconds: float) -> None:
        """Learn from a run. One that was held up by something else counts for little: at most four times the mean."""
        mean = self.row_s
        self.row_s = mean + 0.1 * (min(max(seconds / rows, 1e-9), 4.0 * mean) - mean)


class Entry:
    """One model: the releases that take its traffic, and those that are kept warm. Never changes."""

    __slots__ = ("_only", "_shares", "held", "model", "version")

    def __init__(self, model: str, version: int, held: tuple[Target, ...]) -> None:
        self.model = model
        self.version = version
        self.held = held
        live = [target for target in held if target.share > 0.0]
        self._only = live[0] if len(live) == 1 else None
        upto = 0.0
        self._shares: list[tuple[float, Target]] = []
        for target in live:
            upto += target.share
            self._shares.append((upto, target))

    @property
    def live(self) -> Target:
        """The live release; in a route that names no stages, the one with the largest share."""
        return next((one for one in self.held if one.stage == "live"), max(self.held, key=lambda target: target.share))

    def choose(self, request_id: str) -> Target:
        """Return the release that answers this request: each gets its share of the request ids."""
        if self._only is not None:
            return self._only
        place = zlib.crc32(request_id.encode()) / 2**32
        for upto, target in self._shares:
            if place < upto:
                return target
        return self._shares[-1][1]


class Table:
    """All models that are served at one moment. Never changes: the next one takes its place."""

    __slots__ = ("entries", "failed", "loading", "pathways", "problem", "routed")

    def __init__(
        self,
        entries: dict[str, Entry],
        failed: dict[str, dict[str, Any]],
        *,
        routed: bool,
        problem: str = "",
        loading: frozenset[str] = frozenset(),
    ) -> None:
        self.entries = entries
        self.failed = failed
        """Per model, the route version that could not be loaded and why."""
        self.routed = routed
        """Whether a route file was followed yet."""
        self.problem = problem
        """What is wrong with the route file that lies there now; empty when nothing is."""
        self.loading = loading
        """The models that are loaded for the first time: no release of theirs is served yet."""
        self.pathways = {f"/models/{name}/predict": entry for name, entry in entries.items()}

    @property
    def versions(self) -> dict[str, int]:
        """The route version of each model that is served."""
        return {name: entry.version for name, entry in self.entries.items()}

    def unready(self) -> str:
        """Return why this worker can't be sent traffic yet; empty when it can."""
        if self.loading:
            return f"still loading: {', '.join(sorted(self.loading))}."
        if self.entries:
            return ""
        if self.failed:
            return "; ".join(
                f"{name}, route version {what['version']}: {what['error']}" for name, what in self.failed.items()
            )
        if self.problem:
            return self.problem
        if self.routed:
            return "no model is live: the route names none."
        return "no route was published yet, or its models are still loading."
