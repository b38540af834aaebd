"""What a report is made of: the release before, and the newest of each record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.app.app import App
from plusone.app.reporting import material_of
from plusone.base.errors import NotFound
from tests.release.written import PASSED, Written


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    project = Written(tmp_path / "p")
    yield project
    project.close()


def test_it_is_compared_with_the_newest_that_was_live_and_not_with_one_that_failed(written: Written):
    written.release(live=True, settings={"C": 1})
    written.release(checks=[*PASSED, ("model", "failed")], settings={"C": 2})
    written.release(settings={"C": 3})
    before = material_of(written.store, "p", "m@3").before
    assert before is not None
    assert (before.release.number, before.was_live) == (1, True)
    assert before.changes["settings"] == {"C": [1, 3]}


def test_without_one_that_was_live_it_is_compared_with_the_one_before(written: Written):
    written.release()
    written.release()
    assert material_of(written.store, "p", "m@1").before is None
    before = material_of(written.store, "p", "m@2").before
    assert before is not None
    assert (before.release.number, before.was_live) == (1, False)


def test_the_newest_session_decides_and_the_older_are_named(written: Written):
    release = written.release(checks=[*PASSED, ("model", "failed")])
    assert material_of(written.store, "p", "m@1").problems
    written.session(release, PASSED)
    found = material_of(written.store, "p", "m@1")
    assert found.problems == ()
    assert len(found.older_sessions) == 1


def test_a_report_changes_with_its_records_and_with_nothing_else(written: Written):
    written.release(live=True)
    with App(written.root) as app:
        first = app.get_report(target="m@1")
        assert app.get_report(target="m@live") == first
        written.release(live=True)
        later = app.get_report(target="m@1")
    assert first.html != later.html
    assert "retired" in later.html or "previous" in later.html


def test_a_session_is_found_by_the_beginning_of_its_id_if_that_names_one(written: Written):
    release = written.release()
    written.session(release, PASSED)
    with App(written.root) as app:
        first, second = app.list_sessions(target="m@1")
        assert app.list_checks(target="m@1") == second
        assert app.list_checks(target="m@1", session=first.id) == first
        with pytest.raises(NotFound, match="2 sessions"):
            app.list_checks(target="m@1", session=first.id[:2])
        with pytest.raises(NotFound, match="no session"):
            app.list_checks(target="m@1", session="")
