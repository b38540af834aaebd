"""The rubric: 28 tests, each of which can be raised to a whole point or done by hand, by a step that names how."""

from __future__ import annotations

from plusone.score.rubric import RUBRIC, SECTIONS


def test_seven_tests_in_each_of_four_sections():
    assert [(one.section, one.number) for one in RUBRIC] == [(name, n) for name in SECTIONS for n in range(1, 8)]
    assert len({one.name for one in RUBRIC}) == 28


def test_every_test_has_a_step_that_costs_something():
    for one in RUBRIC:
        assert one.steps, one.id
        assert all(1 <= step.effort <= 5 and step.to in (0.5, 1) for step in one.steps)


def test_a_step_that_is_recorded_names_its_own_test():
    recorded = [(one.id, step.text) for one in RUBRIC for step in one.steps if "plusone score record" in step.text]
    assert len(recorded) > 10
    assert all(f"plusone score record {test} " in text for test, text in recorded)
    assert not [text for one in RUBRIC for step in one.steps if "{" in (text := step.text)]
