"""What tests ask of a part: outcomes by the names of tests, and one check."""

from __future__ import annotations

from plusone.checks.result import Part

__all__ = ["by_name", "only"]


def by_name(part: Part) -> dict[str, str]:
    return {check.test.rpartition("::")[2]: check.outcome for check in part.checks}


def only(part: Part, name: str):
    return next(check for check in part.checks if check.test.endswith(f"::{name}"))
