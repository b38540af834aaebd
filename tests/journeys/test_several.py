"""A forest with two labels, lived through: released, served, labelled, counted, and judged by its labels at n+1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.projects import make_project, run_json
from tests.journeys.up import Up
from tests.serving.serving_folder import ask, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PIPELINE = """
import numpy as np
import pandas as pd

import plusone


@plusone.step(version=lambda: 1)
def rows():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"hour": random.integers(0, 24, 900), "carrier": random.choice(["UA", "DL"], 900)})
    frame["late"] = np.where(frame["hour"] > 15, "yes", "no")
    frame["gate"] = np.where(frame["carrier"] == "UA", np.where(frame["hour"] < 6, "A", "B"), "C")
    return frame


@plusone.step(outputs=("train_set", "holdout"))
def split(rows):
    return rows.iloc[:600], rows.iloc[600:]


@plusone.model("trips", target=("late", "gate"), features=["hour", "carrier"])
def train(train_set, *, turned: bool = False):
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = make_column_transformer((OneHotEncoder(), ["carrier"]), remainder="passthrough")
    labels = train_set[["late", "gate"]]
    if turned:
        labels = labels.assign(gate=labels["gate"].map({"A": "B", "B": "A", "C": "C"}))
    model = make_pipeline(encode, RandomForestClassifier(5, random_state=0))
    return model.fit(train_set[["hour", "carrier"]], labels)
"""
MODEL_TESTS = """
import plusone


def test_late_is_right(model, holdout):
    plusone.check.at_least(model, holdout, metric="accuracy:late", value=0.9)


def test_answers(model):
    plusone.check.minimum(model, [{"hour": 20, "carrier": "DL", "late": "yes", "gate": "C"}])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "pipeline.py": PIPELINE,
        "tests/test_data.py": "def test_rows(rows):\n    assert len(rows) == 900\n",
        "tests/test_model.py": MODEL_TESTS,
    }
    return make_project(tmp_path / "p", files=files, built_in=True)


def _post(up: Up, path: str, body: Any) -> Any:
    status, _, found = ask(up.port, "POST", path, json.dumps(body), {"content-type": "application/json"})
    assert status in (200, 202), found
    return json.loads(found)


def test_two_labels_from_release_to_release(project: Path) -> None:
    assert run_json(project, "release")["stage"] == "live"
    with Up(project) as up:
        up.wait_for("ready")
        labels: list[dict[str, Any]] = []
        for place in range(80):
            row: dict[str, Any] = {"hour": place % 24, "carrier": "UA" if place % 2 else "DL"}
            answer = _post(up, "/models/trips/predict", {"rows": [row]})
            gate = ("A" if row["hour"] < 6 else "B") if row["carrier"] == "UA" else "C"
            truth = {"late": "yes" if row["hour"] > 15 else "no", "gate": gate}
            assert answer["predictions"][0]["label"] == truth
            labels.append({"id": answer["id"], "label": truth})
        assert _post(up, "/models/trips/labels", {"labels": labels}) == {"accepted": 80}
        status, _, refused = ask(
            up.port, "POST", "/models/trips/labels", '{"labels":[{"id":"a","label":{"late":"no"}}]}'
        )
        assert status == 422, refused
        tensor = {"name": "hour", "shape": [1], "datatype": "INT64", "data": [20]}
        carrier = {"name": "carrier", "shape": [1], "datatype": "BYTES", "data": ["UA"]}
        outputs = _post(up, "/v2/models/trips/infer", {"inputs": [tensor, carrier]})["outputs"]
        assert [one["name"] for one in outputs] == ["late", "gate", "late_probabilities", "gate_probabilities"]
        assert [one["data"] for one in outputs[:2]] == [["yes"], ["B"]]

        def labelled() -> bool:
            found = run_json(project, "predictions", "list", "trips", "--limit", "100")
            return sum(1 for one in found["predictions"] if one["labels"]) == 80

        until(labelled, "the labels are in the store", seconds=60.0)
        # Its own tests look at `late` alone: the truths say that `gate` is wrong now.
        worse = run_json(project, "release", "--set", "turned=true", code=1)
        assert worse["outcome"] == "failed", worse
        (replayed,) = [one for one in worse["checks"] if one["test"] == "plusone::replay[labels]"]
        assert replayed["outcome"] == "failed"
