"""The data of a release on its report: what its steps made, and what each column of the training data held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .axes import axis_of
from .html import Markup, element, join, table
from .material import Material
from .numbers import duration, number, share, size, value

__all__ = ["data_section"]

_MOST_STEPS = 100
_MOST_COLUMNS = 200
_BOX = 150


def data_section(material: Material) -> Markup:
    """Return the datasets by the steps that made them, and the profile of the training data."""
    parts: list[Markup] = []
    rows = [
        (name, step.step, dataset.rows, len(dataset.columns) or None, dataset.size_bytes, step, dataset.digest)
        for step in material.steps[:_MOST_STEPS]
        for name, _ in step.outputs.items()
        if (dataset := material.datasets.get(name)) is not None
    ]
    if rows:
        shown = (
            (
                name,
                by,
                value(count),
                value(columns),
                size(length),
                _ran(step),
                element("code", digest[:12], title=digest),
            )
            for name, by, count, columns, length, step, digest in rows
        )
        head = ("data", "made by step", "rows", "columns", "size", "in this run", "digest")
        parts.append(table(head, shown, caption="What the steps made", class_="figures-right"))
    profile = material.package.profile
    if profile:
        parts += [element("h3", "The training data, column by column"), _profile(profile)]
    if not parts:
        return element("p", "No record says what data it was made of.", class_="quiet")
    source = f"From the steps of run {material.run.id}, and the profile in package {material.release.package}."
    return join([*parts, element("p", source, class_="source")])


def _ran(step: Any) -> str:
    return "taken over, unchanged" if step.status == "cached" else f"made in {duration(step.duration_s)}"


def _profile(profile: Mapping[str, Any]) -> Markup:
    rows = [_column(name, found) for name, found in list(profile.items())[:_MOST_COLUMNS] if isinstance(found, dict)]
    more = f" (the first {_MOST_COLUMNS} of {len(profile):,} columns)" if len(profile) > _MOST_COLUMNS else ""
    head = ("column", "type", "empty", "what it held", "spread or most frequent")
    return table(head, rows, caption=f"Profile of the training data{more}", class_="profile")


def _column(name: str, found: Mapping[str, Any]) -> tuple[object, ...]:
    count, nulls = found.get("count") or 0, found.get("nulls") or 0
    empty = share(nulls / count) if count else "-"
    return name, value(found.get("type")), empty, _held(found), _spread(found)


def _held(found: Mapping[str, Any]) -> str:
    if found.get("distinct") is not None:
        return f"{value(found['distinct'])} different values"
    if found.get("minimum") is None or found.get("maximum") is None:
        return "-"
    mean = f", mean {value(found['mean'])}" if found.get("mean") is not None else ""
    return f"{value(found['minimum'])} to {value(found['maximum'])}{mean}"


def _spread(found: Mapping[str, Any]) -> Markup | str:
    if isinstance(found.get("quantiles"), dict):
        return _box(found["quantiles"])
    if isinstance(found.get("top"), dict) and found["top"]:
        return _top(found["top"], found.get("count") or 0)
    return ""


def _box(quantiles: Mapping[str, Any]) -> Markup | str:
    """Return the middle half as a box, 1 % to 99 % as a line, the median as a mark."""
    names = ("0.01", "0.25", "0.5", "0.75", "0.99")
    known = [quantiles.get(name) for name in names]
    if not all(isinstance(one, float | int) and abs(one) < 1e300 for one in known):
        return ""
    low, first, middle, third, high = (float(one) for one in known if one is not None)
    axis = axis_of((low, high), 4, _BOX - 4)
    half = max(1.5, round(axis.place(third) - axis.place(first), 1))
    marks = [
        element("line", x1=axis.place(low), x2=axis.place(high), y1=9, y2=9, class_="whisker"),
        element("rect", x=axis.place(first), y=3, width=half, height=12, rx=2, class_="s0 bar"),
        element("line", x1=axis.place(middle), x2=axis.place(middle), y1=1, y2=17, class_="median"),
    ]
    words = (
        f"1 % {number(low)}, 25 % {number(first)}, median {number(middle)}, 75 % {number(third)}, 99 % {number(high)}"
    )
    return element(
        "svg", element("title", words), *marks, viewBox=f"0 0 {_BOX} 18", class_="box", role="img", aria_label=words
    )


def _top(top: Mapping[str, Any], count: float) -> Markup | str:
    """Return the shares of the most frequent values as one bar, and the first of them in words."""
    known = [(name, found) for name, found in top.items() if isinstance(found, int | float) and 0 <= found < 1e300]
    known.sort(key=lambda one: -one[1])
    whole = max(float(count), sum(found for _, found in known), 1.0)
    marks: list[Markup] = []
    start = 0.0
    for place, (_, found) in enumerate(known[:8]):
        width = found / whole * _BOX
        marks.append(
            element(
                "rect",
                x=round(start, 1),
                y=3,
                width=round(max(0.0, width - 1), 1),
                height=12,
                class_="s0 cell",
                style=f"fill-opacity:{0.9 - 0.1 * place:.1f}",
            )
        )
        start += width
    words = ", ".join(f"{name[:30]} {share(found / whole)}" for name, found in known[:3])
    bar = element("svg", *marks, viewBox=f"0 0 {_BOX} 18", class_="box", aria_hidden="true")
    return join([bar, element("span", words, class_="quiet")])
