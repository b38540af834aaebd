"""Runs a compiled graph. The prover and the predictor both call this one, so what is proven is what is served.

This module knows onnxruntime and arrays. It knows no request, no file and no trained model.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import BrokenArtifact
from ..labels.several import parts_of
from .layout import Columns
from .texts import TEXTS, read_texts

__all__ = ["AT_ONCE", "Answer", "OnnxRunner", "class_array", "largest"]

AT_ONCE = "plusone.rows_at_once"
"""The property of a graph that says how many rows it takes at once; more are run one part after the other. A ranking
makes a score for each item and row on its way, so the rows bound its memory."""
_TEXT_ROWS = 64
_BOUND_ROWS = 32
"""Up to so many rows arrays are bound: for more, what that saves is nothing beside what the graph takes."""
_BOUND_BYTES = 64 * 1024
"""And up to so many bytes: each thread keeps such arrays for each number of rows."""


class Answer:
    """What a model answered, row by row.

    Attributes:
        rows: how many.
        labels: shape (rows,): the label of each row (an object array of bool, int or str) or the number (float64); of a
            vector the numbers, shape (rows, width); of a ranking the items, shape (rows, width), best first, as
            objects, None where there is none; of several targets the label for each, shape (rows, targets).
        probabilities: shape (rows, classes), in the order of the signature's classes; None when the model has none.
        codes: shape (rows,): the index of each label among the signature's classes, or (rows, width) of each item of a
            ranking, where -1 stands for none, or (rows, targets) of several labels; None for numbers.
        numbers: shape (rows,), or (rows, width) of a vector; None for labels and rankings.
        scores: shape (rows, width): those of the items of a ranking, NaN where there is none; None for all others.
    """

    __slots__ = ("_classes", "codes", "numbers", "probabilities", "rows", "scores")

    codes: Any
    numbers: Any
    probabilities: Any
    scores: Any

    def __init__(self, classes: Any, codes: Any, probabilities: Any, numbers: Any, scores: Any = None) -> None:
        self._classes = classes
        self.codes = codes
        self.probabilities = probabilities
        self.numbers = numbers
        self.scores = scores
        self.rows: int = len(numbers if codes is None else codes)

    def each(self, sizes: Sequence[int]) -> list[Answer]:
        """Return the answers for each of several targets, with codes and probabilities among its own classes.

        Args:
            sizes: how many classes each target has.
        """
        return [
            Answer(
                self._classes[start:stop],
                self.codes[:, place] - start,
                None if self.probabilities is None else self.probabilities[:, start:stop],
                None,
            )
            for place, (start, stop) in enumerate(parts_of(sizes))
        ]

    def take(self, start: int, stop: int) -> Answer:
        """Return the answers of the rows `start` to `stop` (exclusive), without a copy."""
        cut = slice(start, stop)
        return self._of(cut)

    def pick(self, wanted: Sequence[bool]) -> Answer:
        """Return a copy of the answers of some rows, one truth for each row."""
        return self._of(np.asarray(wanted, dtype=np.bool_))

    def at(self, places: Sequence[int]) -> Answer:
        """Return a copy of the answers of some rows, by their places, in that order."""
        return self._of(np.asarray(places, dtype=np.int64))

    def _of(self, rows: Any) -> Answer:
        parts = (self.codes, self.probabilities, self.numbers, self.scores)
        return Answer(self._classes, *(None if part is None else part[rows] for part in parts))

    @property
    def labels(self) -> np.ndarray[Any, Any]:
        """The label of each row, its number or numbers, or its items."""
        if self.codes is None:
            return self.numbers
        if self.scores is None:
            return self._classes[self.codes]
        items = self._classes[self.codes].astype(object)
        items[self.codes < 0] = None
        return items


class OnnxRunner:
    """A graph in memory. Thread safe: onnxruntime sessions are, and what is written here belongs to one thread.

    Args:
        graph: the ONNX model: its bytes, or the file. Of a file no copy is made while other threads wait for the
            interpreter's lock: for 70 MB that is a tenth of a second.
        output: what the graph answers: `probabilities`, `codes` (an index into the classes), `number`, `vector` (shape
            (rows, width)) or `ranking`: its first output holds the codes of the items, int64 of shape (rows, width),
            its second their scores. Of several targets the probabilities of all stand side by side, and the codes of
            a row, shape (rows, targets), are each an index into the classes of its own target.
        classes: the labels, in the order of the probabilities, or the items of a ranking; empty for numbers.
        sizes: of several targets: how many of the classes each has.

    Raises:
        BrokenArtifact: when onnxruntime can't load the graph.
    """

    def __init__(self, graph: bytes | Path, output: str, classes: tuple[Any, ...], sizes: tuple[int, ...] = ()) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        try:
            source = graph if isinstance(graph, bytes) else str(graph)
            session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own classes, RuntimeError and protobuf errors alike
            raise BrokenArtifact(f"onnxruntime {ort.__version__} can't load the compiled model: {error}") from error
        self._session = session
        self._output = output
        self._names = [one.name for one in session.get_outputs()[: 2 if output == "ranking" else 1]]
        self._inputs = {value.name for value in session.get_inputs()}
        self._texts = read_texts(session.get_modelmeta().custom_metadata_map.get(TEXTS, "[]"))
        self._bindable = (
            output != "ranking"
            and not self._texts
            and all(value.type != "tensor(string)" for value in (*session.get_inputs(), *session.get_outputs()))
        )
        self._at_once = int(session.get_modelmeta().custom_metadata_map.get(AT_ONCE, "0"))
        self._local = _Local()
        self.classes = class_array(classes)
        self._sizes = sizes
        self._starts = np.array([start for start, _ in parts_of(sizes)], dtype=np.int64)

    def run(self, columns: Columns) -> Answer:
        """Return the answers for these rows. The columns must be those of the model's own layout."""
        if self._texts:
            if columns.rows > _TEXT_ROWS:
                return self._run_in_parts(columns)
            columns = self._with_texts(columns)
        rows = columns.rows
        if rows <= _BOUND_ROWS and self._bindable:
            bound = self._local.bound.get(rows)
            out: Any = bound.run(columns.feeds) if bound is not None else self._bind(columns)
        elif self._output == "ranking":
            return self._rank(columns)
        else:
            out = self._session.run(self._names, columns.feeds)[0]
        if self._output == "probabilities":
            return Answer(self.classes, largest(out, self._sizes), out, None)
        if self._output == "codes":
            return Answer(self.classes, out + self._starts if self._sizes else out, None, None)
        return Answer(None, None, None, out)

    def _run_in_parts(self, columns: Columns) -> Answer:
        """Return the answers to many texts, of which each takes as much room as the longest beside it."""
        parts = [self.run(columns.take(row, row + _TEXT_ROWS)) for row in range(0, columns.rows, _TEXT_ROWS)]
        columned = zip(*((one.codes, one.probabilities, one.numbers, one.scores) for one in parts), strict=True)
        joined = [None if found[0] is None else np.concatenate(found) for found in columned]
        return Answer(None if joined[0] is None else self.classes, *joined)

    def _with_texts(self, columns: Columns) -> Columns:
        """Return the columns with the terms of each text, and without the text."""
        feeds = {name: array for name, array in columns.feeds.items() if name in self._inputs}
        for text in self._texts:
            feeds |= text.feed(columns.feeds[text.block][:, text.column])
        return Columns(columns.rows, feeds)

    def _rank(self, columns: Columns) -> Answer:
        step = self._at_once or max(1, columns.rows)
        parts = [columns.take(start, start + step) for start in range(0, max(1, columns.rows), step)]
        out = [self._session.run(self._names, part.feeds) for part in parts]
        codes, scores = out[0] if len(out) == 1 else (np.concatenate(each) for each in zip(*out, strict=True))
        return Answer(self.classes, codes, None, None, scores)

    def _bind(self, columns: Columns) -> Any:
        """Return what the graph answers, and remember arrays of these shapes for this thread's next time."""
        out: Any = self._session.run(self._names, columns.feeds)[0]
        size = sum(array.nbytes for array in columns.feeds.values())
        if len(out) == columns.rows and size <= _BOUND_BYTES:
            self._local.bound[columns.rows] = _Bound(self._session, columns.feeds, self._names[0], out)
        return out


class _Local(threading.local):
    """What belongs to one thread: by number of rows, the arrays that are bound to the graph."""

    def __init__(self) -> None:
        self.bound: dict[int, _Bound] = {}


class _Bound:
    """The arrays of one number of rows, bound to the inputs and the output of a graph.

    A run on them saves the making and checking of tensors: for a single row a fifth of what a hundred trees take.
    """

    __slots__ = ("_binding", "_inputs", "_output", "_run")

    def __init__(self, session: Any, feeds: dict[str, Any], name: str, out: Any) -> None:
        self._inputs = [(key, np.empty(array.shape, array.dtype)) for key, array in feeds.items()]
        self._output = np.empty_like(out)
        self._binding = session.io_binding()
        for key, array in self._inputs:
            self._binding.bind_input(key, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        self._binding.bind_output(name, "cpu", 0, out.dtype.type, out.shape, self._output.ctypes.data)
        self._run = session.run_with_iobinding

    def run(self, feeds: dict[str, Any]) -> Any:
        """Return what the graph answers to these arrays, in an array of its own."""
        for key, array in self._inputs:
            array[:] = feeds[key]
        self._run(self._binding)
        return self._output.copy()


def largest(probabilities: Any, sizes: Sequence[int]) -> Any:
    """Return the code of the largest probability of each row, or, of several targets, of each row and target."""
    if not sizes:
        return probabilities.argmax(axis=1)
    parts = [probabilities[:, start:stop].argmax(axis=1) + start for start, stop in parts_of(sizes)]
    return np.stack(parts, axis=1)


def class_array(classes: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    """Return the labels as an array whose dtype is theirs (bool, int64), or object for strings."""
    kinds = {type(label) for label in classes}
    if kinds == {bool}:
        return np.array(classes, dtype=np.bool_)
    if kinds == {int}:
        return np.array(classes, dtype=np.int64)
    if kinds == {float}:
        return np.array(classes, dtype=np.float64)
    return np.array(classes, dtype=object)
