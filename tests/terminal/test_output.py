"""How values look in a terminal."""

from __future__ import annotations

import sys
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.terminal.output import facts, latency_text, print_table, share_text, shortened, sparkline


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([1.0], "▁"),
        ([2.0, 2.0], "▁▁"),
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "▁▂▃▄▅▆▇█"),
        ([1.0, None, 0.0], "█ ▁"),
        ([None, None], "  "),
        ([-1.7e308, 1.7e308], "▁█"),
    ],
)
def test_a_row_of_bars(values: list[float | None], bars: str):
    assert sparkline(values) == bars


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=100), st.integers(1, 40))
def test_every_row_is_as_wide_as_asked_or_as_there_are_values(values: list[float | None], width: int):
    assert len(sparkline(values, width)) == min(width, len(values))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch):
    """Make standard output a terminal of some width."""

    def make(columns: int) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))

    return make


ROWS = [("a" * 30, "a reason that goes on and on and on", "by somebody with a long name"), ("b", "short", "")]


@pytest.mark.parametrize("columns", [1, 20, 60, 80, 97, 98, 300])
def test_sentences_are_cut_where_the_terminal_is_narrow_and_names_are_not(
    terminal: Any, capsys: pytest.CaptureFixture[str], columns: int
):
    terminal(columns)
    print_table(("name", "reason", "by"), ROWS)
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert lines[1].startswith("a" * 30)
    widest = max(map(len, lines))
    assert widest <= max(columns, 30 + 2 + 20 + 2 + 20)
    assert ("…" in lines[1]) == (columns < 97)
    assert widest == 97 or columns < 97


def test_nothing_is_cut_in_a_pipe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "20")
    print_table(("name", "reason", "by"), ROWS)
    assert "…" not in capsys.readouterr().out


def test_numbers_end_below_each_other(capsys: pytest.CaptureFixture[str]):
    print_table(("n", "share"), [(1, "5 %"), (2, click.style("100 %", fg="red")), (3, None)], right={1})
    assert [line[3:] for line in click.unstyle(capsys.readouterr().out).splitlines()] == [
        "share",
        "  5 %",
        "100 %",
        "    -",
    ]


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "-"), (1.0, "100 %"), (0.05, "5 %"), (0.005, "0.5 %"), (1 / 3, "33.33 %")]
)
def test_shares_are_said_in_hundredths(share: float, text: str):
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0000123, "12 µs"),
        (0.00105, "1.05 ms"),
        (0.0441, "44.1 ms"),
        (0.9994, "999 ms"),
        (0.9999, "1 s"),
        (12.5, "12.5 s"),
    ],
)
def test_latencies_have_the_unit_that_fits(seconds: float | None, text: str):
    assert latency_text(seconds) == text


def test_a_text_of_several_lines_is_shown_in_one() -> None:
    assert shortened("Dear all,\n\n  see below.\tBye", 60) == "Dear all, see below. Bye"
    assert shortened("a\n" * 50, 9) == "a a a ..."


def test_what_has_no_value_is_no_fact():
    assert facts({"column": "", "rows": 1, "share": 1.0}) == "rows 1, share 1.0"
    assert facts({"check": "replay[answers]", "figure": {"kind": "bars"}}) == ""
