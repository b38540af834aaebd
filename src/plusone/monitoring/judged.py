"""Counts how often releases were right, by the labels that came since somebody looked last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec

from ..base import clock
from ..predictions.layout import JSON
from ..predictions.reading import chunks_of, read_chunk
from ..store import Store

__all__ = ["Judged", "judge_labels"]

_MOST_LABELS = 2000
_MOST_CHUNKS = 32


class Judged(NamedTuple):
    """Predictions whose first label came, and how many of them were wrong, by release; and where to go on."""

    labelled: dict[int, int]
    wrong: dict[int, int]
    place: tuple[str, str]


def judge_labels(
    store: Store, model: str, releases: Collection[int], *, since: str, place: tuple[str, str], until: str
) -> Judged:
    """Return what the next labels, at most 2,000, say of predictions that these releases made since a time.

    A prediction counts by its first label. Counted are answers in plusone's own JSON that name a class: a number is not
    right or wrong, and vectors and rankings are not judged. At most 32 chunks of predictions are read, the newest;
    labels of others are passed over.

    Args:
        place: what the call before returned; at first `(since, "")`.
        until: labels that came later are left for the next time; predictions take a second or two to the store.
    """
    rows = store.db.all("label_first_since", model=model, since=place[0], after_id=place[1], count=_MOST_LABELS)
    rows = [row for row in rows if row["received_at"] <= until]
    if not rows:
        return Judged({}, {}, place)
    labels = {row["prediction_id"]: row["value"] for row in rows}
    labelled: dict[int, int] = dict.fromkeys(releases, 0)
    wrong: dict[int, int] = dict.fromkeys(releases, 0)
    wanted = sorted({base for one in labels for base in _bases(one)})
    chunks = [row for row in chunks_of(store, model, since=since) if row["release"] in labelled and _meets(row, wanted)]
    for chunk in chunks[:_MOST_CHUNKS]:
        for right in _answers(store, chunk, labels, set(wanted), clock.parse(since)):
            labelled[chunk["release"]] += 1
            wrong[chunk["release"]] += not right
    return Judged(labelled, wrong, (rows[-1]["received_at"], rows[-1]["prediction_id"]))


def _bases(label_id: str) -> Sequence[str]:
    """Return the predictions that a label may be for: that of its id, and `ID` of `ID:3`."""
    one, _, row = label_id.rpartition(":")
    return (label_id, one) if one and row.isascii() and row.isdigit() else (label_id,)


def _meets(chunk: dict[str, Any], wanted: Sequence[str]) -> bool:
    return any(chunk["first_id"] <= one <= chunk["last_id"] for one in wanted)


def _answers(
    store: Store, chunk: dict[str, Any], labels: dict[str, str], wanted: set[str], since: dt.datetime
) -> list[bool]:
    """Say of each row of the chunk that has one of the labels whether its answer was right."""
    table = read_chunk(store, chunk["id"], ["id", "at", "kind", "answer"])
    found: list[bool] = []
    for place, one in enumerate(table["id"].to_pylist()):
        if one not in wanted or table["kind"][place].as_py() != JSON or table["at"][place].as_py() < since:
            continue
        for row, answer in enumerate(_classes(table["answer"][place].as_py())):
            value = labels.get(f"{one}:{row}", labels.get(one) if row == 0 else None)
            if value is not None:
                truth = msgspec.json.decode(value)
                if not isinstance(truth, list):  # the truth of a vector or a ranking
                    found.append(truth == answer)
    return found


def _classes(answer: bytes | None) -> list[Any]:
    """Return the class that was answered for each row; none where numbers were."""
    try:
        rows = msgspec.json.decode(answer or b"")["predictions"]
        return [row["label"] for row in rows]
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, KeyError, RecursionError):
        return []
