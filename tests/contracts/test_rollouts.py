"""Rollouts on every backend: what is recorded comes back, and of several who move at once one does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plusone.base.errors import BrokenRule, Conflict
from plusone.base.plans import parse_plan
from plusone.base.rollouts import Look, Rollout
from plusone.monitoring.judged import judge_labels
from plusone.release import lifecycle, rollout
from plusone.release.events import get_rollout, list_looks, list_rollouts, newest_rollout, open_rollouts, read_state
from plusone.store import Store
from tests.release.invariants import check_invariants
from tests.release.written import Written

PLAN = parse_plan(["shadow 50% 1s", "5% 1m 1000", "50% 1h"], "the plan")
LOOK = Look(seq=0, at="", step=1, action="hold", reasons=("\0'\u2028", "x"), served_s=1.5, requests=2**40)
FIGURES = {"rate": 0.1, "n": 2**53, "text": "'; DROP TABLE rollout; --", "none": None, "list": [1, 2.5]}


@pytest.fixture
def written(store: Store, tmp_path: Path) -> Written:
    """A live release and two that passed their checks, m@2 being rolled out."""
    found = Written(tmp_path / "p", store)
    found.release(live=True)
    found.release()
    found.release()
    rollout.begin(store, "m@2", PLAN, by="ann", reason="\u00e4 'why'")
    return found


def now(store: Store) -> Rollout:
    found = newest_rollout(store.db, "m")
    assert found is not None
    return found


def test_what_is_recorded_comes_back(written: Written, open_again: Callable[[], Store]) -> None:
    import msgspec

    store = open_again()
    begun = now(store)
    assert (begun.release, begun.live, begun.plan, begun.reason) == (2, 1, PLAN, "\u00e4 'why'")
    rollout.record(store, begun, msgspec.structs.replace(LOOK, figures=FIGURES), '{"n": 1}', "hold", "judge")
    held = now(written.store)
    assert held == now(store) == get_rollout(store.db, begun.id) == list_rollouts(store.db)[0]
    assert (held.status, held.looks, held.events[-1].figures["why"]) == ("held", 1, "judge")
    assert held.look is not None
    assert (held.look.figures, held.look.reasons) == (FIGURES, LOOK.reasons)
    assert (held.look.requests, held.look.served_s, held.look.action) == (2**40, 1.5, "hold")
    assert read_state(store.db, held) == '{"n": 1}'
    assert read_state(store.db, begun) is None, "that is what was known before the look"
    assert [one.id for one in open_rollouts(store.db)] == [begun.id]
    route = lifecycle.current_route(store.db, "m")
    assert route is not None
    assert route.shadow is not None
    assert (route.shadow.release, route.shadow.share) == (2, 0.5)


def test_of_several_who_saw_the_same_one_moves_it(written: Written, open_again: Callable[[], Store]) -> None:
    stores = [open_again() for _ in range(4)]

    def move(store: Store, seen: Rollout) -> int:
        try:
            rollout.record(store, seen, LOOK, "{}", "advance")
        except Conflict:
            return 0
        return 1

    for _ in PLAN:
        seen = now(written.store)
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(lambda store, seen=seen: move(store, seen), stores)) == 1
        check_invariants(written.store)
    assert now(written.store).status == "promoted"
    assert written.stages() == {1: "previous", 2: "live", 3: "candidate"}


def test_another_event_of_the_same_place_is_refused_by_the_store_itself(written: Written) -> None:
    begun = now(written.store)
    row = {"rollout": begun.id, "seq": 1, "at": "t", "kind": "aborted", "step": 1, "by": "x", "reason": "y"}
    with pytest.raises(BrokenRule), written.store.db.write() as tx:
        tx.execute("rollout_event_add", **row, figures="{}", decision="")
    assert now(written.store) == begun


def test_looks_come_in_pages(written: Written) -> None:
    store = written.store
    for _ in range(3):
        rollout.record(store, now(store), LOOK, "{}")
    found = list_looks(store.db, now(store).id, count=2)
    assert [one.seq for one in found] == [4, 3]
    assert [one.seq for one in list_looks(store.db, now(store).id, before=3)] == [2]


def test_first_labels_come_in_the_order_of_their_coming(written: Written) -> None:
    store = written.store
    with store.db.write() as tx:
        for number, one in enumerate(["c", "a", "b", "a"]):
            received_at = f"2026-01-01T00:00:0{number // 2}.000000Z"
            row = {"model": "m", "prediction_id": one, "received_at": received_at, "value": str(number), "at": "t"}
            tx.execute("label_add", **row)
    rows = store.db.all("label_first_since", model="m", since="2026", after_id="", count=10)
    assert [(row["prediction_id"], row["value"]) for row in rows] == [("a", "1"), ("c", "0"), ("b", "2")]
    again = store.db.all("label_first_since", model="m", since=rows[0]["received_at"], after_id="a", count=1)
    assert [row["prediction_id"] for row in again] == ["c"]
    found = judge_labels(
        store,
        "m",
        {1: None},
        since="2026-01-01T00:00:00.000000Z",
        place=("2026", ""),
        until="2026-01-01T00:00:00.500000Z",
    )
    assert (found.labelled, found.wrong) == ({1: 0}, {1: 0})
    assert found.place == ("2026-01-01T00:00:00.000000Z", "c")
