"""Labels of several targets, as metrics take them: the truth is codes, shape (rows, targets), each among the classes of
its own target; answers are such codes, or the probabilities of all targets side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..labels.several import parts_of, singles
from ..statistics import learners, metrics
from . import figures, pictures

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from ..base.records import Field, Output
    from ..statistics.metrics import Metric, View

__all__ = ["baselines", "draw", "of_all", "of_target"]


def of_all(metric: Metric, output: Output) -> Metric:
    """Return the metric for all targets: accuracy counts rows in which all labels are right, others are means.

    By hand: of the labels (a, x) and (a, y) for the truths (a, x) and (a, x) the accuracy is 0.5, though three labels
    of four are right.
    """
    if metric.name == "accuracy":
        return metrics.viewed(metric, _all_right)
    return metrics.averaged(metric, _views(metric, output))


def of_target(metric: Metric, output: Output, place: int) -> Metric:
    """Return the metric for the target at that place."""
    return metrics.viewed(metric, _views(metric, output)[place])


def _all_right(truth: NDArray[Any], answer: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.ones(len(truth), dtype=np.int64), (truth == answer).all(axis=1).astype(np.int64)


def _views(metric: Metric, output: Output) -> Sequence[View]:
    if metric.needs == "labels":
        return metrics.columns(len(output.sizes))
    return [
        lambda truth, answer, place=place, start=start, stop=stop: (truth[:, place], answer[:, start:stop])
        for place, (start, stop) in enumerate(parts_of(output.sizes))
    ]


def baselines(
    learned: tuple[pa.Table, NDArray[Any]], asked: pa.Table, fields: Sequence[Field], output: Output, metric: Metric
) -> dict[str, NDArray[Any]]:
    """Return what the simplest models answer, one of them for each target; see `Rows.baselines`.

    Args:
        learned: the rows that they learn from, and the truth of these.
        asked: the rows that they answer.
    """
    table, truth = learned
    found: dict[str, NDArray[Any]] = {}
    for name in ("constant", "linear"):
        parts: list[NDArray[Any]] = []
        for place, one in enumerate(singles(output)):
            own = truth[:, place]
            model = learners.constant(own, one) if name == "constant" else learners.linear(table, own, fields, one)
            if model is None:
                break
            parts.append(model(asked))
        else:
            labels = metric.needs == "labels"
            found[name] = np.stack([part.argmax(axis=1) for part in parts], axis=1) if labels else np.hstack(parts)
    return found


def draw(metric: Metric, output: Output, truth: NDArray[Any], answers: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the figure of a metric: that of its target, or how many rows of each target are answered rightly."""
    _, sign, target = metric.name.partition(":")
    if sign:
        place = output.names.index(target)
        view = _views(metric, output)[place]
        own = {who: view(truth, answer)[1] for who, answer in answers.items()}
        return pictures.draw(metric, singles(output)[place], truth[:, place], own)
    right = {who: _right(metric, output, truth, answer) for who, answer in answers.items()}
    return figures.histograms(f"{metric.name}: right by target", [*output.names, "all"], right, x="target")


def _right(metric: Metric, output: Output, truth: NDArray[Any], answer: NDArray[Any]) -> list[float]:
    if metric.needs == "probabilities":
        answer = np.stack([answer[:, start:stop].argmax(axis=1) for start, stop in parts_of(output.sizes)], axis=1)
    right = truth == answer
    return [*right.mean(axis=0).tolist(), float(right.all(axis=1).mean())]
