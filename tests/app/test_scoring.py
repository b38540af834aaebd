"""Where the evidence of a score comes from: the records of a store, up to a moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.app.app import App
from plusone.app.scoring import case_of
from plusone.base import clock
from plusone.base.errors import UsageError
from plusone.predictions.collecting import collect
from tests.predictions.written import log_predictions, send_labels
from tests.release.written import Written


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    project = Written(tmp_path / "p")
    yield project
    project.close()


def test_the_live_release_is_scored_and_without_one_the_newest(written: Written):
    written.release()
    written.release()
    assert case_of(written.store, "m", clock.now()).release == _release(written, 2)
    written.promote(_release(written, 1))
    found = case_of(written.store, "m", clock.now())
    assert found.release == _release(written, 1)
    assert len(found.checks) == 2
    assert [one.release for one in found.took] == [1]


def _release(written: Written, number: int):
    from plusone.release.lifecycle import find_release

    return find_release(written.store.db, f"m@{number}")


def test_predictions_and_labels_of_the_model_count(written: Written):
    written.release(live=True)
    log_predictions(written.root, ["p1", "p2"], model="m", release=1)
    collect(written.store, written.root)
    found = case_of(written.store, "m", clock.now())
    assert (found.predictions, found.labelled) == (2, False)
    send_labels(written.root, ("p1", "1.5"), model="m", at="2026-01-01T00:00:00.000000Z")
    collect(written.store, written.root)
    assert case_of(written.store, "m", clock.now()).labelled
    then = case_of(written.store, "m", "2001-01-01T00:00:00.000000Z")
    assert (then.predictions, then.labelled) == (0, False), "none was logged by then"


def test_however_many_runs_come_later_those_of_before_are_found(written: Written, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("plusone.app.scoring._RUNS", 2)
    first = written.release(live=True)
    moment = clock.now()
    for number in range(5):
        written.release(settings={"C": number})
    found = case_of(written.store, "m", moment, _release(written, 1))
    assert [run.id for run in found.runs] == [first.run_id]
    assert len(case_of(written.store, "m", clock.now()).runs) == 2


def test_what_came_later_is_not_among_the_evidence(written: Written):
    written.release(live=True)
    moment = clock.now()
    with App(written.root) as app:
        app.add_score_note(test="data-5", note="looked", by="ann")
        written.release(live=True)
        app.roll_back(target="m")
        then, now = case_of(written.store, "m", moment, _release(written, 1)), case_of(written.store, "m", clock.now())
        assert (len(then.notes), len(now.notes)) == (0, 1)
        assert len(then.decisions) < len(now.decisions)
        points = {one.test: one.points for one in app.get_score().points}
    assert points["data-5"] == 0.5
    assert points["infrastructure-7"] == 0.5, "a person rolled back"


def test_a_test_may_be_named_in_short(written: Written):
    written.release()
    with App(written.root) as app:
        for name in ("infra-7", "Infrastructure 7", " INFRA_7 "):
            assert app.add_score_note(test=name, note="x").test == "infrastructure-7"
        for name in ("infra-8", "7", "", "data", "data-1-2", "data-1\x00"):
            with pytest.raises(UsageError, match="There is no test"):
                app.add_score_note(test=name, note="x")
        assert len(app.list_score_notes()) == 3
