"""Columns that are missing, new, renamed, of another type or constant."""

from __future__ import annotations

from collections.abc import Iterator

from ..data.views import ColumnView, TableView
from .findings import Finding, Pair, fail, warning
from .shifts import distance

__all__ = ["columns", "constant"]

_RENAMED = 0.02
"""How far apart the values of a column under its old and new name may lie: a random half of 10,000 rows is nearer."""


def columns(pair: Pair) -> Iterator[Finding]:
    """Find what is wrong with the columns as such."""
    now, before = pair.now.columns, pair.before.columns
    gone = [name for name in before if name not in now]
    new = [name for name in now if name not in before]
    for name in gone:
        other = next((one for one in new if _is_the_same(now[one], before[name])), None)
        if other is not None:
            new.remove(other)
            yield fail(name, f"is called {other!r} now: the values are those that were in {name!r}", renamed=other)
        elif pair.is_feature(name):
            yield fail(name, f"is missing (it was {before[name].type})")
        else:
            yield warning(name, "is no longer there, and the model does not ask for it")
    for name in new:
        yield warning(name, f"is new ({now[name].type})")
    kept = [name for name in before if name in now]
    if kept != (order := [name for name in now if name in before]):
        moved = next(one for one, other in zip(order, kept, strict=True) if one != other)
        yield warning(moved, "the columns have another order")
    for name in kept:
        yield from _type(now[name], before[name])


def constant(table: TableView, before: TableView | None, names: list[str]) -> Iterator[Finding]:
    """Find features that have one value in all rows: a failure where the live release had several, else no news."""
    for name in names:
        column = table.columns.get(name)
        if column is None or column.kind == "other" or table.rows < 2:
            continue
        there = column.rows - column.nulls
        if there and column.distinct > 1:
            continue
        what = "has one value in all rows" if there else "has no value at all"
        old = before.columns.get(name) if before is not None else None
        if old is not None and old.distinct > 1:
            yield fail(name, f"{what}; it had {old.distinct:,} different ones", distinct=column.distinct)
        elif old is None:
            yield warning(name, what, distinct=column.distinct)


def _type(now: ColumnView, before: ColumnView) -> Iterator[Finding]:
    if now.type == before.type or before.nulls == before.rows:
        return
    if now.kind != before.kind and now.nulls < now.rows:
        yield fail(now.name, f"has the type {now.type}; it was {before.type}", type=now.type, before=before.type)
    elif before.whole and not now.whole and len(now.values):
        yield fail(
            now.name,
            f"has fractions now ({now.type}); it held integers ({before.type})",
            type=now.type,
            before=before.type,
        )
    else:
        yield warning(now.name, f"has the type {now.type}; it was {before.type}", type=now.type, before=before.type)


def _is_the_same(now: ColumnView, before: ColumnView) -> bool:
    if now.kind != before.kind or now.kind == "other" or before.distinct < 2:
        return False
    found = distance(now, before)
    return found is not None and found.effect.value <= _RENAMED
