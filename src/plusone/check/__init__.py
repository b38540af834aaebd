"""Checks for the tests of a project: `plusone.check.no_worse(...)`, `plusone.check.at_least(...)` and their kin.

Each says passed, failed or inconclusive, raises what closes the gate, and leaves what it measured with the test that
called it. This room knows models by what they answer and data as tables; it knows no release, stage or route. The names
are resolved when they are first used: importing it loads no numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import perturb
    from .behaviour import directional, invariant, minimum
    from .comparisons import at_least, no_worse
    from .listing import cases
    from .texts import contains, judge, matches, similar, valid_json

__all__ = [
    "at_least",
    "cases",
    "contains",
    "directional",
    "invariant",
    "judge",
    "matches",
    "minimum",
    "no_worse",
    "perturb",
    "similar",
    "valid_json",
]

_WHERE = {
    "at_least": ".comparisons",
    "cases": ".listing",
    "contains": ".texts",
    "directional": ".behaviour",
    "invariant": ".behaviour",
    "judge": ".texts",
    "matches": ".texts",
    "minimum": ".behaviour",
    "no_worse": ".comparisons",
    "perturb": ".perturb",
    "similar": ".texts",
    "valid_json": ".texts",
}


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"plusone.check has no check {name!r}; it has {', '.join(sorted(_WHERE))}")
    module = importlib.import_module(where, __name__)
    value = module if where == f".{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
