"""The figures of `measuring.figures` drawn as SVG: lines, bars, a matrix, histograms. Each says in words what it shows.

A figure comes from a record, which may be of any version or broken: what is none of the four is not drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from .axes import Axis, axis_of
from .html import Markup, element, join
from .numbers import number, share

__all__ = ["draw", "interval"]

_WIDE, _HIGH = 460, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 44
_MOST_SERIES = 6
_MOST_BARS = 40
_MOST_CELLS = 24
_MOST_BINS = 60
_MOST_POINTS = 400
_LETTERS = 26
_UNIT = 4
"""A longer unit is below the drawing, and not behind each number."""
_Number = float | None


class _Series(msgspec.Struct):
    name: str
    x: list[_Number]
    y: list[_Number]


class _Lines(msgspec.Struct):
    kind: Literal["lines"]
    title: str
    series: list[_Series]
    x: str = ""
    y: str = ""
    diagonal: bool = False


class _Bars(msgspec.Struct):
    kind: Literal["bars"]
    title: str
    names: list[str]
    values: list[_Number]
    low: list[_Number] = []
    high: list[_Number] = []
    limit: _Number = None
    unit: str = ""


class _Matrix(msgspec.Struct):
    kind: Literal["matrix"]
    title: str
    rows: list[str]
    columns: list[str]
    values: list[list[_Number]]
    x: str = ""
    y: str = ""


class _Shares(msgspec.Struct):
    name: str
    shares: list[_Number]


class _Histograms(msgspec.Struct):
    kind: Literal["histograms"]
    title: str
    names: list[str]
    series: list[_Shares]
    x: str = ""


def draw(figure: Any) -> Markup | None:
    """Return a figure as an SVG with its title and, for who can't see it, its numbers in words; None: it is none."""
    kinds: dict[Any, tuple[type[Any], Callable[[Any], tuple[Markup, str]]]] = {
        "lines": (_Lines, _lines),
        "bars": (_Bars, _bars),
        "matrix": (_Matrix, _matrix),
        "histograms": (_Histograms, _histograms),
    }
    if not isinstance(figure, dict) or not isinstance(figure.get("kind"), str) or figure["kind"] not in kinds:
        return None
    kind, drawn_by = kinds[figure["kind"]]
    try:
        known = msgspec.convert(figure, kind)
    except (msgspec.ValidationError, OverflowError, RecursionError):
        return None
    drawn, words = drawn_by(known)
    return element("figure", element("figcaption", _short(known.title, 120)), drawn, _alternative(words))


def interval(value: float, low: float, high: float, limit: float) -> Markup:
    """Return a strip with an interval, its value, and the limit that it is held against."""
    axis = axis_of((value, low, high, limit), 8, 252)
    marks = [
        element("line", x1=8, x2=252, y1=14, y2=14, class_="axis"),
        element(
            "rect",
            x=axis.place(low),
            y=10,
            width=max(2.0, axis.place(high) - axis.place(low)),
            height=8,
            rx=4,
            class_="s0 soft",
        ),
        element("circle", cx=axis.place(value), cy=14, r=4, class_="s0 fill"),
        element("line", x1=axis.place(limit), x2=axis.place(limit), y1=3, y2=25, class_="limit"),
        _text(axis.place(limit), 38, f"limit {number(limit)}", anchor=_anchor(axis.place(limit), 260)),
    ]
    words = f"{number(value)}, interval {number(low)} to {number(high)}, limit {number(limit)}"
    return element("svg", *marks, viewBox="0 0 260 42", class_="strip", role="img", aria_label=words)


# ---------------------------------------------------------------------------------------------- the four kinds


def _lines(figure: _Lines) -> tuple[Markup, str]:
    series = [(one.name, _pairs(one)) for one in figure.series[:_MOST_SERIES]]
    points = [point for _, line in series for point in line]
    across, up = [x for x, _ in points], [y for _, y in points]
    if figure.diagonal:
        across, up = across + up, across + up
    x = axis_of(across, _LEFT, _WIDE - _RIGHT)
    y = axis_of(up, _HIGH - _BOTTOM, _TOP)
    marks = _frame(x, y, figure.x, figure.y)
    if figure.diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        marks.append(
            element("line", x1=x.place(low), y1=y.place(low), x2=x.place(high), y2=y.place(high), class_="limit")
        )
    for place, (_, line) in enumerate(series):
        drawn = " ".join(f"{x.place(a)},{y.place(b)}" for a, b in line)
        marks.append(element("polyline", points=drawn, class_=f"s{place} line"))
        if len(line) <= 25:
            marks += [element("circle", cx=x.place(a), cy=y.place(b), r=3, class_=f"s{place} fill") for a, b in line]
    words = "; ".join(
        f"{name}: {len(line)} points from ({number(line[0][0])}, {number(line[0][1])}) to "
        f"({number(line[-1][0])}, {number(line[-1][1])})"
        for name, line in series
        if line
    )
    return _svg(marks, [name for name, _ in series], lines=True), f"{_axes(figure.x, figure.y)}{words}"


def _bars(figure: _Bars) -> tuple[Markup, str]:
    count = min(len(figure.names), len(figure.values))
    shown = [(figure.names[place], figure.values[place]) for place in range(min(count, _MOST_BARS))]
    top = 26 if figure.limit is not None else 8
    high = top + 22 * max(1, len(shown)) + 26
    left = min(190, 16 + 6.6 * max((min(len(name), _LETTERS) for name, _ in shown), default=0))
    ends = [(_at(figure.low, place), _at(figure.high, place)) for place in range(len(shown))]
    known = [*(value for _, value in shown), *(end for pair in ends for end in pair), figure.limit]
    unit = figure.unit if len(figure.unit) <= _UNIT else ""
    # Behind the longest bar its number has to fit, and its unit.
    right = 5 + 6.6 * max((len(_valued(value, unit)) for _, value in shown if value is not None), default=0)
    axis = axis_of((one for one in known if one is not None), left, _WIDE - max(56.0, right), zero=True)
    marks = [_text(axis.place(at), high - 8, word, anchor="middle") for at, word in axis.ticks(4)]
    for row, ((name, value), (low, most)) in enumerate(zip(shown, ends, strict=True)):
        marks += _bar(axis, top + 22 * row, name, value, low, most, unit)
    if figure.limit is not None:
        at = axis.place(figure.limit)
        marks.append(element("line", x1=at, x2=at, y1=top - 6, y2=high - 22, class_="limit"))
        marks.append(_text(at, 14, f"limit {number(figure.limit)}", anchor=_anchor(at, _WIDE), class_="value"))
    words = "; ".join(f"{name} {number(value) if value is not None else 'none'}" for name, value in shown)
    limit = f"limit {number(figure.limit)}; " if figure.limit is not None else ""
    more = f"; and {count - len(shown)} more" if count > len(shown) else ""
    notes = [f"In {_short(figure.unit, 60)}."] if len(figure.unit) > _UNIT else []
    notes += [f"The first {len(shown)} of {count:,}."] if more else []
    note = element("p", " ".join(notes), class_="quiet") if notes else None
    return join([_svg(marks, (), high=high), note]), f"{limit}{words}{more}"


def _bar(
    axis: Axis, y: float, name: str, value: _Number, low: _Number, high: _Number, unit: str
) -> list[Markup]:  # fmt: skip
    marks = [_text(axis.place(axis.low) - 6, y + 12, name, anchor="end", most=_LETTERS)]
    if value is None:
        return marks
    start, end = sorted((axis.place(0.0), axis.place(value)))
    marks.append(element("rect", x=start, y=y, width=max(1.0, round(end - start, 1)), height=15, rx=2, class_="s0 bar"))
    if low is not None and high is not None:
        at = {"x1": axis.place(low), "x2": axis.place(high), "y1": y + 7.5, "y2": y + 7.5}
        marks.append(element("line", **at, class_="whisker"))
        end = max(end, axis.place(high))
    marks.append(_text(end + 5, y + 12, _valued(value, unit), class_="value"))
    return marks


def _valued(value: float, unit: str) -> str:
    return f"{number(value)} {unit.strip()}".rstrip()


def _matrix(figure: _Matrix) -> tuple[Markup, str]:
    rows, columns = figure.rows[:_MOST_CELLS], figure.columns[:_MOST_CELLS]
    cells = [[_at(line, n) for n in range(len(columns))] for line in figure.values[: len(rows)]]
    cells += [[None] * len(columns)] * (len(rows) - len(cells))
    most = max((abs(cell) for line in cells for cell in line if cell is not None), default=0.0)
    left = min(150, 30 + 6.6 * max((min(len(name), 16) for name in rows), default=0))
    side = min(90.0, (_WIDE - left - 10) / max(1, len(columns)))
    tall = min(56.0, side)
    high = 46 + tall * max(1, len(rows)) + 8
    marks = [_text(left + side * len(columns) / 2, 14, figure.x, anchor="middle", class_="name", most=40)]
    fits = max(3, int(side / 7))
    for place, name in enumerate(columns):
        marks.append(_text(left + side * (place + 0.5), 34, name, anchor="middle", most=fits))
    for row, (name, line) in enumerate(zip(rows, cells, strict=True)):
        marks.append(_text(left - 6, 42 + tall * (row + 0.5) + 4, name, anchor="end", most=16))
        for place, cell in enumerate(line):
            x, y = left + side * place, 42 + tall * row
            part = abs(cell) / most if cell is not None and most else 0.0
            at = {"x": round(x + 1, 1), "y": round(y + 1, 1), "width": round(side - 2, 1), "height": round(tall - 2, 1)}
            marks.append(element("rect", **at, rx=3, class_="s0 cell", style=f"fill-opacity:{0.06 + 0.84 * part:.2f}"))
            if side >= 30:
                word = "-" if cell is None else number(cell)
                marks.append(
                    _text(
                        round(x + side / 2, 1),
                        round(y + tall / 2 + 4, 1),
                        word,
                        anchor="middle",
                        class_="strong" if part > 0.5 else "value",
                    )
                )
    marks.append(_text(12, 42 + tall * len(rows) / 2, figure.y, anchor="middle", class_="name", turn=True, most=30))
    words = "; ".join(
        f"{name}: "
        + ", ".join(
            f"{column} {'none' if cell is None else number(cell)}" for column, cell in zip(columns, line, strict=True)
        )
        for name, line in list(zip(rows, cells, strict=True))[:8]
    )
    return _svg(marks, (), high=high), f"rows {figure.y}, columns {figure.x}: {words}"


def _histograms(figure: _Histograms) -> tuple[Markup, str]:
    names = figure.names[:_MOST_BINS]
    series = figure.series[:4]
    heights = [v for one in series for v in one.shares[: len(names)] if v is not None]
    longest = max((len(name) for name in names), default=0)
    turned = longest * len(names) * 6.2 > _WIDE - _LEFT - _RIGHT
    foot = _BOTTOM + (min(longest, 14) * 4.4 if turned else 0)
    high = _HIGH + foot - _BOTTOM
    y = axis_of(heights, high - foot, _TOP, zero=True)
    marks = _ticks_up(y, percent=True)
    width = (_WIDE - _LEFT - _RIGHT) / max(1, len(names))
    bar = width * 0.84 / max(1, len(series))
    every = max(1, -(-len(names) // (14 if turned else 20)))
    for place, name in enumerate(names):
        x = _LEFT + width * place
        for n, one in enumerate(series):
            part = _at(one.shares, place)
            if part is not None:
                top = y.place(part)
                at = {"x": round(x + width * 0.08 + bar * n, 1), "y": top, "width": round(max(0.8, bar - 0.6), 1)}
                marks.append(element("rect", **at, height=round(y.place(0) - top, 1), class_=f"s{n} bar"))
        if place % every == 0:
            middle = round(x + width / 2, 1)
            marks.append(
                _text(middle, high - foot + 14, name, anchor="end" if turned else "middle", most=14, slant=turned)
            )
    marks.append(_text((_LEFT + _WIDE - _RIGHT) / 2, high - 4, figure.x, anchor="middle", class_="name", most=60))
    words = "; ".join(
        f"{one.name}: "
        + ", ".join(f"{name} {share(part)}" for name, part in zip(names, one.shares, strict=False) if part is not None)
        for one in series
    )
    return _svg(marks, [one.name for one in series], high=high), f"shares by {figure.x}; {words}"


# ---------------------------------------------------------------------------------------------- what they share


def _svg(marks: Sequence[Markup], names: Sequence[str], *, high: float = _HIGH, lines: bool = False) -> Markup:
    """Return a drawing with the names of its series below it."""
    drawn = element("svg", *marks, viewBox=f"0 0 {_WIDE} {high:.0f}", aria_hidden="true", focusable="false")
    if not names or (len(names) == 1 and not names[0]):
        return drawn
    keys = [element("li", _key(place, lines=lines), _short(name, 40)) for place, name in enumerate(names)]
    return join([drawn, element("ul", *keys, class_="legend", aria_hidden="true")])


def _key(place: int, *, lines: bool) -> Markup:
    mark = (
        element("line", x1=0, x2=22, y1=6, y2=6, class_=f"s{place} line")
        if lines
        else element("rect", x=5, y=0, width=12, height=12, rx=2, class_=f"s{place} bar")
    )
    return element("svg", mark, viewBox="0 0 22 12", class_="key")


def _alternative(words: str) -> Markup:
    return element("p", _short(words, 1200), class_="unseen")


def _axes(x: str, y: str) -> str:
    return f"{y} by {x}; " if x and y else ""


def _frame(x: Axis, y: Axis, across: str, up: str) -> list[Markup]:
    marks = _ticks_up(y)
    bottom = _HIGH - _BOTTOM
    marks += [_text(x.place(at), bottom + 16, word, anchor="middle") for at, word in x.ticks()]
    marks.append(_text((_LEFT + _WIDE - _RIGHT) / 2, _HIGH - 6, across, anchor="middle", class_="name", most=60))
    marks.append(_text(11, (_TOP + bottom) / 2, up, anchor="middle", class_="name", turn=True, most=40))
    return marks


def _ticks_up(y: Axis, *, percent: bool = False) -> list[Markup]:
    marks: list[Markup] = []
    for at, word in y.ticks():
        place = y.place(at)
        marks.append(element("line", x1=_LEFT, x2=_WIDE - _RIGHT, y1=place, y2=place, class_="grid"))
        marks.append(_text(_LEFT - 6, place + 4, share(at) if percent else word, anchor="end"))
    return marks


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", class_: str = "tick", most: int = 30,
    turn: bool = False, slant: bool = False,
) -> Markup:  # fmt: skip
    around = f"{x:.0f} {y:.0f}"
    moved = f"rotate(-90 {around})" if turn else f"rotate(-32 {around})" if slant else None
    at = {"x": round(x, 1), "y": round(y, 1)}
    return element("text", _short(words, most), **at, text_anchor=anchor, class_=class_, transform=moved)


def _anchor(at: float, wide: float) -> str:
    return "start" if at < 50 else "end" if at > wide - 60 else "middle"


def _pairs(series: _Series) -> list[tuple[float, float]]:
    known = [(a, b) for a, b in zip(series.x, series.y, strict=False) if a is not None and b is not None]
    every = -(-len(known) // _MOST_POINTS) if known else 1
    return known[::every] if every > 1 else known


def _at(values: Sequence[_Number], place: int) -> _Number:
    return values[place] if place < len(values) else None


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}\u2026"
