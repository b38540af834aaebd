"""What the demo measures: it must see a failure, a gap and a late answer when there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.demo.measure import (
    Answer,
    Log,
    Span,
    Switch,
    control_spans,
    count_releases,
    find_switch,
    longest_gap,
    quantile,
)


def answer(at: float, release: int = 1, status: int = 200) -> Answer:
    return Answer(at - 0.01, at, status, release)


def test_a_gap_is_the_longest_time_without_a_good_answer() -> None:
    answers = [answer(1.0), answer(1.5), answer(3.0, release=0, status=503), answer(4.0)]
    assert longest_gap(answers, Span(1.0, 4.5)) == 2.5


def test_a_gap_at_the_edge_of_the_span_counts() -> None:
    """Silence that begins inside the span and ends behind it is silence."""
    answers = [answer(0.5), answer(1.0), answer(9.0)]
    assert longest_gap(answers, Span(0.0, 4.0)) == 3.0
    assert longest_gap([], Span(0.0, 4.0)) == 4.0


def test_the_order_in_which_answers_were_written_down_does_not_matter() -> None:
    assert longest_gap([answer(3.0), answer(1.0), answer(2.0)], Span(1.0, 3.0)) == 1.0


@pytest.mark.parametrize(
    "bad", [Answer(0, 1, 0, 0, "refused"), Answer(0, 1, 422, 0), Answer(0, 1, 503, 0), Answer(0, 1, 200, 0)]
)
def test_all_but_an_answer_by_a_release_failed(bad: Answer) -> None:
    assert bad.failed
    assert count_releases([bad, answer(1, release=2), answer(2, release=1), answer(3, release=2)]) == {1: 1, 2: 2}


def test_a_switch_is_seen_with_the_last_answer_of_the_old_release() -> None:
    answers = [answer(1.0, 1), answer(2.0, 2), answer(2.2, 1), answer(3.0, 2), answer(9.0, 1)]
    assert find_switch(answers, old=1, new=2, span=Span(0.5, 5.0)) == Switch(2.0, 2.2)


def test_no_switch_when_the_new_release_never_answered_well() -> None:
    answers = [answer(1.0, 1), answer(2.0, 2, status=500)]
    assert find_switch(answers, old=1, new=2, span=Span(0.0, 5.0)) is None


def test_control_spans_keep_away_from_the_swaps() -> None:
    spans = control_spans(Span(0, 20), 3, [Span(4, 7), Span(14, 15)])
    assert spans == [Span(0, 3), Span(7, 10), Span(10, 13), Span(15, 18)]
    assert control_spans(Span(0, 2), 3, []) == []


def test_quantiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [quantile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]
    assert quantile([], 0.5) == 0.0


def test_the_log_is_read_as_it_grows_and_never_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    log = Log(path)
    log.read()
    assert log.answers == []
    path.write_text('[1.0, 1.1, 200, 1, ""]\n[2.0, 2.1, 0, 0, "Connec')
    log.read()
    assert log.answers == [Answer(1.0, 1.1, 200, 1)]
    with path.open("a") as out:
        out.write('tionReset"]\n')
    log.read()
    assert log.answers[1:] == log.failed == [Answer(2.0, 2.1, 0, 0, "ConnectionReset")]
