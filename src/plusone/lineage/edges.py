"""From a thing to those next to it: what made it, and what was made of it. One query each, by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base.records import Run
from ..store import Store
from ..store.rows import from_row
from . import finding
from .nodes import Link, Links, Thing

__all__ = ["made", "made_by"]


def made_by(store: Store, thing: Thing, count: int) -> Links:
    """Return what made a thing: up to `count` links of each sort, and how many there are."""
    return _Edges(store, thing, count).back()


def made(store: Store, thing: Thing, count: int) -> Links:
    """Return what a thing made or was used for: up to `count` links of each sort, and how many there are."""
    return _Edges(store, thing, count).forth()


class _Edges:
    def __init__(self, store: Store, thing: Thing, count: int) -> None:
        self.store = store
        self.db = store.db
        self.thing = thing
        self.count = count
        self.links: list[Link] = []
        self.total = 0

    def back(self) -> Links:
        kind, name = self.thing.kind, self.thing.id
        if kind in ("file", "dataset", "package"):
            for digest in self._digests():
                self._rows("lineage_makers", "made by", self._step, digest=digest)
                self._rows("lineage_owners", "kept by", self._owner, digest=digest)
        elif kind == "step":
            run_id, _, step = name.partition("/")
            rows = self.db.all("lineage_step", run_id=run_id, step=step, role="input")
            self._contents("from", rows)
        elif kind == "run":
            self._back_of_run(name)
        elif kind == "release":
            model, _, number = name.partition("@")
            row = self.db.one("release_get", model=model, number=int(number))
            if row:
                self._add("packaged as", finding.content(self.store, row["package"], "package"))
                self._add("made in", self._run(row["run_id"]))
        elif kind == "version":
            model, _, number = name.partition("@")
            row = self.db.one("lineage_version", model=model, number=int(number))
            if row:
                self._add("registered from", finding.logged_model(self.store, row["model_id"]))
                self._add("registered by", self._run(row["run_id"]))
        else:
            self._rows("lineage_model_runs", "made by", self._maker_of_model, model_id=name)
        return Links(self.links, self.total)

    def forth(self) -> Links:
        kind, name = self.thing.kind, self.thing.id
        if kind in ("file", "dataset", "package"):
            for digest in self._digests():
                self._rows("lineage_readers", "read by", self._step, digest=digest)
                self._rows("lineage_run_readers", "read by", self._reader, digest=digest)
                self._rows("lineage_takers", "taken over by", self._reader, digest=digest)
                self._rows("lineage_code_runs", "code of", self._reader, digest=digest)
                self._releases("released as", "lineage_releases_of_package", digest=digest)
            if kind == "file":
                self._tests(name)
        elif kind == "step":
            run_id, _, step = name.partition("/")
            self._contents("made", self.db.all("lineage_step", run_id=run_id, step=step, role="output"))
        elif kind == "run":
            self._forth_of_run(name)
        elif kind == "logged model":
            self._versions("registered as", "lineage_versions_of_model", model_id=name)
            self._rows("lineage_model_runs", "used by", self._user_of_model, model_id=name)
            self._rows("lineage_files", "keeps", self._file, owner=name)
        return Links(self.links, self.total)

    def _back_of_run(self, run_id: str) -> None:
        rows = self.db.all("run_input_list", run_id=run_id)
        self._contents("read", rows)
        self._contents("took over", self.db.all("lineage_outputs", run_id=run_id, reused=1))
        for row in self.db.all("lineage_run_models", run_id=run_id):
            if row["role"] == "input":
                self._add("used", finding.logged_model(self.store, row["model_id"]))
        row = self.db.one("run_get", id=run_id)
        if row and row["resumed_from"]:
            self._add("went on after", self._run(row["resumed_from"]))

    def _forth_of_run(self, run_id: str) -> None:
        self._contents("made", self.db.all("lineage_outputs", run_id=run_id, reused=0))
        self._rows("lineage_files", "keeps", self._file, owner=run_id)
        for row in self.db.all("lineage_run_models", run_id=run_id):
            if row["role"] == "output":
                self._add("made", finding.logged_model(self.store, row["model_id"]))
        self._releases("released as", "lineage_releases_of_run", run_id=run_id)
        self._versions("registered as", "lineage_versions_of_run", run_id=run_id)
        for row in self.db.all("lineage_resumed", run_id=run_id):
            self._add("gone on with by", self._run(row["id"]))

    # -------------------------------------------------------------------------------------------- inside

    def _digests(self) -> list[str]:
        """Return the digests by which others know these bytes: a dataset is also a file, and a file datasets."""
        digest = self.thing.id
        row = self.db.one("dataset_get", digest=digest)
        if row:
            return [digest, row["blob"]]
        return [digest, *(row["digest"] for row in self.db.all("lineage_datasets_of_blob", digest=digest))]

    def _add(self, relation: str, thing: Thing | None) -> None:
        if thing is not None:
            self.links.append(Link(relation, thing))
            self.total += 1

    def _rows(self, query: str, relation: str, to: Callable[[dict[str, Any]], Thing | None], **values: Any) -> None:
        rows = self.db.all(query, count=self.count, **values)
        found = [thing for row in rows if (thing := to(row))]
        self.links += [Link(relation, thing) for thing in found]
        self.total += max(len(found), int(rows[0]["total"]) - (len(rows) - len(found))) if rows else 0

    def _contents(self, relation: str, rows: list[dict[str, Any]]) -> None:
        self.total += len(rows)
        for row in rows[: self.count]:
            self.links.append(Link(relation, finding.content(self.store, row["digest"], row["name"])))

    def _releases(self, relation: str, query: str, **values: Any) -> None:
        for row in self.db.all(query, **values):
            self._add(relation, finding.release(self.db.one("release_get", **row) or {}))

    def _versions(self, relation: str, query: str, **values: Any) -> None:
        for row in self.db.all(query, **values):
            self._add(relation, finding.version(self.store, row["model"], row["number"]))

    def _tests(self, digest: str) -> None:
        # Releases are few beside runs, and their tests are part of their row.
        found = [row for row in self.db.all("release_list", model=None) if f'"{digest}"' in row["tests"]]
        self.total += len(found)
        self.links += [Link("test of", finding.release(row)) for row in found[-self.count :]]

    def _run(self, run_id: str) -> Thing | None:
        row = self.db.one("run_get", id=run_id) if run_id else None
        return finding.run_thing(from_row(Run, row)) if row else None

    def _step(self, row: dict[str, Any]) -> Thing:
        return finding.step(self.store, row["run_id"], row["step"])

    def _reader(self, row: dict[str, Any]) -> Thing | None:
        return self._run(row["run_id"])

    def _owner(self, row: dict[str, Any]) -> Thing | None:
        return finding.logged_model(self.store, row["owner"]) or self._run(row["owner"])

    def _file(self, row: dict[str, Any]) -> Thing:
        return finding.content(self.store, row["blob"], row["path"])

    def _maker_of_model(self, row: dict[str, Any]) -> Thing | None:
        return self._run(row["run_id"]) if row["role"] == "output" else None

    def _user_of_model(self, row: dict[str, Any]) -> Thing | None:
        return self._run(row["run_id"]) if row["role"] == "input" else None
