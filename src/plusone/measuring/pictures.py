"""What to draw of models' answers beside the truth: one figure for each kind of metric, of bounded size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import figures

if TYPE_CHECKING:
    from ..base.records import Output
    from ..statistics.metrics import Metric

__all__ = ["calibration_points", "draw"]

_CLASSES = 20
_BINS = 20
_POINTS = 100


def draw(metric: Metric, output: Output, truth: NDArray[Any], answers: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the figure of a metric, in the form of `figures`, with a line for each of `answers`, by name.

    ROC curves for roc_auc, calibration for log_loss and brier (of more classes that of the likeliest), the confusion
    matrix of the first for labels, predicted against true for numbers (of several targets their means), the share
    of rows with a right item by place for rankings.

    Args:
        truth: as the metric takes it, and so are the answers.
    """
    if metric.needs == "ranking":
        return _hits(metric.name, answers)
    if metric.needs == "labels":
        name, first = next(iter(answers.items()))
        return _confusion(f"{metric.name}: {name}", output.classes, truth, first)
    if metric.needs == "numbers":
        return _against_truth(metric.name, output.name, truth, answers)
    if metric.binary_only:
        return _roc(metric.name, truth, answers)
    return _calibration(metric.name, truth, answers)


def _roc(title: str, truth: NDArray[Any], answers: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    series: dict[str, tuple[list[float], list[float]]] = {}
    for name, answer in answers.items():
        scores = answer[:, 1]
        order = np.argsort(-scores, kind="stable")
        last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
        right = (truth[order] == 1).astype(np.int64)
        hits, alarms = np.cumsum(right)[last], np.cumsum(1 - right)[last]
        x, y = np.append(0.0, alarms / max(alarms[-1], 1)), np.append(0.0, hits / max(hits[-1], 1))
        kept = np.unique(np.linspace(0, len(x) - 1, _POINTS).round().astype(np.int64))
        series[name] = x[kept].tolist(), y[kept].tolist()
    return figures.lines(title, series, x="false positive rate", y="true positive rate", diagonal=True)


def _calibration(title: str, truth: NDArray[Any], answers: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    from ..statistics.calibration import bins_of

    series: dict[str, tuple[list[float], list[float]]] = {}
    for name, answer in answers.items():
        bins = bins_of(*calibration_points(truth, answer))
        series[name] = bins.said.tolist(), bins.seen.tolist()
    return figures.lines(title, series, x="said probability", y="share that was so", diagonal=True)


def calibration_points(truth: NDArray[Any], answer: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what was said and what was so, row by row: of two classes the probability of the second and whether it
    was right, of more classes those of the likeliest (Guo et al. 2017, "On calibration of modern neural networks").

    By hand: of three classes (0.2, 0.7, 0.1) and the truth 1: 0.7 and 1.
    """
    if answer.shape[1] == 2:
        return answer[:, 1].astype(np.float64), (truth == 1).astype(np.float64)
    chosen = answer.argmax(axis=1)
    return answer.max(axis=1).astype(np.float64), (truth == chosen).astype(np.float64)


def _confusion(title: str, classes: tuple[Any, ...], truth: NDArray[Any], answer: NDArray[Any]) -> dict[str, Any]:
    """Return how many rows of each class were answered as which; of many classes the 20 most frequent."""
    count = len(classes)
    shown = np.sort(np.argsort(-np.bincount(truth, minlength=count), kind="stable")[:_CLASSES])
    table = np.bincount(truth * count + answer, minlength=count * count).reshape(count, count)[np.ix_(shown, shown)]
    names = [str(classes[place]) for place in shown]
    return figures.matrix(title, names, names, table.tolist(), x="answered", y="true")


def _against_truth(title: str, target: str, truth: NDArray[Any], answers: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the mean truth for each twentieth of the answers, from the lowest to the highest."""
    true = truth.mean(axis=1) if truth.ndim == 2 else truth
    series: dict[str, tuple[list[float], list[float]]] = {}
    for name, answer in answers.items():
        said = answer.mean(axis=1) if answer.ndim == 2 else answer
        parts = np.array_split(np.argsort(said, kind="stable"), min(_BINS, len(said)))
        series[name] = [float(said[one].mean()) for one in parts], [float(true[one].mean()) for one in parts]
    return figures.lines(title, series, x=f"predicted {target}", y=f"true {target}", diagonal=True)


def _hits(title: str, answers: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    series = {
        name: (list(range(1, answer.shape[1] + 1)), np.maximum.accumulate(answer, axis=1).mean(axis=0).tolist())
        for name, answer in answers.items()
    }
    return figures.lines(title, series, x="items", y="share of rows with a right one among them")
