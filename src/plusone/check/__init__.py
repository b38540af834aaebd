"""Checks for the tests of a project: `plusone.check.no_worse(...)`, `plusone.check.at_least(...)` and their kin.

Each says passed, failed or inconclusive, raises what closes the gate, and leaves what it measured with the test that
called it. This room knows models by what they answer and data as tables; it knows no release, stage or route. The names
are resolved when they are first used: importing it loads no numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .baselines import simpler_is_not_better
    from .by_slice import slices
    from .calibration import calibrated
    from .comparisons import at_least, no_worse
    from .fairness import fair
    from .sanity import fast, fresh, stable

__all__ = [
    "at_least",
    "calibrated",
    "fair",
    "fast",
    "fresh",
    "no_worse",
    "simpler_is_not_better",
    "slices",
    "stable",
]

_WHERE = {
    "at_least": ".comparisons",
    "calibrated": ".calibration",
    "fair": ".fairness",
    "fast": ".sanity",
    "fresh": ".sanity",
    "no_worse": ".comparisons",
    "simpler_is_not_better": ".baselines",
    "slices": ".by_slice",
    "stable": ".sanity",
}


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"plusone.check has no check {name!r}; it has {', '.join(sorted(_WHERE))}")
    value = getattr(importlib.import_module(where, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
