"""What a glance looks like: on a terminal, in a pipe, as JSON."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.app.views import Served
from plusone.base.records import WorkerReport
from plusone.base.rollouts import Look, Rollout, RolloutEvent, RolloutStep
from plusone.terminal.watching import Screen, glance_lines, plain_lines
from plusone.watching.glances import Glance, ModelGlance, Traffic

AT = "2026-01-31T12:00:00.000000Z"
BUSY = {"requests_s": 182.3, "error_rate": 0.001, "p50_s": 0.00123, "p99_s": 0.0441}


def rollout(**values: Any) -> Rollout:
    given: dict[str, Any] = {
        "id": "r",
        "model": "flight-delays",
        "release": 4,
        "digest": "d",
        "live": 3,
        "plan": (
            RolloutStep(kind="shadow", share=1.0, duration_s=120.0),
            RolloutStep(kind="canary", share=0.05, duration_s=300.0),
        ),
        "by": "ann",
        "reason": "",
        "begun_at": AT,
        "step": 2,
        "look": Look(seq=9, at=AT, step=2, action="go on", served_s=90.0, requests=1412),
    }
    return Rollout(**{**given, **values})


def model(**values: Any) -> ModelGlance:
    given: dict[str, Any] = {
        "model": "flight-delays",
        "version": 7,
        "served": Served(state="served", workers=2),
        "releases": (
            Traffic(release=3, stage="live", share=0.95, shadow=0.0, **BUSY),
            Traffic(release=4, stage="canary", share=0.05, shadow=0.0, requests_s=9.6, error_rate=0.0, p50_s=0.00105),
            Traffic(release=2, stage="previous", share=0.0, shadow=0.0),
        ),
        "rollout": None,
    }
    return ModelGlance(**{**given, **values})


def glance(*models: ModelGlance, problems: tuple[str, ...] = (), at: str = AT) -> Glance:
    worker = WorkerReport(pid=1, slot=0, ready=True, generation="g", at=at)
    return Glance(at=at, project="flights", models=models, servers=(), workers=(worker,), problems=problems)


def shown(glanced: Glance, width: int = 80) -> list[str]:
    return [click.unstyle(line) for line in glance_lines(glanced, width)]


def test_eighty_columns_hold_it_all():
    lines = shown(glance(model(rollout=rollout())))
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[0] == "flights"
    assert lines[0].endswith("1 of 1 worker ready")
    assert lines[2] == "flight-delays  route version 7, served by 2 workers"
    assert [line.split() for line in lines[4:7]] == [
        ["3", "live", "95", "%", "-", "182.3", "0.1", "%", "1.23", "ms", "44.1", "ms"],
        ["4", "canary", "5", "%", "-", "9.6", "0", "%", "1.05", "ms", "-"],
        ["2", "previous", "-", "-", "-", "-", "-", "-"],
    ]
    assert lines[7] == "rollout of flight-delays@4 running, step 2 of 2: 5% 5m"
    assert lines[8] == "██████░░░░░░░░░░░░░░  1m 30s of 5m, 1,412 requests"


def test_columns_stay_where_they_are_when_figures_change():
    quiet = model(
        releases=tuple(msgspec.structs.replace(one, **dict.fromkeys(("p50_s", "p99_s"))) for one in model().releases)
    )
    assert shown(glance(model()))[3].index("p99") == shown(glance(quiet))[3].index("p99")


def test_a_hold_is_told_with_what_ends_it():
    held = RolloutEvent(seq=10, at=AT, kind="held", step=2, by="plusone", reason="answers moved by 0.3")
    lines = shown(glance(model(rollout=rollout(status="held", events=(held,)))))
    assert lines[-2:] == [
        "held: answers moved by 0.3",
        "to go on in spite of it: plusone rollout resume flight-delays",
    ]
    paused = RolloutEvent(seq=10, at=AT, kind="paused", step=2, by="ann", reason="weekend")
    lines = shown(glance(model(rollout=rollout(status="paused", events=(paused,)))))
    assert lines[-2:] == ["paused: weekend", "to go on: plusone rollout resume flight-delays"]


def test_an_end_is_told_with_its_reason():
    ended = RolloutEvent(seq=10, at=AT, kind="rolled back", step=2, by="plusone", reason="errors: 3 % against 1 %")
    over = rollout(status="rolled back", ended_at=AT, events=(ended,))
    assert shown(glance(model(rollout=over)))[-1].endswith("ago: errors: 3 % against 1 %")


def test_problems_come_first_so_that_a_low_terminal_shows_them():
    lines = shown(glance(model(), problems=("The store is gone.",)))
    assert lines[1] == "The store is gone."
    assert "no release yet" in shown(glance())[1]
    assert "no release yet" not in "".join(shown(glance(problems=("The store is gone.",))))


def test_a_model_without_a_route_is_there():
    lines = shown(glance(model(version=None, served=None, releases=())))
    assert lines[2:] == ["flight-delays  no route"]
    assert plain_lines(model(version=None, served=None, releases=())) == [
        "flight-delays is not served: no release of it is live"
    ]


# ---------------------------------------------------------------------------------------------- in a pipe


def test_in_a_pipe_a_line_is_printed_when_something_changes_and_not_for_figures(capsys: pytest.CaptureFixture[str]):
    def printed() -> list[str]:
        return [line[9:] for line in capsys.readouterr().out.splitlines()]

    with Screen(as_json=False) as screen:
        screen.show(glance(model()))
        assert printed() == [
            "flight-delays@3 live, answers 95 %: 182.3 requests/s, 0.1 % errors, p50 1.23 ms, p99 44.1 ms",
            "flight-delays@4 canary, answers 5 %: 9.6 requests/s, 0 % errors, p50 1.05 ms, p99 -",
            "flight-delays@2 previous",
        ]
        busier = tuple(msgspec.structs.replace(one, requests_s=one.requests_s + 1) for one in model().releases)
        screen.show(glance(model(releases=busier)))
        assert printed() == []
        screen.show(glance(model(version=8, rollout=rollout())))
        assert printed()[3:] == [
            "rollout of flight-delays@4 running, step 2 of 2: 5% 5m",
            "██████░░░░░░░░░░░░░░  1m 30s of 5m, 1,412 requests",
        ]
        screen.show(glance(model(version=8, rollout=rollout()), problems=("The store is gone.",)))
        screen.show(glance(model(version=8, rollout=rollout()), problems=("The store is gone.",)))
        assert printed() == ["The store is gone."]
        screen.show(glance(model(version=8, rollout=rollout())))
        assert printed() == ["all is well again"]
        screen.show(glance(model(version=8, served=Served(state="waiting", message="1 of 2 workers"), rollout=None)))
        assert printed()[-1] == "flight-delays: 1 of 2 workers"


def test_as_json_there_is_one_object_a_change(capsys: pytest.CaptureFixture[str]):
    with Screen(as_json=True) as screen:
        screen.show(glance(model()))
        screen.show(glance(model(), at="2026-01-31T12:00:01.000000Z"))
        screen.show(glance(model(version=8), at="2026-01-31T12:00:02.000000Z"))
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["at"], one["models"][0]["version"]) for one in found] == [
        (AT, 7),
        ("2026-01-31T12:00:02.000000Z", 8),
    ]
    assert set(found[0]) == {"at", "project", "models", "servers", "workers", "problems"}
    assert set(found[0]["models"][0]["releases"][0]) == {
        "release", "stage", "share", "shadow", "requests_s", "error_rate", "p50_s", "p99_s",
    }  # fmt: skip


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=64)
figures = st.none() | st.floats(0.0, 1e4)


@given(
    names,
    st.lists(
        st.builds(
            Traffic,
            release=st.integers(1, 10**9),
            stage=st.sampled_from(["live", "canary", "shadow", "previous", ""]),
            share=st.floats(0.0, 1.0),
            shadow=st.floats(0.0, 1.0),
            requests_s=st.floats(0.0, 1e9),
            error_rate=st.none() | st.floats(0.0, 1.0),
            p50_s=figures,
            p99_s=figures,
        ),
        max_size=5,
    ),
    st.integers(1, 200),
)
def test_any_glance_can_be_shown_at_any_width(name: str, releases: list[Traffic], width: int):
    one = model(model=name, releases=tuple(releases), rollout=rollout(model=name))
    lines = glance_lines(glance(one), width)
    assert len(lines) >= 3 + (1 if releases else 0) + len(releases) + 2
    assert plain_lines(one)
