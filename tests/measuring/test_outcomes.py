from __future__ import annotations

from plusone.measuring.outcomes import record, recording


def test_what_is_recorded_goes_to_the_innermost_recording():
    record({"lost": 1})
    with recording() as outer:
        with recording() as inner:
            record({"a": 1})
        record({"b": 2})
    record({"lost": 2})
    assert (outer, inner) == ([{"b": 2}], [{"a": 1}])
