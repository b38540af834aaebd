"""The check of `plusone release --clean`: the package works in a clean environment made from its lock alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import PlusoneError
from ..base.records import Check
from .verdict import BUILT_IN

if TYPE_CHECKING:
    from ..replaying.verify import Verified

__all__ = ["CLEAN", "environment_check"]

CLEAN = f"{BUILT_IN}environment"
"""The name of the check."""


def environment_check(
    folder: Path,
    digest: str,
    *,
    on_event: Callable[[dict[str, Any]], None],
    trusted: frozenset[str] = frozenset(),
) -> Check:
    """Return the check that the package answers its recorded examples there; whatever goes wrong fails it.

    It is a check on `code`: it stands for no test on the data or on the model.
    """
    from ..replaying.verify import verify  # loads numpy: not for every release

    began = time.perf_counter()
    try:
        found = verify(folder, digest, trusted=trusted, log=lambda text: on_event({"event": "line", "text": text}))
    except PlusoneError as error:
        return _check("failed", str(error), (), began)
    return _check("failed" if found.problems else "passed", "; ".join(found.problems), (_measured(found),), began)


def _check(outcome: Any, message: str, measured: tuple[dict[str, Any], ...], began: float) -> Check:
    duration = round(time.perf_counter() - began, 3)
    return Check(test=CLEAN, subject="code", outcome=outcome, message=message, measured=measured, duration_s=duration)


def _measured(found: Verified) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "max_difference": found.max_difference,
        "tolerance": found.tolerance,
        "lines": len(found.lines),
        "never_imported": [line.name for line in found.lines if not line.imported],
        "environment": found.environment,
    }
