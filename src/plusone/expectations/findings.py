"""What is wrong with a table, or worth a look, and the two tables that it was found in."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import msgspec
import numpy as np

from ..base.config import Checks
from ..base.records import Learning
from ..data.views import ColumnView, TableView

__all__ = ["NEWEST", "SAME", "Finding", "Pair", "fail", "kept", "number", "percent", "warning"]

SAME = " among rows of the same times"
NEWEST = " among rows that are new"
"""How a finding says where it is from."""
_FEWEST = 200
"""Rows of the same times that are needed to be held against each other."""
_MOST = 0.5


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs from what was expected."""

    column: str
    """The column it is about; '' for the table."""
    level: Literal["fail", "warn"]
    """Whether it closes the gate, or is only for a person to look at."""
    message: str
    measured: dict[str, Any] = {}
    """Plain JSON values."""


def fail(column: str, message: str, **measured: Any) -> Finding:
    """Return a finding that closes the gate."""
    return Finding(column=column, level="fail", message=message, measured=measured)


def warning(column: str, message: str, **measured: Any) -> Finding:
    """Return a finding for a person to look at."""
    return Finding(column=column, level="warn", message=message, measured=measured)


class Pair:
    """A table and the one of the same name that the live release was made with."""

    def __init__(self, now: TableView, before: TableView, learning: Learning, bounds: Checks) -> None:
        self.now = now
        self.before = before
        self.learning = learning
        self.bounds = bounds

    @cached_property
    def shared(self) -> list[tuple[ColumnView, ColumnView]]:
        """The columns of one kind that both have: of now, of before."""
        return [
            (column, self.before.columns[column.name])
            for column in self.now
            if column.name in self.before.columns and self.before.columns[column.name].kind == column.kind
        ]

    @cached_property
    def same_times(self) -> Pair | None:
        """Both tables within the times that both cover, where no season excuses a difference; None: there are none.

        It takes a clock that both have and enough rows on each side.
        """
        clock = self.now.clock
        if clock is None or (old := self.before.columns.get(clock.name)) is None or old.kind != "moment" or old.nulls:
            return None
        if not old.rows:
            return None
        first = max(clock.ends[0], old.ends[0])
        last = min(clock.ends[1], old.ends[1])
        ours = (clock.numbers >= first) & (clock.numbers <= last)
        theirs = (old.numbers >= first) & (old.numbers <= last)
        if min(ours.sum(), theirs.sum()) < _FEWEST or first >= last:
            return None
        return Pair(self.now.take(ours), self.before.take(theirs), self.learning, self.bounds)

    @cached_property
    def newest(self) -> Pair | None:
        """The rows that are later than all of before, against all of before; None: there are few, or no others."""
        clock = self.now.clock
        if clock is None or (old := self.before.columns.get(clock.name)) is None or old.kind != "moment":
            return None
        if not len(old.values):
            return None
        later = clock.numbers > old.ends[1]
        if later.sum() < _FEWEST or later.all():
            return None
        return Pair(self.now.take(later), self.before, self.learning, self.bounds)

    @cached_property
    def latest(self) -> TableView | None:
        """The newest rows of before, as large a share of it as now is newer by; None: nothing is newer.

        What they do not have either, or did already, is the season's.
        """
        clock = self.now.clock
        if self.newest is None or clock is None:
            return None
        moments = self.before.columns[clock.name].numbers
        share = self.newest.now.rows / self.now.rows
        return self.before.take(moments > np.nanquantile(moments, 1.0 - share))

    @cached_property
    def is_drawn_anew(self) -> bool:
        """Whether most rows of before are not there now: a sample of its own, whose counts chance moves."""
        share = kept(self.now, self.before, [now.name for now, _ in self.shared])
        return share is not None and share < _MOST

    @property
    def many(self) -> int:
        """Over how many comparisons the share of false alarms is spread."""
        return max(1, 2 * len(self.shared))

    @property
    def alpha(self) -> float:
        """The share of false alarms that is left to one comparison."""
        return self.bounds.data_alpha / self.many

    def is_feature(self, name: str) -> bool:
        """Whether the model asks for this column, or answers it."""
        learning = self.learning
        return name in learning.targets or learning.features is None or name in learning.features


def kept(now: TableView, before: TableView, names: list[str]) -> float | None:
    """Return the share of the rows' values of before that are there now, each as often; None: they can't be read."""
    ours, theirs = now.hashes(names), before.hashes(names)
    if ours is None or theirs is None or not len(theirs) or not len(ours):
        return None
    values, counts = np.unique(theirs, return_counts=True)
    new, new_counts = np.unique(ours, return_counts=True)
    places = np.minimum(np.searchsorted(new, values), len(new) - 1)
    found = np.where(new[places] == values, new_counts[places], 0)
    return float(np.minimum(found, counts).sum() / len(theirs))


def number(value: float) -> str:
    """Return a number as it is read best."""
    if not np.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def percent(share: float) -> str:
    """Return a share of 0 to 1 with the digits that mean something."""
    return f"{100 * share:.3g} %"
