"""What the numbers that a network answers stand for: classes, one number, or a vector of numbers.

A network says neither. What its person said decides; else the labels of the training data, and what it answers to some
rows of them. This module knows arrays and graphs. It knows no file and no library that networks are made with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from ..base.errors import Incompatible, UsageError
from ..base.records import Output
from ..graphs.graph import Graph
from . import Compiled

__all__ = ["CHUNK", "Asked", "Meaning", "Said", "decide", "spans", "write"]

CHUNK = 256
"""So many rows are asked at once: what lies between the layers of a network may be a thousand times its input."""
_WORDS = ("logits", "probabilities", "number", "vector")
_FAR = 1e-3  # how far from 1 probabilities may sum up: those in 16 bits have three digits


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of a network's answers; empty where they said nothing."""

    answers: Literal["logits", "probabilities", "number", "vector"] | None = None
    classes: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, answers: Any, classes: Any, names: Any) -> Said:
        """Return it from what came.

        Raises:
            UsageError: when it is no answer that is known, or its parts disagree.
        """
        if answers is not None and answers not in _WORDS:
            raise UsageError(f"answers={answers!r}: expected one of {', '.join(_WORDS)}.")
        named = _listed("names", names)
        if not all(isinstance(name, str) and name for name in named):
            raise UsageError(f"names={list(named)!r}: expected texts.")
        said = cls(answers=answers, classes=_listed("classes", classes), names=named)
        kinds = {type(label) for label in said.classes}
        if said.classes and (len(kinds) != 1 or not kinds <= {bool, int, str} or len(said.classes) < 2):
            raise UsageError(f"classes={list(said.classes)!r}: expected two or more labels, all bool, int or str.")
        if (said.classes and answers in ("number", "vector")) or (said.names and answers not in (None, "vector")):
            raise UsageError(f"answers={answers!r} has no {'classes' if said.classes else 'names'}.")
        if said.classes and said.names:
            raise UsageError("classes= and names= say different things: labels, or the names of numbers.")
        return said


class Meaning(NamedTuple):
    """What a network answers, and what makes that of its raw numbers."""

    output: Output
    last: Literal["none", "softmax", "sigmoid", "pair"]
    """`sigmoid` makes two probabilities of one logit, `pair` of one probability."""
    dtype: Any
    """The type of the numbers: float32, or float64 if the network answers in it."""


class Asked:
    """A network as something that predicts.

    Args:
        raw: returns the network's raw numbers, shape (rows,) or (rows, width), for what the prover asks with.
    """

    def __init__(self, raw: Callable[[Any], Any], meaning: Meaning) -> None:
        self._raw = raw
        self._meaning = meaning
        if meaning.output.kind == "classes":
            self.classes_ = _label_array(meaning.output.classes)
            self.predict_proba = self._probabilities

    def predict(self, frame: Any) -> Any:
        """Return the labels or the numbers, shape (rows,), or the vectors, shape (rows, width)."""
        if self._meaning.output.kind == "classes":
            return self.classes_[self._probabilities(frame).argmax(axis=1)]
        numbers = self._numbers(frame)
        return numbers[:, 0] if self._meaning.output.kind == "number" else numbers

    def _numbers(self, frame: Any) -> Any:
        raw = np.asarray(self._raw(frame)).astype(self._meaning.dtype)
        return raw.reshape(len(raw), -1)

    def _probabilities(self, frame: Any) -> Any:
        numbers = self._numbers(frame).astype(np.float64)
        if self._meaning.last == "softmax":
            powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
            return powers / powers.sum(axis=1, keepdims=True)
        if self._meaning.last == "sigmoid":
            with np.errstate(over="ignore"):  # beyond what a float64 holds it is 0, which is right
                return 1.0 / (1.0 + np.exp(np.concatenate([numbers, -numbers], axis=1)))
        return np.concatenate([1.0 - numbers, numbers], axis=1) if self._meaning.last == "pair" else numbers


def write(graph: Graph, tensor: str, meaning: Meaning) -> Compiled:
    """Return the finished graph, which makes the answers of the raw numbers in `tensor`."""
    width = 1 if meaning.last in ("sigmoid", "pair") or meaning.output.kind == "number" else _width(meaning.output)
    shaped = graph.add("Reshape", graph.cast(tensor, meaning.dtype), graph.constant([-1, width], np.int64))
    if meaning.last == "softmax":
        shaped = graph.add("Softmax", shaped, axis=1)
    elif meaning.last == "sigmoid":
        both = graph.add("Mul", shaped, graph.constant([[-1.0, 1.0]], meaning.dtype))
        shaped = graph.add("Sigmoid", both)
    elif meaning.last == "pair":
        other = graph.add("Sub", graph.constant([[1.0]], meaning.dtype), shaped)
        shaped = graph.add("Concat", other, shaped, axis=1)
    kind = meaning.output.kind
    return Compiled(
        graph=graph.finish(shaped, meaning.dtype, flat=kind == "number"),
        output="number" if kind == "number" else "vector" if kind == "vector" else "probabilities",
        precision=meaning.dtype.name,
    )


def decide(raw: Any, labels: Sequence[Any], said: Said, *, mend: str) -> Meaning:
    """Return what the raw numbers that a network answered to some rows stand for.

    Args:
        raw: shape (rows,) or (rows, width).
        labels: the distinct values of the target in the training data, sorted.
        mend: how a person says it themselves: a call with `answers={}` in it.

    Raises:
        Incompatible: when they can't be told, or what was said does not fit them.
    """
    raw = np.asarray(raw)
    if raw.dtype.kind not in "fiub" or raw.ndim not in (1, 2) or raw.size == 0:
        raise Incompatible(
            f"The model answers an array of shape (rows, {', '.join(map(str, raw.shape[1:]))}) and type {raw.dtype}: "
            "expected (rows,) or (rows, width) of numbers.",
            mend="let it answer one row of numbers for each row, for example with .flatten(1) at its end",
        )
    width = 1 if raw.ndim == 1 else raw.shape[1]
    dtype = np.dtype(np.float64 if raw.dtype == np.float64 else np.float32)
    kind = _kind(width, labels, said, mend)
    if kind != "classes":
        if said.names and len(said.names) != width:
            raise Incompatible(f"The model answers {width} numbers to each row, and {len(said.names)} names were said.")
        output = Output(name="", kind=kind, names=said.names, width=width)
        return Meaning(output, "none", dtype)
    classes = said.classes or _classes(width, labels)
    if len(classes) != max(width, 2):
        raise Incompatible(
            f"The model answers {width} numbers to each row, and there are {len(classes)} classes: "
            f"{', '.join(map(repr, classes[:8]))}.",
            mend=mend.format('"vector"') if not said.classes else "name as many classes as the model answers numbers",
        )
    if raw.dtype.kind != "f":
        raise Incompatible(
            f"The model answers numbers of type {raw.dtype}, and the target has {len(classes)} labels: expected a "
            "logit or a probability for each.",
            mend="leave argmax and rounding out of the model: plusone takes the likeliest label",
        )
    found = said.answers or _looks_like(raw.reshape(len(raw), width))
    lasts = {("logits", True): "softmax", ("logits", False): "sigmoid", ("probabilities", True): "none"}
    last: Any = lasts.get((found, width > 1), "pair")
    output = Output(name="", kind="classes", classes=classes, probabilities=True)
    return Meaning(output, last, dtype)


def spans(rows: int) -> Iterator[slice]:
    """Yield slices of at most CHUNK rows that cover all, at least one."""
    return (slice(start, start + CHUNK) for start in range(0, max(rows, 1), CHUNK))


def _kind(width: int, labels: Sequence[Any], said: Said, mend: str) -> Literal["classes", "number", "vector"]:
    if said.answers == "number" and width > 1:
        raise Incompatible(f"The model answers {width} numbers to each row, and was said to answer one.")
    if said.answers in ("number", "vector"):
        return "vector" if width > 1 or said.names else "number"
    if said.answers or said.classes:
        return "classes"
    if said.names or (not labels and width > 1):
        return "vector"
    numbers = all(isinstance(label, int) and not isinstance(label, bool) for label in labels)
    if not labels or (width == 1 and len(labels) != 2 and numbers):
        return "number"
    if len(_classes(width, labels)) != max(width, 2):
        shown = ", ".join(map(repr, labels[:8])) + (", ..." if len(labels) > 8 else "")
        raise Incompatible(
            f"The model answers {width} number{'s' if width > 1 else ''} to each row, and the target of the training "
            f"data has {len(labels)} labels ({shown}): what they stand for can't be told.",
            mend=mend.format('"vector"' if width > 1 else '"number"'),
        )
    return "classes"


def _classes(width: int, labels: Sequence[Any]) -> tuple[Any, ...]:
    """Return the labels; where they are numbers below the width, and some of those are not in the data, all of them."""
    whole = all(isinstance(label, int) and not isinstance(label, bool) and 0 <= label < width for label in labels)
    return tuple(range(width)) if labels and whole and width > 1 else tuple(labels)


def _looks_like(numbers: Any) -> Literal["logits", "probabilities"]:
    """Say what the numbers look like, shape (rows, width): probabilities lie in 0 to 1 and sum to 1."""
    good = numbers[np.isfinite(numbers).all(axis=1)].astype(np.float64)
    if not len(good):
        raise Incompatible(
            "The model answers NaN or infinity to every row of its training data that it was asked with.",
            mend="look at the training, or leave rows with missing values out of the training data",
        )
    within = bool(((good >= 0.0) & (good <= 1.0)).all())
    if within and numbers.shape[1] > 1:
        within = bool((np.abs(good.sum(axis=1) - 1.0) <= _FAR).all())
    return "probabilities" if within else "logits"


def _listed(name: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise UsageError(f"{name}={values!r}: expected a list.")
    found = tuple(value.item() if hasattr(value, "item") else value for value in values)
    if len(set(map(repr, found))) != len(found):
        raise UsageError(f"{name}={list(found)!r}: expected each one once.")
    return found


def _width(output: Output) -> int:
    return len(output.classes) or output.width


def _label_array(classes: tuple[Any, ...]) -> Any:
    return np.array(classes, dtype=object if isinstance(classes[0], str) else None)
