"""How a big body of plusone's own protocol is answered: as JSON, a slice of rows at a time, so that memory stays small.

What a body and an answer mean is the predictor's. This module only knows where the text of a body can be cut.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from ..base.errors import InvalidInput
from ..evidence.histograms import Tally
from ..graphs.layout import Columns
from ..predictor import Predictor
from .process import Handler, Outcome

__all__ = ["HANDLERS", "answer_json"]

_SLICE_BYTES = 1 << 18
_SLICE_ROWS = 1000
_BEGIN = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"rows"[ \t\r\n]*:[ \t\r\n]*\[')
_END = re.compile(rb"\}[ \t\r\n]*\][ \t\r\n]*\}[ \t\r\n]*\Z")
_BETWEEN = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")
_TAIL_BYTES = 256


def answer_json(predictor: Predictor, body: memoryview, options: Mapping[str, Any]) -> Generator[bytes, None, Outcome]:
    """Yield the JSON array of the predictions for a body that `predictor.decode` takes, in pieces.

    Raises:
        InvalidInput: as `decode` raises it for the whole body.
    """
    rows, tally = 0, Tally(predictor)
    for columns in _decoded(predictor, body):
        for start in range(0, columns.rows, _SLICE_ROWS):
            answer = predictor.run(columns.take(start, start + _SLICE_ROWS))
            yield (b"," if rows else b"[") + predictor.encode_joined(answer, [answer.rows])[0]
            rows += answer.rows
            tally.add(answer)
    yield b"]"
    return Outcome(rows, outputs=tally.outputs())


def _decoded(predictor: Predictor, body: memoryview) -> Iterator[Columns]:
    """Give the columns of a body, a slice at a time where its text can be cut.

    A text that ends inside of a string is no JSON. So when a slice is read, it began and ended between two rows, and so
    began the next. One that can't be read was cut inside of a string, or is wrong: the whole body says which.
    """
    done = 0
    for text in _slices(body):
        try:
            columns = predictor.decode(b'{"rows":[%b]}' % text)
        except InvalidInput as error:
            if isinstance(error.details.get("row"), int):
                raise _further_down(error, done) from None
            break
        yield columns
        done += columns.rows
    else:
        if done:
            return
    whole = predictor.decode(body)
    yield whole.take(done, whole.rows)


def _slices(body: memoryview) -> Iterator[memoryview]:
    """Give the rows of a body as text, some hundred at a time; nothing when it is not certain where the rows end.

    Rows are objects of plain values. Where the text between the first bracket and the last holds no other, the list of
    rows ends with the last one.
    """
    begin = _BEGIN.match(body)
    end = _END.search(body, max(0, len(body) - _TAIL_BYTES))
    if begin is None or end is None or _has_bracket(body, begin.end(), end.start()):
        return
    start, last = begin.end(), end.start() + 1
    while start < last:
        between = _BETWEEN.search(body, min(start + _SLICE_BYTES, last), last)
        if between is None:
            yield body[start:last]
            return
        yield body[start : between.start() + 1]
        start = between.end()


def _has_bracket(body: memoryview, start: int, stop: int) -> bool:
    places = range(start, stop, _SLICE_BYTES)
    return any(b"]" in bytes(body[place : min(place + _SLICE_BYTES, stop)]) for place in places)


def _further_down(error: InvalidInput, rows: int) -> InvalidInput:
    """Return an error of a slice as one of the whole body, in which `rows` rows come before the slice."""
    row = error.details["row"]
    message = error.message.replace(f"Row {row}", f"Row {row + rows}", 1)
    return InvalidInput(message, mend=error.mend, **{**error.details, "row": row + rows})


HANDLERS: Mapping[str, Handler] = {"json": answer_json}
"""What the process answers when it is run by itself."""
