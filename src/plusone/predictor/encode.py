"""Answers to the JSON of each row: bytes that a server joins, request by request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..formats.runner import Answer

__all__ = ["Encoder", "key_of"]


class Encoder:
    """Writes the predictions of one model. Nothing in it changes after it was made, so threads may share it.

    JSON has no word for a number that is not finite: it is written as null. So is the label of a row where a
    probability is no number, and one that is none of the classes: such a row has no answer.
    """

    def __init__(self, classes: Sequence[Any]) -> None:
        self._classes = tuple(classes)
        self._write = msgspec.json.Encoder().encode
        keys = [key_of(label) for label in classes]
        self._shares: Callable[..., Any]
        try:  # structs are made and written faster than dicts are
            names = {f"p{index}": key for index, key in enumerate(keys)}
            self._shares = msgspec.defstruct("Shares", [(name, float) for name in names], rename=names, gc=False)
        except ValueError:  # msgspec takes no keys with a quote, a backslash or a control character
            self._shares = lambda *values: dict(zip(keys, values, strict=True))
        self._row = msgspec.defstruct("Prediction", [("label", Any), ("probabilities", Any)], gc=False)
        self._alone = {code: self._write({"label": label}) for code, label in enumerate(classes)}
        self._nothing = self._write({"label": None})

    def rows(self, answer: Answer) -> list[bytes]:
        """Return the JSON of each row's prediction: a number, or an object with `label` and `probabilities`."""
        write: Callable[[Any], bytes] = self._write
        if answer.numbers is not None:
            return [write(number) for number in answer.numbers.tolist()]
        if answer.probabilities is None:
            alone, nothing = self._alone.get, self._nothing
            return [alone(code, nothing) for code in answer.codes.tolist()]
        classes, shares, row = self._classes, self._shares, self._row
        # The code is that of the largest, or of the first that is no number: it alone is unequal to itself.
        return [
            write(row(classes[code] if values[code] == values[code] else None, shares(*values)))
            for code, values in zip(answer.codes.tolist(), answer.probabilities.tolist(), strict=True)
        ]


def key_of(label: Any) -> str:
    """Return what stands for a label as a key of a JSON object."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)
