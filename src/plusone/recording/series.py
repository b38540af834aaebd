"""Reads series: whole, or as many points as a plot has room for. What is still in the journal of a run is read too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ..base.errors import StoreError
from ..journal import list_segments
from ..journal.log import MAGIC
from ..journal.reading import read_bytes, scan
from ..store import Store
from .points import BLOCK_POINTS, Columns, Summary, decode_chunk, gather, join, read_summary, summarise
from .recorder import journal_of

__all__ = ["Series", "list_keys", "plot_series", "read_series"]

T = TypeVar("T")
_ATTEMPTS = 10


class Series(NamedTuple):
    """Points of one series of a run: three arrays of one length."""

    key: str
    steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    times: npt.NDArray[np.float64]
    """Unix time in seconds."""


def list_keys(store: Store, run_id: str) -> list[str]:
    """Return the names of a run's series, sorted."""
    stored, living = _consistent(store, run_id, lambda: store.db.all("series_key_list", run_id=run_id))
    return sorted({row["key"] for row in stored} | living.keys())


def read_series(store: Store, run_id: str, key: str) -> Series:
    """Return all points of a series exactly as they were logged, in that order; none when there is no such series.

    What several processes logged at once is in the order in which it came to the store.
    """
    rows, living = _consistent(store, run_id, lambda: store.db.all("series_chunk_list", run_id=run_id, key=key))
    parts = [decode_chunk(row["codec"], row["count"], row["points"]) for row in rows]
    return Series(key, *join([*parts, *([living[key]] if key in living else [])]))


def plot_series(
    store: Store,
    run_id: str,
    key: str,
    *,
    count: int = 2000,
    first_step: int | None = None,
    last_step: int | None = None,
) -> Series:
    """Return at most `count` points that look like the whole series when they are drawn, sorted by step.

    A series of no more points comes whole. Of a longer one the steps are cut into `count / 2` equal spans, and of each
    span the smallest and the largest value are kept, so that no spike is lost; a NaN has no place among them and is
    left out. Where a block of 1,024 points is no wider than such a span, the blocks' summaries are read in place of the
    points: the points of a span are then the extremes of the blocks in it.

    Args:
        count: at least 2.
        first_step: leave out what is before it.
        last_step: leave out what is after it.
    """
    low = -(2**63) if first_step is None else max(first_step, -(2**63))
    high = 2**63 - 1 if last_step is None else min(last_step, 2**63 - 1)
    for _ in range(_ATTEMPTS):
        try:
            return _plot(store, run_id, key, max(count, 2), low, high)
        except _Changed:
            continue
    raise _never_still(run_id)


def _plot(store: Store, run_id: str, key: str, count: int, low: int, high: int) -> Series:
    rows, living = _consistent(store, run_id, lambda: store.db.all("series_chunk_summaries", run_id=run_id, key=key))
    chunks = [_Chunk(row, _summary_of(store, run_id, key, row)) for row in rows]
    chunks = [chunk for chunk in chunks if chunk.meets(low, high)]
    rest = _within(living[key], low, high) if key in living else join([])
    spans = count // 2
    total = sum(chunk.count_within(low, high) for chunk in chunks) + len(rest.steps)
    if total > spans * BLOCK_POINTS:
        parts = [_within(_extremes(chunk.summary), low, high) for chunk in chunks]
        return _drawn(key, join([*parts, rest]), spans)
    parts = [_within(_points_of(store, run_id, key, chunk), low, high) for chunk in chunks]
    points = join([*parts, rest])
    if len(points.steps) <= count:
        return Series(key, *points.pick(np.argsort(points.steps, kind="stable")))
    return _drawn(key, points, spans)


# ---------------------------------------------------------------------------------------------- chunks


class _Chunk:
    """A chunk of the store without its points."""

    def __init__(self, row: dict[str, Any], summary: Summary) -> None:
        self.row = row
        self.summary = summary

    def meets(self, low: int, high: int) -> bool:
        return bool(len(self.summary)) and bool(self._lines(low, high).any())

    def count_within(self, low: int, high: int) -> int:
        """Return how many points lie between these steps, or a few more: whole blocks are counted."""
        return int(self.summary["count"][self._lines(low, high)].sum())

    def _lines(self, low: int, high: int) -> npt.NDArray[np.bool_]:
        return (self.summary["most_step"] >= low) & (self.summary["least_step"] <= high)


def _summary_of(store: Store, run_id: str, key: str, row: dict[str, Any]) -> Summary:
    if row["summary"]:
        return read_summary(row["summary"])
    # A chunk of before there were summaries.
    return summarise(_read_chunk(store, run_id, key, row))


def _points_of(store: Store, run_id: str, key: str, chunk: _Chunk) -> Columns:
    return _read_chunk(store, run_id, key, chunk.row)


def _read_chunk(store: Store, run_id: str, key: str, row: dict[str, Any]) -> Columns:
    found = store.db.one("series_chunk_get", run_id=run_id, key=key, sequence=row["sequence"])
    # Numbers of merged chunks are given again, and chunks of one size are common: the summary tells them apart.
    if found is None or (found["count"], found["summary"]) != (row["count"], row["summary"]):
        raise _Changed
    return decode_chunk(found["codec"], found["count"], found["points"])


class _Changed(Exception):
    """The chunks were merged while they were read."""


# ---------------------------------------------------------------------------------------------- drawing


def _within(columns: Columns, low: int, high: int) -> Columns:
    keep = (columns.steps >= low) & (columns.steps <= high)
    return columns if keep.all() else columns.pick(keep)


def _extremes(summary: Summary) -> Columns:
    """Return the smallest and the largest point of each line that has one which is no NaN."""
    lines = summary[summary["nans"] < summary["count"]]
    steps = np.concatenate([lines["low_step"], lines["high_step"]])
    values = np.concatenate([lines["low"], lines["high"]])
    return Columns(steps, values, np.concatenate([lines["low_at"], lines["high_at"]]))


def _drawn(key: str, points: Columns, spans: int) -> Series:
    """Return the smallest and the largest point of each of so many equal spans of the steps."""
    points = points.pick(~np.isnan(points.values))
    if not len(points.steps):
        return Series(key, *points)
    least = int(points.steps.min())
    # In floating point: a span of steps can be wider than 64 bits hold.
    width = (float(points.steps.max()) - float(least)) / spans
    offsets = points.steps.astype(np.float64) - float(least)
    places = (
        np.minimum((offsets / width).astype(np.int64), spans - 1) if width > 0 else np.zeros(len(offsets), np.int64)
    )
    order = np.lexsort((points.values, places))
    begins = np.flatnonzero(np.r_[True, np.diff(places[order]) != 0])
    ends = np.r_[begins[1:], len(order)] - 1
    kept = np.unique(np.concatenate([order[begins], order[ends]]))
    return Series(key, *points.pick(kept[np.argsort(points.steps[kept], kind="stable")]))


# ---------------------------------------------------------------------------------------------- with what is not stored


def _consistent(store: Store, run_id: str, query: Callable[[], T]) -> tuple[T, dict[str, Columns]]:
    """Return what the query found, and the points in the run's journal that were not in the store at that moment.

    Whoever moves points into the store may do so meanwhile, so the positions are read before and after: when they are
    the same, so are the chunks.
    """
    for _ in range(_ATTEMPTS):
        before = _positions(store, run_id)
        segments = list_segments(journal_of(store, run_id)) if run_id.isalnum() else []
        living = _unmoved(segments, before)
        found = query()
        # One that is gone by now has no position any more.
        if before == _positions(store, run_id) and all(path.exists() for path in segments):
            return found, living
    raise _never_still(run_id)


def _positions(store: Store, run_id: str) -> dict[str, int]:
    return {row["segment"]: int(row["position"]) for row in store.db.all("journal_position_list", run_id=run_id)}


def _unmoved(segments: list[Path], positions: dict[str, int]) -> dict[str, Columns]:
    """Return the points behind the positions, by series."""
    parts: dict[str, list[Columns]] = {}
    for path in segments:
        try:
            blocks = scan(read_bytes(path)).blocks
        except (FileNotFoundError, StoreError):  # removed just now, or no segment of ours
            continue
        begin = positions.get(path.name, len(MAGIC))
        for key, columns in gather(blocks, {}, begin=begin).series.items():
            parts.setdefault(key, []).append(columns)
    return {key: join(columns) for key, columns in parts.items()}


def _never_still(run_id: str) -> StoreError:
    return StoreError(f"The series of run {run_id} can't be read just now: they are changed all the time.")
