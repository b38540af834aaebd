"""`plusone rollout`: what is shown of a rollout, how a person steers it, and how a program waits for its end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plusone.app.app import App
from plusone.base.errors import PlusoneError
from plusone.base.rollouts import Evidence, Look
from plusone.cli import main as cli
from plusone.monitoring import judge
from plusone.monitoring.judge import Judging, Verdict
from plusone.release import events
from plusone.terminal.rollouts import evidence_rows
from tests.release.written import Written

PLAN = ("--plan", "shadow 2m", "--plan", "5% 5m", "--plan", "50% 5m 1000")
Call = Callable[..., Result]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    """A project whose release 2 is live, 1 is previous, and 3 and 4 passed."""
    made = Written(tmp_path / "p")
    for number in range(4):
        made.release(live=number < 2)
    yield made
    made.close()


@pytest.fixture
def rollout(written: Written) -> Call:
    """Run `plusone rollout ...` in the project."""

    def call(*words: str, code: int = 0) -> Result:
        ended = CliRunner().invoke(cli.cli, ["--project", str(written.root), "rollout", *words], standalone_mode=False)
        assert (ended.return_value or 0) == code, ended.output
        if ended.exception is not None:
            raise ended.exception
        return ended

    return call


def look(written: Written, **values: Any) -> None:
    """Keep a look at the rollout that is under way."""
    with written.store.db.write() as tx:
        found = events.open_rollout(tx, "m")
        assert found is not None
        given: dict[str, Any] = {"seq": 0, "at": "", "step": found.step, "action": "go on", **values}
        events.add_look(tx, found, Look(**given), "{}")


def happen(written: Written, kind: str, reason: str, **values: Any) -> None:
    """Add an event to the rollout that is under way."""
    with written.store.db.write() as tx:
        found = events.open_rollout(tx, "m")
        assert found is not None
        events.add_event(tx, found, kind, by="plusone", reason=reason, **values)


def lines(ended: Result) -> list[str]:
    assert all(line == line.rstrip() for line in ended.output.splitlines())
    return ended.output.splitlines()


def test_a_rollout_begins_and_says_where_it_is_and_how_to_follow_it(rollout: Call):
    shown = lines(rollout("start", "m@3", *PLAN, "--reason", "tried out", "--by", "ann"))
    assert shown == [
        "m@3  candidate -> shadow  (tried out)",
        "rollout of m@3 running, step 1 of 3: shadow 2m",
        "no server is up, so its time does not run yet: plusone up",
        "to follow it: plusone rollout m --wait   or: plusone status --watch",
    ]


def test_it_is_shown_with_its_plan_its_place_and_what_happened(rollout: Call, written: Written):
    rollout("start", "m@3", *PLAN, "--by", "ann")
    look(written, served_s=72.0, requests=40)
    for words in ((), ("m",), ("show",), ("show", "m")):
        shown = lines(rollout(*words))
        assert shown[0] == "m@3  running, step 1 of 3 beside m@2, 10m 48s left at least"
        assert [line.split() for line in shown[4:7]] == [
            ["▸", "shadow", "2m", "1m", "12s", "of", "2m", "40", "of", "100", "████████░░░░░░░░░░░░"],
            ["5%", "5m"],
            ["50%", "5m", "1000"],
        ]
        assert shown[-1].endswith("began step 1 of 3: shadow 2m  (ann)")
    found = json.loads(rollout("--json").output)
    assert (found["status"], found["step"], found["look"]["requests"]) == ("running", 1, 40)
    assert [step["kind"] for step in found["plan"]] == ["shadow", "canary", "canary"]


def test_a_bar_is_full_when_time_and_requests_are(rollout: Call, written: Written):
    rollout("start", "m@3", "--plan", "5% 5m")
    look(written, served_s=299.0, requests=0)
    assert "░" * 20 in rollout().output
    look(written, served_s=400.0, requests=99)
    assert "█" * 20 in rollout().output
    assert "5m of 5m  99 of 100" in rollout().output
    look(written, served_s=400.0, requests=5000)
    assert "5m of 5m  5,000" in rollout().output


def evidence(requests: int, errors: int) -> Evidence:
    return Evidence(requests=requests, errors=errors, rows=requests - errors, latency={"-64": requests - errors})


def judged(written: Written, live: Evidence, candidate: Evidence) -> Verdict:
    """Keep a look that the judge took of these counts, the second one of the rollout, and return what it said."""
    settings = Judging(warm_up_looks=0)
    state, _ = judge.look(None, settings, Evidence(), Evidence())
    for share in (0.25, 0.5, 0.75, 1.0):
        sides = [evidence(round(one.requests * share), round(one.errors * share)) for one in (live, candidate)]
        state, verdict = judge.look(state, settings, sides[0], sides[1])
    look(written, action=verdict.action, reasons=verdict.reasons, figures=verdict.figures)
    return verdict


def test_both_releases_stand_side_by_side_with_what_the_judge_makes_of_it(rollout: Call, written: Written):
    rollout("start", "m@3", *PLAN)
    assert judged(written, evidence(9000, 9), evidence(400, 0)).action == "go on"
    shown = [line.split() for line in lines(rollout())]
    assert ["evidence", "m@2", "m@3", "e-value,", "80", "is", "harm"] in shown
    assert ["requests", "9,000", "400"] in shown
    assert next(line for line in shown if line[:1] == ["errors"])[:5] == ["errors", "0.1", "%", "0", "%"]
    assert next(line for line in shown if line[:1] == ["half"])[-1] == "ms"
    assert lines(rollout())[-3].startswith("the judge, 0s ago: go on")


def test_what_it_is_rolled_back_for_is_told_in_a_sentence(rollout: Call, written: Written):
    rollout("start", "m@3", *PLAN)
    verdict = judged(written, evidence(9000, 0), evidence(1000, 900))
    assert verdict.action == "roll back"
    shown = rollout().output
    assert "the judge, 0s ago: roll back" in shown
    assert f"  {verdict.reasons[0]}" in shown.splitlines()
    assert "90 %" in shown


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers(-5, 10**20) | st.text(max_size=5),
        lambda part: (
            st.lists(part, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["live", "candidate", "counted", "rate", "e_value", "requests", "p50_s", "bar", "distance"]
                ),
                part,
                max_size=4,
            )
        ),
        max_leaves=8,
    ),
    st.sampled_from(["errors", "invalid", "latency", "labels", "outputs", "bar"]),
)
def test_figures_of_another_judge_are_shown_as_far_as_they_are_known(part: Any, name: str):
    figures = {"errors": {}, name: part}
    assert all(len(row) == 4 for row in evidence_rows(figures))


def test_evidence_beyond_the_bar_that_takes_nothing_back_is_said_to_be_tolerated():
    slower = {"live": {"requests": 9, "p50_s": 0.002}, "candidate": {"requests": 9, "p50_s": 0.003}, "e_value": 1e9}
    figures: dict[str, Any] = {"bar": 80.0, "errors": {"e_value": 79.0}, "latency": slower | {"decided": False}}
    rows = {row[0]: row[3] for row in evidence_rows(figures)}
    assert rows == {
        "requests": "",
        "errors": "79",
        "answers that can't be": "-",
        "half answered within": "",
        "99 of 100 within": "over 10,000, tolerated",
    }
    figures["latency"]["decided"] = True
    assert "tolerated" not in evidence_rows(figures)[-1][3]


def test_looks_are_listed_of_the_newest_rollout_or_of_one(rollout: Call, written: Written):
    rollout("start", "m@3", *PLAN)
    assert lines(rollout("looks"))[0].startswith("no look yet")
    look(written, served_s=30.0, requests=1200)
    look(written, action="hold", reasons=("a", "b"), served_s=90.0)
    rows = [line.split() for line in lines(rollout("looks", "m"))]
    assert [row[4:] for row in rows[1:]] == [["1m", "30s", "0", "hold", "a;", "b"], ["30s", "1,200", "go", "on", "-"]]
    first = json.loads(rollout("--json").output)["id"]
    rollout("start", "m@4", "--plan", "5% 5m")
    assert json.loads(rollout("looks", "--json").output) == []
    found = json.loads(rollout("looks", "--of", first, "--count", "1", "--json").output)
    assert [one["action"] for one in found] == ["hold"]
    older = json.loads(rollout("looks", "--of", first, "--before", str(found[0]["seq"]), "--json").output)
    assert [one["action"] for one in older] == ["go on"]


def test_a_hold_says_why_and_what_to_do(rollout: Call, written: Written):
    rollout("start", "m@3", *PLAN)
    happen(written, "held", "answers moved by 0.3, expected up to 0.1", figures={"why": "judge"})
    shown = rollout().output
    assert "m@3  held, step 1 of 3" in shown
    assert "held  (plusone: answers moved by 0.3, expected up to 0.1)" in shown
    assert "plusone rollout resume m" in shown
    assert "plusone rollout abort m" in shown
    assert "running" in rollout("resume", "--reason", "meant so").output.splitlines()[-2]
    assert "(meant so)" not in rollout("list").output
    assert "meant so" in rollout("list").output


def test_pausing_and_resuming_say_what_it_is_now(rollout: Call):
    rollout("start", "m@3", *PLAN)
    assert lines(rollout("pause", "--reason", "weekend"))[0] == "rollout of m@3 paused, step 1 of 3: shadow 2m"
    assert "paused: it waits for plusone rollout resume m" in rollout().output
    assert lines(rollout("resume", "m"))[0] == "rollout of m@3 running, step 1 of 3: shadow 2m"


@pytest.mark.parametrize(("word", "live", "status"), [("promote", 3, "promoted"), ("abort", 2, "aborted")])
def test_a_person_ends_it(rollout: Call, word: str, live: int, status: str):
    rollout("start", "m@3", *PLAN)
    moved = json.loads(rollout(word, "--reason", "why not", "--by", "ann", "--json").output)
    assert moved["release"] == live
    assert moved["rollout"]["status"] == status
    shown = rollout().output
    assert shown.startswith(f"m@3  {status} 0s ago")
    assert f"{status}  (ann: why not)" in shown
    assert shown.count("left out") == 2
    rows = [line.split() for line in lines(rollout("list"))]
    assert rows[1][:2] == ["m@3", status]


def test_one_that_went_through_its_plan_has_every_step_done(rollout: Call, written: Written):
    rollout("start", "m@3", "--plan", "5% 5m", "--plan", "50% 5m")
    happen(written, "step", "step 2 of 2 of its rollout: 50% 5m; no harm", step=2)
    assert lines(rollout())[4].split() == ["✓", "5%", "5m", "done"]
    assert lines(rollout())[-1].endswith("  step 2 of 2 of its rollout: 50% 5m")
    happen(written, "promoted", "its rollout is over: no harm", step=2)
    assert [line.split()[0] for line in lines(rollout())[4:6]] == ["✓", "✓"]


def test_another_release_supersedes_it_and_both_are_listed(rollout: Call):
    rollout("start", "m@3", *PLAN)
    rollout("start", "m@4", "--plan", "5% 1m")
    rows = [line.split()[:2] for line in lines(rollout("list", "m"))]
    assert rows == [["release", "status"], ["m@4", "running"], ["m@3", "superseded"]]
    assert [one["status"] for one in json.loads(rollout("list", "--json").output)] == ["running", "superseded"]


def test_none_is_listed_where_there_is_none(rollout: Call):
    assert "plusone rollout start MODEL@N" in rollout("list").output
    assert json.loads(rollout("list", "--json").output) == []


# ---------------------------------------------------------------------------------------------- waiting


@pytest.mark.parametrize(("end", "code"), [("promoted", 0), ("rolled back", 1), ("aborted", 1), ("superseded", 1)])
def test_waiting_ends_when_it_ended_and_the_exit_code_says_how(rollout: Call, written: Written, end: str, code: int):
    rollout("start", "m@3", *PLAN)
    happen(written, end, "it is so")
    shown = lines(rollout("m", "--wait", code=code))
    assert shown[-1].endswith(f"m@3 {end}  (plusone: it is so)")
    assert json.loads(rollout("show", "--wait", "--json", code=code).output)["status"] == end


def test_waiting_follows_what_happens_meanwhile(rollout: Call, written: Written):
    def end_it() -> None:
        with App(written.root) as app:
            app.promote_rollout(model="m", by="ann", reason="seen enough")

    later = threading.Timer(1.0, end_it)
    later.start()
    shown = lines(rollout("start", "m@3", *PLAN, "--wait"))
    later.join()
    assert "m@3 began step 1 of 3" in shown[-2]
    assert "m@3 promoted  (ann: seen enough)" in shown[-1]


@pytest.mark.slow
def test_waiting_for_one_that_is_superseded_meanwhile_ends(rollout: Call, written: Written):
    def replace() -> None:
        with App(written.root) as app:
            app.begin_rollout(target="m@4", plan=["5% 5m"], wait_s=0.0)

    later = threading.Timer(1.0, replace)
    later.start()
    shown = lines(rollout("start", "m@3", *PLAN, "--wait", code=1))
    later.join()
    assert "m@3 superseded" in shown[-1]


def test_waiting_no_longer_than_it_was_said(rollout: Call):
    shown = lines(rollout("start", "m@3", *PLAN, "--wait", "--at-most", "0", code=3))
    assert shown[-1] == "it goes on, and nobody waits any more: plusone rollout m"
    assert json.loads(rollout("--wait", "--at-most", "0", "--json", code=3).output)["status"] == "running"


# ---------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "code", "says", "mend"),
    [
        (["m"], 2, "no rollout of m yet", "plusone rollout start m@N"),
        (["cars"], 2, "no release of a model 'cars'", "plusone status"),
        (["start", "m@3"], 2, "no plan for a rollout of m@3", "--plan"),
        (["start", "m@9", *PLAN], 2, "There is no m@9", "plusone status m"),
        (["start", "m@2", *PLAN], 2, "live already", ""),
        (["start", "m@1", *PLAN], 2, "was live before", "plusone promote"),
        (["start", "m@3", "--plan", "5 5m"], 2, "'5 5m' is no step", "5% 5m"),
        (["start", "m@3", "--plan", "50% 5m", "--plan", "5% 5m"], 2, "shares that grow", "5% 5m"),
        (["start", "m@3", "--plan", ""], 2, "is no step", "5% 5m"),
        (["start", "m@3", *PLAN, "--at-most", "5"], 2, "there is no --wait", "--wait --at-most"),
        (["--at-most", "5"], 2, "there is no --wait", "--wait --at-most"),
        (["pause", "m"], 2, "No rollout of m is under way", "plusone rollout m"),
        (["resume", "m"], 2, "No rollout of m is under way", ""),
        (["promote", "m"], 2, "No rollout of m is under way", ""),
        (["abort", "m"], 2, "No rollout of m is under way", ""),
        (["abort", "ä\u2028@1"], 2, "no release of a model", ""),
        (["start"], 2, "MODEL@N", ""),
        (["show", "m", "too much"], 2, "too much", ""),
    ],
)
def test_a_mistake_is_told_with_what_mends_it(
    written: Written, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str, mend: str
):
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["--project", str(written.root), "rollout", *words, *more])
        printed = capsys.readouterr()
        assert ended.value.code == code
        assert says in printed.err
        assert mend in printed.err
        if more:
            assert json.loads(printed.out)["error"]["message"]


def test_a_closed_gate_lets_no_rollout_begin(written: Written, capsys: pytest.CaptureFixture[str]):
    written.release(checks=[("data", "passed"), ("model", "failed")])
    with pytest.raises(SystemExit) as ended:
        cli.main(["--project", str(written.root), "rollout", "start", "m@5", *PLAN])
    assert ended.value.code == 1
    assert "may not" in capsys.readouterr().err


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=3))
def test_any_words_end_with_a_sentence_and_never_with_a_fault(written: Written, words: list[str]):
    for command in ([], ["start"], ["list"], ["abort"]):
        before = CliRunner().invoke(cli.cli, ["--project", str(written.root), "rollout", *command, *words])
        assert before.exception is None or isinstance(before.exception, (PlusoneError, SystemExit))


def test_models_and_releases_are_completed(written: Written, rollout: Call):
    def completed(*words: str) -> list[str]:
        complete = ShellComplete(cli.cli, {}, "plusone", "_PLUSONE_COMPLETE")
        *before, incomplete = ["--project", str(written.root), "rollout", *words]
        return [one.value for one in complete.get_completions(before, incomplete)]

    assert completed("start", "m@")[0] == "m@4"
    assert completed("abort", "") == []
    rollout("start", "m@3", *PLAN)
    assert completed("abort", "") == ["m"]
    assert {"promote", "list", "m"} <= {*completed("")}
    assert completed("m") == ["m"]


def test_there_are_no_colours_in_a_pipe(rollout: Call):
    rollout("start", "m@3", *PLAN)
    shown = rollout().output + rollout("list").output
    assert click.unstyle(shown) == shown
