"""Runs a compiled graph. The prover and the predictor both call this one, so what is proven is what is served.

This module knows onnxruntime and arrays. It knows no request, no file and no trained model.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.errors import BrokenArtifact
from .layout import Columns

__all__ = ["Answer", "OnnxRunner"]


class Answer:
    """What a model answered, row by row.

    Attributes:
        rows: how many.
        labels: shape (rows,): the label of each row (an object array of bool, int or str) or the number (float64).
        probabilities: shape (rows, classes), in the order of the signature's classes; None when the model has none.
        codes: shape (rows,): the index of each label among the signature's classes; None for numbers.
    """

    __slots__ = ("_classes", "codes", "numbers", "probabilities", "rows")

    codes: Any
    numbers: Any
    probabilities: Any

    def __init__(self, classes: Any, codes: Any, probabilities: Any, numbers: Any) -> None:
        self._classes = classes
        self.codes = codes
        self.probabilities = probabilities
        self.numbers = numbers
        self.rows: int = len(numbers if codes is None else codes)

    def take(self, start: int, stop: int) -> Answer:
        """Return the answers of the rows `start` to `stop` (exclusive), without a copy."""
        cut = slice(start, stop)
        parts = (self.codes, self.probabilities, self.numbers)
        return Answer(self._classes, *(None if part is None else part[cut] for part in parts))

    @property
    def labels(self) -> np.ndarray[Any, Any]:
        """The label of each row, or its number, shape (rows,)."""
        return self.numbers if self.codes is None else self._classes[self.codes]


class OnnxRunner:
    """A graph in memory. Thread safe: onnxruntime sessions are, and nothing here changes after loading.

    Args:
        graph: the bytes of the ONNX model.
        output: what the graph answers: `probabilities`, `codes` (an index into the classes) or `number`.
        classes: the labels, in the order of the probabilities; empty for numbers.

    Raises:
        BrokenArtifact: when onnxruntime can't load the graph.
    """

    def __init__(self, graph: bytes, output: str, classes: tuple[Any, ...]) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        try:
            session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own classes, RuntimeError and protobuf errors alike
            raise BrokenArtifact(f"onnxruntime {ort.__version__} can't load the compiled model: {error}") from error
        self._run = session.run
        self._output = output
        self._names = [session.get_outputs()[0].name]
        self.classes = _class_array(classes)

    def run(self, columns: Columns) -> Answer:
        """Return the answers for these rows. The columns must be those of the model's own layout."""
        out: Any = self._run(self._names, columns.feeds)[0]
        if self._output == "probabilities":
            return Answer(self.classes, out.argmax(axis=1), out, None)
        if self._output == "codes":
            return Answer(self.classes, out, None, None)
        return Answer(None, None, None, out)


def _class_array(classes: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    """Return the labels as an array whose dtype is theirs (bool, int64), or object for strings."""
    kinds = {type(label) for label in classes}
    if kinds == {bool}:
        return np.array(classes, dtype=np.bool_)
    if kinds == {int}:
        return np.array(classes, dtype=np.int64)
    if kinds == {float}:
        return np.array(classes, dtype=np.float64)
    return np.array(classes, dtype=object)
