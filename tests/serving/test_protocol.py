from __future__ import annotations

import time

import pytest

from plusone.base.errors import WrongContentType
from plusone.base.ids import new_id
from plusone.serving import protocol


def test_ids_have_the_form_of_new_id_sort_and_differ():
    one, other = protocol.Ids(), protocol.Ids()
    before = new_id()[:10]
    made = [one.new() for _ in range(20_000)]
    after = new_id()[:10]
    assert before <= made[0][:10] <= made[-1][:10] <= after
    assert made == sorted(set(made))
    assert {len(text) for text in made} == {26}
    assert not set(made) & {other.new() for _ in range(20_000)}


def test_ids_sort_and_differ_when_the_count_is_full_and_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch):
    ids = protocol.Ids()
    made = [ids.new()]
    ids._count = (1 << 20) - 2
    made += [ids.new() for _ in range(4)]
    real = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: real - 10**9)
    made += [ids.new() for _ in range(4)]
    assert made == sorted(set(made))


def test_a_wrong_type_is_answered_with_the_right_ones():
    error = protocol.wrong_content_type("text/plain", ("application/json", "application/x"))
    assert isinstance(error, WrongContentType)
    assert "'text/plain': expected application/json or application/x" in error.message
    assert error.mend == "content-type: application/json"
