"""Moves in any order: what must hold of stages, decisions and routes holds after each; a refused one does nothing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from plusone.base.errors import Conflict, GateClosed, NotFound, PlusoneError, UsageError
from plusone.base.plans import parse_plan
from plusone.base.records import Outcome
from plusone.base.rollouts import Look, RolloutStep
from plusone.release import lifecycle, rollout
from plusone.release.events import newest_rollout
from plusone.release.gate import gate_problems
from plusone.release.lifecycle import Move
from tests.release.invariants import check_invariants, history
from tests.release.written import PASSED, Subject, Written

PLANS = st.sampled_from(
    [parse_plan(one, "the plan") for one in (["shadow 1s", "5% 1s", "50% 1s"], ["33.3% 1s"], ["shadow 10% 1s"])]
)
MODELS = st.sampled_from(["a", "b"])
NUMBERS = st.integers(1, 6)
SESSIONS: list[tuple[tuple[Subject, Outcome], ...] | None] = [
    PASSED,
    PASSED,
    PASSED,
    None,
    (("data", "passed"),),
    (*PASSED, ("model", "failed")),
    (*PASSED, ("data", "skipped")),
    (*PASSED, ("model", "not applicable")),
]


class Moves(RuleBasedStateMachine):
    """Random moves on two models."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="moves-")
        self.project = Written(Path(self._folder.name) / "p")
        self.before = history(self.project.store)

    def teardown(self) -> None:
        self.project.close()
        self._folder.cleanup()

    def _try(self, move: Callable[[], Move | None]) -> None:
        """Do a move; check what it may not do, and that a refusal leaves all as it was."""
        store = self.project.store
        before = history(store)
        try:
            done = move()
        except PlusoneError as error:
            refused: PlusoneError | None = error
            done = None
        else:
            refused = None
        if refused is not None:
            assert refused.exit_code in (1, 2), refused
            assert history(store) == before
            return
        if done is None or done.route is None or not done.route.shares:
            return
        for share in (*done.route.shares, *([done.route.shadow] if done.route.shadow else [])):
            decisions = history(store)["decisions"]
            overridden = [row for row in decisions if row["digest"] == share.digest and row["override"]]
            assert overridden or not gate_problems(store.db, share.digest), "law 1"

    @rule(model=MODELS, checks=st.sampled_from(SESSIONS))
    def release(self, model: str, checks: tuple[tuple[Subject, Outcome], ...] | None) -> None:
        if len(self.project.stages(model)) < 6:
            self.project.release(model, checks=checks)

    @rule(model=MODELS, number=NUMBERS, checks=st.sampled_from([PASSED, SESSIONS[5]]))
    def check_again(self, model: str, number: int, checks: tuple[tuple[Subject, Outcome], ...]) -> None:
        found = [one for one in lifecycle.list_releases(self.project.store.db, model) if one.number == number]
        if found:
            self.project.session(found[0], checks)

    @rule(model=MODELS, number=NUMBERS)
    def promote(self, model: str, number: int) -> None:
        self._try(lambda: lifecycle.promote(self.project.store, f"{model}@{number}", by="x"))

    @rule(model=MODELS, number=NUMBERS, reason=st.sampled_from(["", " ", "because"]))
    def override(self, model: str, number: int, reason: str) -> None:
        self._try(
            lambda: lifecycle.promote(self.project.store, f"{model}@{number}", by="x", reason=reason, override=True)
        )

    @rule(model=MODELS, number=st.one_of(st.none(), NUMBERS))
    def roll_back(self, model: str, number: int | None) -> None:
        target = model if number is None else f"{model}@{number}"
        self._try(lambda: lifecycle.roll_back(self.project.store, target, by="x"))

    @rule(model=MODELS, number=NUMBERS)
    def reject(self, model: str, number: int) -> None:
        self._try(lambda: lifecycle.reject(self.project.store, f"{model}@{number}", by="x", reason="no"))

    @precondition(lambda self: self.before["routes"])
    @rule(model=MODELS, behind=st.sampled_from([0, 0, 0, 1, 2]))
    def take_back(self, model: str, behind: int) -> None:
        newest = lifecycle.current_route(self.project.store.db, model)
        version = (newest.version if newest else 0) - behind
        self._try(lambda: lifecycle.take_back(self.project.store, model, version, error="damaged"))

    @rule(model=MODELS, number=NUMBERS, plan=PLANS)
    def begin_rollout(self, model: str, number: int, plan: tuple[RolloutStep, ...]) -> None:
        self._try(lambda: rollout.begin(self.project.store, f"{model}@{number}", plan, by="x"))

    @rule(model=MODELS, move=st.sampled_from([rollout.pause, rollout.resume, rollout.promote, rollout.abort]))
    def move_rollout(self, model: str, move: Callable[..., Move]) -> None:
        self._try(lambda: move(self.project.store, model, by="x"))

    @rule(model=MODELS, then=st.sampled_from(["", "hold", "go on", "advance", "advance", "advance", "roll back"]))
    def look_at_rollout(self, model: str, then: str) -> None:
        store = self.project.store
        if (now := newest_rollout(store.db, model)) is not None:
            look = Look(seq=0, at="", step=now.step, action="go on")
            self._try(lambda: rollout.record(store, now, look, "{}", then, "judge" if then == "hold" else ""))

    @invariant()
    def nothing_is_lost_or_changed(self) -> None:
        now = history(self.project.store)
        for kind, rows in self.before.items():
            if kind == "routes":
                assert all(row in now["routes"] for row in rows)
            else:
                assert now[kind][: len(rows)] == rows, kind
        self.before = now

    @invariant()
    def all_holds(self) -> None:
        check_invariants(self.project.store)


TestMoves = Moves.TestCase
TestMoves.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def test_a_rollback_to_what_is_live_is_refused_so_that_a_repeated_request_goes_no_further_back(project: Written):
    for _ in range(3):
        project.release(live=True)
    lifecycle.roll_back(project.store, "m@2", by="x")
    with pytest.raises(Conflict, match="live already"):
        lifecycle.roll_back(project.store, "m@2", by="x")
    assert project.stages() == {1: "previous", 2: "live", 3: "rolled back"}


def test_a_rollback_goes_back_to_what_had_the_traffic_last(project: Written):
    one, two, three = (project.release(live=True) for _ in range(3))
    project.promote(one)
    project.promote(two)
    lifecycle.roll_back(project.store, "m", by="x")
    assert project.stages() == {1: "live", 2: "rolled back", 3: "previous"}
    assert three.number == 3


def test_a_rolled_back_release_goes_live_again_only_by_override(project: Written):
    project.release(live=True)
    two = project.release(live=True)
    lifecycle.roll_back(project.store, None, by="x")
    with pytest.raises(Conflict, match="rolled back"):
        project.promote(two)
    project.promote(two, override=True, reason="the complaint was wrong")
    assert project.stages() == {1: "previous", 2: "live"}


def test_two_releases_that_can_not_be_loaded_do_not_take_turns_for_ever(project: Written):
    project.release(live=True)
    project.release(live=True)
    versions: list[int] = []
    while (route := lifecycle.current_route(project.store.db, "m")) is not None and route.shares:
        versions.append(route.version)
        assert len(versions) < 10, project.stages()
        assert lifecycle.take_back(project.store, "m", route.version, error="damaged") is not None
    assert project.stages() == {1: "rolled back", 2: "rolled back"}
    assert lifecycle.take_back(project.store, "m", versions[-1] + 1, error="damaged") is None
    check_invariants(project.store)


def test_what_is_taken_back_goes_to_what_was_served_even_if_that_was_rolled_back_before(project: Written):
    project.release(live=True)
    project.release(live=True)
    lifecycle.roll_back(project.store, "m", by="a person")
    lifecycle.take_back(project.store, "m", 3, error="damaged")
    assert project.stages() == {1: "rolled back", 2: "live"}


def test_a_route_that_has_moved_on_is_not_taken_back(project: Written):
    project.release(live=True)
    project.release(live=True)
    before = history(project.store)
    assert lifecycle.take_back(project.store, "m", 1, error="late") is None
    assert history(project.store) == before


def test_only_what_was_never_live_can_be_rejected(project: Written):
    project.release(live=True)
    project.release()
    with pytest.raises(Conflict, match="is live"):
        lifecycle.reject(project.store, "m@1", by="x", reason="no")
    with pytest.raises(UsageError, match="reason"):
        lifecycle.reject(project.store, "m@2", by="x", reason=" ")
    lifecycle.reject(project.store, "m@2", by="x", reason="the wrong month")
    with pytest.raises(Conflict, match="rejected"):
        lifecycle.promote(project.store, "m@2", by="x")
    with pytest.raises(Conflict):
        lifecycle.reject(project.store, "m@2", by="x", reason="again")


def test_without_a_name_the_only_model_is_meant_and_with_two_it_is_asked_for(project: Written):
    with pytest.raises(NotFound, match="no release yet"):
        lifecycle.find_release(project.store.db, "@1")
    project.release("a", live=True)
    assert lifecycle.find_release(project.store.db, "@live").number == 1
    assert lifecycle.find_release(project.store.db, "001").number == 1
    with pytest.raises(NotFound, match=r"Releases: 1 \(live\)"):
        lifecycle.find_release(project.store.db, "@previous")
    project.release("b")
    with pytest.raises(UsageError, match=r"(?s)Which model.*a@live, a or --model a$"):
        lifecycle.find_release(project.store.db, "@1")
    with pytest.raises(NotFound, match="Models: a, b"):
        lifecycle.find_release(project.store.db, "c@1")


@pytest.mark.parametrize("text", ["@0", "@-1", "@1.0", "@٣", "²", "@", "a@b", "@live@", "A", "../x", "9" * 5000])
def test_what_names_no_release_is_the_callers_mistake(project: Written, text: str):
    project.release("a", live=True)
    with pytest.raises(UsageError):
        lifecycle.find_release(project.store.db, text)


_MOVER = """
import random, sys
from pathlib import Path
from plusone.base.errors import GateClosed, PlusoneError
from plusone.release import lifecycle
from plusone.store import open_store
store, chance, done = open_store(Path(sys.argv[1])), random.Random(int(sys.argv[2])), 0
for _ in range(40):
    target = f"m@{chance.randint(1, 6)}"
    try:
        if chance.random() < 0.6:
            lifecycle.promote(store, target, by="mover")
        else:
            lifecycle.roll_back(store, chance.choice(["m", target]), by="mover")
        done += 1
    except PlusoneError as error:
        assert error.exit_code in (1, 2), error
print(done)
"""


def test_moves_of_several_processes_at_once_take_turns(project: Written):
    for number in range(6):
        project.release(checks=PASSED if number != 3 else SESSIONS[5])
    movers = [
        subprocess.Popen(
            [sys.executable, "-c", _MOVER, str(project.store.folder), str(seed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(3)
    ]
    done = 0
    for mover in movers:
        out, err = mover.communicate(timeout=60)
        assert mover.returncode == 0, err
        done += int(out)
    check_invariants(project.store)
    assert project.stages()[4] == "candidate", "its gate was closed all the time"
    # 5 releases have an open gate: at most 5 rollbacks, and each of them is a promote before.
    assert done >= 2
    with pytest.raises(GateClosed):
        lifecycle.promote(project.store, "m@4", by="x")
