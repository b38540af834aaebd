"""`python -m plusone.serving.beside DESCRIPTOR`: the process that answers the big requests of a worker.

It is given the bodies of every protocol that the worker speaks, and runs the same functions on them.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from typing import Any

from ..aside.handlers import HANDLERS
from ..aside.process import Handler, Outcome, run
from ..evidence.histograms import Outputs, Tally
from ..predictor import Answer, Predictor
from ..protocols import inference

__all__ = ["COMMAND", "handlers"]

COMMAND = (sys.executable, "-P", "-m", "plusone.serving.beside")
_STREAM_BYTES = 1024 * 1024


def _arrow(predictor: Predictor, body: memoryview, options: Mapping[str, Any]) -> Generator[bytes, None, Outcome]:
    """Answer an Arrow IPC stream with one."""
    answer = predictor.run(predictor.decode_arrow(body))
    yield from _pieces(predictor.encode_arrow(answer))
    return Outcome(answer.rows, outputs=_counted(predictor, answer))


def _media(predictor: Predictor, body: memoryview, options: Mapping[str, Any]) -> Generator[bytes, None, Outcome]:
    """Answer an image or a sound with the JSON array of its one prediction. Options: `content_type`."""
    answer = predictor.run(predictor.decode_media(bytes(body), options["content_type"]))
    yield b"[%b]" % predictor.encode_joined(answer, [1])[0]
    return Outcome(1, outputs=_counted(predictor, answer))


def _inference(predictor: Predictor, body: memoryview, options: Mapping[str, Any]) -> Generator[bytes, None, Outcome]:
    """Answer a request of the Open Inference Protocol. Options: `length`, and what `write_infer` takes by name."""
    named = dict(options)
    asked = inference.read_infer(predictor, bytes(body), named.pop("length"))
    answer = predictor.run(asked.columns)
    written, kind, headers = inference.write_infer(asked, predictor, answer, **named)
    yield from _pieces(written)
    info = {"kind": kind.decode(), "headers": [list(pair) for pair in headers]}
    return Outcome(answer.rows, info, _counted(predictor, answer))


def _counted(predictor: Predictor, answer: Answer) -> Outputs:
    tally = Tally(predictor)
    tally.add(answer)
    return tally.outputs()


def _pieces(body: bytes) -> Generator[bytes, None, None]:
    for start in range(0, len(body), _STREAM_BYTES):
        yield body[start : start + _STREAM_BYTES]


def handlers() -> Mapping[str, Handler]:
    """Return what answers each kind of body."""
    return {**HANDLERS, "arrow": _arrow, "media": _media, "inference": _inference}


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], handlers()))
