"""Series for people: a line of text each, or a picture of them all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from ..app.views import Curve
from .output import number, print_table, sparkline

__all__ = ["draw", "print_curves"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _LEGEND = 900, 420, 80, 20, 40, 22
# Okabe and Ito, "Color universal design" (2008): apart from each other for colour-blind eyes too.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_MOST_SHOWN = 60


def print_curves(curves: Sequence[Curve]) -> None:
    """Print each curve as one line: its ends, its range and its shape."""
    rows = [(one.key, len(one.steps), *_ends(one), *_range(one), _line(one)) for one in curves]
    print_table(("metric", "points", "first step", "last step", "min", "max", "series"), rows)


def draw(curves: Sequence[Curve]) -> str:
    """Return an SVG picture of the curves over their steps, with axes and a legend; NaN and infinities are gaps."""
    drawn = [[(step, value) for step, value in _points(one) if math.isfinite(value)] for one in curves]
    steps = [step for points in drawn for step, _ in points] or [0]
    values = [value for points in drawn for _, value in points] or [0.0]
    low, high = min(values), max(values)
    first, last = min(steps), max(steps)
    height = _HEIGHT + _LEGEND * len(curves)

    def place(step: int, value: float) -> tuple[float, float]:
        # Halves, as the distance of two finite numbers may be none.
        up = (value / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else 0.5
        along = (step - first) / (last - first) if last > first else 0.5
        return _LEFT + along * (_WIDTH - _LEFT - 20), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"',
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
    ]
    parts += _axes(first, last, low, high)
    for index, one in enumerate(curves):
        colour = _COLOURS[index % len(_COLOURS)]
        for line in _lines(one):
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(step, value) for step, value in line))
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            if len(line) == 1:
                x, y = place(*line[0])
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>')
        y = _HEIGHT + _LEGEND * index + 4
        parts.append(f'<rect x="{_LEFT}" y="{y - 10}" width="18" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 26}" y="{y}" fill="#222">{escape(_printable(one.key))}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _axes(first: int, last: int, low: float, high: float) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - 20
    return [
        f'<path d="M{_LEFT},{_TOP} V{bottom} H{right}" fill="none" stroke="#999"/>',
        f'<text x="{_LEFT - 8}" y="{_TOP + 5}" text-anchor="end" fill="#555">{number(high)}</text>',
        f'<text x="{_LEFT - 8}" y="{bottom}" text-anchor="end" fill="#555">{number(low)}</text>',
        f'<text x="{_LEFT}" y="{bottom + 18}" fill="#555">{first}</text>',
        f'<text x="{right}" y="{bottom + 18}" text-anchor="end" fill="#555">{last}</text>',
        f'<text x="{(_LEFT + right) // 2}" y="{bottom + 18}" text-anchor="middle" fill="#555">step</text>',
    ]


def _lines(curve: Curve) -> list[list[tuple[int, float]]]:
    """Return the runs of finite points."""
    lines: list[list[tuple[int, float]]] = [[]]
    for step, value in _points(curve):
        if math.isfinite(value):
            lines[-1].append((step, value))
        elif lines[-1]:
            lines.append([])
    return [line for line in lines if line]


def _points(curve: Curve) -> list[tuple[int, float]]:
    return [(step, float(value)) for step, value in zip(curve.steps, curve.values, strict=True)]


def _ends(curve: Curve) -> tuple[str, str]:
    return (str(curve.steps[0]), str(curve.steps[-1])) if curve.steps else ("-", "-")


def _range(curve: Curve) -> tuple[str, str]:
    finite = [value for _, value in _points(curve) if math.isfinite(value)]
    return (number(min(finite)), number(max(finite))) if finite else ("-", "-")


def _line(curve: Curve) -> str:
    values = [value if math.isfinite(value) else None for _, value in _points(curve)]
    return sparkline(values[:: max(1, len(values) // _MOST_SHOWN)])


def _printable(text: str) -> str:
    # Control characters, which XML can't hold.
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
