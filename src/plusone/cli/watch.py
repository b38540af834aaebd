"""`plusone status --watch`: what goes on, until ctrl-C."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType

from ..base.config import load_project
from ..terminal.watching import Screen
from ..watching.watcher import Watcher

__all__ = ["watch"]


def watch(project: Path | None, model: str | None, *, every_s: float, as_json: bool) -> None:
    """Show what goes on, every so many seconds, until ctrl-C or SIGTERM."""
    # Whoever ends it by a signal wants the cursor back as well.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Watcher(load_project(project), model=model) as watcher, Screen(as_json=as_json) as screen:
            while True:
                began = time.monotonic()
                screen.show(watcher.look())
                time.sleep(max(0.0, every_s - (time.monotonic() - began)))
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
