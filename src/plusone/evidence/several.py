"""Counts answers with a label for each of several targets: by the combination of labels that a row was answered."""

from __future__ import annotations

import itertools
import math
import zlib
from typing import Any

import numpy as np

from ..base.records import Output
from ..labels.several import parts_of, singles
from ..predictor.encode import key_of

__all__ = ["Combinations"]

Array = np.ndarray[Any, Any]
_MOST = 1000
_SLACK = 1e-6


class Combinations:
    """The labels of several targets as one number for each row, and what each number is called.

    Up to 1,000 combinations have a name, `gate=B late=yes`, whatever the order of the targets. More of them are put
    into 1,000 groups by a checksum of that name, `#417`: which row is in which group is the same for all releases.

    Attributes:
        count: how many there may be.
        names: of each number; empty where they are in groups.
    """

    def __init__(self, output: Output) -> None:
        self._parts = list(parts_of(output.sizes))
        self._sizes = output.sizes
        self._keys = [[f"{one.name}={key_of(label)}" for label in one.classes] for one in singles(output)]
        self._order = sorted(range(len(output.names)), key=output.names.__getitem__)
        combined = math.prod(output.sizes)
        self.count = min(combined, _MOST)
        self.names = (
            [self._name(codes) for codes in itertools.product(*map(range, self._sizes))] if combined <= _MOST else []
        )

    def read(self, rows: Array) -> tuple[Array, Array | None, Array]:
        """Return the number of each row's combination, the probability of the least sure label, and which rows are
        wrong: a label is none of its target's, or a probability is none.

        Args:
            rows: probabilities, shape (rows, classes), or codes among the classes of all targets, (rows, targets).
        """
        wrong = np.zeros(len(rows), dtype=bool)
        codes = np.zeros((len(rows), len(self._parts)), dtype=np.int64)
        sure: Array | None = None
        if rows.dtype.kind == "f":
            sure = np.ones(len(rows))
            for place, (start, stop) in enumerate(self._parts):
                own = rows[:, start:stop]
                codes[:, place] = own.argmax(axis=1)
                top = own[np.arange(len(own)), codes[:, place]]
                # The largest, or the first that is no number.
                wrong |= ~((top >= -_SLACK) & (top <= 1.0 + _SLACK)) | (own < -_SLACK).any(axis=1)
                sure = np.minimum(sure, top)
        else:
            for place, (start, stop) in enumerate(self._parts):
                wrong |= (rows[:, place] < start) | (rows[:, place] >= stop)
                codes[:, place] = np.clip(rows[:, place] - start, 0, stop - start - 1)
        return (self._numbered(codes) if self.names else self._grouped(codes)), sure, wrong

    def _numbered(self, codes: Array) -> Array:
        number = np.zeros(len(codes), dtype=np.int64)
        for place, size in enumerate(self._sizes):
            number = number * size + codes[:, place]
        return number

    def _grouped(self, codes: Array) -> Array:
        different, places = np.unique(codes, axis=0, return_inverse=True)
        groups = [zlib.crc32(self._name(row).encode()) % _MOST for row in different.tolist()]
        return np.array(groups, dtype=np.int64)[places.reshape(-1)]

    def _name(self, codes: Any) -> str:
        return " ".join(self._keys[place][codes[place]] for place in self._order)
