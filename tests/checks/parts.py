"""What tests ask of a part: outcomes by the names of tests, and one check."""

from __future__ import annotations

from plusone.checks.result import Part
from plusone.checks.verdict import is_built_in

__all__ = ["by_name", "only"]


def by_name(part: Part) -> dict[str, str]:
    """The outcomes of the project's own tests."""
    return {check.test.rpartition("::")[2]: check.outcome for check in part.checks if not is_built_in(check.test)}


def only(part: Part, name: str):
    return next(check for check in part.checks if check.test.endswith(f"::{name}"))
