"""Tries a network in 8-bit integers, and keeps it where it answers nearly as the trained model and gains something.

What was measured is recorded either way: how far the answers are apart, and size and speed before and after.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ..base.errors import Incompatible
from ..base.records import Signature
from ..formats import Compiled, Opened
from ..graphs.int8 import count_layers, to_int8
from ..graphs.layout import Block, Columns
from ..graphs.runner import OnnxRunner
from ..signatures.tables import Known, read_table
from .codes import strings_to_codes
from .edges import prove_edges
from .prove import Case, Trained, _distance

__all__ = ["CHANGED_LABELS", "try_int8"]

CHANGED_LABELS = 0.01
"""The share of the rows whose label may be another one."""
_LAYERS = 2
"""A graph with fewer is a linear model, or trees: there is nothing to gain."""
_CALIBRATED = 500
_SMALLER, _FASTER, _NO_SLOWER = 0.9, 0.9, 1.1
_ROUNDS = 15
_ROUND_S = 0.01


class _Found(NamedTuple):
    """How the answers in 8 bits lie to those of the trained model."""

    rows: int
    largest: float
    """Of probabilities the difference, of numbers its share of the range of the trained model's answers."""
    changed: int


def try_int8(
    opened: Opened,
    trained: Trained,
    cases: Sequence[Case],
    proven: tuple[Compiled, Sequence[Block], dict[str, Any]],
    signature: Signature,
    blocks: Sequence[Block],
    known: Known,
    tolerance: float,
) -> tuple[Compiled, Sequence[Block], dict[str, Any]]:
    """Return the proven graph, or the one in 8 bits that takes its place, with `quantised` in the record of the proof.

    Args:
        proven: the graph as it would be served, how rows enter it, and the record of its proof.
        blocks: how rows enter a graph before its strings are looked up.
        tolerance: how far a probability may be from the trained model's, or a number, as a share of the range of all.
    """
    compiled, entry, record = proven
    if count_layers(compiled.graph) < _LAYERS:
        return _left(proven, "no gain: nothing to quantise, the graph has no layers of a network")
    if signature.output.kind == "ranking":
        return _left(proven, "rankings are not quantised")
    single = [one for one in opened.compile(signature.fields, blocks) if count_layers(one.graph, single=True)]
    if not single:
        return _left(proven, "no layer of the model can be written in single precision, which comes before 8 bits")
    try:
        graph, own = strings_to_codes(single[-1].graph, blocks)
        columns, _ = read_table(cases[0].table, signature.fields, own, known)
        smaller = to_int8(graph, columns.take(0, _CALIBRATED))
        runner = OnnxRunner(smaller, single[-1].output, signature.output.classes, signature.output.sizes)
        found = _compared(cases, runner, signature, own, known)
    except Exception as error:  # whatever the quantiser or onnxruntime raises: the model in full precision is fine
        return _left(proven, f"onnxruntime can't quantise it: {type(error).__name__}: {str(error)[:200]}")
    before, _ = read_table(cases[0].table, signature.fields, entry, known)
    whole = OnnxRunner(compiled.graph, compiled.output, signature.output.classes, signature.output.sizes)
    measured = {
        "tolerance": tolerance,
        "changed_labels_allowed": CHANGED_LABELS,
        "rows": found.rows,
        "max_difference": found.largest,
        "changed_labels": found.changed,
        "size_bytes": {"before": len(compiled.graph), "after": len(smaller)},
        **_speeds(whole, before, runner, columns),
    }
    if reason := _reason(found, measured, tolerance):
        return _left(proven, reason, **measured)
    told = {"kept": True, "reason": "", **measured, "precision_before": compiled.precision}
    proof = {
        **record,
        "quantised": told,
        "max_difference": found.largest,
        "tolerance": tolerance,
        "label_differences": found.changed,
        "precision": "int8",
        "edges": prove_edges(trained, cases, None, runner, signature, own, known, tolerance, "int8"),
    }
    return msgspec.structs.replace(single[-1], graph=smaller, precision="int8"), own, proof


def _left(
    proven: tuple[Compiled, Sequence[Block], dict[str, Any]], reason: str, **measured: Any
) -> tuple[Compiled, Sequence[Block], dict[str, Any]]:
    compiled, entry, record = proven
    return compiled, entry, {**record, "quantised": {"kept": False, "reason": reason, **measured}}


def _compared(
    cases: Sequence[Case], runner: OnnxRunner, signature: Signature, blocks: Sequence[Block], known: Known
) -> _Found:
    """Compare with the trained model's answers on all rows of the proof.

    Raises:
        Incompatible: when a row answers differently alone than among others.
    """
    rows, largest, changed = 0, 0.0, 0
    for case in cases:
        if not case.table.num_rows:
            continue
        columns, _ = read_table(case.table, signature.fields, blocks, known)
        answer = runner.run(columns)
        rows += columns.rows
        if signature.output.kind in ("classes", "labels"):
            changed += int((answer.labels != case.answers).reshape(columns.rows, -1).any(axis=1).sum())
            if case.probabilities is not None:
                largest = max(largest, float(_distance(answer.probabilities, case.probabilities).max()))
            numbers = answer.probabilities
        else:
            expected = np.asarray(case.answers, dtype=np.float64)
            spread = float(np.ptp(cases[0].answers)) or 1.0
            largest = max(largest, float(_distance(answer.numbers, expected).max()) / spread)
            numbers = answer.numbers
        alone = runner.run(columns.take(0, 1))
        one = alone.probabilities if alone.numbers is None else alone.numbers
        if numbers is not None and not np.allclose(one[0], numbers[0], rtol=1e-5, atol=1e-5):
            raise Incompatible("a row answers differently when it is alone")
    return _Found(rows, largest, changed)


def _reason(found: _Found, measured: dict[str, Any], tolerance: float) -> str:
    """Return why the graph in 8 bits is left out; empty when it is kept."""
    if not found.largest <= tolerance:
        return f"its answers differ by up to {found.largest:.3g}: allowed are {tolerance:g}"
    if found.changed > CHANGED_LABELS * found.rows:
        return f"{found.changed:,} of {found.rows:,} rows have another label: allowed are {CHANGED_LABELS:.0%}"
    size = measured["size_bytes"]["after"] / measured["size_bytes"]["before"]
    one = measured["row_us"]["after"] / measured["row_us"]["before"]
    hundred = measured["rows_100_us"]["after"] / measured["rows_100_us"]["before"]
    smaller = size <= _SMALLER and max(one, hundred) <= _NO_SLOWER
    faster = min(one, hundred) <= _FASTER and max(one, hundred, size) <= _NO_SLOWER
    if smaller or faster:
        return ""
    return f"no gain: {size:.2f} times the size, {one:.2f} times the time of a row, {hundred:.2f} times that of 100"


def _speeds(
    left: OnnxRunner, left_columns: Columns, right: OnnxRunner, right_columns: Columns
) -> dict[str, dict[str, float]]:
    """Return microseconds of one row and of 100, before and after: the medians of runs in turn."""
    found: dict[str, dict[str, float]] = {}
    for name, rows in (("row_us", 1), ("rows_100_us", 100)):
        rows = min(rows, left_columns.rows)
        pairs = ((left, left_columns.take(0, rows)), (right, right_columns.take(0, rows)))
        began = time.perf_counter()
        for runner, columns in pairs:
            runner.run(columns)
            runner.run(columns)
        times = max(1, math.ceil(_ROUND_S / max(1e-6, (time.perf_counter() - began) / 4)))
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(_ROUNDS):
            for place, (runner, columns) in enumerate(pairs):
                began = time.perf_counter()
                for _ in range(times):
                    runner.run(columns)
                taken[place].append((time.perf_counter() - began) / times * 1e6)
        found[name] = {"before": statistics.median(taken[0]), "after": statistics.median(taken[1])}
    return found
