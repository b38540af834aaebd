"""Changes of rows for `invariant` and `directional`: `plusone.check.perturb.typos("text")`.

Each is a small object that is called with a table (a dataframe, an Arrow table, the rows of a request, a dict of numpy
arrays) and returns a changed copy of the same kind; the same change of the same table is always the same. `a | b` is
both in turn. Whatever else changes rows will do as well: any function of a table that returns one.
"""

from __future__ import annotations

from ..perturbing.change import Change
from ..perturbing.columns import (
    add,
    constant,
    irrelevant,
    missing,
    multiply,
    noise,
    reordered,
    shuffled,
    swap,
)
from ..perturbing.tensors import brightness, delay, flip, gain, rotation, shift
from ..perturbing.texts import added, blanks, case, contractions, names, numbers, punctuation, replaced, typos

__all__ = [
    "Change",
    "add",
    "added",
    "blanks",
    "brightness",
    "case",
    "constant",
    "contractions",
    "delay",
    "flip",
    "gain",
    "irrelevant",
    "missing",
    "multiply",
    "names",
    "noise",
    "numbers",
    "punctuation",
    "reordered",
    "replaced",
    "rotation",
    "shift",
    "shuffled",
    "swap",
    "typos",
]
