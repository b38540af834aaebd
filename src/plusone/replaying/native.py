"""The replay of a model that runs in a process of its own: that process alone is in the environment in question."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..base.errors import PlusoneError
from .replay import Failure, Replay

__all__ = ["replay_native"]


def replay_native(python: Path, folder: Path, digest: str) -> Replay:
    """Return what the package in `folder` answers to its examples, its process started with `python`."""
    from ..packaging.examples import differing, read_examples
    from ..predictor import load

    files: list[str] = []
    try:
        predictor = load(folder, digest or None, python=python)
        try:
            examples = read_examples(folder)
            if not examples.rows:
                predictor.warm_up()
                return Replay(files=tuple(predictor.imported()))
            answered = predictor.run(predictor.decode(msgspec.json.encode({"rows": examples.rows})))
            files = predictor.imported()
            tolerance = float(predictor.package.proof.get("tolerance", 0.0))
            bad, largest = differing(examples.answers, answered, tolerance)
            return Replay(
                files=tuple(files),
                rows=answered.rows,
                differing=tuple(bad),
                max_difference=largest if largest < float("inf") else None,
            )
        finally:
            predictor.close()
    except PlusoneError as error:
        module = str(error.details.get("missing") or "")
        kind = "ModuleNotFoundError" if module else type(error).__name__
        return Replay(files=tuple(files), error=Failure(kind=kind, message=error.message, module=module))
