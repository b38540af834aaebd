"""What a model answers to logged requests, in whichever protocol they came, and why it refuses those it refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.errors import InvalidInput, PlusoneError
from ..graphs.layout import MISSING, Block, Columns
from ..graphs.runner import Answer, class_array
from ..predictions.layout import ARROW, GRPC, INFERENCE, JSON, MEDIA
from ..protocols.inference import read_infer

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from ..predictor import Predictor

__all__ = ["OTHER", "Refusal", "Reply", "ask", "field_values", "read_request"]

OTHER = "(other)"
"""What stands for the strings that a model does not tell apart."""
_AT_ONCE = 4096
_AT_ONCE_BYTES = 64 * 1024 * 1024
_MESSAGE = 300
_MOST_FAILURES = 100
"""After so many requests that a model can't compute it is not asked those behind them."""

_Rows = list[tuple[Any, ...]]
_Part = tuple[int, "_Rows | Columns"]


class Refusal(NamedTuple):
    """A request that the model does not answer: its place, the field that it is about, what was expected, and all that
    was said."""

    place: int
    field: str
    reason: str
    message: str


class Reply(NamedTuple):
    """What a model answered to some requests.

    Attributes:
        rows: shape (requests,): how many rows of each were answered; 0 where it was refused.
        answer: what was answered, all rows one after the other; None if none was.
        fields: by field of one value, what was asked, shape (rows,): float64 (missing is NaN) or strings.
        refusals: the others, in the order of the requests.
    """

    rows: NDArray[np.int64]
    answer: Answer | None
    fields: dict[str, NDArray[Any]]
    refusals: list[Refusal]


def ask(predictor: Predictor, requests: pa.Table) -> Reply:
    """Ask a model the requests of a table with the columns `kind` and `request`; whatever fails is a refusal.

    Many requests are answered together, as serving does it. Memory holds 4,096 rows of them, or 64 MB, at a time.
    """
    asking = _Asking(predictor, requests.num_rows)
    for place, (kind, body) in enumerate(
        zip(requests["kind"].to_pylist(), requests["request"].to_pylist(), strict=True)
    ):
        if body is None:
            asking.refuse(
                place,
                InvalidInput(
                    "It was too big to be logged.", expected="a request that was logged", mend="send fewer rows at once"
                ),
            )
            continue
        try:
            found = read_request(predictor, kind, body)
        except Exception as error:  # whatever was logged: one request that can't be read is one that is refused
            asking.refuse(place, error)
            continue
        asking.add(place, found)
    return asking.end()


def read_request(predictor: Predictor, kind: str, body: bytes) -> _Rows | Columns:
    """Return the rows of a logged request, as the code that serves reads them.

    Args:
        kind: what it is, as `predictions.layout` names it.

    Raises:
        InvalidInput: when it does not fit the model.
    """
    name, _, more = kind.partition(";")
    if name == JSON:
        return predictor.decode_request(body)
    if name == INFERENCE:
        read = read_infer(predictor, body, int(more) if more else None).read
        return read.rows if read.rows is not None else read.columns
    if name == ARROW:
        return predictor.decode_arrow(body)
    if name == MEDIA:
        return predictor.decode_media(body, more)
    if name == GRPC:
        from ..protocols import remote  # it needs an extra

        return remote.read_call(predictor, remote.parse("ModelInferRequest", body)).read.columns
    raise InvalidInput(
        f"A request of the kind {kind[:50]!r}: this version of plusone does not read it.",
        mend="pip install --upgrade plusone",
    )


def field_values(predictor: Predictor, columns: Columns) -> dict[str, NDArray[Any]]:
    """Return the values of each field of one value as they were asked: float64, or strings (missing ones: '').

    Strings that the model has one number for are told by the first of them; those that it does not know by `OTHER`.
    """
    found: dict[str, NDArray[Any]] = {}
    for block in predictor.blocks:
        if block.shape is not None:
            continue
        array = columns.feeds[block.name]
        for place, name in enumerate(block.fields):
            found[name] = _values(block, name, array[:, place])
    return found


def _values(block: Block, name: str, values: NDArray[Any]) -> NDArray[Any]:
    code = block.codes.get(name)
    if code is None:
        if block.dtype != "string":
            return values.astype(np.float64)
        return np.array(["" if value == MISSING else str(value) for value in values.tolist()], dtype=object)
    names: dict[float, str] = {}
    for text, number in code.values.items():
        names.setdefault(math.inf if number is None else number, "" if text == MISSING else text)
    keys, places = np.unique(np.where(np.isnan(values), math.inf, values), return_inverse=True)
    return np.array([names.get(key, OTHER) for key in keys.tolist()], dtype=object)[places.reshape(-1)]


class _Asking:
    def __init__(self, predictor: Predictor, requests: int) -> None:
        self._predictor = predictor
        self._rows = np.zeros(requests, dtype=np.int64)
        self._refusals: list[Refusal] = []
        self._answers: list[Answer] = []
        self._fields: list[dict[str, NDArray[Any]]] = []
        self._waiting: list[_Part] = []
        self._count = 0
        self._failures = 0
        size = sum(
            math.prod(block.shape) * block.kind.itemsize for block in predictor.blocks if block.shape is not None
        )
        self._most = max(1, min(_AT_ONCE, _AT_ONCE_BYTES // max(size, 1)))

    def add(self, place: int, found: _Rows | Columns) -> None:
        self._waiting.append((place, found))
        self._count += len(found) if isinstance(found, list) else found.rows
        if self._count >= self._most:
            self._run_waiting()

    def refuse(self, place: int, error: Exception) -> None:
        self._refusals.append(_refusal(place, error))

    def end(self) -> Reply:
        self._run_waiting()
        fields = {name: np.concatenate([one[name] for one in self._fields]) for name in (self._fields or [{}])[0]}
        answer = _joined(self._answers, self._predictor.signature.output.classes)
        return Reply(self._rows, answer, fields, sorted(self._refusals))

    def _run_waiting(self) -> None:
        waiting, self._waiting, self._count = self._waiting, [], 0
        if waiting:
            self._run(waiting)

    def _run(self, parts: Sequence[_Part]) -> None:
        """Answer these requests; when that fails each half of them, so that only what is at fault is refused."""
        try:
            columns = _columns(self._predictor, parts)
            answer = self._predictor.run(columns)
            fields = field_values(self._predictor, columns)
        except Exception as error:  # the model's own code, or what runs it: whatever it raises
            self._failures += len(parts) == 1
            if len(parts) == 1 or self._failures >= _MOST_FAILURES:
                for place, _ in parts:
                    self.refuse(place, error)
                return
            middle = len(parts) // 2
            self._run(parts[:middle])
            self._run(parts[middle:])
            return
        for place, part in parts:
            self._rows[place] = len(part) if isinstance(part, list) else part.rows
        self._answers.append(answer)
        self._fields.append(fields)


def _columns(predictor: Predictor, parts: Sequence[_Part]) -> Columns:
    made: list[Columns] = []
    rows: _Rows = []
    for _, part in parts:
        if isinstance(part, list):
            rows.extend(part)
            continue
        if rows:
            made.append(predictor.gather(rows))
            rows = []
        made.append(part)
    if rows:
        made.append(predictor.gather(rows))
    return Columns.concat(made)


def _joined(answers: Sequence[Answer], classes: tuple[Any, ...]) -> Answer | None:
    if not answers:
        return None
    parts: list[Any] = []
    for name in ("codes", "probabilities", "numbers", "scores"):
        some = [getattr(one, name) for one in answers]
        parts.append(None if some[0] is None else np.concatenate(some))
    codes, probabilities, numbers, scores = parts
    return Answer(class_array(classes), codes, probabilities, numbers, scores)


def _refusal(place: int, error: Exception) -> Refusal:
    if not isinstance(error, PlusoneError):
        text = f"{type(error).__name__}: {error}"[:_MESSAGE]
        return Refusal(place, "", text, text)
    details: Mapping[str, Any] = error.details
    reason = str(details.get("expected") or error.message)
    return Refusal(place, str(details.get("field") or "")[:_MESSAGE], reason[:_MESSAGE], error.message[:_MESSAGE])
