"""Figures are plain JSON, thinned to a bounded size, with a gap where a number is not finite."""

from __future__ import annotations

import json
import math

import numpy as np

from plusone.measuring import figures


def test_a_long_line_keeps_its_ends_and_its_order():
    found = figures.lines(
        "t", {"a": (list(range(10_001)), [x / 2 for x in range(10_001)])}, x="x", y="y", diagonal=True
    )
    line = found["series"][0]
    assert len(line["x"]) == len(line["y"]) == figures.MOST_POINTS
    assert (line["x"][0], line["x"][-1]) == (0.0, 10_000.0)
    assert line["x"] == sorted(line["x"])
    assert [2 * y for y in line["y"]] == line["x"]
    json.dumps(found)


def test_what_is_not_finite_is_a_gap():
    found = figures.bars("t", ["a", "b"], [math.nan, 1], low=[0, math.inf], high=[1, 2], limit=0.5)
    assert found["values"] == [None, 1.0]
    assert found["low"] == [0.0, None]
    assert found["limit"] == 0.5


def test_tables_and_distributions_are_kept_whole():
    found = figures.matrix("t", ["yes", "no"], ["True", "2"], [[1, 2], [3, float(np.float32(4))]], x="said", y="true")
    assert (found["rows"], found["columns"]) == (["yes", "no"], ["True", "2"])
    assert found["values"] == [[1.0, 2.0], [3.0, 4.0]]
    both = figures.histograms("t", ["1", "2"], {"now": [0.5, 0.5], "before": [1, 0]}, x="hour")
    assert [one["shares"] for one in both["series"]] == [[0.5, 0.5], [1.0, 0.0]]
    json.dumps([found, both])
