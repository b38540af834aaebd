"""What `plusone gc` leaves alone because a person said so."""

from __future__ import annotations

from ..base import clock
from ..base.errors import NotFound, UsageError
from ..base.records import Kept
from ..store import Store
from ..store.rows import from_row, to_row
from .collecting import only_one
from .finding import find_thing

__all__ = ["forget", "keep", "list_kept"]


def keep(store: Store, text: str, *, by: str, reason: str) -> Kept:
    """Record that what `text` names, and everything that it reaches, stays; return the record.

    Args:
        text: a run, a release, a dataset or a file, as `find_thing` takes it. A name is looked up now: what gets it
            later is another thing.

    Raises:
        NotFound: when it names nothing in this store.
        UsageError: without a reason, or for a step: its run can be kept.
        Conflict: while `plusone gc` goes on.
    """
    if not reason.strip():
        raise UsageError("What is kept needs a reason.", mend=f"plusone keep {text[:100]} --reason 'why'")
    thing = find_thing(store, text)
    if thing.kind == "step":
        run_id = thing.id.partition("/")[0]
        raise UsageError(
            f"{text!r} is a step: expected a run, a release, a dataset or a file.", mend=f"plusone keep {run_id}"
        )
    record = Kept(thing=thing.id, by=by, reason=reason, at=clock.now())
    # Otherwise it could be told that it stays while its bytes are on their way out.
    with only_one(store), store.db.write() as tx:
        tx.execute("kept_add", **to_row(record))
    return record


def forget(store: Store, text: str) -> None:
    """Record that what `text` names is no longer kept; its bytes stay until `plusone gc`.

    Raises:
        NotFound: when it is not kept.
    """
    names = {row.thing for row in list_kept(store)}
    name = text if text in names else find_thing(store, text).id
    with store.db.write() as tx:
        if not tx.execute("kept_remove", thing=name):
            raise NotFound(f"{text[:100]!r} is not kept.", mend="plusone keep  (lists what is)")


def list_kept(store: Store) -> list[Kept]:
    """Return what is kept, the oldest first."""
    return [from_row(Kept, row) for row in store.db.all("kept_list")]
