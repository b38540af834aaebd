"""Answers to the JSON of each row: bytes that a server joins, request by request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..graphs.runner import Answer
from .lists import Lists, key_of, spans

__all__ = ["Encoder", "key_of"]


class Encoder:
    """Writes the predictions of one model. Nothing in it changes after it was made, so threads may share it.

    JSON has no word for a number that is not finite: it is written as null. So is the label of a row where a
    probability is no number, and one that is none of the classes: such a row has no answer.

    Args:
        classes: the labels; empty for a model that answers something else.
        lists: what writes the lists of one that answers vectors or rankings.
    """

    def __init__(self, classes: Sequence[Any], lists: Lists | None = None) -> None:
        self._classes = tuple(classes)
        self._write = msgspec.json.Encoder().encode
        keys = [key_of(label) for label in classes]
        self._shares: Callable[..., Any]
        self._heads: list[bytes] = []
        """By label, what stands before the first probability of a row; empty where rows are written one by one."""
        try:  # structs are made and written faster than dicts are
            names = {f"p{index}": key for index, key in enumerate(keys)}
            self._shares = msgspec.defstruct("Shares", [(name, float) for name in names], rename=names, gc=False)
            said = [self._write(key) for key in keys]
            self._heads = [
                b'}},{"label":%b,"probabilities":{%b:' % (self._write(label), said[0]) for label in classes if keys
            ]
            # One row: its head, and then each probability with the next key before it.
            self._pattern = [b""] * 2 + [piece for key in said[1:] for piece in (b",%b:" % key, b"")]
        except ValueError:  # msgspec takes no keys with a quote, a backslash or a control character
            self._shares = lambda *values: dict(zip(keys, values, strict=True))
        self._row = msgspec.defstruct("Prediction", [("label", Any), ("probabilities", Any)], gc=False)
        self._alone = {code: self._write({"label": label}) for code, label in enumerate(classes)}
        self._nothing = self._write({"label": None})
        self._lists = lists

    def rows(self, answer: Answer) -> list[bytes]:
        """Return the JSON of each row's prediction: a number, an object with `label` and `probabilities`, or a list."""
        if self._lists is not None:
            return self._lists.rows(answer)
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

    def joined(self, answer: Answer, counts: Sequence[int]) -> list[bytes]:
        """Return the JSON of the predictions of each request, joined by commas: the bytes that `rows` gives, faster.

        Args:
            counts: how many rows each request has, at least one; together those of the answer.
        """
        if answer.rows == len(counts):
            return self.rows(answer)
        if self._lists is not None:
            return self._lists.joined(answer, counts)
        if answer.numbers is not None:
            numbers, write = answer.numbers.tolist(), self._write
            return [write(numbers[start:stop])[1:-1] for start, stop in spans(counts)]
        text = b"" if answer.probabilities is None else self._write(answer.probabilities.ravel().tolist())
        if not self._heads or answer.probabilities is None or b"null" in text:
            pieces = self.rows(answer)
            return [b",".join(pieces[start:stop]) for start, stop in spans(counts)]
        return self._join_shares(answer.codes.tolist(), text, counts)

    def _join_shares(self, codes: list[int], text: bytes, counts: Sequence[int]) -> list[bytes]:
        """Put what stands between all numbers, which were written in one go, around them: no object for each row."""
        heads, width = self._heads, len(self._pattern)
        pieces = self._pattern * len(codes)
        pieces[0::width] = [heads[code] for code in codes]
        pieces[1::2] = text[1:-1].split(b",")
        out: list[bytes] = []
        for start, stop in spans(counts):
            part = pieces[start * width : stop * width]
            part[0] = part[0][3:]  # without what ends the row before
            part.append(b"}}")
            out.append(b"".join(part))
        return out
