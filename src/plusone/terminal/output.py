"""How answers look: JSON for programs, tables and plain lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

__all__ = [
    "by_option",
    "facts",
    "json_option",
    "number",
    "print_json",
    "print_table",
    "size_text",
    "sparkline",
    "stage_style",
]

_STAGES = {"live": "green", "previous": "cyan", "failed": "red", "rolled back": "yellow", "rejected": "yellow"}
_OUTCOMES = {
    "passed": "green",
    "failed": "red",
    "broken": "red",
    "inconclusive": "yellow",
    "not applicable": "bright_black",
}


def json_option(function: Any) -> Any:
    """Add `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON value, for programs.")(function)


def by_option(function: Any) -> Any:
    """Add `--by` to a command that takes a decision."""
    return click.option("--by", default="", help="Who decides.  [default: $PLUSONE_BY or the user's name]")(function)


def print_json(value: Any) -> None:
    """Print a record, or a list of them, as indented JSON."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows below headings, in columns as wide as their content; styles do not count."""
    lines = [[str(cell) if cell is not None else "-" for cell in row] for row in rows]
    widths = [len(heading) for heading in headings]
    for line in lines:
        for place, cell in enumerate(line):
            widths[place] = max(widths[place], len(click.unstyle(cell)))
    click.secho("  ".join(h.ljust(w) for h, w in zip(headings, widths, strict=True)).rstrip(), bold=True)
    for line in lines:
        padded = (cell + " " * (w - len(click.unstyle(cell))) for cell, w in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def stage_style(word: str) -> str:
    """Return a stage or an outcome in its colour."""
    colour = _STAGES.get(word) or _OUTCOMES.get(word)
    return click.style(word, fg=colour) if colour else word


def facts(measured: dict[str, Any]) -> str:
    """Return what a check measured in one line: the numbers, without what its message and outcome say already."""
    skip = ("check", "outcome", "message", "allowed", "confidence", "resamples")
    return ", ".join(f"{key} {number(value)}" for key, value in measured.items() if key not in skip)


def number(value: Any) -> str:
    """Return a measured value with the digits that mean something."""
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return f"{value:.1f}"
        return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e5 else f"{value:.4f}"
    return str(value)


_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int = 24) -> str:
    """Return numbers as a row of bars, the smallest lowest; where there is no number, a space.

    Of more numbers than `width` each bar shows the mean of its share.
    """
    share = max(1.0, len(values) / width)
    means: list[float | None] = []
    for place in range(min(width, len(values))):
        part = [value for value in values[int(place * share) : int((place + 1) * share)] if value is not None]
        means.append(sum(value / len(part) for value in part) if part else None)
    known = [mean for mean in means if mean is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    # Halves: the difference of two large numbers may be none.
    span = high / 2 - low / 2
    return "".join(
        " " if mean is None else _BARS[min(7, int((mean / 2 - low / 2) / span * 8)) if span > 0 else 0]
        for mean in means
    )


def size_text(size_bytes: float) -> str:
    """Return a size in the unit that fits: `17 bytes`, `4.2 KiB`, `1.5 GiB`."""
    if size_bytes < 1024:
        return f"{int(size_bytes)} bytes"
    for unit in ("KiB", "MiB", "GiB"):
        size_bytes /= 1024
        if size_bytes < 1024:
            return f"{size_bytes:.1f} {unit}"
    return f"{size_bytes / 1024:.1f} TiB"
