"""Rows and the answers that the packaged model gave to them: what is asked again wherever it is loaded.

The file `examples.json` of a package holds rows of the training data, evenly spread, and the edges of the signature, as
a request would carry them, with the answers as arrays (see `Recorded`). Equal training makes equal files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..base.errors import BrokenArtifact
from ..base.ids import canonical_json
from ..base.records import Field, Signature
from ..graphs.layout import Block, Columns
from ..graphs.runner import Answer

if TYPE_CHECKING:
    import pyarrow as pa

    from ..signatures.tables import Known

__all__ = ["EXAMPLES", "Examples", "Recorded", "differing", "make_examples", "read_examples"]

EXAMPLES = "examples.json"
MAX_ROWS = 20
MAX_BYTES = 1 << 20
"""Of the rows, as JSON; one row is there however large it is."""
_EDGES = 8


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answers as lists, row by row: the arrays of `Answer` that the model has; None in them stands for NaN."""

    codes: list[Any] | None = None
    probabilities: list[list[float | None]] | None = None
    numbers: list[Any] | None = None
    scores: list[list[float | None]] | None = None


class Examples(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `examples.json`."""

    rows: list[dict[str, Any]]
    answers: Recorded


_PARTS = ("codes", "probabilities", "numbers", "scores")


def make_examples(
    train: pa.Table, signature: Signature, blocks: Sequence[Block], known: Known, run: Callable[[Columns], Answer]
) -> bytes:
    """Return the content of `examples.json`: up to 20 rows and 1 MiB of them, and what `run` answers to these.

    Rows that the signature refuses are left out, and so are those whose answers are infinite, which JSON can't hold.
    """
    from ..signatures.tables import read_table

    rows: list[dict[str, Any]] = []
    answers: dict[str, list[Any]] = {}
    room = MAX_BYTES
    for row in _candidates(train, signature):
        if len(rows) == MAX_ROWS:
            break
        columns, bad = read_table(row, signature.fields, blocks, known)
        if bad[0]:
            continue
        plain = {field.name: _plain(row.column(field.name)[0].as_py(), field) for field in signature.fields}
        size = len(msgspec.json.encode(plain))
        if rows and size > room:
            break
        answer = run(columns)
        parts = {name: getattr(answer, name) for name in _PARTS}
        found = {name: _listed(part[0]) for name, part in parts.items() if part is not None}
        if any(np.isinf(np.asarray(part, dtype=np.float64)).any() for part in parts.values() if part is not None):
            continue
        room -= size
        rows.append(plain)
        for name, value in found.items():
            answers.setdefault(name, []).append(value)
    return canonical_json(Examples(rows=rows, answers=Recorded(**answers)))


def read_examples(folder: Path) -> Examples:
    """Return the examples of the package in `folder`.

    Raises:
        BrokenArtifact: when it has none, or they can't be read.
    """
    try:
        return msgspec.json.decode((folder / EXAMPLES).read_bytes(), type=Examples)
    except (OSError, msgspec.DecodeError) as error:
        raise BrokenArtifact(
            f"The package in {folder} has no {EXAMPLES} that can be read: {error}.",
            file=EXAMPLES,
            mend="plusone release --again  (packages record examples since this version)",
        ) from error


def differing(recorded: Recorded, answer: Answer, tolerance: float) -> tuple[list[int], float]:
    """Return the rows whose answers are not the recorded ones, and the largest difference of a number.

    Probabilities and scores may differ by `tolerance`, numbers by it, absolute or relative, whichever is larger. A
    label may differ where the two labels' probabilities are within twice the tolerance of each other.
    """
    bad = np.zeros(answer.rows, dtype=bool)
    largest = 0.0
    for name in ("probabilities", "numbers", "scores"):
        expected, actual = _array(getattr(recorded, name)), getattr(answer, name)
        if expected is None and actual is None:
            continue
        if expected is None or actual is None or expected.shape != np.shape(actual):
            return list(range(answer.rows)), math.inf
        gap = np.where(np.isnan(expected) & np.isnan(actual), 0.0, np.abs(expected - actual)).reshape(answer.rows, -1)
        allowed = tolerance * (np.fmax(1.0, np.abs(expected)) if name == "numbers" else np.ones_like(expected))
        bad |= (~(gap <= allowed.reshape(answer.rows, -1))).any(axis=1)
        largest = max(largest, float(np.nan_to_num(gap, nan=math.inf).max(initial=0.0)))
    if (recorded.codes is None) != (answer.codes is None):
        return list(range(answer.rows)), math.inf
    if recorded.codes is not None:
        bad |= _other_labels(recorded, answer, tolerance)
    return np.flatnonzero(bad).tolist(), largest


def _other_labels(recorded: Recorded, answer: Answer, tolerance: float) -> Any:
    codes, expected = np.asarray(answer.codes), np.asarray(recorded.codes)
    if codes.shape != expected.shape:
        return np.ones(answer.rows, dtype=bool)
    other = codes != expected
    if (
        recorded.scores is not None
    ):  # items of a ranking change places where their scores are equal: those were compared
        return (np.sort(codes, axis=1) != np.sort(expected, axis=1)).any(axis=1)
    if recorded.probabilities is not None:
        rows = np.arange(answer.rows).reshape(-1, *([1] * (codes.ndim - 1)))
        given = np.asarray(answer.probabilities)
        other &= ~(np.abs(given[rows, codes] - given[rows, expected]) <= 2 * tolerance)
    return other.reshape(answer.rows, -1).any(axis=1)


def _candidates(train: pa.Table, signature: Signature) -> Iterator[pa.Table]:
    """Give one row at a time: the first, the edges, and then rows that are evenly spread."""
    from ..signatures.signature import UNSEEN, base_row, with_value

    names = [field.name for field in signature.fields]
    table = train.select(names)
    places = np.unique(np.linspace(0, table.num_rows - 1, min(MAX_ROWS, table.num_rows)).astype(np.int64)).tolist()
    yield table.slice(places[0], 1)
    base = base_row(names, train)
    edges = [(field.name, None) for field in signature.fields if field.nullable]
    edges += [
        (field.name, UNSEEN) for field in signature.fields if field.dtype == "string" and field.unseen == "accept"
    ]
    for name, value in edges[:_EDGES]:
        yield with_value(base, name, value)
    for place in places[1:]:
        yield table.slice(place, 1)


def _plain(value: Any, field: Field) -> Any:
    """Return a value as the JSON of a request carries it."""
    if value is None:
        return None
    if field.shape is not None:
        return np.asarray(value).reshape(field.shape).tolist()
    if field.dtype in ("float64", "float32"):
        number = float(value)
        return None if math.isnan(number) else number
    return value


def _listed(part: Any) -> Any:
    value = np.asarray(part).tolist()
    if isinstance(value, list):
        return [_number(one) for one in value]
    return _number(value)


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _array(part: list[Any] | None) -> Any:
    return None if part is None else np.array(part, dtype=np.float64)
