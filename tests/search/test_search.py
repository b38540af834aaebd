"""Searching runs and experiments: what the interface itself promises; what is found is in tests/contracts."""

from __future__ import annotations

from typing import Any

import pytest

from plusone.base.errors import UsageError
from plusone.base.records import Run
from plusone.search.search import milliseconds, search_experiments, search_runs
from plusone.store import Store
from plusone.tracking.experiments import add_experiment, change_experiment
from plusone.tracking.runs import add_run


def add(store: Store, number: int, **fields: object) -> str:
    values = {"name": "r", "status": "done", "started_at": f"2026-01-01T00:00:00.{number:06d}Z", **fields}
    run = Run(id=f"{number:026d}", **values)  # pyright: ignore[reportArgumentType]  # the fields of a run
    add_run(store, run)
    return run.id


def test_a_page_has_whole_runs_the_newest_first(store: Store):
    ids = [add(store, number, settings={"n": number}, tags={"t": "x"}) for number in range(5)]
    page = search_runs(store, count=3)
    assert [run.id for run in page.runs] == ids[:1:-1]
    assert page.runs[0].settings == {"n": 4}
    assert page.next_page is not None
    rest = search_runs(store, count=3, page=page.next_page)
    assert [run.id for run in rest.runs] == ids[1::-1]
    assert rest.next_page is None


def test_a_page_that_just_fits_is_the_last(store: Store):
    for number in range(3):
        add(store, number)
    assert search_runs(store, count=3).next_page is None
    assert search_runs(store, count=2).next_page is not None


@pytest.mark.parametrize("count", [0, -1, 50_001])
def test_counts_out_of_range_are_refused(store: Store, count: int):
    with pytest.raises(UsageError, match="expected 1 to 50000"):
        search_runs(store, count=count)


def test_a_token_is_refused_by_another_question(store: Store):
    for number in range(3):
        add(store, number)
    page = search_runs(store, count=1).next_page
    assert search_runs(store, count=2, page=page).runs
    questions: list[dict[str, Any]] = [
        {"filter": "metrics.x > 1"},
        {"order_by": ["start_time"]},
        {"view": "all"},
        {"experiments": ["0"]},
    ]
    for others in questions:
        with pytest.raises(UsageError, match="another filter, order or set of experiments"):
            search_runs(store, count=1, page=page, **others)


@pytest.mark.slow
def test_too_many_experiments_are_refused(store: Store):
    with pytest.raises(UsageError, match="10001 experiments are asked for: expected at most 10000"):
        search_runs(store, experiments=[str(number) for number in range(10_001)])
    assert search_runs(store, experiments=[str(number) for number in range(10_000)]).runs == ()


@pytest.mark.slow
def test_the_longest_filters_are_answered(store: Store):
    mine = add(store, 1, settings={"x": "a" * 4000})
    many = ", ".join(f"'{number:07d}'" for number in range(9000))
    assert [run.id for run in search_runs(store, filter=f"params.x NOT IN ({many})").runs] == [mine]
    everything = " and ".join(["params.x LIKE '%aaa%'"] * 100)
    assert [run.id for run in search_runs(store, filter=everything).runs] == [mine]
    hostile = "%a" * 2000
    assert [run.id for run in search_runs(store, filter=f"params.x LIKE '{hostile}'").runs] == [mine]
    assert search_runs(store, filter=f"params.x ILIKE '{hostile[:-1]}b'").runs == ()
    wild = "[" * 4000
    assert search_runs(store, filter=f"params.x LIKE '{wild}'").runs == ()


def test_experiments_are_searched_by_name_time_and_tag(store: Store):
    ann = add_experiment(store, "ann", tags={"team": "a"})
    bob = add_experiment(store, "bob", tags={"team": "b"})
    assert [one.name for one in search_experiments(store).experiments] == ["bob", "ann", "Default"]
    assert search_experiments(store, filter="name LIKE 'a%' and tags.team = 'a'").experiments == (ann,)
    at = milliseconds(ann.created_at)
    assert search_experiments(store, filter=f"creation_time >= {at}").experiments == (bob, ann)
    assert [one.name for one in search_experiments(store, order_by=["name DESC"]).experiments] == [
        "bob",
        "ann",
        "Default",
    ]
    change_experiment(store, bob.id, deleted=True)
    assert [one.name for one in search_experiments(store, view="deleted").experiments] == ["bob"]
    assert len(search_experiments(store, view="all").experiments) == 3
    first = search_experiments(store, order_by=["name"], view="all", count=2)
    assert [one.name for one in first.experiments] == ["Default", "ann"]
    second = search_experiments(store, order_by=["name"], view="all", count=2, page=first.next_page)
    assert [one.name for one in second.experiments] == ["bob"]
    with pytest.raises(UsageError, match="another filter"):
        search_experiments(store, order_by=["name"], view="active", count=2, page=first.next_page)
    with pytest.raises(UsageError, match="an attribute of experiments"):
        search_experiments(store, filter="metrics.x > 1")


def test_times_are_rounded_down_to_milliseconds(store: Store):
    assert milliseconds("1970-01-01T00:00:01.234999Z") == 1234
    run = add(store, 1999)
    begins = milliseconds("2026-01-01T00:00:00.001999Z")
    for filter, found in (
        (f"start_time = {begins}", [run]),
        (f"start_time > {begins}", []),
        ("start_time < 1e300", [run]),
    ):
        assert [one.id for one in search_runs(store, filter=filter).runs] == found
