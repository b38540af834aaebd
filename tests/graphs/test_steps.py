"""Tables of one column as a graph: places among ends, and lines between points."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.graphs.graph import Graph
from plusone.graphs.layout import Block, Columns
from plusone.graphs.runner import OnnxRunner
from plusone.graphs.steps import interpolate, place_among

NUMBERS = st.integers(-4, 4).map(lambda value: value / 2)


def answers(write: Any, matrix: Any) -> Any:
    """What a graph answers to a matrix."""
    graph = Graph([Block("numbers", "float64", tuple("abc"[: matrix.shape[1]]))])
    name = write(graph, graph.matrix(graph.view(list("abc"[: matrix.shape[1]]))))
    data = graph.finish(graph.cast(name, np.float64), np.float64, flat=False)
    return OnnxRunner(data, "vector", ()).run(Columns(len(matrix), {"numbers": matrix})).numbers


def beside(values: list[float]) -> Any:
    """The numbers, those next to them, and NaN."""
    array = np.array(values)
    return np.concatenate([array, np.nextafter(array, -np.inf), np.nextafter(array, np.inf), [np.nan]]).reshape(-1, 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, max_size=9), st.lists(NUMBERS, min_size=1, max_size=9))
def test_places_are_those_of_numpy(ends: list[float], values: list[float]) -> None:
    matrix, ends = beside(values), sorted(ends)
    found = answers(lambda graph, name: place_among(graph, name, [ends]), matrix)
    np.testing.assert_array_equal(found[:, 0], np.searchsorted(ends, matrix[:, 0], side="left"))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=9), st.lists(NUMBERS, min_size=1, max_size=9))
def test_lines_are_those_of_numpy(points: list[tuple[float, float]], values: list[float]) -> None:
    matrix = beside(values)
    xs = np.sort([x for x, _ in points])
    ys = np.array([y for _, y in points])
    # Twice, in both directions: where several points have one x the mean of the first and the last is right.
    there = np.interp(matrix[:, 0], xs, ys)
    back = np.interp(-matrix[:, 0], -xs[::-1], ys[::-1])
    found = answers(lambda graph, name: interpolate(graph, name, [(xs, ys)]), matrix)
    expected = np.where(np.isnan(matrix[:, 0]), np.nan, 0.5 * (there + back))
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-12)


def test_columns_have_tables_of_their_own() -> None:
    matrix = np.array([[0.5, 0.5, 0.5], [1.0, -1.0, 9.0]])
    knots: list[tuple[Any, Any]] = [([0, 1], [0, 10]), ([0, 1], [5, 5]), ([0, 2], [0, 2])]
    found = answers(lambda graph, name: interpolate(graph, name, knots), matrix)
    np.testing.assert_allclose(found, [[5.0, 5.0, 0.5], [10.0, 5.0, 2.0]])
    places = answers(lambda graph, name: place_among(graph, name, [[0.0], [0.0, 0.6], []]), matrix)
    np.testing.assert_array_equal(places, [[1, 1, 0], [1, 0, 0]])
