"""How a packaged model was proven equal to the trained one, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["proof_lines"]

_SHOWN = 2
_KINDS = {
    "threshold": "beside thresholds of trees",
    "rounding": "that 32 bits can't hold",
    "value": "at zeros and ends of ranges",
    "text": "with strange strings",
    "extreme": "with numbers that no data holds",
}


def proof_lines(proof: dict[str, Any]) -> Iterator[str]:
    """Give the lines that tell of a proof: rows, edges with those that flipped, and what int8 came to."""
    if not proof:
        return
    yield (
        f"  proven    equal on {proof.get('rows', 0):,} rows: largest difference {proof.get('max_difference', 0):.1e}, "
        f"allowed {proof.get('tolerance', 0):.0e}"
    )
    if (edges := proof.get("edges")) and edges["rows"]:
        yield from _edges(edges)
    if quantised := proof.get("quantised"):
        yield from _quantised(quantised)


def _edges(edges: dict[str, Any]) -> Iterator[str]:
    said = f"  edges     {edges['rows']:,} rows, {edges.get('thresholds', 0):,} values beside thresholds of trees: "
    if not edges.get("differ"):
        yield f"{said}equal"
        return
    yield f"{said}{edges['differ']:,} differ, by up to {edges['max_difference']:.3g}"
    for name, kind in edges["kinds"].items():
        if kind["differ"]:
            yield f"            {kind['differ']:,} of {kind['rows']:,} {_KINDS.get(name, name)}"
    for one in edges["examples"][:_SHOWN]:
        value = one.get("value", one["fields"].get(one["field"]))
        at = f" at {one['place']}" if "place" in one else ""
        yield f"            e.g. {one['field']}{at} = {value!r}: trained {one['trained']}, compiled {one['compiled']}"


def _quantised(found: dict[str, Any]) -> Iterator[str]:
    if not found["kept"]:
        yield f"  int8      left out: {found['reason']}"
    else:
        yield f"  int8      largest difference {found['max_difference']:.1e}, allowed {found['tolerance']:.0e}"
    if sizes := found.get("size_bytes"):
        yield f"            {sizes['before']:,} -> {sizes['after']:,} bytes"
    for key, what in (("row_us", "one row"), ("rows_100_us", "100 rows")):
        if times := found.get(key):
            yield f"            {what}: {times['before']:.0f} -> {times['after']:.0f} microseconds"
