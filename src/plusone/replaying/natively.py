"""Asks a model in a process of its own its examples, with the Python of any environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..base.errors import PlusoneError
from ..base.records import Package
from .asking import Failure, Replay

__all__ = ["replay_natively"]

_MISSING = re.compile(r"No module named '([\w.]+)'")


def replay_natively(
    python: Path, folder: Path, digest: str, *, package: Package, trusted: frozenset[str] = frozenset()
) -> Replay:
    """Return what the process of a package's model reports that runs with this Python; plusone itself is not in it.

    Nothing is loaded whose types are not known to be safe, unless its digest is trusted: such a package is a failure.
    """
    from ..native.runner import NativeRunner
    from ..native.trust import require_trust
    from ..predictor import Predictor
    from .child import ask_examples

    said: list[str] = []

    def log(event: str, **what: Any) -> None:
        said.extend(str(value) for value in what.values())

    runner: NativeRunner | None = None
    try:
        require_trust(package, digest, trusted)
        runner = NativeRunner(folder, package, python, log=log)
        found = ask_examples(Predictor(package, digest, runner), folder)
        return Replay(
            files=tuple(runner.imported()),
            rows=found["rows"],
            differing=tuple(found["differing"]),
            max_difference=found["max_difference"],
        )
    except PlusoneError as error:
        # What was missing first of all stands first in the traceback, which only the log has.
        told = _MISSING.search("\n".join([str(error.details.get("missing", "")), *said, error.message]))
        module = str(error.details.get("missing") or (told[1] if told else ""))
        return Replay(files=(), error=Failure(kind=type(error).__name__, message=error.message, module=module))
    finally:
        if runner is not None:
            runner.close()
