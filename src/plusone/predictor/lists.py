"""The JSON of answers that are more than one label or number: vectors, rankings, and labels of several targets.

JSON has no word for a number that is not finite: it is written as null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from ..base.records import Output
from ..graphs.runner import Answer
from ..labels.several import parts_of

__all__ = ["Labels", "Lists", "Rankings", "Vectors", "key_of", "lists_of", "ranked", "spans"]

_write = msgspec.json.Encoder().encode


class Vectors:
    """Writes vectors: `[1.0, 2.0]`, or `{"a": 1.0, "b": 2.0}` where the numbers have names."""

    def __init__(self, names: Sequence[str]) -> None:
        self._named: Callable[[list[float]], Any] | None = None
        if names:
            self._named = lambda values: dict(zip(names, values, strict=True))

    def rows(self, answer: Answer) -> list[bytes]:
        """Return the JSON of each row's vector."""
        return [_write(value) for value in self.values(answer)]

    def joined(self, answer: Answer, counts: Sequence[int]) -> list[bytes]:
        """Return the JSON of the vectors of each request, joined by commas."""
        values = self.values(answer)
        return [_write(values[start:stop])[1:-1] for start, stop in spans(counts)]

    def values(self, answer: Answer) -> list[Any]:
        """Return the vectors as JSON's own kinds."""
        rows: list[list[float]] = answer.numbers.tolist()
        return rows if self._named is None else [self._named(row) for row in rows]


class Rankings:
    """Writes rankings: `[{"item": 5, "score": 0.9}, ...]`, best first, as long as there are items."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._heads = [b'{"item":%b,"score":' % _write(item) for item in items]

    def rows(self, answer: Answer) -> list[bytes]:
        """Return the JSON of each row's ranking."""
        heads = self._heads
        width = answer.codes.shape[1]
        scores = _write(answer.scores.ravel().tolist())[1:-1].split(b",")
        out: list[bytes] = []
        for row, codes in enumerate(answer.codes.tolist()):
            said = scores[row * width : (row + 1) * width]
            items = [heads[code] + score for code, score in zip(codes, said, strict=True) if code >= 0]
            out.append(b"[%b}]" % b"},".join(items) if items else b"[]")
        return out

    def joined(self, answer: Answer, counts: Sequence[int]) -> list[bytes]:
        """Return the JSON of the rankings of each request, joined by commas."""
        rows = self.rows(answer)
        return [b",".join(rows[start:stop]) for start, stop in spans(counts)]


class Labels:
    """Writes labels of several targets: `{"label": {"late": "no", ...}, "probabilities": {"late": {"no": 0.9, ...}}}`.

    As of a single label, it is null where a probability of its target is no number, or where it is none of the classes.
    """

    def __init__(self, output: Output) -> None:
        self.names = output.names
        self.sizes = output.sizes
        parts = [output.classes[start:stop] for start, stop in parts_of(output.sizes)]
        self._classes = [dict(enumerate(classes)) for classes in parts]
        self.keys = [[key_of(label) for label in classes] for classes in parts]
        """By target, the names of its probabilities."""
        named = list(zip(self.names, parts, self.keys, strict=True))
        self._said = [
            (
                {code: b"%b:%b" % (_write(name), _write(label)) for code, label in enumerate(own)},
                _write(name) + b":null",
            )
            for name, own, _ in named
        ]
        """By target and code, the member of `label`, and what it is where it is none of the classes."""
        before = [b"%b:" % _write(key) for _, _, keys in named for key in keys]
        for start, (name, _, _) in zip((start for start, _ in parts_of(output.sizes)), named, strict=True):
            before[start] = (b"}," if start else b'},"probabilities":{') + b"%b:{" % _write(name) + before[start]
        between = [b"," + piece if not piece.startswith(b"}") else piece for piece in before]
        self._pattern = [piece for one in between for piece in (one, b"")] + [b"}}}"]
        """One row behind its labels: what stands before each probability, room for it, and the end."""

    def rows(self, answer: Answer) -> list[bytes]:
        """Return the JSON of each row's labels."""
        parts = answer.each(self.sizes)
        columns = [
            [known.get(code, nothing) for code in part.codes.tolist()]
            for (known, nothing), part in zip(self._said, parts, strict=True)
        ]
        labels = [b'{"label":{' + b",".join(row) for row in zip(*columns, strict=True)]
        if answer.probabilities is None:
            return [label + b"}}" for label in labels]
        text = _write(answer.probabilities.ravel().tolist())
        if b"null" in text:
            return [_write(value) for value in self.values(answer)]
        shares, width = text[1:-1].split(b","), answer.probabilities.shape[1]
        out: list[bytes] = []
        for row, label in enumerate(labels):
            pieces = self._pattern.copy()
            pieces[1::2] = shares[row * width : (row + 1) * width]
            out.append(label + b"".join(pieces))
        return out

    def joined(self, answer: Answer, counts: Sequence[int]) -> list[bytes]:
        """Return the JSON of the labels of each request, joined by commas."""
        rows = self.rows(answer)
        return [b",".join(rows[start:stop]) for start, stop in spans(counts)]

    def values(self, answer: Answer) -> list[Any]:
        """Return the labels as JSON's own kinds; a number that is not finite is that."""
        parts = answer.each(self.sizes)
        codes = [part.codes.tolist() for part in parts]
        names = self.names
        if answer.probabilities is None:
            columns = [[known.get(code) for code in own] for known, own in zip(self._classes, codes, strict=True)]
            return [{"label": dict(zip(names, row, strict=True))} for row in zip(*columns, strict=True)]
        shares = [part.probabilities.tolist() for part in parts]
        labels = [
            # The code is that of the largest, or of the first that is no number: it alone is unequal to itself.
            [known[code] if row[code] == row[code] else None for code, row in zip(own, rows, strict=True)]
            for known, own, rows in zip(self._classes, codes, shares, strict=True)
        ]
        sure = [
            [dict(zip(keys, row, strict=True)) for row in rows] for keys, rows in zip(self.keys, shares, strict=True)
        ]
        return [
            {"label": dict(zip(names, said, strict=True)), "probabilities": dict(zip(names, each, strict=True))}
            for said, each in zip(zip(*labels, strict=True), zip(*sure, strict=True), strict=True)
        ]


Lists = Vectors | Rankings | Labels


def ranked(answer: Answer, items: Sequence[Any]) -> list[Any]:
    """Return the rankings as JSON's own kinds."""
    return [
        [{"item": items[code], "score": score} for code, score in zip(codes, scores, strict=True) if code >= 0]
        for codes, scores in zip(answer.codes.tolist(), answer.scores.tolist(), strict=True)
    ]


def lists_of(output: Output) -> Lists | None:
    """Return what writes the lists that a model answers; None where it answers none."""
    if output.kind == "ranking":
        return Rankings(output.classes)
    if output.kind == "labels":
        return Labels(output)
    return Vectors(output.names) if output.kind == "vector" else None


def key_of(label: Any) -> str:
    """Return what stands for a label as a key of a JSON object."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)


def spans(counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give the first row of each request, and the one after its last."""
    start = 0
    for count in counts:
        yield start, start + count
        start += count
