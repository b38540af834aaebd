"""Settings of rollouts and checks in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from plusone.base.config import Rollouts, load_project, plan_of
from plusone.base.errors import ConfigError
from plusone.base.plans import step_text
from plusone.monitoring.judge import Judging


def _plan(folder: Path, text: str, model: str = "m") -> list[str]:
    (folder / "pyproject.toml").write_text(text, "utf-8")
    return [step_text(step) for step in plan_of(load_project(folder), model)]


def test_a_model_has_its_own_plan_or_that_of_all(tmp_path: Path):
    assert _plan(tmp_path, "[tool.plusone]\n") == []
    text = '[tool.plusone]\nrollout = ["shadow 2m", "5% 5m"]\n[tool.plusone.models.n]\nrollout = ["10% 1h 5"]\n'
    text += "[tool.plusone.models.o]\nrollout = []\n[tool.plusone.models.p]\n"
    assert _plan(tmp_path, text) == ["shadow 2m", "5% 5m"]
    assert _plan(tmp_path, text, "n") == ["10% 1h 5"]
    assert _plan(tmp_path, text, "o") == [], "at once, whatever the others do"
    assert _plan(tmp_path, text, "p") == ["shadow 2m", "5% 5m"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('rollout = ["5% 5"]', ["[tool.plusone] rollout, step 1", "'5% 5'"]),
        ('[tool.plusone.models."a.b"]\nrollout = ["1% 1s", "1% 1s"]', ["models.a.b] rollout, step 2", "'1% 1s'"]),
        ('rollout = "5% 5m"', ["rollout"]),
        ("rollout = [5]", ["rollout[0]"]),
        ('[tool.plusone.models.m]\nrollouts = ["1% 1s"]', ["rollouts"]),
        ("[tool.plusone.models]\nm = 5", ["models"]),
        ("[tool.plusone.checks]\nshift = 1.5", ["checks]: shift = 1.5", "0 to 1"]),
        ("[tool.plusone.checks]\nleakage = 0.4", ["leakage = 0.4", "0.5 to 1"]),
        ("[tool.plusone.checks]\nnulls = nan", ["nulls = nan"]),
        ("[tool.plusone.checks]\ndata_alpha = 0.0", ["data_alpha = 0.0"]),
        ("[tool.plusone.rollouts]\nalpha = 1", ["rollouts]: alpha = 1.0", "less than 1"]),
        ("[tool.plusone.rollouts]\nalpha_tolerated = 0", ["alpha_tolerated = 0.0"]),
        ("[tool.plusone.rollouts]\nalpha = nan", ["alpha = nan"]),
        ("[tool.plusone.rollouts]\nerrors_tolerance = 1.0", ["errors_tolerance = 1.0", "0 to 0.999"]),
        ("[tool.plusone.rollouts]\nlatency_tolerance = -0.1", ["latency_tolerance = -0.1"]),
        ("[tool.plusone.rollouts]\nlatency_floor_s = 0", ["latency_floor_s = 0.0"]),
        ("[tool.plusone.rollouts]\nwarm_up_looks = -1", ["warm_up_looks = -1"]),
        ("[tool.plusone.rollouts]\nexpected_shift = inf", ["expected_shift = inf"]),
        ("[tool.plusone.checks]\nreplay_requests = -1", ["replay_requests = -1", "0 to 1,000,000"]),
        ("[tool.plusone.checks]\nreplay_changed = 1.1", ["replay_changed = 1.1", "replay_changed = 0.5"]),
        ("[tool.plusone.checks]\nreplay_changed = nan", ["replay_changed = nan"]),
        ("[tool.plusone.checks]\nreplay_errors = 0.5", ["`int`", "replay_errors"]),
        ("[tool.plusone.checks]\nreplay_labels_margin = -0.1", ["replay_labels_margin = -0.1"]),
        ("[tool.plusone.checks]\nreplay_latency = 0.5", ["replay_latency = 0.5", "1 to 1,000"]),
        ("[tool.plusone.checks]\nreplay = 1", ["replay", "checks.replay_requests"]),
        ("[tool.plusone.rollouts]\nbeta = 1", ["beta", "rollouts.alpha"]),
        ("[tool.plusone.checks]\nslower = 0.5", ["checks]: slower = 0.5", "1 to 1,000"]),
        ("[tool.plusone.checks]\nperformance_loss = 1.1", ["performance_loss = 1.1", "0 to 1"]),
        ("[tool.plusone.checks]\nbias = nan", ["bias = nan"]),
        ("[tool.plusone.checks]\noverfit = '1'", ["checks.overfit", "checks.slower"]),
    ],
)
def test_what_is_wrong_is_said_with_file_setting_and_value(tmp_path: Path, text: str, names: list[str]):
    with pytest.raises(ConfigError) as refused:
        _plan(tmp_path, f"[tool.plusone]\n{text}\n")
    for name in [str(tmp_path / "pyproject.toml"), *names]:
        assert name in str(refused.value)


def test_the_settings_of_the_judge_are_those_that_it_has():
    """Where the settings are read nothing knows the judge: names and defaults are in two places."""
    assert Rollouts.__struct_fields__ == Judging.__struct_fields__
    assert Rollouts.__struct_defaults__ == Judging.__struct_defaults__
