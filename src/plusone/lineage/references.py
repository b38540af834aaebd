"""Which bytes a store needs: from the releases, runs and things that are held, to every digest that they reach.

What is held, and why, is decision 0014. Signatures name the digests of releases, which are held as records of these,
and trust those of packages: who trusts one does not hold its bytes.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec

from ..base.errors import BrokenArtifact
from ..base.records import Code, Package
from ..store import Store
from ..store.database import Database, Transaction

__all__ = ["References", "find_references"]

_DECIDED = ("failed", "rejected", "rolled back", "retired")
_Rows = dict[str, list[dict[str, Any]]]


class References:
    """What is needed, and what a blob that is not was once kept as.

    Attributes:
        needed: digests of blobs that stay.
        kinds: of every blob that a record names: `model`, `dataset`, `file`, `code`, `log`, `environment` or
            `predictions`.
        freed_releases: releases (`MODEL@n`) whose package is not needed, with the package's digest.
        package_files: the digests of the files of each of these packages.
        deleted_runs: deleted runs whose points and files go.
        held_runs: the runs that are held.
    """

    def __init__(self) -> None:
        self.needed: set[str] = set()
        self.kinds: dict[str, str] = {}
        self.freed_releases: dict[str, str] = {}
        self.package_files: dict[str, set[str]] = {}
        self.deleted_runs: list[str] = []
        self.held_runs: set[str] = set()


def find_references(store: Store, db: Database | Transaction, *, since: str, predictions_since: str = "") -> References:
    """Return what the store needs, as its records are now.

    Args:
        db: the database, or the transaction to look from.
        since: runs that ended before this time are not held by their age (a time as `clock.now` writes it).
        predictions_since: predictions that were logged before this time are not held.
    """
    return _Search(store, db, since, predictions_since).go()


class _Search:
    def __init__(self, store: Store, db: Database | Transaction, since: str, predictions_since: str) -> None:
        self.store = store
        self.db = db
        self.since = since
        self.found = References()
        self.packages: dict[str, Package | None] = {}
        self.kept = {row["thing"] for row in db.all("kept_list")}
        self.releases = db.all("release_list", model=None)
        self.runs = {row["id"]: row for row in db.all("retention_runs")}
        self.versions = db.all("retention_versions")
        self.models = {row["id"]: row for row in db.all("retention_models")}
        self.blob_of = {row["digest"]: row["blob"] for row in db.all("retention_datasets")}
        self.steps = _grouped(db.all("retention_steps"), "run_id")
        self.inputs = _grouped(db.all("retention_inputs"), "run_id")
        self.codes = _grouped(db.all("retention_codes"), "run_id")
        self.run_models = _grouped(db.all("retention_run_models"), "run_id")
        self.by_owner = _grouped(db.all("retention_artifacts"), "owner")
        self.by_version = _grouped(db.all("retention_code_files"), "version")
        self.predictions = db.all("retention_predictions", before=predictions_since)

    def go(self) -> References:
        needed = self.found.needed
        held = self._held_releases()
        packages = {row["package"] for row in held}
        self._hold_runs({row["run_id"] for row in held})
        models = self._held_models()
        for run_id in self.found.held_runs:
            packages |= self._need_run(run_id)
        for model_id in models:
            needed |= {row["blob"] for row in self.by_owner.get(model_id, [])}
        needed |= {row["blob"] for row in self.predictions if not row["old"]}
        for row in self.releases:
            self._need_record_of(row)
        for thing in self.kept:
            needed |= {thing, self.blob_of.get(thing, thing)}
            packages |= {thing} & self._made_packages()
        for package in packages:
            needed |= {package, *self._files(package)}
        self.found.freed_releases = {
            f"{row['model']}@{row['number']}": row["package"] for row in self.releases if row["package"] not in packages
        }
        self._name_kinds()
        return self.found

    # -------------------------------------------------------------------------------------------- what is held

    def _held_releases(self) -> list[dict[str, Any]]:
        routed: set[str] = set()
        for row in self.db.all("route_current"):
            beside = [msgspec.json.decode(row[name] or "null") for name in ("previous", "shadow")]
            routed |= {share["digest"] for share in (*msgspec.json.decode(row["shares"]), *beside) if share}
        routed |= {row["digest"] for row in self.db.all("rollout_open", model=None)}
        return [
            row
            for row in self.releases
            if row["stage"] not in _DECIDED or row["digest"] in routed or f"{row['model']}@{row['number']}" in self.kept
        ]

    def _hold_runs(self, of_releases: set[str]) -> None:
        held = self.found.held_runs
        held |= of_releases | (self.kept & self.runs.keys())
        for row in self.versions:
            model = self.models.get(row["model_id"]) or {}
            held |= {run for run in (row["run_id"], model.get("run_id")) if run}
        for run_id, row in self.runs.items():
            if run_id in held:
                continue
            if row["deleted_at"] is None:
                if row["status"] in ("running", "scheduled") or (row["finished_at"] or row["started_at"]) >= self.since:
                    held.add(run_id)
            elif row["deleted_at"] >= self.since:
                held.add(run_id)  # until then it can be brought back
            else:
                self.found.deleted_runs.append(run_id)

    def _held_models(self) -> set[str]:
        held = self.kept | {row["model_id"] for row in self.versions}
        for run_id in self.found.held_runs:
            held |= {row["model_id"] for row in self.run_models.get(run_id, [])}
        for model_id, row in self.models.items():
            moment = row["deleted_at"] or row["created_at"]
            if moment >= self.since or (row["deleted_at"] is None and row["run_id"] in self.found.held_runs):
                held.add(model_id)
        return held & self.models.keys()

    # -------------------------------------------------------------------------------------------- what they reach

    def _need_run(self, run_id: str) -> set[str]:
        """Add what a run reaches; return the packages that it made or took over."""
        needed = self.found.needed
        row = self.runs.get(run_id)
        if row is None:
            return set()
        self._need_text_of(run_id, row)
        if row["log"]:
            needed.add(row["log"])
        needed |= {one["blob"] for one in self.by_owner.get(run_id, [])}
        packages: set[str] = set()
        for one in (*self.steps.get(run_id, []), *self.inputs.get(run_id, [])):
            if one.get("name") == "package" and one["digest"] not in self.blob_of:
                packages.add(one["digest"])
            else:
                needed |= {one["digest"], self.blob_of.get(one["digest"], one["digest"])}
        return packages

    def _need_text_of(self, run_id: str, row: dict[str, Any]) -> None:
        for one in self.codes.get(run_id, []):
            self.found.needed |= {file["digest"] for file in self.by_version.get(one["version"], [])}
        if row["code"]:
            self.found.needed.add(msgspec.json.decode(row["code"], type=Code).diff or "")
        if row["environment"]:
            self.found.needed.add(row["environment"])

    def _need_record_of(self, release: dict[str, Any]) -> None:
        """Add the kilobytes that say what a release is: `show`, `diff` and `lineage` read them, freed or not."""
        self.found.needed |= {release["digest"], release["package"]}
        self.found.needed |= set(msgspec.json.decode(release["tests"], type=dict[str, str]).values())
        package = self._package(release["package"])
        if package is not None and package.environment:
            self.found.needed.add(package.environment)
        if row := self.runs.get(release["run_id"]):
            self._need_text_of(release["run_id"], row)

    def _files(self, digest: str) -> set[str]:
        package = self._package(digest)
        return {file.digest for file in package.files} if package else set()

    def _package(self, digest: str) -> Package | None:
        if digest not in self.packages:
            try:
                found = msgspec.json.decode(self.store.blobs.get(digest), type=Package)
            except (BrokenArtifact, msgspec.MsgspecError):
                found = None  # lost already: there is nothing that it could hold
            self.packages[digest] = found
        return self.packages[digest]

    def _made_packages(self) -> set[str]:
        made = {row["digest"] for rows in self.steps.values() for row in rows if row["name"] == "package"}
        return made | {row["package"] for row in self.releases}

    def _name_kinds(self) -> None:
        kinds = self.found.kinds
        for row in self.runs.values():
            kinds.update({row["environment"]: "environment"} if row["environment"] else {})
            kinds.update({row["log"]: "log"} if row["log"] else {})
        kinds.update({file["digest"]: "code" for files in self.by_version.values() for file in files})
        kinds.update({row["blob"]: "file" for rows in self.by_owner.values() for row in rows})
        kinds.update(dict.fromkeys(self.blob_of.values(), "dataset"))
        kinds.update({row["blob"]: "predictions" for row in self.predictions})
        for package in self._made_packages() - self.blob_of.keys():
            if package not in self.found.needed or package in self.found.freed_releases.values():
                self.found.package_files[package] = self._files(package)
                kinds.update(dict.fromkeys((package, *self._files(package)), "model"))


def _grouped(rows: list[dict[str, Any]], key: str) -> _Rows:
    found: _Rows = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found
