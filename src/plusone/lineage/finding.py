"""What a person means: a digest, a run, a release, an output or a file of a run, from the text that names it."""

from __future__ import annotations

import re
from typing import Any

from ..base.errors import NotFound, PlusoneError, UsageError
from ..base.ids import parse_target
from ..base.records import Dataset, Run
from ..store import Store
from ..store.rows import from_row
from ..tracking.artifacts import get_artifact
from ..tracking.runs import get_run
from .nodes import Thing

__all__ = ["content", "find_thing", "logged_model", "release", "run_thing", "step", "version"]

_HEX = re.compile(r"[0-9a-f]{4,64}\Z")
_MEND = (
    "a file's path, a digest or its beginning, a run's id, RUN:PATH, MODEL@n, or the name of a step or of its output"
)


def find_thing(store: Store, text: str) -> Thing:
    """Return what `text` names: a run's id, a digest, the beginning of either (4 characters or more), `RUN:PATH`,
    `MODEL@n`, an output or a step (what the newest run has of it), a logged model or a model (its live release).

    Raises:
        NotFound: when it names nothing in this store.
        UsageError: when it may be several things.
    """
    owner, colon, path = text.partition(":")
    if colon and path:
        found = logged_model(store, owner)
        return content(store, get_artifact(store, found.id if found else get_run(store, owner).id, path).blob, path)
    # A name is exact, so it comes before what merely begins so: `added` is also hex.
    for look in (_as_name, _as_id, _as_target):
        if found := look(store, text):
            return found
    raise NotFound(f"Nothing in this store is called {text[:100]!r}.", mend=f"name it by {_MEND}")


def _as_id(store: Store, text: str) -> Thing | None:
    runs = store.db.all("run_find", prefix=text.lower()) if len(text) >= 4 and text.isascii() and text.isalnum() else []
    digests: list[str] = []
    if _HEX.match(text):
        digests = [row["digest"] for row in store.db.all("lineage_digests", first=text, last=text + "g")]
    if len(runs) + len(digests) > 1:
        some = ", ".join([*(row["id"] for row in runs), *digests])
        raise UsageError(f"{text!r} is the beginning of more than one id: {some}.", mend="give more characters of it")
    if runs:
        return run_thing(from_row(Run, runs[0]))
    return content(store, digests[0]) if digests else logged_model(store, text)


def _as_name(store: Store, text: str) -> Thing | None:
    if row := store.db.one("lineage_named", name=text):
        return content(store, row["digest"], text)
    row = store.db.one("lineage_step_named", step=text)
    return step(store, row["run_id"], text) if row else None


def _as_target(store: Store, text: str) -> Thing | None:
    try:
        model, which = parse_target(text)
    except PlusoneError:
        if "@" in text:
            raise
        return None  # no name of a model either
    known = sorted({row["model"] for row in store.db.all("model_list")})
    if model is None and len(known) == 1:
        model = known[0]
    if model is None:
        return None
    rows = store.db.all("release_list", model=model)
    number = int(which) if which.isdigit() else 0
    for row in rows:
        if row["number"] == number or row["stage"] == which:
            return release(row)
    return version(store, model, number) if number else None


def content(store: Store, digest: str, name: str = "") -> Thing:
    """Return the dataset, the package or the file with this digest; `name` is what it is called here."""
    row = store.db.one("dataset_get", digest=digest)
    if row:
        dataset = from_row(Dataset, row)
        rows = f", {dataset.rows:,} rows" if dataset.rows is not None else ""
        return Thing(kind="dataset", id=digest, title=name, detail=f"{dataset.flavour} {dataset.kind}{rows}")
    if name == "package" or store.db.one("lineage_releases_of_package", digest=digest):
        return Thing(kind="package", id=digest, title="", detail="a packaged model")
    return Thing(kind="file", id=digest, title=name)


def run_thing(run: Run) -> Thing:
    """Return a run as a thing."""
    deleted = ", deleted" if run.deleted_at else ""
    detail = f"{run.status}{deleted}, {run.started_at[:19].replace('T', ' ')}"
    if run.code.commit:
        detail += f", code {run.code.commit[:12]}{' with changes' if run.code.dirty else ''}"
    return Thing(kind="run", id=run.id, title=run.name, detail=detail)


def step(store: Store, run_id: str, name: str) -> Thing:
    """Return a step of a run as a thing."""
    row = store.db.one("run_get", id=run_id)
    return Thing(
        kind="step", id=f"{run_id}/{name}", title=name, detail=f"in run {run_id}" + (_when(row) if row else "")
    )


def release(row: dict[str, Any]) -> Thing:
    """Return a release, from a row of `release_list`, as a thing."""
    detail = f"{row['stage']}, made {row['created_at'][:19].replace('T', ' ')}"
    return Thing(kind="release", id=f"{row['model']}@{row['number']}", title="", detail=detail)


def version(store: Store, model: str, number: int) -> Thing | None:
    """Return a registered version as a thing, or None."""
    row = store.db.one("lineage_version", model=model, number=number)
    if row is None:
        return None
    return Thing(kind="version", id=f"{model}@{number}", title="", detail=f"registered from {row['source']}")


def logged_model(store: Store, model_id: str) -> Thing | None:
    """Return a logged model as a thing, or None."""
    row = store.db.one("lineage_model", id=model_id)
    return Thing(kind="logged model", id=row["id"], title=row["name"], detail=row["status"]) if row else None


def _when(row: dict[str, Any]) -> str:
    return f", {row['started_at'][:19].replace('T', ' ')}"
