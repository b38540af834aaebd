"""What is said of a release that was made: that it goes live step by step, and how to follow it."""

from __future__ import annotations

import io

import pytest

from plusone.app.views import Moved, Served
from plusone.base.rollouts import Rollout, RolloutStep
from plusone.release.making import Made
from plusone.terminal.making import Progress, print_made
from tests.report.made import check, session

PLAN = (
    RolloutStep(kind="shadow", share=1.0, duration_s=120.0),
    RolloutStep(kind="canary", share=0.05, duration_s=300.0),
)
ROLLOUT = Rollout(
    id="r",
    model="m",
    release=2,
    digest="d",
    live=1,
    plan=PLAN,
    by="ann",
    reason="",
    begun_at="2026-01-31T12:00:00.000000Z",
)


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (Served(state="served", workers=2), "served by 2 workers"),
        (Served(state="not yet served"), "no server is up, so its time does not run yet: plusone up"),
        (Served(state="waiting", message="1 of 2 workers do not serve it yet"), "1 of 2 workers do not serve it yet"),
        (Served(state="taken back", message="route version 2 could not be loaded"), "taken back: route version 2"),
    ],
)
def test_a_release_that_goes_live_step_by_step(served: Served, said: str, capsys: pytest.CaptureFixture[str]):
    made = Made(outcome="rollout", run_id="r", model="m")
    print_made(made, Moved(model="m", release=1, decisions=(), served=served, rollout=ROLLOUT))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "rollout of m@2 running, step 1 of 2: shadow 2m"
    assert said in lines[1]
    assert lines[2] == "to follow it: plusone rollout m --wait   or: plusone status --watch"


def test_progress_in_a_file_is_lines():
    stream = io.StringIO()
    with Progress(quiet=False, stream=stream) as progress:
        progress.on_event({"event": "phase", "phase": "data"})
        progress.on_event({"event": "step", "step": "rows", "status": "cached"})
        progress.on_event({"event": "line", "text": "printed"})
        progress.on_event({"event": "check", "check": {"outcome": "failed", "test": "t", "subject": "data"}})
    said = stream.getvalue().splitlines()
    assert said[0] == "data"
    assert said[1].split() == ["rows", "unchanged"]
    assert "  | printed" in said
    assert said[-1] == "  1 failed"


def test_what_a_check_warns_of_is_a_line():
    stream = io.StringIO()
    measured = [{"check": "shift"}, {"warning": "temp moved", "distance": 0.3}]
    check = {"outcome": "passed", "test": "plusone::shift[t]", "subject": "data", "measured": measured}
    with Progress(quiet=True, stream=stream) as progress:
        progress.on_event({"event": "check", "check": check})
    assert stream.getvalue().splitlines()[0].split() == ["warning", "plusone::shift[t]:", "temp", "moved"]


def test_checks_that_say_one_thing_are_a_line_and_each_is_counted():
    stream = io.StringIO()
    with Progress(quiet=True, stream=stream) as progress:
        for name in ("performance", "baseline", "slices"):
            check = {"outcome": "failed", "test": f"plusone::{name}[h]", "subject": "model", "message": name}
            progress.on_event({"event": "check", "check": check})
        allowed = {"outcome": "inconclusive", "test": "tests/t.py::t", "subject": "model", "allowed": True}
        progress.on_event({"event": "check", "check": allowed})
    assert [" ".join(line.split()) for line in stream.getvalue().splitlines()] == [
        "inconclusive tests/t.py::t",
        "failed plusone::performance[h] (also said by baseline[h], slices[h])",
        "3 failed, 1 inconclusive",
    ]


def test_a_figure_alone_is_no_line_under_a_closed_gate(capsys: pytest.CaptureFixture[str]):
    failed = check("a.py::t", outcome="failed", measured=({"figure": {"kind": "bars"}}, {"rows": 600}))
    print_made(
        Made(outcome="stopped", run_id="r", model="m", session=session(failed), problems=("a.py::t: failed",)), None
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if "measured by" in line]
    assert lines == ["    measured by a.py::t: rows 600"]
