"""Two models asked the same requests: what is the same, what differs, and for whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import plusone
from plusone.measuring.replay import replay
from plusone.monitoring.requests import SCHEMA
from plusone.predictor import Predictor
from tests.packaged import package

__all__ = ["package"]

Package = Callable[..., Predictor]


def logged(bodies: list[dict[str, Any]], labels: list[Any] | None = None) -> pa.Table:
    """Requests as they are in the log, one a second, each with the labels of its rows."""
    count = len(bodies)
    sent = [msgspec.json.encode(body) for body in bodies]
    said = [
        None if rows is None else [{"row": row, "value": text} for row, text in rows]
        for rows in labels or [None] * count
    ]
    columns: dict[str, Any] = {
        "id": [f"p{place}" for place in range(count)], "at": [place * 1_000_000 for place in range(count)],
        "release": [3] * count, "kind": ["json"] * count, "rows": [1] * count, "request": sent, "labels": said,
    }  # fmt: skip
    return pa.Table.from_arrays([pa.array(columns[one.name]).cast(one.type) for one in SCHEMA], schema=SCHEMA)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The fields of each row, as a request carries them."""
    return pa.Table.from_pandas(frame[["x", "z"]], preserve_index=False).to_pylist()


@pytest.fixture
def frame() -> pd.DataFrame:
    generator = np.random.default_rng(2)
    frame = pd.DataFrame(generator.normal(size=(600, 2)), columns=["x", "z"])
    return frame.assign(target=frame["x"] > 0)


@pytest.mark.slow
def test_labels_belong_to_the_rows_that_they_name_and_refused_requests_have_none(package: Package, frame: pd.DataFrame):
    model = package(LogisticRegression().fit(frame[["x", "z"]], frame["target"]), frame)
    rows = records(frame)
    bodies: list[dict[str, Any]] = [{"rows": rows[place : place + 3]} for place in range(0, 300, 3)]
    bodies.insert(1, {"rows": [{"x": "?", "z": 0.0}]})
    labels: list[Any] = [[(0, "true"), (2, "false"), (3, "true")] for _ in bodies]
    labels[5] = [(1, "null"), (1, '"maybe"'), (-1, "true"), (0, "{"), (0, "tr")]
    found = replay(model, model, logged(bodies, labels))
    assert (found.requests, found.rows) == (101, 300)
    assert found.refused == ()
    assert [(one.field, one.requests, one.example) for one in found.refused_by_both] == [("x", 1, "p1")]
    assert found.labels is not None
    assert found.labels.rows == 99 * 2
    first = [model.predict(pd.DataFrame(rows))[place * 3] for place in range(100) if place != 4]
    third = [not model.predict(pd.DataFrame(rows))[place * 3 + 2] for place in range(100) if place != 4]
    assert found.labels.candidate == pytest.approx(np.mean([*first, *third]))
    assert found.first_at == "1970-01-01T00:00:00.000000Z"
    assert found.releases == {"3": 101}


def test_the_slice_that_is_answered_differently_comes_first(package: Package, frame: pd.DataFrame):
    numbers = frame.assign(target=frame["x"] * 2.0)
    live = package(LinearRegression().fit(numbers[["x", "z"]], numbers["target"]), numbers)
    other = frame.assign(target=frame["x"] * 2.0 + np.maximum(frame["x"] - 0.8, 0) * 0.0 + 0.3 * frame["z"] ** 3)
    model = package(LinearRegression().fit(other[["x", "z"]], other["target"]), other)
    found = replay(model, live, logged([{"rows": [row]} for row in records(frame)]))
    assert found.changed is not None
    assert {one.field for one in found.changed.slices[:2]} == {"z"}, "the middle of z is answered as before"
    assert found.changed.slices[0].more
    assert [one["kind"] for one in found.changed.figures] == ["bars", "histograms"]
    assert found.latency is not None
    assert found.latency.rows == 256


def test_rankings_are_asked_too_and_an_item_of_the_label_is_enough(package: Package):
    def recommender(*best: int) -> Predictor:
        scores = np.array([[float(item in best)] for item in (1, 2, 3, 4)])
        made: Any = plusone.Recommender(range(60), [1, 2, 3, 4], np.ones((60, 1)), scores, k=2)
        return package(made, pd.DataFrame({"user": range(60), "item": 1}), target="item")

    bodies = [{"rows": [{"user": user}]} for user in range(60)]
    labels = [[(0, "[1,9]")]] * 30 + [[(0, "[4]")]] * 30
    found = replay(recommender(3, 4), recommender(1, 2), logged(bodies, labels))
    assert found.changed is not None
    assert (found.changed.changed, found.changed.measured["overlap_at_2"]) == (60, 0.0)
    assert found.labels is not None
    assert (found.labels.metric, found.labels.candidate, found.labels.live) == ("hit_rate@2", 0.5, 0.5)


def test_a_request_with_a_tensor_has_no_slices(package: Package):
    generator = np.random.default_rng(3)
    images = generator.normal(size=(200, 4)).astype(np.float32)
    target = images.sum(axis=1) > 0
    model = package(LogisticRegression().fit(images, target), {"image": images, "target": target}, features=["image"])
    found = replay(model, model, logged([{"rows": [{"image": row.tolist()}]} for row in images]))
    assert found.changed is not None
    assert (found.rows, found.changed.changed, found.changed.slices) == (200, 0, ())


def test_a_candidate_that_answers_nothing_is_refused_and_not_compared(package: Package, frame: pd.DataFrame):
    live = package(LogisticRegression().fit(frame[["x", "z"]], frame["target"]), frame)
    renamed = frame.rename(columns={"z": "y"})
    model = package(LogisticRegression().fit(renamed[["x", "y"]], renamed["target"]), renamed)
    found = replay(model, live, logged([{"rows": [row]} for row in records(frame)]))
    assert (found.rows, found.changed, found.labels, found.latency) == (0, None, None, None)
    assert [(one.field, one.requests) for one in found.refused] == [("y", 600)]
    back = replay(live, model, logged([{"rows": [{"x": 1.0, "z": 2.0}]}]))
    assert (back.only_candidate, back.refused, back.refused_by_both) == (1, (), ())
