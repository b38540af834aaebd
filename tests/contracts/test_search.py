"""What every backend promises of a search: the runs, the order and the pages that a plain evaluation gives."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from plusone.base.errors import UsageError
from plusone.base.records import Latest, Run, RunInput, as_number
from plusone.search.filter import parse_filter, parse_order, write_filter, write_order
from plusone.search.matching import Values, select
from plusone.search.search import MLFLOW_STATUS, milliseconds, search_runs
from plusone.store import Store, search
from plusone.tracking.changing import change_run, set_tags
from plusone.tracking.inputs import add_inputs
from plusone.tracking.runs import add_run
from tests.contracts.questions import ask_filter, ask_order

Answer = Callable[..., list[str]]

METRICS = (0.0, -0.0, 1.0, 2.5, 1e300, math.inf, -math.inf, math.nan)
TEXTS = (
    "a",
    "A",
    "b",
    "ab",
    "",
    "a*b",
    "[a]",
    "a%b",
    "é",
    "É",
    "it's",
    "3",
    "10",
    "L" * 300,
    "L" * 300 + "a",
    "L" * 301,
)
RUNS = 45


def random_run(random_: random.Random, number: int) -> tuple[Run, list[dict[str, str]]]:
    def some(texts: tuple[str, ...], keys: str) -> dict[str, str]:
        return {key: random_.choice(texts) for key in keys if random_.random() < 0.7}

    minute = random_.randrange(8)
    run = Run(
        id=f"{random_.randrange(10**12):012x}{number:014d}",
        name=random_.choice(("", "train", "Train", "eval")),
        status=random_.choice(tuple(MLFLOW_STATUS)),  # pyright: ignore[reportArgumentType]  # they are the statuses
        started_at=f"2026-01-01T00:0{minute}:00.00{random_.choice('01')}{random_.choice(('000', '500'))}Z",
        finished_at=random_.choice((None, f"2026-01-01T01:0{minute}:00.000000Z")),
        model=random_.choice((None, "flights", "ships")),
        by=random_.choice(("ann", "bob")),
        experiment=random_.choice(("0", "e1", "e2")),
        settings=some(TEXTS, "xy") | ({"n": random_.choice((3, 10, True, None))} if random_.random() < 0.5 else {}),
        tags=some(TEXTS, "xyz"),
        metrics={
            key: Latest(value=as_number(random_.choice(METRICS)), step=0, at=0.0)
            for key in "xyz"
            if random_.random() < (0.2 if key == "z" else 0.8)
        },
        deleted_at=random_.choice((None, None, None, "2026-01-02T00:00:00.000000Z")),
    )
    inputs = [
        {
            "name": random_.choice("ab"),
            "digest": f"{random_.randrange(3)}",
            "context": random_.choice(("train", "eval")),
        }
        for _ in range(random_.choice((0, 0, 1, 2)))
    ]
    return run, inputs


def values_of(run: Run, inputs: list[dict[str, str]]) -> Values:
    """What a filter asks of a run, taken from the record: written here anew, so that both can't be wrong alike."""
    return {
        "attribute": {
            "run_id": run.id,
            "run_name": run.name,
            "status": run.status,
            "start_time": milliseconds(run.started_at),
            "end_time": milliseconds(run.finished_at) if run.finished_at else None,
            "user_id": run.by,
            "experiment_id": run.experiment,
            "artifact_uri": f"mlflow-artifacts:/{run.experiment}/{run.id}/artifacts",
            "model": run.model,
            "source": run.source,
        },
        "metric": {key: float(latest.value) for key, latest in run.metrics.items()},
        "param": {key: str(value) for key, value in run.settings.items()},
        "tag": run.tags,
        "dataset": inputs,
    }


def sorted_by(run: Run, inputs: list[dict[str, str]]) -> Values:
    """What an order compares: texts by their first 300 characters, times to the microsecond."""
    values = values_of(run, inputs)
    short = {kind: {key: text[:300] for key, text in values[kind].items()} for kind in ("param", "tag")}
    times = {"start_time": run.started_at, "end_time": run.finished_at}
    return {**values, **short, "attribute": {**values["attribute"], **times}}


class Filled:
    """A store full of random runs, and what a plain evaluation says of them."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.runs: list[tuple[Run, list[dict[str, str]]]] = []
        for _ in range(RUNS):
            self.add()

    def add(self) -> None:
        run, inputs = random_run(self.random, len(self.runs))
        add_run(self.store, run)
        with self.store.db.write() as tx:
            for key, latest in run.metrics.items():
                value = float(latest.value)
                tx.execute("run_metric_set", run_id=run.id, key=key, value=None if math.isnan(value) else value)
        self.runs.append((run, self._put(run, inputs)))

    def _put(self, run: Run, inputs: list[dict[str, str]]) -> list[dict[str, str]]:
        found = {(one["name"], one["digest"]): one for one in inputs}
        add_inputs(
            self.store,
            [
                RunInput(
                    run_id=run.id,
                    name=name,
                    digest=digest,
                    source_type="file",
                    source="",
                    tags={"mlflow.data.context": one["context"]},
                )
                for (name, digest), one in found.items()
            ],
        )
        return list(found.values())

    def expected(
        self, filter: str, order_by: list[str], experiments: list[str] | None = None, view: str = "active"
    ) -> list[str]:
        wanted = {"active": {False}, "deleted": {True}, "all": {False, True}}[view]
        newest = sorted(range(len(self.runs)), key=lambda place: (self.runs[place][0].started_at, place), reverse=True)
        among = [
            self.runs[place]
            for place in newest
            if (self.runs[place][0].deleted_at is not None) in wanted
            and (experiments is None or self.runs[place][0].experiment in experiments)
        ]
        kept = select(among, parse_filter(filter), (), lambda pair: values_of(*pair))
        return [run.id for run, _ in select(kept, (), parse_order(order_by), lambda pair: sorted_by(*pair))]

    def found(self, filter: str, order_by: list[str], *, count: int = 7, **others: Any) -> list[str]:
        found: list[str] = []
        page = None
        while True:
            one = search_runs(self.store, filter=filter, order_by=order_by, count=count, page=page, **others)
            assert len(one.runs) <= count
            found += [run.id for run in one.runs]
            page = one.next_page
            if page is None:
                return found
            assert len(one.runs) == count


@pytest.fixture(params=[(3, 9), (400, 4000)], ids=["short walks", "long walks"])
def filled(store: Store, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Filled:
    monkeypatch.setattr(search, "_WALKS", request.param)
    return Filled(store, seed=request.param[0])


@pytest.mark.slow
def test_every_search_finds_what_a_plain_evaluation_finds_page_by_page(filled: Filled) -> None:
    random_ = random.Random(7)
    for _ in range(250):
        conditions = ask_filter(random_, TEXTS)
        orders = ask_order(random_)
        filter, order_by = write_filter(conditions), write_order(orders)
        experiments = random_.choice((None, None, ["0"], ["e1", "e2"], ["none"], []))
        view = random_.choice(("active", "active", "deleted", "all"))
        expected = filled.expected(filter, order_by, experiments, view)
        count = random_.choice((1, 2, 7, 100))
        found = filled.found(filter, order_by, count=count, experiments=experiments, view=view)
        assert found == expected, (filter, order_by, experiments, view, count)


def test_statuses_are_found_by_our_words_and_by_those_of_mlflow(filled: Filled) -> None:
    for ours, other in MLFLOW_STATUS.items():
        expected = [run.id for run, _ in filled.runs if run.status == ours]
        for word in (ours, other):
            assert sorted(filled.found(f"status = '{word}'", [], view="all")) == sorted(expected)
            assert not {*filled.found(f"status != '{word}'", [], view="all")} & {*expected}
            assert sorted(filled.found(f"status IN ('{word}')", [], view="all")) == sorted(expected)
    likely = {run.id for run, _ in filled.runs if run.status in ("done", "failed")}
    assert {*filled.found("status LIKE 'F%'", [], view="all")} == likely
    with pytest.raises(UsageError, match="'finish' is no status of a run: expected one of FAILED, FINISHED"):
        filled.found("status = 'finish'", [])


@pytest.mark.slow
def test_what_is_added_while_pages_are_turned_shifts_nothing(filled: Filled) -> None:
    for order_by in (
        [],
        ["metrics.x DESC"],
        ["metrics.z"],
        ["params.x", "metrics.y DESC"],
        ["tags.z DESC"],
        ["end_time"],
    ):
        before = filled.expected("", order_by, view="all")
        found: list[str] = []
        page = None
        while True:
            one = search_runs(filled.store, order_by=order_by, count=4, page=page, view="all")
            found += [run.id for run in one.runs]
            page = one.next_page
            if page is None:
                break
            filled.add()
        assert len(found) == len({*found}), "a run came twice"
        assert [run_id for run_id in found if run_id in {*before}] == before


def test_what_is_changed_is_found_as_it_is_now(filled: Filled) -> None:
    run = next(run for run, _ in filled.runs if run.deleted_at is None)
    set_tags(filled.store, run.id, {"x": "new", "y": None})
    assert filled.found("tags.x = 'new'", []) == [run.id]
    assert run.id in filled.found("tags.y IS NULL", [])
    change_run(filled.store, run.id, name="renamed", status="done")
    assert filled.found("run_name = 'renamed' and status = 'FINISHED'", []) == [run.id]
    change_run(filled.store, run.id, deleted=True)
    assert filled.found("run_name = 'renamed'", []) == []
    assert filled.found("run_name = 'renamed'", [], view="deleted") == [run.id]


LIKE_SQL = (
    "'; DROP TABLE run; --",
    '" OR 1 = 1 --',
    ":p0",
    ":number",
    "%s",
    "%(p0)s",
    "?",
    "{0}",
    "$1",
    "\\",
    "a\\'b",
    "/* */",
)


def test_what_looks_like_sql_is_text(filled: Filled) -> None:
    run = filled.runs[0][0]
    for text in LIKE_SQL:
        set_tags(filled.store, run.id, {text: text})
        key, value = "`" + text.replace("`", "``") + "`", "'" + text.replace("'", "''") + "'"
        for comparator in ("=", "LIKE", "ILIKE"):
            assert run.id in filled.found(f"tags.{key} {comparator} {value}", [f"tags.{key} DESC"], view="all")
        assert filled.found(f"tags.{key} IN ({value}, {value})", [f"params.{key}"], view="all") == [run.id]
        assert filled.found(f"params.{key} = {value} and run_name != {value}", [], view="all") == []
    assert len(filled.found("", [], view="all")) == len(filled.runs)
