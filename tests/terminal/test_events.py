"""What `plusone up` says of what happens."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from plusone.control.control import Control
from plusone.terminal.events import print_event

CONTROL = cast(
    Control,
    SimpleNamespace(supervisor=SimpleNamespace(address="http://h:1"), api=SimpleNamespace(address="http://h:2")),
)
ROLLOUT = {"event": "rollout", "model": "m", "release": 4, "step": 1, "steps": 2, "why": ""}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event": "started", "control": "http://h:2", "models": []}, "no release is live yet"),
        ({"event": "ready", "workers": 2, "versions": {"m": 1}}, "ready: 2 workers at http://h:1"),
        ({"event": "ready", "workers": 1, "versions": {"m": 1}}, "ready: 1 worker at"),
        ({"event": "not ready"}, "not ready"),
        ({"event": "taken back", "model": "m", "version": 3, "error": "too big"}, "version 3 taken back: too big"),
        ({**ROLLOUT, "did": "begin", "why": "rollout in 2 steps"}, "rollout of m@4: step 1 of 2 is served (rollout in"),
        ({**ROLLOUT, "did": "advance", "why": "errors: 1 of 2"}, "rollout of m@4: step 2 of 2 begins"),
        ({**ROLLOUT, "did": "advance", "step": 2}, "rollout of m@4: all 2 steps are done, it is live"),
        ({**ROLLOUT, "did": "hold", "why": "answers moved"}, "held in step 1 of 2: answers moved"),
        ({**ROLLOUT, "did": "hold", "why": "answers moved"}, "plusone rollout resume m"),
        ({**ROLLOUT, "did": "go on"}, "rollout of m@4: held no longer"),
        ({**ROLLOUT, "did": "roll back", "why": "errors"}, "rollout of m@4: rolled back in step 1 of 2: errors"),
        ({**ROLLOUT, "did": "what is new"}, "rollout of m@4: what is new"),
        ({"event": "rollouts stopped", "message": "a fault"}, "no rollout goes on; predictions do: a fault"),
        ({"event": "trouble", "message": "gone"}, "trouble, and predictions go on: gone"),
        ({"event": "recovered"}, "all is well again"),
        ({"event": "stopping"}, "stopping"),
    ],
)
def test_an_event_is_a_line(event: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]):
    print_event(event, CONTROL)
    out = capsys.readouterr().out
    assert said in out
    assert "\x1b" not in out


def test_what_nobody_needs_to_see_is_left_out(capsys: pytest.CaptureFixture[str]):
    print_event({"event": "something else"}, CONTROL)
    assert capsys.readouterr().out == ""
