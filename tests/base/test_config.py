"""Settings of rollouts in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from plusone.base.config import load_project, plan_of
from plusone.base.errors import ConfigError
from plusone.base.plans import step_text


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
    ],
)
def test_what_is_wrong_is_said_with_file_setting_and_value(tmp_path: Path, text: str, names: list[str]):
    with pytest.raises(ConfigError) as refused:
        _plan(tmp_path, f"[tool.plusone]\n{text}\n")
    for name in [str(tmp_path / "pyproject.toml"), *names]:
        assert name in str(refused.value)
