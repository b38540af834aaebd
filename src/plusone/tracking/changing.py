"""What is added to a run after it began: settings, tags, its end, its being deleted. Each is one transaction."""

from __future__ import annotations

from typing import Any

import msgspec

from ..base import clock
from ..base.errors import Conflict, NotFound, UsageError
from ..base.ids import canonical_json
from ..base.records import Run, RunStatus
from ..store import Store
from ..store.database import Transaction
from ..store.rows import from_row

__all__ = ["add_settings", "change_run", "index_settings", "index_tags", "set_tags", "setting_text"]


def setting_text(value: Any) -> str:
    """Return a setting as search compares it: text as it is, numbers and booleans as Python writes them, else JSON."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    return canonical_json(value).decode()


def add_settings(store: Store, run_id: str, settings: dict[str, Any]) -> Run:
    """Add settings to a run; return the run.

    Raises:
        NotFound: when there is no such run.
        Conflict: when one of them was set to another value before: a setting never changes. Nothing is added then.
    """
    with store.db.write() as tx:
        run = _run(tx, run_id)
        for key, value in settings.items():
            if key in run.settings and setting_text(run.settings[key]) != setting_text(value):
                raise Conflict(
                    f"The setting {key!r} of run {run_id} is {run.settings[key]!r} already, and never changes: "
                    f"it can't be set to {value!r}.",
                    key=key,
                    old=setting_text(run.settings[key]),
                    new=setting_text(value),
                )
        new = {key: value for key, value in settings.items() if key not in run.settings}
        changed = msgspec.structs.replace(run, settings={**run.settings, **new})
        tx.execute("run_set_settings", id=run_id, settings=canonical_json(changed.settings).decode())
        index_settings(tx, run_id, new)
    return changed


def set_tags(store: Store, run_id: str, tags: dict[str, str | None]) -> Run:
    """Set tags of a run (None takes a tag away); return the run.

    Raises:
        NotFound: when there is no such run.
    """
    with store.db.write() as tx:
        run = _run(tx, run_id)
        merged = {key: value for key, value in {**run.tags, **tags}.items() if value is not None}
        tx.execute("run_set_tags", id=run_id, tags=canonical_json(merged).decode())
        index_tags(tx, run_id, tags)
    return msgspec.structs.replace(run, tags=merged)


def change_run(
    store: Store,
    run_id: str,
    *,
    name: str | None = None,
    status: RunStatus | None = None,
    finished_at: str | None = None,
    deleted: bool | None = None,
) -> Run:
    """Change a run's name or status, delete it or bring it back; return it as it is now.

    Raises:
        NotFound: when there is no such run.
    """
    with store.db.write() as tx:
        run = _run(tx, run_id)
        deleted_at = run.deleted_at
        if deleted is not None:
            deleted_at = (deleted_at or clock.now()) if deleted else None
        changed = msgspec.structs.replace(
            run,
            name=run.name if name is None else name,
            status=status or run.status,
            finished_at=finished_at or run.finished_at,
            deleted_at=deleted_at,
        )
        tx.execute(
            "run_change",
            id=run_id,
            name=changed.name,
            status=changed.status,
            finished_at=changed.finished_at,
            deleted_at=changed.deleted_at,
        )
    return changed


def index_settings(tx: Transaction, run_id: str, settings: dict[str, Any]) -> None:
    """Make settings searchable; they are in the run's own row already."""
    for key, value in settings.items():
        tx.execute("run_setting_set", run_id=run_id, key=_text(key), value=setting_text(value))


def index_tags(tx: Transaction, run_id: str, tags: dict[str, str | None]) -> None:
    """Make tags searchable; they are in the run's own row already. None takes one away."""
    for key, value in tags.items():
        if value is None:
            tx.execute("run_tag_remove", run_id=run_id, key=key)
        else:
            tx.execute("run_tag_set", run_id=run_id, key=_text(key), value=value)


def _run(tx: Transaction, run_id: str) -> Run:
    row = tx.one("run_get", id=run_id)
    if row is None:
        raise NotFound(f"There is no run {run_id!r}.", mend="plusone runs")
    return from_row(Run, row)


def _text(key: Any) -> str:
    if not isinstance(key, str) or not key:
        raise UsageError(f"{key!r} can't name a setting or a tag: expected text.")
    return key
