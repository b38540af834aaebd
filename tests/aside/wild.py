"""A process beside a worker with handlers that do what no handler should: `python wild.py DESCRIPTOR`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Generator, Mapping
from typing import Any

from plusone.aside.handlers import answer_json
from plusone.aside.process import Outcome, run
from plusone.base.errors import InvalidInput
from plusone.predictor import Predictor

Answers = Generator[bytes, None, Outcome]
Options = Mapping[str, Any]


def echo(predictor: Predictor, body: memoryview, options: Options) -> Answers:
    """Answer the body itself in pieces of `size` bytes."""
    for place in range(0, len(body), options["size"]):
        yield bytes(body[place : place + options["size"]])
    return Outcome(len(body), {"pid": os.getpid(), "nice": os.nice(0), **options})


def hang(predictor: Predictor, body: memoryview, options: Options) -> Answers:
    """Answer nothing, for ever."""
    while True:
        time.sleep(3600)
    yield b""


def endless(predictor: Predictor, body: memoryview, options: Options) -> Answers:
    """Answer small pieces for ever."""
    while True:
        yield b"piece"
        time.sleep(0.001)


def die(predictor: Predictor, body: memoryview, options: Options) -> Answers:
    """Answer a piece, and die."""
    yield b"piece"
    os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(0)


def crash(predictor: Predictor, body: memoryview, options: Options) -> Answers:
    """Read where no memory is."""
    ctypes.string_at(0)
    yield b""
    return Outcome(0)


def refuse(predictor: Predictor, body: memoryview, options: Options) -> Answers:
    """Answer a piece, and then find a fault of the caller's with details of every kind."""
    yield b"piece"
    raise InvalidInput("Row 1 is wrong.", mend="send another", row=1, value=[1.5, None, "\u2713"], expected=options)


def unspeakable(predictor: Predictor, body: memoryview, options: Options) -> Answers:
    """Find a fault that JSON can't say."""
    raise InvalidInput("The value \ud800 is wrong.", value="\ud800", large=1 << 80)
    yield b""


def fault(predictor: Predictor, body: memoryview, options: Options) -> Answers:
    """Have a fault of ours."""
    raise ZeroDivisionError("a fault of ours \ud800")
    yield b""


def no_memory(predictor: Predictor, body: memoryview, options: Options) -> Answers:
    """Need more memory than there is."""
    raise MemoryError
    yield b""


def garbage(predictor: Predictor, body: memoryview, options: Options) -> Answers:
    """Write into the socket what is no frame."""
    os.write(int(sys.argv[-1]), bytes(body))
    yield b""
    return Outcome(0)


if __name__ == "__main__":
    handlers = (echo, hang, endless, die, crash, refuse, unspeakable, fault, no_memory, garbage)
    sys.exit(run(sys.argv[1:], {"json": answer_json, **{handler.__name__: handler for handler in handlers}}))
