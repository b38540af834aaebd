"""Cases as parameters of a test: each row of a table is a test of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..behaving.cases import case_names, read_cases

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

__all__ = ["cases"]


def cases(table: Any) -> list[ParameterSet]:
    """Return the rows of a table for `pytest.mark.parametrize`: each a dict, and its name the id of the test.

    `@pytest.mark.parametrize("case", plusone.check.cases("cases.csv"))`, and `pytest -k "an offer"` runs one.

    Args:
        table: a CSV file (beside the test, or in the project), any dataframe, or a list of dicts. Its column `case`
            names the rows; without it they are `case 1`, `case 2` ... In a CSV file an empty cell is None.

    Raises:
        UsageError: when there is no such file, or it is no table of 1 to 100,000 cases.
    """
    import pytest

    read = read_cases(table, {"case": "string", "because": "string"})
    return [pytest.param(row, id=name) for row, name in zip(read.to_pylist(), case_names(read), strict=True)]
