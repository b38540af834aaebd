from __future__ import annotations

from pathlib import Path

import pytest

from plusone import check
from plusone.base.errors import UsageError
from plusone.measuring.outcomes import CheckFailed, is_outcome, record, recording


def test_what_is_recorded_goes_to_the_innermost_recording():
    record({"lost": 1})
    with recording() as outer:
        with recording() as inner:
            record({"a": 1})
        record({"b": 2})
    record({"lost": 2})
    assert (outer, inner) == ([{"b": 2}], [{"a": 1}])


def test_a_traceback_shows_the_line_of_the_test_and_none_of_ours():
    with pytest.raises(CheckFailed) as found:
        check.rows([{"a": 1}], at_least=2)
    shown = [entry for entry in found.traceback if not entry.ishidden(found)]
    assert [Path(entry.path).name for entry in shown] == ["test_outcomes.py"]


def test_what_a_check_says_is_no_fault_of_ours():
    for error, hidden in ((CheckFailed("no"), True), (UsageError("no"), True), (AttributeError("oh"), False)):
        with pytest.raises(type(error)) as found:
            raise error
        assert is_outcome(found) is hidden
    assert not is_outcome(None)
