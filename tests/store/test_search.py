"""How SQLite goes about a search: by the indexes that are made for it, whatever the size of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from plusone.search.filter import parse_filter, parse_order
from plusone.store import Store, open_store
from plusone.store.search import Place, Search, find_runs, get_runs


class Spy:
    """A database that keeps how SQLite plans each query of a search."""

    def __init__(self, store: Store) -> None:
        self.dialect = "sqlite"
        self._store = store
        self.plans: list[str] = []

    def select(self, text: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        connection = sqlite3.connect(self._store.folder / "plusone.db")
        try:
            self.plans += [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", dict(values))]
        finally:
            connection.close()
        return self._store.db.select(text, values)


@pytest.fixture
def spy(tmp_path: Path) -> Iterator[Spy]:
    store = open_store(tmp_path / "store")
    yield Spy(store)
    store.close()


QUESTIONS: list[tuple[str, list[str]]] = [
    ("", []),
    ("", ["metrics.a"]),
    ("", ["metrics.a DESC"]),
    ("", ["params.a", "metrics.b DESC"]),
    ("", ["metrics.a", "run_name", "start_time"]),
    ("", ["tags.a DESC", "start_time"]),
    ("", ["end_time"]),
    ("metrics.a > 1", []),
    ("metrics.a > 1 and metrics.a < 2 and params.b = 'x'", ["metrics.c DESC"]),
    ("params.a LIKE '%x%' and tags.b != 'y' and tags.c IS NULL", ["run_name"]),
    ("params.a IN ('x', 'y') and params.b NOT IN ('x')", ["start_time"]),
    ("run_name ILIKE '%x%' and model = 'm'", []),
    ("model IN ('m', 'n') and source != 'mlflow' and status = 'done'", ["metrics.a"]),
]


@pytest.mark.parametrize("after", [False, True], ids=["first page", "later page"])
@pytest.mark.parametrize(("filter", "order_by"), QUESTIONS)
def test_no_search_reads_what_it_does_not_show(spy: Spy, filter: str, order_by: list[str], after: bool) -> None:
    orders = parse_order(order_by)
    names = {"run_name": "name", "start_time": "started_at", "end_time": "finished_at"}
    columns = [(one.kind, names.get(one.key, one.key), one.descending) for one in orders]
    conditions = [(one.kind, names.get(one.key, one.key), one.comparator, one.value) for one in parse_filter(filter)]
    place = Place(tuple((0, 1.0 if one.kind == "metric" else "x") for one in orders), "2026", 7)
    for experiments in (None, ["0"], ["0", "1"]):
        find_runs(spy, Search(conditions, columns, experiments, False, place if after else None, 101))
    touched = [
        plan for plan in spy.plans if plan.startswith(("SCAN", "SEARCH")) and " run_" not in plan.split(" USING ")[0]
    ]
    for plan in touched:
        if plan.startswith("SEARCH"):
            assert "COVERING INDEX" in plan or "PRIMARY KEY" in plan, plan
        elif plan not in ("SCAN w", "SCAN t"):
            assert plan == "SCAN r USING COVERING INDEX run_by_start", plan
    if not order_by and not filter:
        assert not [plan for plan in spy.plans if "TEMP B-TREE" in plan and "run_by_start" in plan]


def test_a_page_of_rows_is_looked_up_by_number(spy: Spy) -> None:
    assert get_runs(spy, []) == []
    assert get_runs(spy, [1, 2]) == []
    assert spy.plans == ["SEARCH run USING INDEX run_by_number (number=?)"]


def test_a_search_in_no_experiment_asks_nothing(spy: Spy) -> None:
    assert find_runs(spy, Search([], [], [], False, None, 10)) == []
    assert spy.plans == []
