"""What was measured of serving, as tables and lines beside the bars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from . import serving, serving_batches
from .serving_sides import CEILING_SIDES, ECHO, PEER_SIDES, PLUSONE

__all__ = ["lines", "tables"]

ALL = (PLUSONE, *CEILING_SIDES, ECHO, *PEER_SIDES)


def tables(result: dict[str, Any]) -> Iterator[Table]:
    """A table for each model and number of connections."""
    for model, measured in zip(result["summary"], result["models"], strict=True):
        for line in model["lines"]:
            yield _table(model["model"], line, measured, result["generator"])


def _table(model: str, line: dict[str, Any], measured: dict[str, Any], generator: str) -> Table:
    table = Table(
        title=f"{model}, one row a request, one worker, {line['connections']} connections",
        caption=f"load: {generator}; medians of {serving.ROUNDS} rounds of {serving.SECONDS:.0f} s a cell; the "
        f"answers differ by at most {measured['difference']:.0e}; a fixed loop on this machine varied by "
        f"{line['machine_varied']:.2f} times meanwhile",
    )
    headings = ("requests/s", "plusone to it", "p50 ms", "p99 ms", "p99/p50", "failed", "ready after s", "memory MB")
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    for side in (side for side in ALL if side.name in line["sides"]):
        one = line["sides"][side.name]
        table.add_row(
            side.title,
            f"{one['requests_per_s']:,.0f}",
            f"{one['ratio']:.2f}" if "ratio" in one else "",
            f"{one['p50_ms']:.2f}",
            f"{one['p99_ms']:.2f}",
            f"{one['spread']:.1f}",
            str(one["failed"]),
            f"{measured['start_s'][side.name]:.1f}",
            f"{measured['memory_bytes'][side.name] / 1e6:.0f}",
            end_section=side in (PLUSONE, ECHO),
        )
    return table


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A line for each bar."""
    for model, measured in zip(result["summary"], result["models"], strict=True):
        for line in model["lines"]:
            yield from _one_row(f"{model['model']}, {line['connections']} connections", line)
        yield from serving_batches.lines(model["model"], measured["batches"])


def _one_row(what: str, line: dict[str, Any]) -> Iterator[str]:
    sides, connections = line["sides"], line["connections"]
    bare = {side.name: side for side in CEILING_SIDES if side.kind == "bare" and side.name in sides}
    fastest = max(bare, key=lambda name: sides[name]["requests_per_s"])
    ours = sides["plusone"]
    yield (
        f"{what}: {sides[fastest]['ratio']:.0%} of the fastest bare program with one run a request "
        f"({bare[fastest].title}; bar: 75 %), {sides['batched']['ratio']:.0%} of the bare program with one run a turn"
    )
    times = (
        f"{sides[name]['ratio']:.1f} times {name} (bar: {bars[connections]:.0f})" for name, bars in serving.BARS.items()
    )
    yield f"{what}: {', '.join(times)}"
    # What the machine and the load generator do to any server: the bare programs wait for nothing but them.
    bare_spreads = f"{sides['uvloop']['spread']:.1f} and {sides['batched']['spread']:.1f}"
    yield (
        f"{what}: p99 {ours['spread']:.1f} times the median (bar: 3; bare programs on uvloop, without a log, one run a "
        f"request and one a turn: {bare_spreads}), failed {ours['failed']} (bar: 0)"
    )
    share = ours["requests_per_s"] / sides["echo"]["requests_per_s"]
    if share > 0.7:
        yield f"{what}: {share:.0%} of what the load generator gets from a server that does nothing: that limits it"
