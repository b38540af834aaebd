"""Figures as drawings: every kind, with words for who can't see it, and nothing of what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.measuring import figures
from plusone.report.figures import draw, interval
from plusone.report.html import Markup
from tests.report.made import FIGURES
from tests.report.reading import read


def drawn(figure: Any) -> Markup:
    found = draw(figure)
    assert found is not None
    assert read(found).faults == []
    return found


@pytest.mark.parametrize("figure", FIGURES, ids=[one["kind"] for one in FIGURES])
def test_each_kind_has_its_title_and_its_numbers_in_words(figure: dict[str, Any]):
    page = read(drawn(figure))
    assert figure["title"] in page.text
    assert page.elements[:2] == ["figure", "figcaption"]
    words = {
        "lines": "true by false; candidate: 3 points from (0, 0) to (1, 1)",
        "bars": "limit 0.65; a 0.7; b 0.8",
        "matrix": "rows true, columns answered: no: no 9, yes 1; yes: no 2, yes 8",
        "histograms": "shares by temp; then: low 40 %, high 60 %; now: low 50 %, high 50 %",
    }
    assert words[figure["kind"]] in page.text


def test_bars_have_their_interval_and_the_limit():
    found = drawn(FIGURES[1])
    assert found.count('class="whisker"') == 2
    assert found.count('class="limit"') == 1
    assert "0.7 ms" in found


def test_a_long_unit_is_said_once():
    found = drawn(figures.bars("t", ["a", "b"], [1.0, 2.0], unit="total variation distance"))
    assert found.count("total variation distance") == 1
    assert "In total variation distance." in found


def test_behind_the_longest_bar_there_is_room_for_its_number():
    found = drawn(figures.bars("t", ["a", "b"], [0.009874321, 0.009872], unit="ms"))
    ends = [float(part.split('"')[0]) for part in found.split('<text x="')[1:] if 'class="value"' in part.split(">")[0]]
    assert len(ends) == 2
    assert max(ends) + 6.6 * len("0.009874 ms") <= 460


def test_a_longer_bar_is_a_larger_number():
    found = drawn(figures.bars("t", ["a", "b"], [1.0, 2.0]))
    widths = [float(part.split('"')[0]) for part in found.split('width="')[1:]]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)


def test_of_much_the_first_is_drawn_and_the_rest_counted():
    names = [f"slice {n}" for n in range(100)]
    found = drawn(figures.bars("t", names, [1.0] * 100))
    assert "The first 40 of 100." in found
    assert "and 60 more" in found
    wide = drawn(figures.matrix("t", names, names, [[1.0] * 100] * 100, x="x", y="y"))
    assert wide.count('class="s0 cell"') == 24 * 24
    long = drawn(figures.lines("t", {"a": (range(1000), range(1000))}, x="x", y="y"))
    assert long.count(",") < 2000


def test_where_there_is_no_number_nothing_is_drawn():
    nan = float("nan")
    assert drawn(figures.bars("t", ["a", "b"], [nan, 1.0])).count("s0 bar") == 1
    assert (
        drawn(figures.histograms("t", ["a", "b"], {"s": [nan, 1.0]}, x="x")).count('class="s0 bar"') == 2
    )  # one a key
    assert "<polyline" in drawn(figures.lines("t", {"a": ([nan, 0, 1], [0, 0, 1])}, x="x", y="y"))
    assert drawn(figures.lines("t", {}, x="x", y="y"))
    assert drawn(figures.matrix("t", ["a"], ["b"], [], x="x", y="y"))


@pytest.mark.parametrize(
    "figure",
    [
        None, 3, "lines", [], {}, {"kind": "pie"}, {"kind": ["lines"]}, {"kind": "lines", "title": "t"},
        {"kind": "lines", "title": "t", "series": [{"name": "a", "x": ["NaN"], "y": [1]}]},
        {"kind": "bars", "title": "t", "names": ["a"], "values": 3},
        {"kind": "bars", "title": "t", "names": ["a"], "values": [10**400]},
    ],
)  # fmt: skip
def test_what_is_no_figure_is_not_drawn(figure: Any):
    assert draw(figure) is None


number = st.one_of(
    st.none(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1.7e308, -1.7e308, 5e-324])
)
numbers = st.lists(number, max_size=30)


@pytest.mark.slow
@given(
    x=numbers,
    y=numbers,
    rows=st.lists(numbers, max_size=5),
    names=st.lists(st.text(max_size=30), max_size=30),
    diagonal=st.booleans(),
    limit=number,
)
@settings(max_examples=60, deadline=None)
def test_numbers_of_any_size_and_lists_of_any_length_are_drawn(
    x: list[float | None],
    y: list[float | None],
    rows: list[list[float | None]],
    names: list[str],
    diagonal: bool,
    limit: float | None,
):
    text = {"title": "t", "x": "x", "y": "y", "unit": "<"}
    drawn({**text, "kind": "lines", "series": [{"name": "n", "x": x, "y": y}] * 3, "diagonal": diagonal})
    drawn({**text, "kind": "bars", "names": names, "values": x, "low": y, "high": x, "limit": limit})
    drawn({**text, "kind": "matrix", "rows": names, "columns": names, "values": rows})
    drawn({**text, "kind": "histograms", "names": names, "series": [{"name": "n", "shares": x}] * 5})


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4))
def test_an_interval_says_itself(values: list[float]):
    assert read(interval(*values)).faults == []


def test_an_interval_beyond_its_limit_lies_on_its_other_side():
    found = interval(0.1, 0.05, 0.15, -0.01)
    assert 'aria-label="0.1, interval 0.05 to 0.15, limit -0.01"' in found
    start = float(found.split("<rect x=")[1].split('"')[1])
    limit = float(found.split('class="limit"')[0].rsplit("<line x1=", 1)[1].split('"')[1])
    assert limit < start
