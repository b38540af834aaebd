"""What a process of its own costs a model: `python -m bench native`.

The forecaster of `examples/demand`, in plain Python, is asked for one row and for a hundred, in turns:

- called in this process, on a dataframe that is there already;
- called in this process, the dataframe made of a request's columns first, by the code that its own process has;
- asked in its own process, as serving asks it;
- and, as the limit, a process that sends back as many bytes as were sent: the least that two processes need.

The overhead is the third without the second, of the same turn.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from plusone.native import child, wire
from plusone.packaging import pack
from plusone.predictor import Columns, load

PROJECT = Path(__file__).resolve().parent.parent / "examples" / "demand"
ROWS = (1, 100)
TURNS = 1000
_NICE = 5


def measure(folder: Path) -> dict[str, Any]:
    """Return the medians, in microseconds, for each number of rows."""
    sys.path.insert(0, str(PROJECT))
    try:
        import pipeline  # pyright: ignore[reportMissingImports] - of the example

        data: Any = pipeline.departures(until="2013-03")
        model: Any = pipeline.SeasonalForecaster().fit(data[pipeline.FEATURES], data["departures"])
        table = pa.Table.from_pandas(data, preserve_index=False)
        _, digest = pack(
            model,
            name="departures",
            target="departures",
            features=pipeline.FEATURES,
            train=table,
            environment="",
            folder=folder / "package",
            root=PROJECT,
        )
    finally:
        sys.path.remove(str(PROJECT))
    predictor = load(folder / "package", digest)
    beside = child.Model(model, {"options": predictor.package.options, "classes": []})
    echo, pid = _echo()
    found: dict[str, Any] = {}
    for count in ROWS:
        frame = data[pipeline.FEATURES].iloc[:count].reset_index(drop=True)
        columns = predictor.columns(frame)
        sent, received = _sizes(columns, count)
        ways: dict[str, Callable[[], Any]] = {
            "direct": lambda frame=frame: model.predict(frame),
            "with_frame": lambda columns=columns, count=count: beside.answer(
                wire.Frame({"rows": count}, columns.feeds)
            ),
            "native": lambda columns=columns: predictor.run(columns),
            "echo": lambda sent=sent, received=received: _once(echo, sent, received),
        }
        found[str(count)] = _turns(ways)
    predictor.close()
    echo.close()
    os.waitpid(pid, 0)
    return found


def _turns(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, ask in ways.items():
            began = time.perf_counter()
            ask()
            spent[name].append(1e6 * (time.perf_counter() - began))
    medians = {f"{name}_us": statistics.median(times[TURNS // 10 :]) for name, times in spent.items()}
    pairs = zip(spent["native"], spent["with_frame"], strict=True)
    return {**medians, "overhead_us": statistics.median(native - here for native, here in pairs)}


def _sizes(columns: Columns, count: int) -> tuple[int, int]:
    """Return how many bytes go to the model's process and back."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.Stream(ours).send({"kind": "run", "rows": count, "request": 1000}, columns.feeds)
        sent = len(theirs.recv(1 << 20))
        wire.Stream(ours).send({"kind": "done", "request": 1000}, {"numbers": np.zeros(count)})
        return sent, len(theirs.recv(1 << 20))


def _echo() -> tuple[socket.socket, int]:
    """Start a process that reads as many bytes as it is told first, and sends as many as it is told then."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return ours, pid
    ours.close()
    os.nice(_NICE)
    while head := theirs.recv(1 << 20):
        theirs.sendall(bytes(int.from_bytes(head[:4], "little")))
    os._exit(0)


def _once(echo: socket.socket, sent: int, received: int) -> None:
    echo.sendall(received.to_bytes(4, "little").ljust(sent))
    while received > 0:
        received -= len(echo.recv(1 << 20))


def lines(result: dict[str, Any]) -> list[str]:
    """Return the result in words."""
    found: list[str] = []
    for count, one in result.items():
        shown = msgspec.convert(one, dict[str, float])
        found.append(
            f"{count} row(s) of a plain Python model: called here {shown['direct_us']:.0f} us, with the making of its "
            f"dataframe {shown['with_frame_us']:.0f}, in its own process {shown['native_us']:.0f}: overhead "
            f"{shown['overhead_us']:.0f} us; two processes and as many bytes, nothing else: {shown['echo_us']:.0f}"
        )
    return found
