from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bench import checks as simulated
from plusone import check
from plusone.base.errors import PlusoneError, UsageError
from plusone.measuring.outcomes import CheckFailed, Inconclusive, NotApplicable, recording
from plusone.predictor import Predictor, load
from tests.checks.models import make_packages, rows


@pytest.fixture(scope="module")
def holdout() -> pd.DataFrame:
    return rows(2, 1500)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    packages = make_packages(tmp_path_factory.mktemp("packages"))
    return {name: load(Path(one.folder), one.package) for name, one in packages.items()}


def test_a_model_is_no_worse_than_itself(models: dict[str, Predictor], holdout: pd.DataFrame):
    with recording() as measured:
        check.no_worse(models["good"], models["good"], holdout, metric="roc_auc", margin=0)
    assert len(measured) == 1
    one = measured[0]
    assert one["check"] == "no_worse"
    assert (one["difference"], one["low"], one["high"], one["outcome"]) == (0.0, 0.0, 0.0, "passed")
    assert (one["rows"], one["resamples"], one["confidence"], one["margin"]) == (1500, 1000, 0.95, 0)
    assert one["candidate"] == one["live"] > 0.7


def test_metric_and_bound_need_no_names(models: dict[str, Predictor], holdout: pd.DataFrame):
    check.no_worse(models["good"], models["good"], holdout, "roc_auc", 0.005)
    check.at_least(models["good"], holdout, "roc_auc", 0.6)
    with pytest.raises(CheckFailed):
        check.at_least(models["good"], holdout, "roc_auc", 0.999)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "brier", "accuracy", "balanced_accuracy", "f1"])
def test_a_model_that_learnt_the_opposite_fails_by_every_metric(
    models: dict[str, Predictor], holdout: pd.DataFrame, metric: str
):
    with recording() as measured, pytest.raises(CheckFailed) as failed:
        check.no_worse(models["bad"], models["good"], holdout, metric=metric, margin=0.005)
    text = str(failed.value)
    for part in (
        f"{metric} of the candidate is",
        "of the live release",
        "worse",
        "95% interval",
        "1,500 rows",
        "0.005",
    ):
        assert part in text
    assert measured[0]["outcome"] == "failed"
    assert measured[0]["high"] < -0.005
    # Positive means better, whatever the metric's own direction: the other way round it passes.
    check.no_worse(models["good"], models["bad"], holdout, metric=metric, margin=0)


def test_few_rows_are_inconclusive_and_may_be_allowed(models: dict[str, Predictor], holdout: pd.DataFrame):
    few = holdout.head(40)
    with recording() as measured:
        with pytest.raises(Inconclusive, match="the data can't tell"):
            check.at_least(models["good"], few, metric="accuracy", value=0.75)
        check.at_least(models["good"], few, metric="accuracy", value=0.75, inconclusive="allowed")
    assert [(one["outcome"], one["allowed"]) for one in measured] == [("inconclusive", False), ("inconclusive", True)]


def test_at_least_means_at_most_where_lower_is_better(models: dict[str, Predictor], holdout: pd.DataFrame):
    check.at_least(models["good"], holdout, metric="log_loss", value=0.69)
    with recording() as measured, pytest.raises(CheckFailed, match=r"expected is at most 0\.1"):
        check.at_least(models["good"], holdout, metric="log_loss", value=0.1)
    assert measured[0]["low"] < measured[0]["candidate"] < measured[0]["high"]
    assert measured[0]["difference"] < 0
    with pytest.raises(CheckFailed, match=r"expected is at least 0\.99"):
        check.at_least(models["good"], holdout, metric="roc_auc", value=0.99)


def test_numbers(models: dict[str, Predictor], holdout: pd.DataFrame):
    truth = holdout.assign(delay=holdout["distance"] * 3 + holdout["hour"])
    check.at_least(models["number"], truth, metric="rmse", value=0.001)
    check.at_least(models["number"], truth, metric="r2", value=0.999)
    check.no_worse(models["number"], models["number"], truth, metric="mae", margin=0)


@pytest.mark.parametrize("kind", ["pandas", "categorical", "polars", "pyarrow", "dicts"])
def test_any_table_gives_the_same_measurement(models: dict[str, Predictor], holdout: pd.DataFrame, kind: str):
    table = pa.Table.from_pandas(holdout, preserve_index=False)
    data: Any = {
        "pandas": holdout,
        "categorical": holdout.astype({"late": "category"}),
        "polars": pl.from_arrow(table),
        "pyarrow": table,
        "dicts": table.to_pylist(),
    }[kind]
    with recording() as measured:
        check.at_least(models["good"], data, metric="accuracy", value=0.5, resamples=100)
    predicted = models["good"].predict(holdout) == holdout["late"].to_numpy()
    assert measured[0]["candidate"] == pytest.approx(predicted.mean())


def test_without_a_live_release_it_is_not_applicable(models: dict[str, Predictor], holdout: pd.DataFrame):
    with pytest.raises(NotApplicable, match="no release is live yet"):
        check.no_worse(models["good"], None, holdout, metric="roc_auc", margin=0.1)
    with pytest.raises(UsageError, match="no metric 'auc'"):
        check.no_worse(models["good"], None, holdout, metric="auc", margin=0.1)


FRAME_ERRORS = {
    "no column 'late'": lambda frame: frame.drop(columns="late"),
    "has 2 nulls, the first in row 1": lambda frame: frame.assign(late=[True, None, None, *frame["late"][3:]]),
    "is True in all 1500 rows": lambda frame: frame.assign(late=True),
    "has 1 row:": lambda frame: frame.head(1),
    "has 0 rows:": lambda frame: frame.head(0),
    "holds 'perhaps'": lambda frame: frame.assign(late=["perhaps", *map(str, frame["late"][1:])]),
    "no field 'hour'|'hour'": lambda frame: frame.drop(columns="hour"),
}


@pytest.mark.parametrize("message", FRAME_ERRORS)
def test_data_that_can_not_be_compared_on_is_refused(models: dict[str, Predictor], holdout: pd.DataFrame, message: str):
    with recording() as measured, pytest.raises(PlusoneError, match=message):
        check.at_least(models["good"], FRAME_ERRORS[message](holdout), metric="accuracy", value=0.5)
    assert measured == []


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("good", {"metric": "auc"}, "no metric 'auc'. Known metrics: accuracy"),
        ("good", {"metric": "rmse"}, "answers classes, and rmse is not made for that.*roc_auc"),
        ("number", {"metric": "roc_auc"}, "answers numbers, and roc_auc is not made for that.*rmse, mae, r2"),
        ("good", {"margin": -0.1}, "margin = -0.1"),
        ("good", {"margin": float("nan")}, "margin = nan"),
        ("good", {"margin": "0.1"}, "margin = '0.1'"),
        ("good", {"confidence": 95}, "confidence = 95"),
        ("good", {"resamples": 5}, "resamples = 5"),
        ("good", {"resamples": "many"}, "resamples = 'many'"),
        ("good", {"seed": "one"}, "seed = 'one'"),
        ("good", {"seed": 0.5}, "seed = 0.5: expected a whole number"),
        ("good", {"metric": None}, "metric = None: expected the name of one"),
        ("good", {"inconclusive": "ok"}, "inconclusive = 'ok'"),
    ],
)
def test_arguments_that_can_not_be_used_are_refused(
    models: dict[str, Predictor], holdout: pd.DataFrame, model: str, arguments: dict, message: str
):
    data = holdout.assign(delay=holdout["distance"])
    options: dict[str, Any] = {"metric": "accuracy", "margin": 0.1, **arguments}
    with pytest.raises(UsageError, match=message):
        check.no_worse(models[model], models[model], data, **options)


def test_a_classifier_and_a_regression_are_not_compared(models: dict[str, Predictor], holdout: pd.DataFrame):
    with pytest.raises(UsageError, match="can't be compared"):
        check.no_worse(models["good"], models["number"], holdout, metric="accuracy", margin=0.1)


def test_what_is_no_packaged_model_is_refused(models: dict[str, Predictor], holdout: pd.DataFrame):
    good: Any = models["good"]
    swapped: Any = holdout
    with pytest.raises(UsageError, match=r"model is a DataFrame: expected a packaged model.*\n.*test_it"):
        check.no_worse(swapped, good, good, metric="accuracy", margin=0.1)
    with pytest.raises(UsageError, match="live is a DataFrame: expected a packaged model"):
        check.no_worse(good, swapped, holdout, metric="accuracy", margin=0.1)
    runs: list[Any] = [
        lambda: check.at_least(swapped, holdout, metric="accuracy", value=0.5),
        lambda: check.slices(swapped, holdout, margin=0.1),
        lambda: check.calibrated(swapped, holdout, at_most=0.1),
        lambda: check.stable(swapped, holdout),
        lambda: check.fast(swapped, good, holdout),
        lambda: check.simpler_is_not_better(swapped, holdout, train=holdout),
        lambda: check.fair(swapped, holdout, "carrier", kind="accuracy", at_most=0.1),
        lambda: check.minimum(swapped, holdout),
        lambda: check.invariant(swapped, holdout, check.perturb.add("hour", 1), at_most=0.1),
        lambda: check.directional(swapped, holdout, check.perturb.add("hour", 1), "up"),
    ]
    for run in runs:
        with pytest.raises(UsageError, match="model is a DataFrame"):
            run()


def test_a_value_that_no_metric_reaches_is_refused(models: dict[str, Predictor], holdout: pd.DataFrame):
    with pytest.raises(UsageError, match="value = 70: accuracy is 1 at most, so that nothing could pass"):
        check.at_least(models["good"], holdout, metric="accuracy", value=70)


def test_how_many_rows_would_tell_is_said_where_they_did_not(models: dict[str, Predictor], holdout: pd.DataFrame):
    with pytest.raises(CheckFailed) as failed:
        check.at_least(models["good"], holdout, metric="accuracy", value=0.99)
    assert "rows tell" not in str(failed.value)
    with pytest.raises(
        Inconclusive, match=r"the data can't tell\. If it stays so, about [\d,]+ rows tell, in 80% of cases$"
    ):
        check.at_least(models["good"], holdout.head(40), metric="accuracy", value=0.7)


def test_numbers_that_are_not_finite_are_refused(models: dict[str, Predictor], holdout: pd.DataFrame):
    truth = holdout.assign(delay=np.where(np.arange(1500) == 7, np.inf, holdout["hour"]))
    with pytest.raises(UsageError, match="inf in row 7"):
        check.at_least(models["number"], truth, metric="mae", value=1)


def test_the_module_is_found_lazily_and_loads_no_numpy():
    code = "import plusone, sys; plusone.check.no_worse; assert not {'numpy', 'pyarrow', 'pytest'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# The simulations of `python -m bench checks`, with a few runs of each: far beyond a bar they fail here too.


@pytest.mark.slow
@pytest.mark.parametrize(("place", "rows"), [(4, 60), (4, 200), (5, 200), (2, 60)])
def test_no_worse_seldom_passes_at_the_margin(place: int, rows: int):
    runs = 400 if simulated.PAIRS[place].metric == "accuracy" else 60
    assert simulated.at_the_margin(place, rows, runs) <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


def test_the_rows_that_are_named_are_enough():
    passed, named = simulated.with_rows_named(4, 1000, 200)
    assert passed >= 0.75
    assert named > 1000


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["brier", "accuracy", "searched"])
def test_slices_raise_few_alarms_together(kind: str):
    assert simulated.family(kind, 500, 60) <= 0.1


def test_calibration_and_fairness_are_wrong_as_rarely_as_they_say():
    assert simulated.calibrated(300, 60) <= 0.1
    assert simulated.fair(500, 400) <= 0.08
