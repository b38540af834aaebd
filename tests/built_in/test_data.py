"""Plusone's checks of the data as a session runs them: what they compare, what they say without a live release."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from plusone.base.config import Checks
from plusone.base.records import Learning
from plusone.built_in.data import checks
from plusone.checks.built_in import Given
from plusone.measuring.outcomes import CheckFailed, NotApplicable, recording
from tests.checks.conftest import Sandbox
from tests.expectations.made import change, clean, pick

FEATURES = ("carrier", "distance", "sched_dep_time", "temp", "day_of_week")
LEARNING = Learning(
    inputs=("train_set",), targets=("late",), features=FEATURES, upstream=("raw", "train_set"), sources=("raw",)
)


@pytest.fixture
def sandbox(tmp_path) -> Sandbox:
    """A project whose run made the flights of 120 days, and whose live release those of 90."""
    box = Sandbox(tmp_path / "project")
    box.output(train_set=clean(90), raw=clean(90))
    box.change(before=dict(box.context.outputs), learning=LEARNING)
    box.output(train_set=clean(120), raw=clean(120), holdout=clean(10, first=120), note={"a": 1})
    return box


def outcomes(box: Sandbox) -> dict[str, tuple[str, str, list[dict[str, Any]]]]:
    """What each check says: its outcome, its message, what it recorded."""
    found: dict[str, tuple[str, str, list[dict[str, Any]]]] = {}
    for check in checks(Given(box.context)):
        outcome, message = "passed", ""
        with recording() as measured:
            try:
                check.run()
            except CheckFailed as error:
                outcome, message = "failed", str(error)
            except NotApplicable as error:
                outcome, message = "not applicable", str(error)
        msgspec.json.encode(measured)  # plain JSON values, as a release keeps them
        found[check.name] = (outcome, message, measured)
    return found


def failed(box: Sandbox) -> dict[str, str]:
    return {name: message for name, (outcome, message, _) in outcomes(box).items() if outcome == "failed"}


def test_the_training_data_the_sources_and_the_holdout_are_looked_at(sandbox):
    names = set(outcomes(sandbox))
    assert {"columns[train_set]", "columns[raw]", "overlap[holdout]", "leakage[train_set]", "label[train_set]"} <= names
    assert "label[raw]" in names  # a source may hold what the model answers
    assert not [name for name in names if "[note]" in name or name == "leakage[raw]"]


def test_a_month_more_fails_nothing_and_leaves_figures(sandbox):
    assert failed(sandbox) == {}
    measured = outcomes(sandbox)["shift[train_set]"][2]
    figures = [one["figure"] for one in measured if "figure" in one]
    assert [figure["kind"] for figure in figures][:2] == ["bars", "histograms"]
    assert figures[0]["limit"] == 0.6
    assert figures[0]["names"][0] == "temp"
    assert sum(figures[1]["series"][0]["shares"]) == pytest.approx(1, abs=1e-3)


def test_a_month_more_of_the_same_warns_of_nothing(sandbox):
    assert [
        one["warning"] for _, _, measured in outcomes(sandbox).values() for one in measured if "warning" in one
    ] == []


def test_a_unit_is_told_of_the_source_and_of_the_training_data(sandbox):
    for name in ("raw", "train_set"):
        table = clean(120)
        sandbox.output(**{name: change(table, "distance", table["distance"].to_numpy() * 1.609344)})
    found = failed(sandbox)
    assert "as from miles to kilometres" in found["units[raw]"]
    assert "as from miles to kilometres" in found["units[train_set]"]


def test_what_is_no_feature_fails_no_training_data(sandbox):
    sandbox.change(learning=msgspec.structs.replace(LEARNING, features=("carrier", "temp")))
    sandbox.output(train_set=clean(120).drop_columns(["distance"]))
    assert failed(sandbox) == {}


def test_without_a_live_release_only_what_needs_none_runs(sandbox):
    sandbox.change(before={})
    sandbox.output(train_set=clean(120).append_column("status", clean(120)["late"]))
    sandbox.change(learning=msgspec.structs.replace(LEARNING, features=(*FEATURES, "status")))
    found = outcomes(sandbox)
    assert found["columns[raw]"][:2] == (
        "not applicable",
        "no release is live yet: there is nothing to compare with",
    )
    assert found["leakage[train_set]"][0] == "failed"
    assert "status: alone it tells late with an AUC of 1.000" in found["leakage[train_set]"][1]
    assert {name for name, (outcome, _, _) in found.items() if outcome == "passed"} == {
        "duplicates[raw]",
        "duplicates[train_set]",
        "constant[train_set]",
    }


def test_a_table_that_live_did_not_have_or_that_gc_freed_is_said_to_be_so(sandbox):
    before = dict(sandbox.context.before)
    sandbox.change(before={"raw": before["raw"]})
    assert "was made without train_set" in outcomes(sandbox)["columns[train_set]"][1]
    lost = msgspec.structs.replace(before["train_set"], blob="0" * 64)
    sandbox.change(before={**before, "train_set": lost})
    assert "was freed by gc: nothing is left of train_set" in outcomes(sandbox)["columns[train_set]"][1]


def test_the_same_data_is_not_compared_with_itself(sandbox):
    sandbox.change(before=dict(sandbox.context.outputs))
    for name, (outcome, _, measured) in outcomes(sandbox).items():
        assert outcome == "passed", name
        assert not any("warning" in one for one in measured), name


def test_rows_of_the_holdout_in_the_training_data(sandbox):
    holdout = clean(10, first=120)
    sandbox.output(train_set=pa.concat_tables([clean(120), holdout.slice(0, 30)]))
    assert "30 rows of it" in failed(sandbox)["overlap[holdout]"]


def test_the_bounds_are_the_projects(sandbox):
    table = clean(120)
    values = np.where(pick(table, 0.03), np.nan, table["distance"].to_numpy())
    sandbox.output(train_set=change(table, "distance", values))
    assert set(failed(sandbox)) == {"nulls[train_set]"}
    sandbox.change(settings=Checks(nulls=0.05))
    assert failed(sandbox) == {}


def test_many_findings_are_said_in_short_and_kept_in_full(sandbox):
    table = clean(120)
    for name in FEATURES:
        table = change(table, name, [None] * table.num_rows)
    sandbox.output(train_set=table)
    outcome, message, measured = outcomes(sandbox)["nulls[train_set]"]
    assert outcome == "failed"
    assert message.endswith("(and 2 more)")
    assert len([one for one in measured if one.get("outcome") == "failed"]) == 5


def test_a_model_without_targets_and_the_session_on_the_model(sandbox):
    sandbox.change(learning=Learning(inputs=("train_set",)))
    assert not [name for name in outcomes(sandbox) if name.startswith(("label", "leakage", "overlap"))]
    sandbox.change(learning=Learning())
    assert outcomes(sandbox) == {}
    sandbox.change(learning=LEARNING, subject="model")
    assert outcomes(sandbox) == {}


def test_arrays_are_tables_too(sandbox):
    arrays = {"image": np.random.default_rng(0).random((300, 4, 4)).astype(np.float32), "late": np.arange(300) % 2}
    sandbox.output(train_set=arrays)
    sandbox.change(before={"train_set": sandbox.context.outputs["train_set"]}, learning=Learning(inputs=("train_set",)))
    sandbox.output(train_set={**arrays, "late": np.arange(300) % 2 + 5})
    assert "late" in failed(sandbox)["categories[train_set]"]
