"""Expectations as a test file: it is Python as ruff leaves it, and it passes on the data that it was inferred from."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plusone
from plusone.data.views import TableView
from plusone.measuring.outcomes import CheckFailed
from plusone.profiles.describing import describe
from plusone.profiles.inferring import infer
from plusone.profiles.writing import quoted, write_tests
from tests.expectations.hostile import tables, weird
from tests.expectations.made import change, clean

RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent))


def written(table: pa.Table) -> str:
    return write_tests("flights", infer(TableView(table)))


def run(text: str, table: pa.Table) -> list[str]:
    """Run the tests in the file; return what those say that fail."""
    space: dict = {}
    exec(compile(text, "test_flights.py", "exec"), space)  # noqa: S102 - what we wrote ourselves
    failed = []
    for name, function in space.items():
        if name.startswith("test_"):
            try:
                function(table)
            except CheckFailed as error:
                failed.append(str(error))
    return failed


def is_formatted(text: str) -> None:
    assert RUFF is not None
    out = subprocess.run(
        [RUFF, "format", "--isolated", "--diff", "--stdin-filename", "test_flights.py", "-"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert out.returncode == 0, out.stdout + out.stderr


def test_of_what_holds_nothing_nothing_is_expected():
    empty = pa.table({"note": pa.nulls(0), "name": pa.array([], pa.string()), "km": pa.array([], pa.float64())})
    text = written(empty)
    assert all(one in text for one in ('"note": "any"', '"name": "any"', '"km": "number"'))
    assert "not_null" not in text
    later = pa.table({"note": ["late", None], "name": ["x", "y"], "km": [1.0, None]})
    assert run(text, later) == []
    void = written(pa.table({"note": pa.nulls(3), "km": [1.0, 2.0, 3.0]}))
    assert run(void, pa.table({"note": ["late", None, "x"], "km": [1.0, 2.0, 3.0]})) == []


def test_what_is_written_of_flights():
    text = written(clean(60))
    assert '"""What is expected of flights, inferred from 6,000 rows. Edit it: it is yours."""' in text
    assert '            "carrier": "text",\n' in text
    assert "    plusone.check.rows(flights, at_least=3000)\n" in text
    assert '    plusone.check.between(flights, "day_of_week", 1, 7)\n' in text
    assert (
        '        ["AA", "B6", "DL", "EV", "F9", "UA", "US"],\n        at_most=0.01,\n' in text or "at_most=0.01" in text
    )
    assert '    plusone.check.no_gaps(flights, "date", longest="1 day")\n' in text
    is_formatted(text)


def test_it_passes_on_its_data_and_on_the_next_month_and_fails_on_what_is_spoiled():
    text = written(clean(60))
    assert run(text, clean(60)) == []
    assert run(text, clean(70)) == []
    spoiled = change(clean(60), "distance", [-7] * 6000)
    failed = run(text, spoiled)
    assert len(failed) == 1
    assert failed[0].startswith("distance: 6,000 of 6,000 values are not from ")


def test_what_was_never_negative_is_not_expected_to_become_so():
    table = pa.table({"area": [143.5, 551.1, 2501.0, 800.0], "change": [-1.5, 2.0, 7.25, 0.5]})
    text = written(table)
    assert 'between(cells, "area", 0, 4000)' in text.replace("flights", "cells")
    assert '"change", -6,' in text
    assert run(text, table.set_column(0, "area", pa.array([-143.5, 551.1, 2501.0, 800.0]))) != []


@pytest.mark.parametrize("name", weird())
def test_it_passes_on_any_table_and_is_formatted(name: str):
    text = written(weird()[name])
    assert run(text, weird()[name]) == []
    is_formatted(text)
    describe(TableView(weird()[name]))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(tables())
def test_it_passes_on_whatever_it_was_inferred_from(table: pa.Table):
    assert run(written(table), table) == []
    describe(TableView(table))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_written_as_python_reads_it(text: str):
    assert ast.literal_eval(quoted(text)) == text


def test_quotes():
    assert quoted("a") == '"a"'
    assert quoted('say "a"') == "'say \"a\"'"
    assert quoted("it's") == '"it\'s"'
    assert plusone.check.unique is not None
