"""Experiments: names under which runs are compared. Every run is in one; `Default`, with the id 0, is always there."""

from __future__ import annotations

import msgspec

from ..base import clock
from ..base.errors import Conflict, NotFound, UsageError
from ..base.ids import new_id
from ..base.records import Experiment
from ..store import Store
from ..store.rows import from_row, to_row

__all__ = ["DEFAULT", "add_experiment", "change_experiment", "find_experiment", "get_experiment", "list_experiments"]

DEFAULT = "0"
_MOST_NAME_BYTES = 500


def add_experiment(store: Store, name: str, *, tags: dict[str, str] | None = None) -> Experiment:
    """Make an experiment and return it.

    Raises:
        Conflict: when one has that name, deleted ones included.
        UsageError: for an empty name or one of over 500 bytes.
    """
    now = clock.now()
    record = Experiment(id=new_id(), name=_checked(name), tags=tags or {}, created_at=now, updated_at=now)
    with store.db.write() as tx:
        if tx.one("experiment_named", name=name):
            raise Conflict(f"There is an experiment {name!r} already (it may be deleted).")
        tx.execute("experiment_add", **to_row(record))
    return record


def find_experiment(store: Store, name: str) -> Experiment | None:
    """Return the experiment of that name, or None."""
    row = store.db.one("experiment_named", name=name)
    return from_row(Experiment, row) if row else None


def get_experiment(store: Store, experiment_id: str) -> Experiment:
    """Return the experiment with that id.

    Raises:
        NotFound: when there is none.
    """
    row = store.db.one("experiment_get", id=experiment_id)
    if row is None:
        raise NotFound(f"There is no experiment with the id {experiment_id!r}.")
    return from_row(Experiment, row)


def list_experiments(store: Store) -> list[Experiment]:
    """Return every experiment, the oldest first, deleted ones included."""
    return [from_row(Experiment, row) for row in store.db.all("experiment_list")]


def change_experiment(
    store: Store,
    experiment_id: str,
    *,
    name: str | None = None,
    deleted: bool | None = None,
    tags: dict[str, str | None] | None = None,
) -> Experiment:
    """Rename, delete or restore an experiment with its runs, or set its tags (None takes a tag away); return it.

    Raises:
        NotFound: when there is none with that id.
        Conflict: when another one has the name, or `Default` was to be deleted.
    """
    with store.db.write() as tx:
        row = tx.one("experiment_get", id=experiment_id)
        if row is None:
            raise NotFound(f"There is no experiment with the id {experiment_id!r}.")
        now = from_row(Experiment, row)
        if name is not None and name != now.name and tx.one("experiment_named", name=_checked(name)):
            raise Conflict(f"There is an experiment {name!r} already (it may be deleted).")
        if deleted and experiment_id == DEFAULT:
            raise Conflict("The experiment 'Default' is always there: it can't be deleted.")
        merged = {key: value for key, value in {**now.tags, **(tags or {})}.items() if value is not None}
        status = now.status if deleted is None else "deleted" if deleted else "active"
        changed = msgspec.structs.replace(
            now, name=name or now.name, status=status, tags=merged, updated_at=clock.now()
        )
        values = to_row(changed)
        del values["created_at"]
        tx.execute("experiment_change", **values)
        if deleted is not None:
            # Its runs go and come with it, as MLflow's clients expect.
            deleted_at = clock.now() if deleted else None
            tx.execute("run_delete_of_experiment", experiment=experiment_id, deleted_at=deleted_at)
    return changed


def _checked(name: str) -> str:
    if not name.strip() or len(name.encode("utf-8", "surrogatepass")) > _MOST_NAME_BYTES:
        raise UsageError(f"{name[:100]!r} can't name an experiment: expected 1 to {_MOST_NAME_BYTES} bytes of text.")
    return name
