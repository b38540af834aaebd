"""How answers look: JSON for programs, tables and plain lines for people."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Container, Iterable, Sequence
from typing import Any

import click

__all__ = [
    "by_option",
    "facts",
    "json_option",
    "latency_text",
    "number",
    "print_json",
    "print_table",
    "print_wrapped",
    "share_text",
    "shortened",
    "size_text",
    "sparkline",
    "stage_style",
    "table_lines",
]

_SHORT = 20
"""To how many characters a sentence in a table is cut at most."""
_STAGES = {
    "live": "green",
    "canary": "magenta",
    "shadow": "blue",
    "previous": "cyan",
    "failed": "red",
    "rolled back": "yellow",
    "rejected": "yellow",
}
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


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Container[int] = frozenset[int]()
) -> None:
    """Print rows below headings; on a terminal within its width, see `table_lines`."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in table_lines(headings, rows, right=right, width=width):
        click.echo(line)


def print_wrapped(text: str, *, indent: int = 0) -> None:
    """Print a line; on a terminal that is too narrow the words that have no room go below it, indented."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = click.wrap_text(text, width=max(width, indent + _SHORT), subsequent_indent=" " * indent)
    click.echo(text)


def table_lines(
    headings: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Container[int] = frozenset[int](),
    width: int | None = None,
) -> list[str]:
    """Return rows below headings, in columns as wide as their content; styles do not count.

    Args:
        right: the places of the columns whose cells end below each other.
        width: how many characters a line should have at most: sentences are cut short for it. What has no space in it
            is left whole: it may be a name that somebody wants to copy.
    """
    lines = [[str(cell) if cell is not None else "-" for cell in row] for row in rows]
    widths = [len(heading) for heading in headings]
    for line in lines:
        for place, cell in enumerate(line):
            widths[place] = max(widths[place], len(click.unstyle(cell)))
    if width is not None:
        lines, widths = _fitted(headings, lines, widths, width)
    bold = [heading and click.style(heading, bold=True) for heading in headings]
    return [
        "  ".join(_padded(cell, widths[n], n in right) for n, cell in enumerate(line)).rstrip()
        for line in [bold, *lines]
    ]


def _padded(cell: str, width: int, right: bool) -> str:
    blank = " " * (width - len(click.unstyle(cell)))
    return blank + cell if right else cell + blank


def _fitted(
    headings: Sequence[str], lines: list[list[str]], widths: list[int], limit: int
) -> tuple[list[list[str]], list[int]]:
    """Return lines and widths with sentences cut so that a line has room, the widest column first."""
    widths, lines = list(widths), [list(line) for line in lines]
    over = sum(widths) + 2 * (len(widths) - 1) - limit
    while over > 0:
        cells = [[line[place] for line in lines] for place in range(len(widths))]
        # Down to the longest cell that can't be cut, or to what says something still.
        least = [
            max([len(heading), _SHORT, *(len(click.unstyle(cell)) for cell in column if not _is_sentence(cell))])
            for heading, column in zip(headings, cells, strict=True)
        ]
        place = max(range(len(widths)), key=lambda n: widths[n] if widths[n] > least[n] else 0)
        if widths[place] <= least[place]:
            break
        width = max(least[place], widths[place] - over)
        over -= widths[place] - width
        widths[place] = width
        for line in lines:
            if len(line[place]) > width and _is_sentence(line[place]):
                line[place] = line[place][: width - 1] + "…"
    return lines, widths


def _is_sentence(cell: str) -> bool:
    return " " in cell and "\x1b" not in cell


def share_text(share: float) -> str:
    """Return a share of 0 to 1 as `5 %`, with the digits that it has; none as `-`."""
    return f"{100 * share:.4g} %" if share else "-"


def shortened(text: str, length: int) -> str:
    """Return a text in one line of at most so many characters; three dots stand for what was cut."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 3] + "..."


def stage_style(word: str) -> str:
    """Return a stage or an outcome in its colour."""
    colour = _STAGES.get(word) or _OUTCOMES.get(word)
    return click.style(word, fg=colour) if colour else word


def facts(measured: dict[str, Any]) -> str:
    """Return what a check measured in one line: the numbers, without what its message and outcome say already."""
    skip = ("check", "outcome", "message", "warning", "allowed", "confidence", "resamples", "figure", "cause")
    shown = {key: value for key, value in measured.items() if key not in skip and not isinstance(value, list | dict)}
    return ", ".join(f"{key} {number(value)}" for key, value in shown.items() if value != "")


def number(value: Any) -> str:
    """Return a measured value with the digits that mean something."""
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return f"{value:.1f}"
        return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e5 else f"{value:.4f}"
    return str(value)


def latency_text(seconds: float | None) -> str:
    """Return a latency in the unit that fits, with the three digits that its bucket holds: `0.87 ms`, `1.5 s`."""
    if seconds is None:
        return "-"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


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
