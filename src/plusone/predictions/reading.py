"""Finds logged predictions in the store, with the labels that came for them."""

from __future__ import annotations

import base64
import datetime as dt
import itertools
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..base import clock
from ..base.errors import NotFound, UsageError
from ..base.logged import Label, Prediction, PredictionPage
from ..store import Store
from .layout import ARROW, INFERENCE

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["chunks_of", "count_in", "get_prediction", "labels_in", "list_predictions", "moment", "read_chunk"]

MOST_SHOWN = 1000
_PAGE = 5000
_CHUNKS = 100
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_AGE = re.compile(r"(\d{1,9}(?:\.\d+)?)(s|min|h|d)\Z")
_TOKEN = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z),(.*)\Z", re.DOTALL)
_LATEST = "9999-12-31T23:59:59.999999Z"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_Chunk = dict[str, Any]


class _Row(NamedTuple):
    """One prediction, and where it is: most are passed over, and never made a record."""

    at_us: int
    id: str
    chunk: _Chunk
    table: pa.Table
    place: int


def list_predictions(
    store: Store,
    model: str,
    *,
    release: int | None = None,
    since: str | None = None,
    until: str | None = None,
    labelled: bool | None = None,
    count: int = 20,
    page: str | None = None,
) -> PredictionPage:
    """Return the next predictions of a model, the newest first, with the newest label of each row.

    Args:
        since: a time, or an age such as `1h`; `until` likewise, and exclusive.
        labelled: only those that have a label, or only those that have none.
        page: the `next_page` of the page before.

    Raises:
        UsageError: when a time, an age, the count or the page can't be read.
    """
    if not 1 <= count <= MOST_SHOWN:
        raise UsageError(f"count = {count}: expected 1 to {MOST_SHOWN}.")
    if release is not None and not 0 < release < 2**63:
        raise UsageError(f"release = {release}: expected the number of a release.")
    first = moment("since", since) if since else None
    before = _place(page) if page else (moment("until", until), "") if until else None
    rows = _newest_first(store, model, release, first, before)
    if labelled is not None:
        rows = _labelled(store, model, rows, labelled)
    found = list(itertools.islice(rows, count + 1))
    shown = [_prediction(row) for row in found[:count]]
    last = shown[-1] if len(found) > count else None
    return PredictionPage(
        predictions=tuple(_with_labels(store, shown)), next_page=f"{last.at},{last.id}" if last else None
    )


def get_prediction(store: Store, prediction_id: str) -> Prediction:
    """Return a prediction with every label that was received for it; the newest one, when callers gave an id twice.

    Raises:
        NotFound: when none of that id is in the store.
    """
    for chunk in store.db.all("prediction_chunk_around", prediction_id=prediction_id):
        table = read_chunk(store, chunk["id"])
        places = [place for place, one in enumerate(table["id"].to_pylist()) if one == prediction_id]
        if places:
            labels = store.db.all("label_of", **_range(chunk["model"], prediction_id, prediction_id))
            own = [_label(row) for row in labels if base_id(row["prediction_id"], {prediction_id}) is not None]
            found = _prediction(_Row(0, prediction_id, chunk, table, places[-1]))
            return msgspec.structs.replace(found, labels=tuple(sorted(own, key=lambda one: one.received_at)))
    labelled = store.db.one("label_named", prediction_id=prediction_id)
    raise NotFound(
        f"No prediction {prediction_id[:200]!r} is logged"
        + (f"; the model {labelled['model']!r} has a label for it." if labelled else "."),
        mend="plusone predictions MODEL lists them; what was answered in the last seconds is on its way",
    )


def moment(name: str, text: str) -> str:
    """Return the time that `text` says, an ISO 8601 time with its zone or an age, as `clock.now` writes times.

    Raises:
        UsageError: when it is neither.
    """
    if found := _AGE.match(text):
        seconds = float(found[1]) * _UNITS[found[2]]
        with_a_year = min(seconds, dt.datetime.now(dt.UTC).timestamp())
        return clock.ago(with_a_year)
    try:
        parsed = msgspec.convert(text, dt.datetime)
        if parsed.tzinfo is not None:
            return max(parsed.astimezone(dt.UTC), _EPOCH).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (msgspec.ValidationError, OverflowError):
        pass
    raise UsageError(
        f"{name} {text[:100]!r}: expected a time with its zone, or an age.",
        mend="2026-01-31T12:00:00Z, or 30min, 12h, 7d",
    )


# ---------------------------------------------------------------------------------------------- chunks


def chunks_of(
    store: Store, model: str, *, release: int | None = None, since: str | None = None, until: str | None = None
) -> Iterator[_Chunk]:
    """Give the chunks that may have predictions of that time, the newest first, by what the index says of them."""
    span = _span(model, release, since, until)
    place = {"before_at": _LATEST, "before_id": ""}
    while True:
        rows = store.db.all("prediction_chunk_list", **span, **place, limit=_CHUNKS)
        yield from rows
        if len(rows) < _CHUNKS:
            return
        place = {"before_at": rows[-1]["last_at"], "before_id": rows[-1]["id"]}


def count_in(
    store: Store, model: str, *, release: int | None = None, since: str | None = None, until: str | None = None
) -> int:
    """Return how many predictions those chunks have."""
    row = store.db.one("prediction_chunk_count", **_span(model, release, since, until))
    return int(row["count"]) if row else 0


def _span(model: str, release: int | None, since: str | None, until: str | None) -> dict[str, Any]:
    return {"model": model, "release": release, "since": since or "", "until": until or _LATEST}


def read_chunk(store: Store, chunk_id: str, columns: Collection[str] | None = None) -> pa.Table:
    """Return the predictions of a chunk, sorted by time; none when it was merged or freed meanwhile."""
    from . import chunks

    row = store.db.one("prediction_chunk_data", id=chunk_id)
    if row is None:
        return chunks.SCHEMA.empty_table()
    data = store.blobs.get(row["blob"]) if row["blob"] else row["data"]
    return chunks.decode(row["codec"], data, list(columns) if columns else None)


def read_ids(store: Store, chunk_id: str) -> list[str]:
    """Return the ids of the predictions of a chunk, in its order."""
    return read_chunk(store, chunk_id, ["id"])["id"].to_pylist()


def _newest_first(
    store: Store, model: str, release: int | None, since: str | None, before: tuple[str, str] | None
) -> Iterator[_Row]:
    """Give predictions by time, then id, backwards. Chunks may overlap: several workers log at once."""
    least = _microseconds(since) if since else 0
    beyond = (_microseconds(before[0]), before[1]) if before else (_microseconds(_LATEST), "")
    waiting: list[_Row] = []
    for chunk in chunks_of(store, model, release=release, since=since, until=before[0] if before else None):
        # Whatever is newer than all that this chunk has, and those behind it, is next.
        newest = _microseconds(chunk["last_at"])
        yield from sorted((one for one in waiting if one.at_us > newest), key=_order, reverse=True)
        waiting = [one for one in waiting if one.at_us <= newest]
        table = read_chunk(store, chunk["id"])
        times, ids = table["at"].cast("int64").to_pylist(), table["id"].to_pylist()
        for place, (at, one) in enumerate(zip(times, ids, strict=True)):
            if at >= least and (at, one) < beyond:
                waiting.append(_Row(at, one, chunk, table, place))
    yield from sorted(waiting, key=_order, reverse=True)


def _order(one: _Row) -> tuple[int, str]:
    return one.at_us, one.id


def _microseconds(text: str) -> int:
    return (clock.parse(text) - _EPOCH) // _MICROSECOND


def _place(page: str) -> tuple[str, str]:
    found = _TOKEN.match(page)
    try:
        if found:
            clock.parse(found[1])
            return found[1], found[2]
    except ValueError:
        pass
    raise UsageError(f"page {page[:100]!r}: expected what the page before named as the next.")


def _prediction(found: _Row) -> Prediction:
    from .chunks import time_text

    (row,) = found.table.slice(found.place, 1).to_pylist()
    return Prediction(
        id=row["id"],
        model=found.chunk["model"],
        release=found.chunk["release"],
        package=found.chunk["package"],
        at=time_text(row["at"]),
        kind=row["kind"],
        rows=row["rows"],
        request=readable(row["kind"], row["request"]),
        answer=readable(row["kind"], row["answer"]),
    )


def readable(kind: str, body: bytes | None) -> Any:
    """Return a body as JSON has it: itself, or base64 where it is none."""
    if body is None:
        return None
    if kind != ARROW and not kind.startswith(f"{INFERENCE};"):
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return base64.b64encode(body).decode()


# ---------------------------------------------------------------------------------------------- labels


def labels_in(store: Store, model: str, ids: Collection[str]) -> dict[str, list[Label]]:
    """Return the newest label of each row of these predictions, by the prediction's id."""
    known = set(ids)
    if not known:
        return {}
    newest: dict[str, Label] = {}
    for row in _label_rows(store, model, min(known), max(known)):
        if base_id(row["prediction_id"], known) is not None:
            newest[row["prediction_id"]] = _label(row)  # in the order of receiving: the last stays
    found: dict[str, list[Label]] = {}
    for one, label in newest.items():
        found.setdefault(base_id(one, known) or one, []).append(label)
    return found


def base_id(label_id: str, known: Collection[str]) -> str | None:
    """Return which of the known predictions a label is for: the one of that id, or `ID` of `ID:3`."""
    if label_id in known:
        return label_id
    one, _, row = label_id.rpartition(":")
    return one if one in known and row.isascii() and row.isdigit() else None


def _label_rows(store: Store, model: str, first: str, last: str) -> Iterator[dict[str, Any]]:
    after = ("", "")
    while True:
        rows = store.db.all(
            "label_between", **_range(model, first, last), after_id=after[0], after_at=after[1], count=_PAGE
        )
        yield from rows
        if len(rows) < _PAGE:
            return
        after = (rows[-1]["prediction_id"], rows[-1]["received_at"])


def _range(model: str, first: str, last: str) -> dict[str, str]:
    # `;` is the character after `:`, so all of `ID:3` lie before `ID;`.
    return {"model": model, "first": first, "last": f"{last};"}


def _label(row: dict[str, Any]) -> Label:
    return Label(
        model=row["model"],
        prediction_id=row["prediction_id"],
        value=msgspec.json.decode(row["value"]),
        at=row["at"],
        received_at=row["received_at"],
    )


def _with_labels(store: Store, some: list[Prediction]) -> Iterator[Prediction]:
    """Give the predictions with their labels. Each is asked for alone: a page's ids may lie far apart."""
    for one in some:
        found = labels_in(store, one.model, [one.id]).get(one.id)
        yield msgspec.structs.replace(one, labels=tuple(found)) if found else one


def _labelled(store: Store, model: str, rows: Iterator[_Row], labelled: bool) -> Iterator[_Row]:
    while some := list(itertools.islice(rows, _PAGE)):
        found = labels_in(store, model, [one.id for one in some])
        yield from (one for one in some if (one.id in found) == labelled)
