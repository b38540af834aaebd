"""When the rows are from: holes in time, data that is stale, days that came half; how many rows there are at all."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

import numpy as np

from ..data.views import DAY, HOUR, ColumnView, Floats
from .chance import is_beyond_chance
from .findings import Finding, Pair, fail, percent, warning

__all__ = ["day_text", "fell_by_half", "gaps", "longest_gap", "rows"]

_HALF, _DOUBLE = 0.5, 2.0
_SAME_FAIL, _SAME_WARN = 0.2, 0.005
_SIGMAS = 5.0
"""How far beyond chance a count must have fallen: deviations of the difference of two Poisson counts."""
_OFFSET_SHARE = 0.9


def gaps(pair: Pair) -> Iterator[Finding]:
    """Find holes in time, data that is older than that of the live release, and times that moved against each other."""
    clock = pair.now.clock
    before = pair.before.columns.get(clock.name) if clock is not None else None
    if clock is not None and before is not None and before.kind == "moment" and len(before.values):
        yield from _stale(pair, clock, before)
        yield from _holes(clock, before)
    yield from _apart(pair)


def rows(pair: Pair) -> Iterator[Finding]:
    """Find tables with far fewer or more rows: for each day, where there is a clock, and for the same times."""
    now, before = pair.now.rows, pair.before.rows
    if not before:
        return
    if not now:
        yield fail("", f"the table is empty; it had {before:,} rows", rows=0, before=before)
        return
    clock = pair.now.clock
    old = pair.before.columns.get(clock.name) if clock is not None else None
    ratio = now / before
    measured = {"rows": now, "before": before, "ratio": ratio}
    said = f"there are {now:,} rows; it was {before:,}"
    if ratio < _HALF:
        yield fail("", f"{said}: fewer than half", **measured)
    elif clock is not None and old is not None and old.kind == "moment" and len(old.values):
        yield from _each_day(clock, old)
    elif ratio > _DOUBLE or ratio < 0.8:
        yield warning("", said, **measured)
    if (same := pair.same_times) is not None:
        yield from _same(same)


def longest_gap(moments: Floats) -> tuple[float, float]:
    """Return the longest time between two neighbouring moments, and when it began, both in microseconds."""
    ordered = np.unique(moments)
    if len(ordered) < 2:
        return 0.0, float(ordered[0]) if len(ordered) else 0.0
    steps = np.diff(ordered)
    place = int(np.argmax(steps))
    return float(steps[place]), float(ordered[place])


def fell_by_half(before: float, now: float) -> bool:
    """Return whether a count fell by more than half, and by more than chance does to rows that are drawn anew: by five
    standard deviations of the difference of two Poisson counts, sqrt(before + now) (Przyborowski & Wilenski (1940),
    "Homogeneity of results in testing samples from Poisson series", Biometrika 31, in its normal approximation).

    By hand: 30 and 0: 30 is more than 5 sqrt(30) = 27.4; 30 and 2 are 28 apart, less than 5 sqrt(32) = 28.3.
    """
    return now < before / 2 and before - now > _SIGMAS * math.sqrt(before + now)


def day_text(moment: float) -> str:
    """Return a moment as text, in UTC: its day, and the time if it has one."""
    try:
        found = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=moment)
    except OverflowError:
        return f"{moment:.0f} µs since 1970"
    return f"{found:%Y-%m-%d}" if moment % DAY == 0 else f"{found:%Y-%m-%d %H:%M}"


def _stale(pair: Pair, clock: ColumnView, before: ColumnView) -> Iterator[Finding]:
    newest, was = clock.ends[1], before.ends[1]
    later = int((before.values > newest).sum())
    beyond = is_beyond_chance(later, len(before.values), len(clock.values), alpha=pair.bounds.data_alpha)
    # The newest row of a sample that is drawn anew is another one.
    if newest < was and (beyond or pair.same_times is None or not pair.same_times.is_drawn_anew):
        yield fail(
            clock.name,
            f"the newest is {day_text(newest)}, older than the live release's {day_text(was)}",
            newest=day_text(newest), before=day_text(was),
        )  # fmt: skip


def _holes(clock: ColumnView, before: ColumnView) -> Iterator[Finding]:
    gap, began = longest_gap(clock.values)
    was, _ = longest_gap(before.values)
    if not was:
        return
    said = f"nothing is from between {day_text(began)} and {day_text(began + gap)}; the longest gap was {_span(was)}"
    measured = {"gap_hours": gap / HOUR, "before_hours": was / HOUR, "began": day_text(began)}
    if gap >= 2 * was and gap >= DAY:
        yield fail(clock.name, said, **measured)
    elif gap > 1.5 * was:
        yield warning(clock.name, said, **measured)


def _each_day(clock: ColumnView, before: ColumnView) -> Iterator[Finding]:
    now, was = _by_day(clock.values), _by_day(before.values)
    new = {day: count for day, count in now.items() if day > max(was)} or now
    typical = [float(np.median(list(part.values()))) for part in (new, was)]
    ratio = typical[0] / typical[1]
    said = f"the median day has {typical[0]:,.0f} rows; it had {typical[1]:,.0f}"
    least, most = _usual(list(was.values()), len(new))
    measured = {"a_day": typical[0], "before": typical[1], "ratio": ratio, "least": least, "most": most}
    if len(new) >= 3 and len(was) >= 3:
        # What comes in fits and starts (ratings, tickets) had such days before: no source is blamed for them.
        if typical[0] < _HALF * least or typical[0] > _DOUBLE * most:
            yield fail("", said, **measured)
        elif not 0.75 <= ratio <= 1.33 and _is_more(list(new.values()), list(was.values())):
            yield warning("", said, **measured)


def _is_more(now: list[int], before: list[int]) -> bool:
    """Return whether days have more or fewer rows than before by more than chance: of Poisson counts, per day."""
    apart = abs(sum(now) / len(now) - sum(before) / len(before))
    return apart > _SIGMAS * math.sqrt(sum(now) / len(now) ** 2 + sum(before) / len(before) ** 2)


def _usual(counts: list[int], days: int) -> tuple[float, float]:
    """Return the least and the most that was usual: so many days in a row in the middle, or a day of twenty."""
    low, high = (float(end) for end in np.quantile(counts, [0.05, 0.95]))
    if len(counts) < days:
        return low, high
    middles = np.median(np.lib.stride_tricks.sliding_window_view(np.asarray(counts), days), axis=1)
    return min(low, float(middles.min())), max(high, float(middles.max()))


def _same(same: Pair) -> Iterator[Finding]:
    now, before = same.now.rows, same.before.rows
    moved = now / before - 1
    said = f"the times that both cover have {now:,} rows; they had {before:,} ({100 * moved:+.3g} %)"
    measured = {"same_times": now, "same_times_before": before}
    if abs(moved) > _SAME_FAIL and abs(now - before) >= 30:
        yield fail("", said, **measured)
    elif abs(moved) > _SAME_WARN and not (
        same.is_drawn_anew and abs(now - before) <= _SIGMAS * math.sqrt(now + before)
    ):
        yield warning("", said, **measured)
    clock = same.now.clock
    if clock is None or abs(moved) > _SAME_FAIL:
        return
    ours, theirs = _by_day(clock.values), _by_day(same.before.columns[clock.name].values)
    yield from _unjoined(same)
    grown = min(1.0, now / before)
    half = [day for day, count in theirs.items() if fell_by_half(count * grown, ours.get(day, 0))]
    if half:
        days = ", ".join(day_text(day * DAY) for day in half[:5])
        yield fail("", f"days that both cover have lost more than half of their rows: {days}", days=len(half))


def _unjoined(same: Pair) -> Iterator[Finding]:
    """Find rows that are gone because a column had nothing in them: an inner join, or a filter too many."""
    lost = same.before.rows - same.now.rows
    for now, before in same.shared:
        if not now.nulls and before.nulls >= 30 and 0.5 * before.nulls <= lost <= 2 * before.nulls:
            said = f"{lost:,} rows of the past are gone, and with them all {before.nulls:,} in which it was missing"
            yield fail(now.name, f"{said}: did a join drop them?", rows=lost, missing=before.nulls)
            return


def _apart(pair: Pair) -> Iterator[Finding]:
    """Find pairs of times whose difference was nearly always the same, and is another now: off by one, or a zone."""
    moments = [now for now, before in pair.shared if now.kind == "moment" and before.nulls < before.rows]
    for place, one in enumerate(moments):
        for other in moments[place + 1 :]:
            was, share = _difference(pair.before.columns[one.name], pair.before.columns[other.name])
            there, new_share = _difference(one, other)
            if share >= _OFFSET_SHARE and new_share >= 0.5 and there != was:
                yield fail(
                    other.name,
                    f"is {_span(there)} after {one.name} in {percent(new_share)} of the rows; it was {_span(was)}",
                    hours=there / HOUR,
                    before=was / HOUR,
                )


def _difference(one: ColumnView, other: ColumnView) -> tuple[float, float]:
    """Return the most frequent difference of two columns of times, and in what share of the rows it is there."""
    apart = other.numbers - one.numbers
    apart = apart[np.isfinite(apart)]
    if not len(apart):
        return 0.0, 0.0
    values, counts = np.unique(apart, return_counts=True)
    place = int(np.argmax(counts))
    return float(values[place]), float(counts[place]) / len(apart)


def _by_day(moments: Floats) -> dict[int, int]:
    days, counts = np.unique(np.floor(moments / DAY).astype(np.int64), return_counts=True)
    return dict(zip(days.tolist(), counts.tolist(), strict=True))


def _span(microseconds: float) -> str:
    hours = microseconds / HOUR
    return f"{hours / 24:.3g} days" if abs(hours) >= 48 else f"{hours:.3g} hours"
