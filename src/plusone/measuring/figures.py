"""Figures that a check leaves with what it measured: plain JSON values, drawn wherever they are shown.

Each is put under the key `figure` of what is recorded. Four kinds do for all: lines, bars, a matrix and histograms.
Long series are thinned, so that a release's records stay small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["MOST_POINTS", "bars", "histograms", "lines", "matrix"]

MOST_POINTS = 200
"""How many points of a line, or bars, are kept."""


def lines(
    title: str,
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x: str,
    y: str,
    diagonal: bool = False,
) -> dict[str, Any]:
    """Return a figure of lines: by name, the x and y values of each, of equal length.

    Args:
        diagonal: draw the line x = y, as for ROC and calibration.
    """
    shown = [
        {"name": name, "x": _thin([_number(v) for v in xs]), "y": _thin([_number(v) for v in ys])}
        for name, (xs, ys) in series.items()
    ]
    return {"kind": "lines", "title": title, "x": x, "y": y, "diagonal": diagonal, "series": shown}


def bars(
    title: str,
    names: Sequence[str],
    values: Sequence[float],
    *,
    low: Sequence[float] = (),
    high: Sequence[float] = (),
    limit: float | None = None,
    unit: str = "",
) -> dict[str, Any]:
    """Return a figure of one bar a name, each with the interval `low` to `high` if those are given; the first 200.

    Args:
        limit: the bound that the values are held against.
    """
    end = slice(MOST_POINTS)
    return {
        "kind": "bars",
        "title": title,
        "names": [str(name) for name in names[end]],
        "values": [_number(v) for v in values[end]],
        "low": [_number(v) for v in low[end]],
        "high": [_number(v) for v in high[end]],
        "limit": None if limit is None else _number(limit),
        "unit": unit,
    }


def matrix(
    title: str, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]], *, x: str, y: str
) -> dict[str, Any]:
    """Return a figure of a table of numbers, `values[row][column]`: a confusion matrix, say."""
    shown = [[_number(v) for v in line] for line in values]
    names = {"rows": [str(name) for name in rows], "columns": [str(name) for name in columns]}
    return {"kind": "matrix", "title": title, "x": x, "y": y, "values": shown, **names}


def histograms(title: str, names: Sequence[str], series: Mapping[str, Sequence[float]], *, x: str) -> dict[str, Any]:
    """Return a figure of distributions over the same bins: by name, the share of each bin (0 to 1).

    Args:
        names: what each bin is called: a category, or the range of a number.
    """
    shown = [{"name": name, "shares": [_number(v) for v in shares]} for name, shares in series.items()]
    return {"kind": "histograms", "title": title, "x": x, "names": [str(name) for name in names], "series": shown}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _thin(values: list[float | None]) -> list[float | None]:
    """Return at most `MOST_POINTS` of the values, evenly spaced, the first and the last among them."""
    if len(values) <= MOST_POINTS:
        return values
    step = (len(values) - 1) / (MOST_POINTS - 1)
    return [values[round(place * step)] for place in range(MOST_POINTS)]
