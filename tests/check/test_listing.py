from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import plusone
from plusone.base.errors import UsageError


def test_each_row_is_a_parameter_with_its_name(tmp_path: Path):
    file = tmp_path / "cases.csv"
    file.write_text("case,text,expected\nan offer,free money,true\n,,false\nan offer,more,true\n")
    found = plusone.check.cases(file)
    assert [one.id for one in found] == ["an offer (1)", "case 2", "an offer (3)"]
    assert found[1].values[0] == {"case": None, "text": None, "expected": False}
    frame = pd.DataFrame({"case": ["a", "b"], "x": [1, 2]})
    assert [one.values[0] for one in plusone.check.cases(frame)] == frame.to_dict("records")


@pytest.mark.parametrize("table", ["nothing.csv", [], 7, None])
def test_what_is_no_table_of_cases_is_refused(table: object):
    with pytest.raises(UsageError, match=r"no file|rows|table"):
        plusone.check.cases(table)
