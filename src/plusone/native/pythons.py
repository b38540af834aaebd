"""Which interpreter a native model runs with: that of the environment which holds its package's lock, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..base.errors import Unavailable

__all__ = ["find_interpreter", "make_interpreter"]


def make_interpreter(lock: str, log: Callable[[str], None] | None = None) -> Path:
    """Return the python of the environment of a lock, which is made if it is not there. May take minutes.

    Raises:
        BrokenEnvironment: when it can't be made: names the line.
    """
    from ..execution import venvs  # here: a worker that serves no native model does not need it

    return venvs.ensure(lock, log=log)


def find_interpreter(lock: str) -> Path:
    """Return the python of the environment of a lock. It is not made: whoever publishes a route sees to that.

    Raises:
        Unavailable: when it is not there.
    """
    from ..execution import venvs

    found = venvs.find(lock)
    if found is None:
        raise Unavailable(
            f"The environment of this model is not on this machine, or was changed: expected it in {venvs.folder()}.",
            mend="plusone up makes the environments of the routes that it publishes; see its log",
        )
    return found
