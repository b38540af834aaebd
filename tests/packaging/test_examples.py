"""The examples of a package: rows as requests carry them, their answers, and how far others may be from these."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from plusone import packaging
from plusone.base.errors import BrokenArtifact
from plusone.graphs.runner import Answer
from plusone.packaging.examples import EXAMPLES, MAX_BYTES, Recorded, differing, read_examples
from plusone.predictor import load
from plusone.signatures.signature import UNSEEN

CLASSES = np.array(["a", "b"], dtype=object)


def pack(folder: Path, frame: pd.DataFrame, model: Any) -> str:
    features = [name for name in frame.columns if name != "target"]
    table = pa.Table.from_pandas(frame)
    given: dict[str, Any] = {"name": "m", "target": "target", "features": features, "train": table, "environment": ""}
    return packaging.pack(model.fit(frame[features], frame["target"]), folder=folder, **given)[1]


def flights(rows: int = 300) -> pd.DataFrame:
    kinds = np.arange(rows)
    frame = pd.DataFrame({"hour": kinds % 24, "carrier": np.array(["AA", "UA", "DL"])[kinds % 3], "gust": kinds / 7})
    frame.loc[frame.index % 5 == 0, "gust"] = None
    frame["target"] = np.where(frame["hour"] > 12, "late", "in time")
    return frame


def forest() -> Any:
    encoded = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"]), remainder="passthrough")
    return make_pipeline(encoded, RandomForestClassifier(5, random_state=0))


def test_they_are_spread_rows_and_the_edges_and_the_package_answers_them_so(tmp_path: Path):
    digest = pack(tmp_path / "a", flights(), forest())
    examples = read_examples(tmp_path / "a")
    assert len(examples.rows) == 20
    assert examples.rows[0] == {"hour": 0, "carrier": "AA", "gust": None}
    assert any(row["carrier"] == UNSEEN for row in examples.rows)
    assert any(row["gust"] is None for row in examples.rows)
    predictor = load(tmp_path / "a", digest)
    answer = predictor.run(predictor.decode(msgspec.json.encode({"rows": examples.rows})))
    assert differing(examples.answers, answer, 0.0) == ([], 0.0)
    assert examples.answers.codes == answer.codes.tolist()
    assert pack(tmp_path / "b", flights(), forest()) == digest
    assert (tmp_path / "a" / EXAMPLES).read_bytes() == (tmp_path / "b" / EXAMPLES).read_bytes()


def test_a_table_of_few_rows_gives_few_and_numbers_are_kept_to_the_last_bit(tmp_path: Path):
    frame = pd.DataFrame({"x": np.array([0.1, 1 / 3, 1e-17, 1e300]), "n": [1, 2**53 + 1, 3, -4]})
    frame["target"] = frame["x"] / 1e300
    digest = pack(tmp_path / "a", frame, LinearRegression())
    examples = read_examples(tmp_path / "a")
    assert [row["x"] for row in examples.rows] == frame["x"].tolist()
    assert [row["n"] for row in examples.rows] == frame["n"].tolist()
    predictor = load(tmp_path / "a", digest)
    answer = predictor.run(predictor.decode(msgspec.json.encode({"rows": examples.rows})))
    assert differing(examples.answers, answer, 1e-12)[0] == []


@pytest.mark.slow
def test_long_rows_are_few(tmp_path: Path):
    frame = pd.DataFrame({"x": np.arange(40.0), "text": [f"{n}" + "x" * 300_000 for n in range(40)]})
    frame["target"] = frame["x"] > 20
    encoded = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["text"]), remainder="passthrough")
    pack(tmp_path / "a", frame, make_pipeline(encoded, RandomForestClassifier(2, random_state=0)))
    rows = read_examples(tmp_path / "a").rows
    assert 1 <= len(rows) < 8
    assert len(json.dumps(rows)) < MAX_BYTES * 1.01


@pytest.mark.parametrize("content", [None, "", "[]", '{"rows": 1}', '{"rows": [], "answers": {"codes": 1}}', "\x00"])
def test_a_package_without_examples_that_can_be_read_is_told(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / EXAMPLES).write_text(content)
    with pytest.raises(BrokenArtifact, match=r"examples\.json"):
        read_examples(tmp_path)


def labels(codes: list[int], rows: list[list[float]]) -> Answer:
    return Answer(CLASSES, np.array(codes), np.array(rows), None)


def numbers(values: Any) -> Answer:
    return Answer(None, None, None, np.array(values, dtype=float))


SEVERAL = np.array(["no", "yes", "A", "B"], dtype=object)
TIED: list[list[float | None]] = [[0.5, 0.5, 0.9, 0.1]]
SURE: list[list[float | None]] = [[0.5, 0.5, 0.4999, 0.5001]]

CASES: list[tuple[Recorded, Answer, list[int], float]] = [
    (Recorded(numbers=[1.0, None]), numbers([1.0, math.nan]), [], 0.0),
    (Recorded(numbers=[1.0, 1e9]), numbers([1.0 + 5e-4, 1e9 + 5e5]), [], 5e5),
    (Recorded(numbers=[1.0, 2.0]), numbers([1.0, 2.1]), [1], 0.1),
    (Recorded(numbers=[1.0, None]), numbers([1.0, 2.0]), [1], math.inf),
    (Recorded(numbers=[1.0]), numbers([[1.0, 2.0]]), [0], math.inf),
    (Recorded(numbers=[[1.0, 2.0], [3.0, 4.0]]), numbers([[1.0, 2.0], [3.0, 4.5]]), [1], 0.5),
    (Recorded(codes=[0], probabilities=[[0.9, 0.1]]), labels([0], [[0.9, 0.1]]), [], 0.0),
    (Recorded(codes=[0], probabilities=[[0.9, 0.1]]), labels([1], [[0.9, 0.1]]), [0], 0.0),
    (Recorded(codes=[0], probabilities=[[0.5, 0.5]]), labels([1], [[0.4999, 0.5001]]), [], 0.0001),
    (Recorded(codes=[0], probabilities=[[0.9, 0.1]]), labels([0], [[0.8, 0.2]]), [0], 0.1),
    (Recorded(codes=[0, 1]), Answer(CLASSES, np.array([0, 0]), None, None), [1], 0.0),
    (Recorded(codes=[0]), numbers([1.0]), [0], math.inf),
    (Recorded(codes=[[0, 2], [1, 2]]), Answer(SEVERAL, np.array([[0, 2], [1, 3]]), None, None), [1], 0.0),
    (Recorded(codes=[[0, 2]], probabilities=TIED), Answer(SEVERAL, np.array([[1, 2]]), np.array(TIED), None), [], 0.0),
    (Recorded(codes=[[0, 2]], probabilities=TIED), Answer(SEVERAL, np.array([[0, 3]]), np.array(TIED), None), [0], 0.0),
    (Recorded(codes=[[0, 2]], probabilities=SURE), Answer(SEVERAL, np.array([[0, 3]]), np.array(SURE), None), [], 0.0),
    (
        Recorded(codes=[[1, 0]], scores=[[2.0, 2.0]]),
        Answer(CLASSES, np.array([[0, 1]]), None, None, np.array([[2.0, 2.0]])),
        [],
        0.0,
    ),
    (
        Recorded(codes=[[1, -1]], scores=[[2.0, None]]),
        Answer(CLASSES, np.array([[0, -1]]), None, None, np.array([[2.0, math.nan]])),
        [0],
        0.0,
    ),
]


@pytest.mark.parametrize(("recorded", "answer", "bad", "largest"), CASES)
def test_what_counts_as_another_answer(recorded: Recorded, answer: Answer, bad: list[int], largest: float):
    found, gap = differing(recorded, answer, 1e-3)
    assert found == bad
    assert gap == pytest.approx(largest)


def test_a_model_of_the_shared_kind_has_examples(package: Callable[..., Any]):
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0, 3.0], "target": [2.0, 3.0, 5.0, 1.0]})
    predictor = package(LinearRegression().fit(frame[["x"]], frame["target"]), frame)
    assert [file.path for file in predictor.package.files] == ["environment.txt", "examples.json", "model.onnx"]
