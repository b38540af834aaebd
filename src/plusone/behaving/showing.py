"""What a test of behaviour shows: cases and rows as lines of a message, and how answers moved as a figure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from ..measuring import figures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..predictor import Predictor
    from .perturbed import Perturbed

__all__ = ["case_line", "example_line", "histogram", "moves"]

_BINS = 20
_MOST_CLASSES = 20


def case_line(case: dict[str, Any]) -> str:
    """Return a case that failed as a line: what was answered, what was expected, and why."""
    because = f" ({case['because']})" if case["because"] else ""
    return f"\n  {case['case']}: answered {_said(case['answered'])}, expected {case['expected']}{because}"


def example_line(one: dict[str, Any]) -> str:
    """Return a row as a line: what changed, and the answers before and after."""
    pairs = [(name, one["before"][name], after) for name, after in one["after"].items()]
    # Of a tensor its shape is shown, which says nothing here.
    changed = ", ".join(f"{name} {a!r} -> {b!r}" if a != b else f"{name} changed" for name, a, b in pairs)
    return f"\n  row {one['row']}: {changed}: answers {_said(one['answer_before'])} -> {_said(one['answer_after'])}"


def _said(answer: Any) -> str:
    if isinstance(answer, dict) and isinstance(answer.get("probability"), float):
        return f"{answer['label']} (probability {answer['probability']:.3g})"
    if isinstance(answer, dict):
        return ", ".join(f"{name} {_said(one)}" for name, one in answer.items())
    return f"{answer:.6g}" if isinstance(answer, float) else str(answer)


def moves(model: Predictor, asked: Perturbed, apart: NDArray[Any]) -> dict[str, Any]:
    """Return how answers moved: from label to label, or by how much."""
    output = model.signature.output
    if output.kind != "classes" or len(output.classes) > _MOST_CLASSES:
        return histogram(f"What {asked.name} does", apart[asked.touched], "how far the answers lie apart")
    names, size = [str(one) for one in output.classes], len(output.classes)
    pairs = np.asarray(asked.before.codes) * size + np.asarray(asked.after.codes)
    table = np.bincount(pairs[asked.touched].astype(np.int64), minlength=size * size).reshape(size, size)
    return figures.matrix(f"Answers before and after {asked.name}", names, names, table.tolist(), x="after", y="before")


def histogram(title: str, values: NDArray[Any], x: str) -> dict[str, Any]:
    """Return the distribution of numbers, 20 bins, as a figure."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    # Numbers that differ in their last bits alone have no room for 20 bins between them.
    if not np.isfinite(high - low) or high - low <= 1e-9 * max(abs(low), abs(high)):
        return figures.histograms(title, [f"{low:.4g}"], {"rows": [len(finite) / len(values)]}, x=x)
    counts, edges = np.histogram(finite, bins=_BINS, range=(low, high))
    names = [f"{a:.4g} to {b:.4g}" for a, b in itertools.pairwise(edges)]
    return figures.histograms(title, names, {"rows": (counts / len(values)).tolist()}, x=x)
