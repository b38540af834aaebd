"""The end of a session's process, though a test left something running that Python would wait for, for ever."""

from __future__ import annotations

import os
import sys
import threading

__all__ = ["end_in_time", "left_running"]

_GRACE_S = 5.0
_SHOWN = 5


def end_in_time(exit_code: int) -> None:
    """Return at once, and end this process with `exit_code` if in five seconds it is still there, held up by threads or
    processes that were left running. One that ends by itself, however long it takes for it, is let alone."""
    timer = threading.Timer(_GRACE_S, _end, (exit_code,))
    timer.daemon = True
    timer.start()


def left_running() -> list[str]:
    """Return the names of what holds up the end of a Python process: threads and processes that are no daemons."""
    main = threading.main_thread()
    names = [f"thread {one.name}" for one in threading.enumerate() if not one.daemon and one is not main]
    if "multiprocessing" in sys.modules:
        import multiprocessing

        names += [f"process {one.name}" for one in multiprocessing.active_children() if not one.daemon]
    return names


def _end(exit_code: int) -> None:
    names = left_running()
    if not names:
        return
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    # By the descriptor: who knows which thread holds the lock of sys.stdout.
    os.write(1, f"left running by the tests, and ended: {', '.join(names[:_SHOWN])}{more}\n".encode())
    os._exit(exit_code)
