"""What came of the faults: a table for the terminal, one for the docs, and what counts in a few sentences."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

__all__ = ["BEGIN", "END", "PAGE", "lines", "page_table", "table", "write_page"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tasks" / "faults.md"
BEGIN, END = "<!-- faults: begin, written by `python -m bench faults --docs` -->", "<!-- faults: end -->"
_MOST = 3


def table(result: dict[str, Any]) -> Table:
    """Return a row for each kind: what closed the gate at its large and at its small size."""
    found = Table("kind", "large", "small")
    for kind, sizes in _kinds(result["faults"]).items():
        told = (_told(sizes.get(size)) for size in ("large", "small"))
        found.add_row(kind, *(text.replace("`", "").replace("*", "") for text in told))
    return found


def lines(result: dict[str, Any]) -> list[str]:
    """Return the shares that were caught, the false alarms, and what was only warned of."""
    said: list[str] = []
    for size in ("large", "small"):
        rows = [row for row in result["faults"] if row["size"] == size]
        if rows:
            caught = sum(row["caught"] for row in rows)
            said.append(f"{size} faults: {caught} of {len(rows)} caught before the gate ({caught / len(rows):.0%})")
    if rows := result["faults"]:
        caught = sum(row["caught"] for row in rows)
        failed = sum(bool(row["by"] or row["error"]) for row in rows if row["caught"])
        warned = sum(bool(row["warned"]) for row in rows if not row["caught"])
        said.append(
            f"all faults: {caught} of {len(rows)} ({caught / len(rows):.0%}; bar: 90 %), {failed} of them by a test "
            f"that failed and {caught - failed} only because one could not tell; {warned} of the others with a warning"
        )
    for what, begin, bar in (("draws", "draw-", " (bar: 1 of 20)"), ("other months", "window-", "")):
        if rows := [row for row in result["harmless"] if row["name"].startswith(begin)]:
            alarms = [row for row in rows if row["caught"]]
            named = "; ".join(
                f"{row['name']}: {', '.join(row['by'] or row['unsure']) or row['error']}" for row in alarms
            )
            said.append(f"harmless {what}: {len(alarms)} of {len(rows)} stopped{bar}{': ' if named else ''}{named}")
    if any(row["caught"] for row in result["harmless"] if row["kind"] == "nothing"):
        said.append("the release without a fault was stopped: what is said of the faults counts for nothing")
    said.append(f"{result['seconds'] / 60:.0f} minutes, {result['jobs']} releases at a time")
    return said


def page_table(result: dict[str, Any]) -> str:
    """Return the part of the page in the docs that is measured."""
    rows = ["| fault | size | what was done | what closed the gate |", "|---|---|---|---|"]
    rows += [f"| {row['kind']} | {row['size']} | {row['what']} | {_told(row)} |" for row in result["faults"]]
    return "\n".join([*(f"- {line}" for line in lines(result)), "", *rows])


def write_page(result: dict[str, Any], page: Path = PAGE) -> None:
    """Put what was measured between the marks of the page."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, mark, after = rest.partition(END)
    assert mark, f"{page} has no {END}"
    page.write_text(f"{before}{BEGIN}\n{page_table(result)}\n{END}{after}", "utf-8")


def _kinds(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    kinds: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        kinds.setdefault(row["kind"], {})[row["size"]] = row
    return kinds


def _told(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    if not row["caught"]:
        return f"**not caught**{'; a warning of ' + _some(row['warned']) if row['warned'] else ''}"
    if row["by"]:
        return _some(row["by"])
    if row["unsure"]:
        return f"{_some(row['unsure'])}, which could not tell"
    return f"no release: {textwrap.shorten(row['error'].replace('|', '/'), 80, placeholder=' ...')}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(f"`{name.removeprefix('plusone::')}`" for name in names[:_MOST]) + more
