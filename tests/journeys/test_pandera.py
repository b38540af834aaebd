"""A Pandera schema in a project's tests works as it is, and what it finds is the message of the check."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from plusone.checks.session import run_tests
from tests.checks.conftest import Sandbox
from tests.checks.parts import only

SCHEMA = """
import pandera.pandas as pa

FLIGHTS = pa.DataFrameSchema({"carrier": pa.Column(str), "distance": pa.Column(int, pa.Check.between(10, 6000))})

def test_flights_are_as_agreed(flights):
    FLIGHTS.validate(flights, lazy=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("distance", "outcome"), [(80, "passed"), (-80, "failed")])
def test_a_schema_is_a_check_like_any_other(tmp_path: Path, distance: int, outcome: str):
    box = Sandbox(tmp_path / "project")
    box.output(flights=pd.DataFrame({"carrier": ["UA", "AA"], "distance": [1400, distance]}))
    box.write("tests/test_flights.py", SCHEMA)
    check = only(run_tests(box.context), "test_flights_are_as_agreed")
    assert (check.outcome, check.subject) == (outcome, "data")
    assert (outcome == "passed") == ("-80" not in check.output)
