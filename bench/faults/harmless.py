"""What is no fault: other draws of the same flights, and other months. All of them should go live.

Draws are resamples of one distribution. Other months are others: the season between two releases is a real one.
"""

from __future__ import annotations

from typing import NamedTuple

from .changing import Edit, flights, replaced

__all__ = ["HARMLESS", "Harmless"]


class Harmless(NamedTuple):
    """Two healthy releases after each other, the second with a month more; `edits` are in both."""

    name: str
    what: str
    before: str
    """The newest month of release n."""
    after: str
    """The newest month of release n+1."""
    edits: tuple[Edit, ...]


def _draw(seed: int) -> Harmless:
    # By a number of each flight and not by row: the flights of release n are among those of n+1, as in real life.
    code = f"""
        drawn = pd.util.hash_pandas_object(data[["date", "carrier", "flight", "origin"]], index=False)
        data = data[(drawn ^ {seed * 0x9E3779B97F4A7C15 % 2**64}) % 1009 % 10 < 8]
    """
    what = f"eight flights of ten, drawn at random (seed {seed}), until March and until April"
    return Harmless(f"draw-{seed}", what, "2013-03", "2013-04", (flights(code),))


def _window(first: int) -> Harmless:
    since = f"2013-{first:02}"
    before, after = f"2013-{first + 2:02}", f"2013-{first + 3:02}"
    edit = replaced(
        '    data = data[data["date"].dt.strftime("%Y-%m") <= until]\n',
        f'    data = data[data["date"].dt.strftime("%Y-%m").between("{since}", until)]\n',
    )
    return Harmless(f"window-{since}", f"the months {since} to {before}, then to {after}", before, after, (edit,))


HARMLESS: tuple[Harmless, ...] = (
    *(_draw(seed) for seed in range(1, 21)),
    *(_window(first) for first in range(2, 10)),
)
