"""Data that changes from one release to the next: a season goes live with a warning, another unit closes the gate."""

from __future__ import annotations

from pathlib import Path

import pytest

import plusone
from plusone.release.making import Request
from tests.journeys.projects import PIPELINE, make_project

pytestmark = pytest.mark.slow

STEPS = """
@plusone.step
def rows(*, days: int = 60, warmer: float = 0.0, factor: float = 1.0):
    rng = np.random.default_rng(0)
    x = rng.normal(0.0, 1.0, (200, 50))[:days] + warmer * (np.arange(days) >= 60)[:, None]
    z = rng.normal(10.0, 3.0, (200, 50))[:days] * factor
    y = x + rng.normal(0.0, 1.0, (200, 50))[:days] > 0.0
    day = np.repeat(np.arange(days), 50).astype("datetime64[D]").astype("datetime64[us]")
    return pa.table({"x": x.ravel(), "z": z.ravel(), "y": y.ravel(), "day": day})
"""


DATA_TEST = "def test_there_are_rows(rows, train_set):\n    assert len(rows) > len(train_set) > 0\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    begin, end = PIPELINE.index("@plusone.step(version"), PIPELINE.index('@plusone.step(outputs=("train_set"')
    text = PIPELINE[:begin] + STEPS.lstrip() + "\n\n" + PIPELINE[end:]
    text = text.replace('target="y")', 'target="y", features=["x", "z"])')
    return make_project(tmp_path, files={"pipeline.py": text, "tests/test_data.py": DATA_TEST}, built_in=True)


def release(project: Path, **settings):
    """The outcome of a release, what its checks said, and what they warned of."""
    with plusone.App(project) as app:
        made, _ = app.make_release(Request(settings=settings), on_event=lambda event: None)
    checks = made.session.checks if made.session is not None else ()
    bad = {check.test: check.message for check in checks if check.outcome not in ("passed", "not applicable")}
    warned = [one["warning"] for check in checks for one in check.measured if "warning" in one]
    return made.outcome, bad, warned


def test_a_season_warns_and_another_unit_closes_the_gate(project: Path):
    outcome, bad, _ = release(project)
    assert (outcome, bad) == ("live", {})
    outcome, bad, warned = release(project, days=90, warmer=1.0)
    assert (outcome, bad) == ("live", {})
    assert any(one.startswith("x: ") for one in warned)
    outcome, bad, _ = release(project, days=95, warmer=1.0, factor=1.609344)
    assert outcome == "stopped"
    assert "as from miles to kilometres" in bad["plusone::units[rows]"]
    assert "as from miles to kilometres" in bad["plusone::units[train_set]"]
    assert all(test.startswith("plusone::") for test in bad)
