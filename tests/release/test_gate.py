"""Law 1 in the store's own transaction, and what the store refuses to change."""

from __future__ import annotations

import sqlite3
from typing import get_args

import pytest

from plusone.base.errors import GateClosed, UsageError
from plusone.base.records import Outcome
from plusone.release.gate import gate_problems, newest_session
from plusone.release.lifecycle import roll_back
from tests.release.invariants import check_invariants, history
from tests.release.written import PASSED, Subject, Written


def _route_versions(project: Written) -> list[int]:
    return [row["version"] for row in project.store.db.all("route_list", model="m")]


def test_without_a_session_of_checks_the_gate_is_closed(project: Written):
    release = project.release(checks=None)
    with pytest.raises(GateClosed, match="no session of checks"):
        project.promote(release)
    assert project.stages() == {1: "candidate"}
    assert _route_versions(project) == []


@pytest.mark.parametrize("outcome", [one for one in get_args(Outcome) if one not in ("passed", "not applicable")])
def test_any_outcome_but_passed_and_not_applicable_closes_the_gate(project: Written, outcome: Outcome):
    release = project.release(checks=[*PASSED, ("model", outcome)])
    before = history(project.store)
    with pytest.raises(GateClosed, match=outcome):
        project.promote(release)
    assert history(project.store) == before, "a refused promote leaves nothing behind"


@pytest.mark.parametrize("checks", [[], [("data", "passed")], [("model", "passed")], [("code", "passed")]])
def test_a_session_without_a_passed_test_on_data_and_on_model_closes_the_gate(
    project: Written, checks: list[tuple[Subject, Outcome]]
):
    with pytest.raises(GateClosed, match="no test passed on the"):
        project.promote(project.release(checks=checks))


def test_not_applicable_counts_for_nothing(project: Written):
    with pytest.raises(GateClosed, match="no test passed on the model"):
        project.promote(project.release(checks=[("data", "passed"), ("model", "not applicable")]))
    project.promote(project.release(checks=[*PASSED, ("model", "not applicable")]))
    assert project.stages() == {1: "candidate", 2: "live"}


def test_a_problem_of_the_session_closes_the_gate_though_every_check_passed(project: Written):
    release = project.release(checks=None)
    project.session(release, PASSED, problems=["tests/test_x.py was not collected"])
    with pytest.raises(GateClosed, match="not collected"):
        project.promote(release)


def test_the_newest_session_counts_even_if_both_were_made_within_a_millisecond(project: Written):
    release = project.release(checks=None)
    for number in range(40):
        project.session(release, PASSED if number % 2 else [*PASSED, ("model", "failed")])
        newest = newest_session(project.store.db, release.digest)
        assert newest is not None
        assert bool(gate_problems(project.store.db, release.digest)) == (number % 2 == 0), number


def test_a_later_failed_session_stops_a_rollback_to_that_release(project: Written):
    first = project.release(live=True)
    project.release(live=True)
    project.session(first, [*PASSED, ("data", "failed")])
    with pytest.raises(GateClosed):
        roll_back(project.store, "m", by="a person")
    assert project.stages() == {1: "previous", 2: "live"}
    check_invariants(project.store)


def test_an_override_needs_a_reason_and_is_recorded_for_that_digest_alone(project: Written):
    bad, other = (project.release(checks=[*PASSED, ("model", "failed")]) for _ in range(2))
    for reason in ("", "  \n"):
        with pytest.raises(UsageError, match="reason"):
            project.promote(bad, override=True, reason=reason)
    move = project.promote(bad, override=True, reason="the auditor said so")
    assert [(d.override, d.reason, d.digest) for d in move.decisions] == [(True, "the auditor said so", bad.digest)]
    assert move.decisions[0].evidence["problems"], "what was overridden is kept"
    with pytest.raises(GateClosed):
        project.promote(other)
    assert project.stages() == {1: "live", 2: "candidate"}


def test_an_override_that_nothing_stood_against_is_recorded_as_none(project: Written):
    move = project.promote(project.release(), override=True, reason="to be sure")
    assert [d.override for d in move.decisions] == [False]


@pytest.mark.parametrize("table", ["release", "session", "check_result", "decision", "route"])
def test_what_was_decided_can_neither_be_changed_nor_deleted_by_any_sql(project: Written, table: str):
    project.release(live=True)
    project.release(live=True)
    with sqlite3.connect(project.store.folder / "plusone.db") as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        for column in columns:
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                connection.execute(f"UPDATE {table} SET {column} = {column}")  # noqa: S608  the names are ours
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608  the names are ours
    connection.close()
