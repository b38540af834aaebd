"""Compiled against native, one row at a time: how much faster each kind of model answers, and how far its answers are.

Native is the library's own `predict_proba` on a dataframe of one row, with one thread, in this process, as a handler
written by hand would call it. Compiled is what serving runs: the arrays of a row into the graph; beside it the whole
predictor: JSON in, checked, run, JSON out. All sides take turns on the same rows, and the median of the ratios of all
turns is what is quoted.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from rich.table import Table
from threadpoolctl import threadpool_limits

from plusone.base.errors import PlusoneError
from plusone.packaging import pack
from plusone.predictor import Predictor, load

from . import flights

ROOT = Path(__file__).resolve().parent.parent
BESIDE = {"torch": ROOT / ".venv-torch" / "bin" / "python"}
"""What is not installed beside everything else, and the Python that has it: `make torch`."""
TRAIN_ROWS = 20_000
ROWS = 16
ROUNDS = 15
BAR = 20.0
TARGET, FEATURES, WORDS, NUMBERS = flights.TARGET, flights.FEATURES, flights.WORDS, flights.NUMBERS


class Family(NamedTuple):
    """One kind of model, and how it is trained on flights."""

    name: str
    features: list[str]
    train: Callable[[pd.DataFrame], Any]
    needs: tuple[str, ...] = ()
    bar: bool = False
    """Whether it is held to `BAR`: trees and pipelines of scikit-learn."""


def _on_numbers(make: Callable[[], Any]) -> Callable[[pd.DataFrame], Any]:
    return lambda frame: make().fit(frame[NUMBERS], frame[TARGET])


def _sklearn(module: str, name: str, **settings: Any) -> Callable[[], Any]:
    return lambda: getattr(importlib.import_module(f"sklearn.{module}"), name)(**settings)


def _pipeline(make: Callable[[], Any], *, one_hot: bool) -> Callable[[pd.DataFrame], Any]:
    """Return what fits a pipeline: categories encoded, numbers scaled, then the estimator."""

    def train(frame: pd.DataFrame) -> Any:
        from sklearn.compose import make_column_transformer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

        words: Any = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        if one_hot:
            words = OneHotEncoder(handle_unknown="ignore")
        columns = make_column_transformer((words, WORDS), (StandardScaler(), NUMBERS))
        return make_pipeline(columns, make()).fit(frame[FEATURES], frame[TARGET])

    return train


def _lightgbm(frame: pd.DataFrame) -> Any:
    lightgbm: Any = importlib.import_module("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=100, n_jobs=1, verbose=-1)
    return model.fit(frame[NUMBERS], frame[TARGET].astype(int))


def _xgboost(frame: pd.DataFrame) -> Any:
    xgboost: Any = importlib.import_module("xgboost")
    return xgboost.XGBClassifier(n_estimators=100, n_jobs=1).fit(frame[NUMBERS], frame[TARGET].astype(int))


def _torch(frame: pd.DataFrame) -> Any:
    torch: Any = importlib.import_module("torch")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    width = len(NUMBERS)
    layers = (torch.nn.Linear(width, 64), torch.nn.ReLU(), torch.nn.Linear(64, 32), torch.nn.ReLU())
    return torch.nn.Sequential(torch.nn.BatchNorm1d(width), *layers, torch.nn.Linear(32, 2)).eval()


_LOGISTIC = _sklearn("linear_model", "LogisticRegression", max_iter=1000)
_FOREST = _sklearn("ensemble", "RandomForestClassifier", n_estimators=100, min_samples_leaf=20, random_state=0)
_BOOSTING = _sklearn("ensemble", "HistGradientBoostingClassifier", max_iter=100, random_state=0)

FAMILIES = (
    Family("a tree", NUMBERS, _on_numbers(_sklearn("tree", "DecisionTreeClassifier", random_state=0)), bar=True),
    Family("a forest of 100 trees", NUMBERS, _on_numbers(_FOREST), bar=True),
    Family("histogram boosting", NUMBERS, _on_numbers(_BOOSTING), bar=True),
    Family(
        "gradient boosting",
        NUMBERS,
        _on_numbers(_sklearn("ensemble", "GradientBoostingClassifier", random_state=0)),
        bar=True,
    ),
    Family("logistic regression", NUMBERS, _on_numbers(_LOGISTIC)),
    Family("categories + logistic regression", FEATURES, _pipeline(_LOGISTIC, one_hot=True), bar=True),
    Family("categories + forest", FEATURES, _pipeline(_FOREST, one_hot=False), bar=True),
    Family("categories + boosting", FEATURES, _pipeline(_BOOSTING, one_hot=False), bar=True),
    Family(
        "a network",
        NUMBERS,
        lambda frame: _pipeline_of_numbers().fit(frame[NUMBERS], frame[TARGET]),
        bar=True,
    ),
    Family("LightGBM", NUMBERS, _lightgbm, ("lightgbm", "plusone.formats.lightgbm")),
    Family("XGBoost", NUMBERS, _xgboost, ("xgboost", "plusone.formats.xgboost")),
    Family("PyTorch", NUMBERS, _torch, ("torch", "plusone.formats.torch")),
)


def _pipeline_of_numbers() -> Any:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), MLPClassifier((64, 32), max_iter=60, tol=1e-2, random_state=0))


def _missing(family: Family) -> str:
    for module in family.needs:
        try:
            there = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            there = False
        if not there:
            return f"{module} is not here"
    return ""


def measure(scratch: Path) -> dict[str, Any]:
    """Train, package and time each family; return what was found, or why a family was not run."""
    frame = flights.flights().sample(TRAIN_ROWS + ROWS, random_state=0).reset_index(drop=True)
    result: dict[str, Any] = {"rows": ROWS, "rounds": ROUNDS, "families": []}
    with threadpool_limits(1):
        for number, family in enumerate(FAMILIES):
            found: dict[str, Any] = {"family": family.name, "bar": BAR if family.bar else None}
            if reason := _missing(family):
                python = BESIDE.get(family.needs[0])
                found |= _elsewhere(python, family, frame, scratch / str(number)) if python else {"not_run": reason}
                result["families"].append(found)
                continue
            try:
                found |= _family(family, frame, scratch / str(number))
            except PlusoneError as error:
                found["not_run"] = error.message
            result["families"].append(found)
    return result


def _elsewhere(python: Path, family: Family, frame: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Measure a family in an environment of its own, in the same run and on the same rows."""
    if not python.exists():
        return {"not_run": f"{family.needs[0]} is not here: make {python.parent.parent.name.rpartition('-')[2]}"}
    folder.mkdir(parents=True)
    frame.to_parquet(folder / "frame.parquet")
    asked = [str(python), "-m", "bench.formats", family.name, str(folder)]
    done = subprocess.run(asked, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"not_run": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}
    return json.loads(done.stdout)


def main() -> None:
    """Measure the family and the rows that `_elsewhere` names; print what was found as JSON."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    family = next(one for one in FAMILIES if one.name == name)
    frame = pd.read_parquet(folder / "frame.parquet")
    with threadpool_limits(1):
        print(json.dumps(_family(family, frame, folder / "package")))


def _family(family: Family, frame: pd.DataFrame, folder: Path) -> dict[str, Any]:
    train: Any = frame[:TRAIN_ROWS]
    table = pa.Table.from_pandas(train[[*family.features, TARGET]], preserve_index=False)
    model = family.train(train)
    package, digest = pack(
        model, name="m", target=TARGET, features=family.features, train=table, environment="", folder=folder
    )
    predictor = load(folder, digest)
    asked: Any = frame[TRAIN_ROWS:][family.features]
    native = _native(model, family)
    return {
        "max_difference": package.proof["max_difference"],
        "edges_differ": package.proof["edges"]["differ"],
        "precision": package.options["precision"],
        **_turns(native, predictor, asked),
    }


def _native(model: Any, family: Family) -> Callable[[pd.DataFrame], Any]:
    """Return the library's own call for a dataframe of one row."""
    if "torch" not in family.needs:
        return model.predict_proba
    torch: Any = importlib.import_module("torch")

    def call(row: pd.DataFrame) -> Any:
        with torch.inference_mode():
            return model(torch.from_numpy(row.to_numpy(dtype=np.float32))).softmax(1).numpy()

    return call


def _turns(native: Callable[[Any], Any], predictor: Predictor, asked: pd.DataFrame) -> dict[str, Any]:
    rows = [asked.iloc[place : place + 1] for place in range(len(asked))]
    bodies = [json.dumps({"rows": row.to_dict("records")}).encode() for row in rows]
    columns: list[Any] = [predictor.gather(predictor.decode_rows(body)) for body in bodies]

    def whole(body: Any) -> Any:
        return predictor.encode(predictor.run(predictor.gather(predictor.decode_rows(body))))

    run: Callable[..., Any] = predictor.run
    sides: tuple[tuple[Callable[..., Any], list[Any], int], ...] = (
        (native, rows, 1),
        (run, columns, 20),
        (whole, bodies, 20),
    )
    taken: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS):
        for place, (call, arguments, times) in enumerate(sides):
            began = time.perf_counter()
            for _ in range(times):
                for one in arguments:
                    call(one)
            taken[place].append((time.perf_counter() - began) / times / len(arguments) * 1e6)
    medians = [statistics.median(one) for one in taken]
    ratios = [statistics.median(a / b for a, b in zip(taken[0], other, strict=True)) for other in taken[1:]]
    gaps = [
        float(np.abs(np.asarray(native(row)) - predictor.run(one).probabilities).max())
        for row, one in zip(rows, columns, strict=True)
    ]
    return {
        "native_us": medians[0],
        "compiled_us": medians[1],
        "predictor_us": medians[2],
        "speed_up": ratios[0],
        "predictor_speed_up": ratios[1],
        "max_difference_here": max(gaps),
    }


def table(result: dict[str, Any]) -> Table:
    """Return what was found as a table."""
    shown = Table(title=f"compiled against native, one row, medians of {result['rounds']} turns")
    for heading in ("model", "native", "compiled", "faster", "with JSON", "faster", "largest difference", "bar"):
        shown.add_column(heading, justify="left" if heading == "model" else "right")
    for one in result["families"]:
        if "not_run" in one:
            shown.add_row(one["family"], f"not run: {one['not_run']}"[:60])
            continue
        held = (
            "" if one["bar"] is None else f"{one['bar']:.0f} x: {'met' if one['speed_up'] >= one['bar'] else 'MISSED'}"
        )
        shown.add_row(
            one["family"],
            f"{one['native_us']:,.0f} us",
            f"{one['compiled_us']:,.1f} us",
            f"{one['speed_up']:,.0f} x",
            f"{one['predictor_us']:,.1f} us",
            f"{one['predictor_speed_up']:,.0f} x",
            f"{max(one['max_difference'], one['max_difference_here']):.1e} ({one['precision']})",
            held,
        )
    return shown


if __name__ == "__main__":
    main()
