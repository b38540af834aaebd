"""Rollouts carried on: when a step is over, when it holds, and what is remembered from one look to the next."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from plusone.base.errors import PlusoneError
from plusone.monitoring.judged import FARTHEST, NONE_OFF
from plusone.predictions.collecting import collect
from plusone.predictions.layout import INFERENCE, JSON, predictions_folder
from plusone.predictions.log import PredictionLog
from plusone.release import lifecycle, rollout
from plusone.release.counting import State
from plusone.release.events import list_looks, newest_rollout, read_state
from tests.control.rolled import START, Rolled, killer
from tests.predictions.written import send_labels
from tests.release.invariants import check_invariants
from tests.release.written import PASSED

Shares = dict[int, float]
EVERY = int(os.environ.get("PLUSONE_KILL_EVERY", "0"))  # read at import: a fixture clears these variables


@pytest.fixture
def rolled(tmp_path: Path) -> Iterator[Rolled]:
    found = Rolled(tmp_path / "p")
    yield found
    check_invariants(found.store)
    found.written.close()


def _shares(rolled: Rolled) -> Shares:
    return {share.release: share.share for share in rolled.route().shares}


def test_a_rollout_is_carried_through_its_steps_to_the_end(rolled: Rolled):
    rolled.begin("shadow 10s", "5% 10s 50", "50% 10s 50")
    seen: list[tuple[str, Shares]] = []
    for _ in range(60):
        rolled.count(1, 20)
        rolled.count(
            2, 10, kind="shadow" if rolled.rollout().plan[rolled.rollout().step - 1].kind == "shadow" else "served"
        )
        rolled.turn()
        now = (rolled.written.stages()[2], _shares(rolled))
        seen += [now] if seen[-1:] != [now] else []
    assert seen == [
        ("shadow", {1: 1.0}),
        ("canary", {1: 0.95, 2: 0.05}),
        ("canary", {1: 0.5, 2: 0.5}),
        ("live", {2: 1.0}),
    ]
    done = rolled.rollout()
    assert (done.status, rolled.kinds()) == ("promoted", ["began", "step", "step", "promoted"])
    assert done.look is not None
    assert (done.look.action, done.look.step) == ("go on", 3)
    assert [event["did"] for event in rolled.told] == ["begin", "advance", "advance", "advance"]
    served = [look.served_s for look in list_looks(rolled.store.db, done.id) if look.step == 2]
    assert max(served) == pytest.approx(10.0, abs=1.5)
    assert rolled.rolling.said == "{}" or '"place"' in rolled.rolling.said
    rolled.turn()
    assert rolled.rolling.said == "{}", "what nobody compares is not told"


def test_a_step_whose_time_is_over_waits_for_requests_and_says_so(rolled: Rolled):
    rolled.begin("5% 3s 50")
    rolled.count(1, 500)
    rolled.turn()
    rolled.turn(turns=5)
    held = rolled.rollout()
    assert held.status == "held"
    assert "0 requests of at least 50" in held.events[-1].reason
    rolled.count(2, 49)
    rolled.turn(turns=3)
    assert rolled.rollout().status == "held"
    rolled.count(2, 1)
    rolled.turn()
    assert rolled.kinds() == ["began", "held", "promoted"]


def test_a_person_may_let_it_go_on_without_the_requests_of_that_step(rolled: Rolled):
    rolled.begin("5% 1s 50", "50% 1s 50")
    rolled.turn(turns=4)
    rollout.resume(rolled.store, "m", by="bob")
    rolled.turn(turns=5)
    assert rolled.kinds() == ["began", "held", "accepted", "step", "held"]


def test_requests_alone_are_not_enough(rolled: Rolled):
    rolled.begin("5% 1h")
    rolled.count(2, 10_000)
    rolled.turn(turns=20)
    assert rolled.kinds() == ["began"]


def test_the_requests_of_a_step_are_counted_from_its_beginning(rolled: Rolled):
    rolled.begin("5% 2s 50", "50% 2s 50")
    rolled.count(2, 500)
    rolled.turn()
    rolled.turn(turns=5)
    assert rolled.kinds() == ["began", "held"], "those before the first look are not counted"
    rolled.count(2, 60)
    rolled.turn()
    assert rolled.kinds()[-1] == "step"
    rolled.turn(turns=6)
    assert rolled.kinds()[-1] == "held"


def test_time_counts_only_while_all_workers_serve_the_step(rolled: Rolled):
    rolled.begin("5% 10s 1")
    rolled.turn()
    rolled.count(2, 10)
    rolled.serve(behind=1)
    rolled.turn(turns=30)
    assert rolled.kinds() == ["began"]
    rolled.serve()
    rolled.turn(turns=9)
    assert rolled.kinds() == ["began"]
    rolled.turn(turns=4)
    assert rolled.kinds() == ["began", "promoted"]


def test_time_does_not_count_in_a_pause_and_harm_still_takes_it_back(rolled: Rolled):
    rolled.begin("5% 10s 1")
    rolled.turn()
    rolled.count(2, 10)
    rollout.pause(rolled.store, "m", by="bob")
    rolled.turn(turns=30)
    assert rolled.kinds() == ["began", "paused"]
    rollout.resume(rolled.store, "m", by="bob")
    rolled.turn(turns=5)
    assert rolled.kinds() == ["began", "paused", "resumed"]
    rollout.pause(rolled.store, "m", by="bob")
    _do_harm(rolled)
    assert rolled.rollout().status == "rolled back"


def _do_harm(rolled: Rolled) -> None:
    for _ in range(20):
        rolled.count(1, 100)
        rolled.count(2, 100, errors=60)
        rolled.turn()
        if rolled.rollout().ended_at:
            return


def test_a_candidate_that_fails_requests_is_rolled_back_with_the_numbers(rolled: Rolled):
    rolled.begin("5% 1h")
    rolled.turn()
    _do_harm(rolled)
    done = rolled.rollout()
    assert (done.status, rolled.written.stages(), _shares(rolled)) == (
        "rolled back",
        {1: "live", 2: "rolled back"},
        {1: 1.0},
    )
    row = rolled.store.db.all("decision_list", model="m", release=2)[-1]
    evidence = msgspec.json.decode(row["evidence"])
    assert row["by"] == "plusone"
    assert evidence["rollout"] == done.id
    assert done.look is not None
    assert (done.look.action, evidence["look"]) == ("roll back", done.look.seq)
    assert {**done.look.figures, "look": done.look.seq} == done.events[-1].figures
    assert done.look.reasons
    assert done.events[-1].reason == row["reason"]
    assert rolled.told[-1]["did"] == "roll back"


def test_what_a_candidate_failed_before_its_rollout_is_not_held_against_it(rolled: Rolled):
    rolled.count(2, 1000, errors=900)
    rolled.count(1, 1000)
    rolled.begin("5% 3s 10")
    for _ in range(6):
        rolled.count(1, 100)
        rolled.count(2, 20)
        rolled.turn()
    assert rolled.rollout().status == "promoted"


def _answer_otherwise(rolled: Rolled, turns: int) -> None:
    for _ in range(turns):
        rolled.count(1, 400)
        rolled.count(2, 400, output="odd")
        rolled.turn()


def test_answers_that_moved_hold_and_ask_and_go_on_when_a_person_says_so(rolled: Rolled):
    rolled.begin("5% 30s 10", "50% 3s 10")
    rolled.turn()
    _answer_otherwise(rolled, 40)
    held = rolled.rollout()
    assert (held.status, held.step, rolled.kinds()) == ("held", 1, ["began", "held"])
    assert held.events[-1].reason
    assert held.events[-1].figures
    rollout.resume(rolled.store, "m", by="bob", reason="the new target is meant")
    _answer_otherwise(rolled, 12)
    assert rolled.kinds() == ["began", "held", "accepted", "step", "promoted"]


def test_another_control_process_goes_on_from_what_is_in_the_store(rolled: Rolled):
    rolled.begin("5% 10s 100", "50% 10s 100")
    for _ in range(60):
        rolled.count(1, 40)
        rolled.count(2, 11)
        rolled.turn(rolling=rolled.another())  # as if each look were the last of a process
        if rolled.rollout().ended_at:
            break
    assert rolled.kinds() == ["began", "step", "promoted"]
    assert rolled.passed_s <= 30, "no time and no request was lost from one to the next"


def test_two_control_processes_on_one_store_do_not_get_in_each_others_way(rolled: Rolled):
    rolled.begin("5% 10s 100", "50% 10s 100")
    second = rolled.another()
    for _ in range(40):
        rolled.count(1, 40)
        rolled.count(2, 11)
        rolled.turn(0.5)
        rolled.turn(0.5, rolling=second)
        if rolled.rollout().ended_at:
            break
    assert rolled.kinds() == ["began", "step", "promoted"]
    looks = list_looks(rolled.store.db, rolled.rollout().id, count=1000)
    assert max(look.requests for look in looks) <= 11 * 14, "nothing is counted twice"


def test_what_other_machines_counted_is_counted_too(rolled: Rolled, tmp_path: Path):
    elsewhere = Rolled(tmp_path / "q")
    rolled.begin("5% 3s 100")
    rolled.turn()

    def say(requests: int) -> None:
        said = {"place": "there:/x", "served": {"m@2": {"requests": requests}, "m@1": {"requests": 7}}, "shadow": {}}
        rolled.serve(host="there", evidence=msgspec.json.encode(said).decode())

    say(1000)
    rolled.turn(turns=4)
    assert rolled.rollout().status == "held", "what it had counted before is not of this step"
    say(1060)
    rolled.turn()
    say(0)  # it was set up anew
    rolled.turn()
    say(30)
    rolled.turn()
    assert rolled.rollout().status == "held"
    assert rolled.rollout().look is not None
    with rolled.store.db.write() as tx:
        tx.execute("server_remove", id="server-there", older_than="")
    rolled.turn()
    assert rolled.rollout().status == "held", "one that is gone has counted what it counted"
    rolled.count(2, 10)
    rolled.turn()
    assert rolled.rollout().status == "promoted"
    elsewhere.written.close()


@pytest.mark.parametrize(
    "said", ["", "{", "[]", "{}", '{"place": 5}', '{"place": "x", "served": {"m@2": {"requests": -1.5}}}']
)
def test_a_machine_that_says_it_in_another_way_stops_nothing(rolled: Rolled, said: str):
    rolled.begin("5% 3s 10")
    rolled.serve(host="there", evidence=said)
    rolled.turn()
    rolled.count(2, 10)
    rolled.turn(turns=4)
    assert rolled.rollout().status == "promoted"


def test_what_this_machine_counted_is_told_to_others(rolled: Rolled):
    rolled.begin("5% 1h")
    rolled.count(2, 3)
    rolled.count(1, 4)
    rolled.turn()
    said = msgspec.json.decode(rolled.rolling.said)
    assert said["place"] == f"{rolled.host}:{rolled.folder}"
    assert {key: one["requests"] for key, one in said["served"].items()} == {"m@1": 4, "m@2": 3}


def test_looks_at_nothing_new_are_kept_every_ten_seconds_and_others_every_second(rolled: Rolled):
    rolled.begin("5% 2h")
    rolled.turn(turns=100)
    quiet = rolled.rollout().looks
    assert quiet <= 12
    for _ in range(50):
        rolled.count(2, 1)
        rolled.turn()
    assert 45 <= rolled.rollout().looks - quiet <= 51


def test_a_long_step_is_looked_at_ever_less_often(rolled: Rolled):
    rolled.begin("5% 366d")
    rolled.turn()
    for _ in range(100):
        rolled.count(2, 1)
        rolled.turn(12.0)
    before = rolled.rollout().looks
    for _ in range(30):
        rolled.count(2, 1)
        rolled.turn(1.0)
    assert rolled.rollout().looks - before <= 16, "after twenty minutes every other second"


def test_a_pause_or_a_hold_for_days_is_not_looked_at_every_second(rolled: Rolled):
    rolled.begin("5% 1m 1")
    rolled.turn()
    rollout.pause(rolled.store, "m", by="bob")
    for _ in range(100):
        rolled.count(2, 1)
        rolled.turn(120.0)
    before = rolled.rollout().looks
    for _ in range(40):
        rolled.count(2, 1)
        rolled.turn(1.0)
    assert rolled.rollout().looks - before <= 5


def test_time_that_nobody_looked_is_not_counted(rolled: Rolled):
    rolled.begin("5% 1h 1")
    rolled.count(2, 10)
    rolled.turn(turns=2)
    rolled.turn(36_000.0)
    rolled.turn(-50_000.0)  # a clock that is set back
    rolled.turn(turns=3)
    assert rolled.kinds() == ["began"]


def test_a_gate_that_closed_meanwhile_holds_it(rolled: Rolled):
    rolled.begin("5% 1s 1", "50% 1s 1")
    rolled.turn()
    [live] = [one for one in lifecycle.list_releases(rolled.store.db, "m") if one.stage == "live"]
    rolled.written.session(live, [*PASSED, ("data", "failed")])
    rolled.count(2, 10)
    rolled.turn(turns=10)
    held = rolled.rollout()
    assert (held.status, rolled.kinds()) == ("held", ["began", "held"])
    assert "m@1 may not go live" in held.events[-1].reason
    assert held.looks < 10
    rolled.written.session(live, PASSED)
    rolled.count(2, 10)
    rolled.turn(turns=2)
    assert rolled.rollout().step == 2


def test_a_move_of_a_person_between_two_looks_is_seen_at_the_next(rolled: Rolled):
    rolled.begin("5% 1s 1")
    rolled.count(2, 10)
    rolled.turn()
    rollout.abort(rolled.store, "m", by="bob")
    rolled.turn(turns=3)
    assert rolled.kinds() == ["began", "aborted"]
    assert rolled.written.stages() == {1: "live", 2: "passed"}


def test_two_models_are_rolled_out_beside_each_other(rolled: Rolled):
    rolled.written.release("n", live=True)
    rolled.written.release("n")
    rolled.begin("5% 3s 10")
    rollout.begin(rolled.store, "n@2", rolled.rollout().plan, by="ann")
    rolled.turn()
    _do_harm(rolled)
    assert rolled.written.stages("m")[2] == "rolled back"
    assert rolled.written.stages("n")[2] == "canary"


def test_a_store_that_can_not_be_had_means_no_step(tmp_path: Path):
    rolled = Rolled(tmp_path / "p")
    rolled.begin("5% 1s 1")
    rolled.turn()
    rolled.written.close()
    with pytest.raises(PlusoneError):
        rolled.rolling.turn(rolled.told.append)


def _answered(rolled: Rolled, release: int, ids: list[str], label: str) -> None:
    log = PredictionLog(predictions_folder(rolled.folder), max_bytes=1 << 30)
    answer = msgspec.json.encode({"predictions": [{"label": label}]})
    log.log("m", release, f"digest{release}", [(one, JSON, 1, b"{}", answer) for one in ids], time.time())
    log.close()


def test_labels_of_predictions_since_it_began_come_to_the_judge(rolled: Rolled):
    rolled.begin("5% 1h")
    _answered(rolled, 1, ["a1", "a2"], "yes")
    _answered(rolled, 2, ["b1", "b2", "b3"], "yes")
    send_labels(rolled.folder, ("a1", '"yes"'), ("b1", '"no"'), ("b2", '"yes"'), ("other", '"no"'))
    collect(rolled.store, rolled.folder)
    rolled.passed_s = time.time() - START.timestamp() + 10.0
    rolled.turn()
    state = read_state(rolled.store.db, rolled.rollout())
    assert state
    found = msgspec.json.decode(state, type=State).labels
    assert (found.live, found.live_wrong, found.candidate, found.candidate_wrong) == (1, 0, 2, 1)
    send_labels(rolled.folder, ("b3", '"no"'), ("b1", '"yes"'))
    collect(rolled.store, rolled.folder)
    rolled.turn(30.0)
    state = read_state(rolled.store.db, rolled.rollout())
    assert state
    found = msgspec.json.decode(state, type=State).labels
    assert (found.candidate, found.candidate_wrong) == (3, 2), "a prediction counts by its first label"


def test_numbers_in_any_protocol_come_to_the_judge_by_how_far_off_they_are(rolled: Rolled):
    rolled.begin("5% 1h")
    tensors = b'{"outputs":[{"name":"y","datatype":"FP64","shape":[1,1],"data":[3.0]}]}'
    for release, one, kind, answer in (
        (1, "a1", JSON, b'{"predictions":[1.0]}'),
        (2, "b1", JSON, b'{"predictions":[null]}'),
        (2, "b2", INFERENCE, tensors),
    ):
        log = PredictionLog(predictions_folder(rolled.folder), max_bytes=1 << 30)
        log.log("m", release, f"digest{release}", [(one, kind, 1, b"{}", answer)], time.time())
        log.close()
    send_labels(rolled.folder, ("a1", "1.0"), ("b1", "1.0"), ("b2", "1.0"))
    collect(rolled.store, rolled.folder)
    rolled.passed_s = time.time() - START.timestamp() + 10.0
    rolled.turn()
    state = read_state(rolled.store.db, rolled.rollout())
    assert state
    found = msgspec.json.decode(state, type=State).labels
    assert found.live_off == {str(NONE_OFF): 1}
    assert found.candidate_off == {"8": 1, str(FARTHEST): 1}
    assert (found.live, found.candidate) == (0, 0)


PLAN = ("shadow 2s 10", "5% 2s 10", "50% 2s 10")


def _carry_on(root: Path, *, killed_at: int = 0) -> None:
    """Begin a rollout, if it was not yet, and carry it to its end; be killed at that boundary of a write of it."""
    rolled = Rolled(root, new=False)
    rolled.serve()
    if killed_at:
        sys.setprofile(killer(killed_at))
    if newest_rollout(rolled.store.db, "m") is None:
        rolled.begin(*PLAN)
    for _ in range(40):
        shadow = rolled.rollout().plan[rolled.rollout().step - 1].kind == "shadow"
        rolled.count(1, 30)
        rolled.count(2, 8, kind="shadow" if shadow else "served")
        rolled.turn()
        if rolled.rollout().ended_at:
            break
    sys.setprofile(None)
    rolled.written.close()


@pytest.mark.slow
def test_killed_at_any_write_it_leaves_what_passed_its_gate_and_the_next_goes_on(tmp_path: Path):
    """By default at some boundaries spread over a rollout; PLUSONE_KILL_EVERY=1 walks all of them."""
    Rolled(tmp_path / "before").written.close()
    number, deaths, every = 1, 0, EVERY or 11
    while True:
        root = tmp_path / str(number)
        shutil.copytree(tmp_path / "before", root)
        child = os.fork()
        if child == 0:
            code = 3
            try:
                _carry_on(root, killed_at=number)
                code = 0
            finally:
                os._exit(code)
        status = os.waitpid(child, 0)[1]
        assert status == 0 or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL), status
        after = Rolled(root, new=False)
        check_invariants(after.store)
        after.written.close()
        _carry_on(root)
        after = Rolled(root, new=False)
        check_invariants(after.store)
        assert after.rollout().status == "promoted"
        assert after.kinds() == ["began", "step", "step", "promoted"]
        after.written.close()
        shutil.rmtree(root)
        if status == 0:
            break
        deaths += 1
        number += every
    assert deaths >= (60 if EVERY == 1 else 4), deaths
