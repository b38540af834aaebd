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
    from .baselines import simpler_is_not_better
    from .behaviour import directional, invariant, minimum
    from .by_slice import slices
    from .calibration import calibrated
    from .comparisons import at_least, no_worse
    from .data import between, columns, no_gaps, not_null, one_of, rows, unique
    from .fairness import fair
    from .listing import cases
    from .sanity import fast, fresh, stable
    from .tables import no_leak, no_overlap, no_shift
    from .texts import contains, judge, matches, similar, valid_json

__all__ = [
    "at_least",
    "between",
    "calibrated",
    "cases",
    "columns",
    "contains",
    "directional",
    "fair",
    "fast",
    "fresh",
    "invariant",
    "judge",
    "matches",
    "minimum",
    "no_gaps",
    "no_leak",
    "no_overlap",
    "no_shift",
    "no_worse",
    "not_null",
    "one_of",
    "perturb",
    "rows",
    "similar",
    "simpler_is_not_better",
    "slices",
    "stable",
    "unique",
    "valid_json",
]

_NAMES = {
    ".baselines": ("simpler_is_not_better",),
    ".behaviour": ("directional", "invariant", "minimum"),
    ".by_slice": ("slices",),
    ".calibration": ("calibrated",),
    ".comparisons": ("at_least", "no_worse"),
    ".data": ("between", "columns", "no_gaps", "not_null", "one_of", "rows", "unique"),
    ".fairness": ("fair",),
    ".listing": ("cases",),
    ".perturb": ("perturb",),
    ".sanity": ("fast", "fresh", "stable"),
    ".tables": ("no_leak", "no_overlap", "no_shift"),
    ".texts": ("contains", "judge", "matches", "similar", "valid_json"),
}
_WHERE = {name: module for module, names in _NAMES.items() for name in names}


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
