"""Functions of one column that are given by a table: steps and lines between points, found by a tree.

A `TreeEnsemble` finds the place of a number among a thousand others in ten comparisons. This module knows graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .graph import Graph
from .trees import Forest, Node

__all__ = ["before", "interpolate", "place_among"]


def before(values: Any) -> Any:
    """Return the largest numbers of 64 bits that are less than these."""
    return np.nextafter(np.asarray(values, dtype=np.float64), -np.inf)


def place_among(graph: Graph, matrix: str, ends: Sequence[Any], first: Sequence[int] | None = None) -> str:
    """Return, int64 of the matrix' shape, how many of a column's `ends` (sorted) are less than each number.

    NaN is more than all of them.

    Args:
        first: added to the places of each column.
    """
    forest = Forest([0.0] * len(ends))
    for column, values in enumerate(ends):
        offset = 0 if first is None else first[column]
        forest.add(_search(column, np.asarray(values, dtype=np.float64), offset), column)
    return graph.cast(forest.write(graph, matrix), np.int64)


def interpolate(graph: Graph, matrix: str, knots: Sequence[tuple[Any, Any]]) -> str:
    """Return the matrix with each column put through lines between points, constant beyond the first and the last.

    Args:
        knots: for each column its points, sorted by x. Where several have one x, the answer there is the mean of the
            first and the last, and lines begin and end at the nearest.
    """
    ends: list[Any] = []
    lines: list[Any] = []
    first: list[int] = []
    for xs, ys in knots:
        xs, ys = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
        points, start = np.unique(xs, return_index=True)
        stop = np.append(start[1:], len(xs)) - 1
        middle = 0.5 * (ys[start] + ys[stop])
        first.append(sum(len(table) for table in lines))
        # Before, at, between, at, ... behind: twice as many ends as points, and one piece more.
        ends.append(np.column_stack([before(points), points]).ravel())
        table = np.zeros((2 * len(points) + 1, 3))
        table[0] = points[0], 0.0, ys[0]
        table[1::2] = np.column_stack([points, np.zeros(len(points)), middle])
        table[2:-1:2] = np.column_stack([points[:-1], (ys[start][1:] - ys[stop][:-1]) / np.diff(points), ys[stop][:-1]])
        table[-1] = points[-1], 0.0, ys[-1]
        lines.append(table)
    piece = place_among(graph, matrix, ends, first)
    table = np.concatenate(lines)
    x, slope, y = (graph.add("Gather", graph.constant(table[:, part]), piece, axis=0) for part in range(3))
    return graph.add("Add", graph.add("Mul", slope, graph.add("Sub", matrix, x)), y)


def _search(column: int, ends: Any, offset: int) -> list[Node]:
    """Return a balanced tree whose leaves are the places among `ends`."""
    nodes: list[Any] = [(0, len(ends))]
    out: list[Node] = []
    for low, high in nodes:  # it grows as halves are found
        if low == high:
            out.append(Node(0, 0.0, False, -1, -1, float(offset + low)))
            continue
        middle = (low + high) // 2
        out.append(Node(column, float(ends[middle]), False, len(nodes), len(nodes) + 1, 0.0))
        nodes += [(low, middle), (middle + 1, high)]
    return out
