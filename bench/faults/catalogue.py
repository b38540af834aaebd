"""All faults, in the order of what they break."""

from __future__ import annotations

from . import joins, labels, model, rows, serving, values
from .changing import Fault

__all__ = ["AFTER", "BEFORE", "FAULTS"]

BEFORE, AFTER = "2013-03", "2013-04"
"""The newest month of the healthy release n, and of the release n+1 that the fault is in."""

FAULTS: tuple[Fault, ...] = (
    *values.FAULTS,
    *rows.FAULTS,
    *joins.FAULTS,
    *labels.FAULTS,
    *serving.FAULTS,
    *model.FAULTS,
)
