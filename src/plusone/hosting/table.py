"""The models in memory at one moment: which release answers which request. Nothing here ever changes: the next table
takes its place, so that a request sees the old one or the new one, whole.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..base.errors import NotFound
from ..base.records import RouteTarget
from ..predictor import Predictor
from .places import place, salt_of

__all__ = ["Entry", "Table", "Target"]


class Target:
    """One release in memory, as one version of the route has it. Its last three attributes are for the event loop."""

    __slots__ = (
        "books",
        "folder",
        "is_native",
        "mirror",
        "model",
        "package",
        "predictor",
        "prefix",
        "put",
        "release",
        "row_s",
        "shadow",
        "share",
        "stage",
    )

    def __init__(self, model: str, target: RouteTarget, predictor: Predictor, folder: Path, row_s: float) -> None:
        self.model = model
        self.release = target.release
        self.package = target.package
        self.stage = target.stage
        self.share = target.share
        self.shadow = target.shadow
        """The share of the model's requests of which it gets a copy."""
        self.predictor = predictor
        self.is_native = getattr(predictor, "native", None) is not None
        """Whether it runs in a process of its own: the event loop must not wait for that."""
        self.folder = folder
        """Where its files lie."""
        self.mirror: Target | None = None
        """The release in the shadow, which gets copies of what this one answers."""
        self.prefix = f'{{"model":"{model}","release":{target.release},"id":"'.encode()
        """How every answer of this release begins."""
        self.row_s = row_s
        """What a row takes, in seconds, as learnt from the runs so far; more than 0."""
        self.put: Callable[[Any], None] | None = None
        """What takes its jobs: `Lane.put`, once there was one."""
        self.books: Any = None
        """Where what it answers is counted, once it has."""

    def observe(self, rows: int, seconds: float) -> None:
        """Learn from a run. One that was held up by something else counts for little: at most four times the mean."""
        mean = self.row_s
        self.row_s = mean + 0.1 * (min(max(seconds / rows, 1e-9), 4.0 * mean) - mean)

    def is_copied(self, key: str) -> bool:
        """Say whether this release, in the shadow, gets a copy of what comes under a key: first of all of those that it
        will answer first as a canary.
        """
        return self.shadow >= 1.0 or place(key, salt_of(self.model, self.release)) < self.shadow


class Entry:
    """One model: the releases that take its traffic, those that are kept warm, and its shadow. Never changes."""

    __slots__ = ("_only", "_salt", "_shares", "held", "live", "model", "shadow", "version")

    def __init__(self, model: str, version: int, held: tuple[Target, ...]) -> None:
        self.model = model
        self.version = version
        self.held = held
        self.live = next((one for one in held if one.stage == "live"), max(held, key=lambda target: target.share))
        """The live release; in a route that names no stages, the one with the largest share."""
        self.shadow = next((target for target in held if target.shadow > 0.0), None)
        """The release that gets copies of requests."""
        taking = [target for target in held if target.share > 0.0]
        for target in taking:
            target.mirror = self.shadow
        self._only = taking[0] if len(taking) == 1 else None
        candidate = self._candidate(taking)
        self._salt = salt_of(model, candidate.release) if candidate is not None else 0
        # The candidate comes first, and the live release last: as the candidate's share grows, whoever it answered
        # before is answered by it still.
        taking.sort(key=lambda target: (target is not candidate, target is self.live))
        upto = 0.0
        self._shares: list[tuple[float, Target]] = []
        for target in taking:
            upto += target.share
            self._shares.append((upto, target))

    def _candidate(self, taking: list[Target]) -> Target | None:
        """Return the release whose share grows; in a route that names no stages, the newest that is not live."""
        others = [target for target in taking if target is not self.live]
        return max(others, key=lambda target: (target.stage == "canary", target.release), default=None)

    def choose(self, key: str) -> Target:
        """Return the release that answers what comes under this key, always the same while the shares are: each gets
        its share of the keys.
        """
        if self._only is not None:
            return self._only
        here = place(key, self._salt)
        for upto, target in self._shares:
            if here < upto:
                return target
        return self._shares[-1][1]

    def find(self, which: str) -> Target:
        """Return the release that is addressed: `live`, `previous`, `canary`, `shadow`, or a release's number.

        Raises:
            NotFound: when none in the route is.
        """
        found = self.addresses().get(which)
        if found is None:
            raise NotFound(
                f"The model {self.model!r} has no release {which[:40]!r} in its route: expected {self._addressed()}.",
                mend=f"POST /models/{self.model}/predict, or name one of these; plusone route {self.model}",
                model=self.model,
                expected=list(self.addresses()),
            )
        return found

    def addresses(self) -> dict[str, Target]:
        """Return the release behind each word and number that one of this model can be addressed by."""
        words: dict[str, Target] = {"live": self.live}
        for word in ("previous", "canary", "shadow"):
            target = next((one for one in self.held if one.stage == word), None)
            if target is not None:
                words[word] = target
        if "previous" not in words:
            # A route file of before stages had names: whatever is warm is the previous release.
            warm = [one for one in self.held if not one.stage and not one.share and not one.shadow]
            if warm:
                words["previous"] = warm[0]
        return words | {str(target.release): target for target in self.held}

    def _addressed(self) -> str:
        return ", ".join(
            word if word.isdigit() else f"{word} ({target.release})" for word, target in self.addresses().items()
        )


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
