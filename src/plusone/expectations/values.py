"""Values that were never there: out of range, missing, in another spelling, heaped at a number that stands for none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..data.views import ColumnView
from ..statistics.drift import share_difference
from .chance import is_beyond_chance
from .findings import NEWEST, SAME, Finding, Pair, fail, number, percent, warning
from .times import fell_by_half

__all__ = ["SENTINELS", "categories", "is_coded", "nulls", "ranges"]

SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 0.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, -99999.0)
"""Numbers that are written for 'not known'."""
_HEAP = 0.005
"""The share of rows at one such number, where there were hardly any, that is no chance."""
_HEAPED = 3
"""How many rows are a heap at least."""
_FEW = 0.001
"""The share of rows that is put up with anywhere: single odd values."""
_BIG_CATEGORY, _SHARE_NEW = 0.01, 0.1
_PACE = 2.0
"""How many times as many new words as its newest rows brought before are still no news."""
_WIDER = 5.0
"""How many times the bound is put up with among rows that are new alone: they have a season of their own."""
_EXPECTED = 30
"""How many rows of a category must be missing before that is called so."""
_SHOWN = 5


def ranges(pair: Pair) -> Iterator[Finding]:
    """Find numbers beyond what was there: far beyond in all rows, and at all among rows of the same times.

    The ends of a sample move with each one that is drawn: what chance does to them is no finding. Nor is it one that
    rows of new times reach a little further: they have a season of their own.
    """
    for now, before in pair.shared:
        if now.kind == "number" and len(before.values):
            yield from _infinite(now, before)
            if len(now.values):
                yield from _sentinels(now, before, pair.alpha)
                yield from _outside(now, before, pair)
    for now, before in pair.newest.shared if pair.newest is not None else ():
        if now.kind == "number" and len(before.values) and len(now.values):
            yield from _sentinels(now, before, pair.alpha, NEWEST)
    for now, before in pair.same_times.shared if pair.same_times is not None else ():
        if now.kind == "number" and len(before.values) and len(now.values):
            yield from _outside_same(now, before, pair.alpha)


def nulls(pair: Pair) -> Iterator[Finding]:
    """Find columns of which more is missing: more than the bound, and more than twice of what it was.

    Among rows of the same times the bound alone decides. Rows that are new may have a season of their own (a station
    that is silent in winter): five times the bound.
    """
    worst: set[str] = set()
    shown: dict[str, Finding] = {}
    parts = (("", pair, 1.0), (SAME, pair.same_times, 1.0), (NEWEST, pair.newest, _WIDER))
    for where, one, wider in parts:
        for now in one.now if one is not None else ():
            # Whatever kind it is of: a column without any value has none.
            before = one.before.columns.get(now.name) if one is not None else None
            if before is None or now.name in worst or not now.rows or not before.rows:
                continue
            rise = share_difference(
                (before.nulls, before.rows), (now.nulls, now.rows), alpha=pair.bounds.data_alpha, many=pair.many
            )
            was, there = before.nulls / before.rows, now.nulls / now.rows
            bound = pair.bounds.nulls * wider
            said = f"{percent(there)} of the values{where} are missing; it was {percent(was)}"
            measured = {"missing": there, "before": was, "low": rise.low, "high": rise.high, "bound": bound}
            steep = where == SAME or there > (2.0 if was < 0.02 else 3.0) * was or rise.low > 0.2
            if rise.low > bound and steep:
                worst.add(now.name)
                yield fail(now.name, said, **measured)
            elif rise.low > bound / 2 and there > shown.get(now.name, _NONE).measured["missing"]:
                shown[now.name] = warning(now.name, said, **measured)
    yield from (one for name, one in shown.items() if name not in worst)


_NONE = warning("", "", missing=0.0)


def categories(pair: Pair) -> Iterator[Finding]:
    """Find words that are new, gone or written otherwise; gone among rows of the same times is never a season."""
    told: set[str] = set()
    for where, one in (("", pair), (NEWEST, pair.newest)):
        for now, before in one.shared if one is not None else ():
            if now.name not in told:
                for finding in _words(now, before, pair, where):
                    told.add(now.name)
                    yield finding
    if (same := pair.same_times) is not None:
        for now, before in same.shared:
            if before.is_category:
                yield from _lost(now, before, same.now.rows / same.before.rows)


def _words(now: ColumnView, before: ColumnView, pair: Pair, where: str) -> Iterator[Finding]:
    if before.is_category and now.kind == "word" and now.counts:
        yield from _spelled(now, before)
        yield from _new(now, before, pair, where)
        yield from _gone(now, before, pair, where)
    elif is_coded(before) and now.kind == "number":
        yield from _codes(now, before)


def _infinite(now: ColumnView, before: ColumnView) -> Iterator[Finding]:
    if now.infinite and not before.infinite:
        yield fail(now.name, f"has infinite numbers in {now.infinite:,} rows; it had none", rows=now.infinite)


def _sentinels(now: ColumnView, before: ColumnView, alpha: float, where: str = "") -> Iterator[Finding]:
    low, high = before.ends
    for value in SENTINELS:
        there = now.within(value, value)
        rows = round(there * len(now.values))
        if there < _HEAP or rows < _HEAPED:
            continue
        was = before.within(value, value)
        # A code of its own lies within what was there, beside its neighbours; a count that reaches 0, just below.
        beyond = not low <= value <= high
        near = max((high - low) / 10, 1.0 if before.whole else 0.0)
        if beyond and low - near <= value <= high + near:
            beyond = is_beyond_chance(rows, len(now.values), len(before.values), alpha=alpha)
        within = low <= value <= high and _is_far(value, before)
        # Where rows are few, so are those near any value.
        within = within and is_beyond_chance(rows, len(now.values), len(before.values), alpha=alpha)
        if was * 10 < there and (beyond or within):
            said = f"{percent(there)} of the values{where} are {number(value)}; it was {percent(was)}"
            yield fail(now.name, f"{said}: does it stand for a missing value?", value=value, share=there, before=was)


def _is_far(value: float, before: ColumnView) -> bool:
    """Whether nearly nothing was near a value: within a hundredth of the range."""
    low, high = before.ends
    near = (high - low) / 100
    return before.within(value - near, value + near) < _FEW


def _outside(now: ColumnView, before: ColumnView, pair: Pair) -> Iterator[Finding]:
    """Judge what lies outside: beyond once more the whole range nothing grows in one release."""
    low, high = before.ends
    wide = (high - low) or abs(high) or 1.0
    far, farther = (1.0 - now.within(low - times * wide, high + times * wide) for times in (1, 10))
    first, last = now.ends
    below = now.within(-math.inf, -5e-324) if low == 0 else 0.0
    ends = f"it has {number(first)} to {number(last)}, and had {number(low)} to {number(high)}"
    measured = {"minimum": first, "maximum": last, "before": [low, high], "share": far}
    if below:
        yield fail(now.name, f"{percent(below)} of the values are below 0, where none was: {ends}", **measured)
    elif farther > _FEW or (far > 5 * _FEW and _is_more_than_chance(now, before, far, pair.alpha)):
        yield fail(now.name, f"{percent(far)} of the values lie far outside of what was there: {ends}", **measured)
    elif far:
        yield warning(now.name, f"{percent(far)} of the values lie far outside of what was there: {ends}", **measured)
    elif pair.newest is None and (first < low - wide / 10 or last > high + wide / 10):
        outside = 1.0 - now.within(low, high)
        if _is_more_than_chance(now, before, outside, pair.alpha):
            yield warning(
                now.name, f"{percent(outside)} of the values lie outside of what was there: {ends}", **measured
            )


def _outside_same(now: ColumnView, before: ColumnView, alpha: float) -> Iterator[Finding]:
    low, high = before.ends
    outside = 1.0 - now.within(low, high)
    if outside > 10 * _FEW and _is_more_than_chance(now, before, outside, alpha):
        first, last = now.ends
        yield fail(
            now.name,
            f"{percent(outside)} of the values among rows of the same times are outside of what was there: "
            f"{number(low)} to {number(high)}, now {number(first)} to {number(last)}",
            share=outside,
        )


def _is_more_than_chance(now: ColumnView, before: ColumnView, outside: float, alpha: float) -> bool:
    """Whether a share of the values beyond both ends is more than rows have that are drawn anew."""
    rows = round(outside * len(now.values))
    return is_beyond_chance(rows, len(now.values), len(before.values), alpha=alpha, sides=2)


def is_coded(column: ColumnView) -> bool:
    """Return whether the numbers are codes, or few enough to be taken for some: integers, up to 20, many rows each."""
    return column.whole and 1 < column.distinct <= 20 and len(column.values) >= 100 * column.distinct


def _codes(now: ColumnView, before: ColumnView) -> Iterator[Finding]:
    old, new = (dict(zip(*(part.tolist() for part in column.heaps), strict=True)) for column in (before, now))
    if not new:
        return
    lost = [value for value in old if value not in new and old[value] / len(before.values) >= _BIG_CATEGORY]
    come = [value for value in new if value not in old and new[value] / len(now.values) >= _BIG_CATEGORY]
    if lost and come:
        yield fail(
            now.name,
            f"has {_named(come)}, which were not there, and no longer {_named(lost)}: are they counted from elsewhere?",
            new=come, gone=lost,
        )  # fmt: skip
    elif come or lost:
        yield warning(now.name, f"{'has new' if come else 'no longer has'} values: {_named(come or lost)}")


def _spellings(now: ColumnView, before: ColumnView) -> dict[str, str]:
    """Return the new words that differ from one of before by case, blanks or signs alone, and what that one is."""
    known = {_plain(word): word for word in before.counts}
    return {word: known[_plain(word)] for word in now.counts if word not in before.counts and _plain(word) in known}


def _spelled(now: ColumnView, before: ColumnView) -> Iterator[Finding]:
    other = _spellings(now, before)
    rows = sum(now.counts[word] for word in other)
    if other and rows / max(1, now.rows) > _FEW:
        word = next(iter(other))
        yield fail(
            now.name,
            f"{word!r} in {rows:,} rows was written {other[word]!r} before"
            + (f", and so {len(other) - 1:,} more" if len(other) > 1 else ""),
            rows=rows,
            words=list(other)[:_SHOWN],
        )


def _new(now: ColumnView, before: ColumnView, pair: Pair, where: str) -> Iterator[Finding]:
    other = _spellings(now, before)
    new = [word for word in now.counts if word not in before.counts and word not in other]
    rows = sum(now.counts[word] for word in new)
    share = rows / max(1, now.rows)
    if not new:
        return
    said = f"{rows:,} rows ({percent(share)}{where}) have values that were not there: {_named(new)}"
    measured = {"rows": rows, "share": share, "words": new[:_SHOWN]}
    if before.distinct <= 2 and now.name in pair.learning.targets:
        yield fail(now.name, said, **measured)
        return
    # Where many words came once, the next rows have new ones too: about as many as came once (Good 1953).
    once = sum(count == 1 for count in before.counts.values()) / before.rows
    if not is_beyond_chance(rows, now.rows, before.rows, alpha=pair.alpha):
        return
    # Where things get names (films, articles, users), the newest rows always have new ones.
    usual = (
        _PACE * _new_before(pair, now.name) * (1.0 if where or pair.newest is None else pair.newest.now.rows / now.rows)
    )
    if share > max(_SHARE_NEW * (_WIDER if where else 1), usual):
        yield fail(now.name, said, **measured)
    elif share > max(_FEW * (_WIDER if where else 1) + 2 * once, usual):
        yield warning(now.name, said, **measured)


def _new_before(pair: Pair, name: str) -> float:
    """Return which share of the newest rows of before had words that no older row had, 0 to 1."""
    if pair.latest is None or not pair.latest.rows:
        return 0.0
    latest, whole = pair.latest.columns[name].counts, pair.before.columns[name].counts
    return sum(count for word, count in latest.items() if count == whole[word]) / pair.latest.rows


def _gone(now: ColumnView, before: ColumnView, pair: Pair, where: str) -> Iterator[Finding]:
    gone = [word for word in before.counts if word not in now.counts]
    big = [word for word in gone if _expected(word, now, before) >= _EXPECTED]
    if big and before.counts[big[0]] / before.rows >= _BIG_CATEGORY:
        share = sum(before.counts[word] for word in big) / before.rows
        yield fail(
            now.name,
            f"no row{where} has {_named(big)}, which {percent(share)} of the rows had",
            words=big[:_SHOWN],
            share=share,
        )
    elif big := [word for word in big if not where or _was_there(pair, now.name, word)]:
        yield warning(now.name, f"no row{where} has {_named(big)} any more", words=big[:_SHOWN])


def _was_there(pair: Pair, name: str, word: str) -> bool:
    """Whether the newest rows of before had a word: one that ended earlier was news then."""
    return pair.latest is None or word in pair.latest.columns[name].counts


def _lost(now: ColumnView, before: ColumnView, grown: float) -> Iterator[Finding]:
    """Find categories that lost rows among those of the same times, beyond what all rows did."""
    grown = min(1.0, grown)
    lost = [word for word, count in before.counts.items() if fell_by_half(count * grown, now.counts.get(word, 0))]
    if lost:
        were, are = before.counts[lost[0]], now.counts.get(lost[0], 0)
        yield fail(
            now.name,
            f"rows of the same times are gone: {lost[0]!r} had {were:,} of them and has {are:,}"
            + (f", and so {len(lost) - 1:,} more" if len(lost) > 1 else ""),
            words=lost[:_SHOWN],
            rows=are,
            before=were,
        )


def _expected(word: str, now: ColumnView, before: ColumnView) -> float:
    return before.counts[word] / before.rows * now.rows


def _plain(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


def _named(values: Sequence[float | str]) -> str:
    words = ", ".join(repr(v[:40]) if isinstance(v, str) else number(v) for v in values[:_SHOWN])
    return words + (f" and {len(values) - _SHOWN:,} more" if len(values) > _SHOWN else "")
