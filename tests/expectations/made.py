"""Tables of flights, made up: what a project's data looks like, and ways to spoil it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

__all__ = ["FIRST", "change", "clean", "month", "pick"]

CARRIERS = ("AA", "B6", "DL", "EV", "UA", "US", "F9")
SHARES = (0.2, 0.2, 0.2, 0.15, 0.15, 0.07, 0.03)
FIRST = dt.datetime.fromisoformat("2013-01-01")


def clean(days: int, *, seed: int = 0, a_day: int = 100, first: int = 0) -> pa.Table:
    """Flights of so many days. The same seed gives the same past: of 120 days the first 90 are those of 90 days."""
    parts = [_day(first + day, seed, a_day) for day in range(days)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    table = pa.table(columns)
    return table.set_column(0, "date", pa.array([FIRST + dt.timedelta(days=int(day)) for day in columns["date"]]))


def month(number: int, seed: int = 0, a_day: int = 100) -> pa.Table:
    """Thirty days of their own."""
    return clean(30, seed=seed, a_day=a_day, first=30 * number)


def change(table: pa.Table, name: str, values) -> pa.Table:
    """The table with other values in a column."""
    return table.set_column(table.column_names.index(name), name, pa.array(values, from_pandas=True))


def pick(table: pa.Table, share: float, seed: int = 5) -> np.ndarray:
    """A random share of the rows, as truths."""
    return np.random.default_rng(seed).random(table.num_rows) < share


def _day(day: int, seed: int, rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, day])
    carrier = rng.choice(CARRIERS, rows, p=SHARES)
    hour = rng.integers(5, 23, rows)
    minute = rng.integers(0, 12, rows) * 5
    # A season: half a degree a day.
    temp = np.round(rng.normal(30 + day / 2, 8, rows), 2)
    distance = (np.array([sum(map(ord, one)) for one in carrier]) * 7 + rng.integers(0, 50, rows) * 20).astype(np.int64)
    risk = 0.1 + 0.2 * (hour > 15) + 0.1 * (temp < 28)
    return {
        "date": np.full(rows, day),
        "carrier": carrier,
        "distance": distance,
        "sched_dep_time": hour * 100 + minute,
        "temp": np.where(rng.random(rows) < 0.004, np.nan, temp),
        "day_of_week": np.full(rows, day % 7 + 1),
        "late": rng.random(rows) < risk,
    }
