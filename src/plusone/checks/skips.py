"""The names that `[tool.plusone.checks] skip` may have: one that no check has would leave nothing out, and say nothing.

Who brings checks says their names in `NAMES` of the module that the entry point names: `columns` for one that every
table has (`columns[train_set]`), `replay[errors]` for one of a part that is no step output. Where a module says none,
any name may be one of its own, and none is refused.
"""

from __future__ import annotations

import difflib
import importlib
import json
from collections.abc import Iterable, Sequence

from ..base.errors import ConfigError
from ..base.plugins import find
from .verdict import BUILT_IN

__all__ = ["GROUP", "check_skips", "known_skips"]

GROUP = "plusone.checks"
"""The entry point group of what brings checks."""


def check_skips(skip: Sequence[str], outputs: Iterable[str], where: str) -> None:
    """See to it that each name is that of a check.

    Args:
        outputs: the names of the step outputs that the project's steps would make.
        where: the file, for the message.

    Raises:
        ConfigError: one is not; the message has the known names, and `mend` the line with the closest one.
    """
    known = set(known_skips(skip, outputs))
    for wrong in skip:
        if wrong in known:
            continue
        names = _names() or []
        base, bracket, _ = wrong.partition("[")
        tables = sorted(outputs)
        full = [*names, *(f"{name}[{output}]" for name in names if "[" not in name for output in tables)]
        closest = difflib.get_close_matches(wrong.removeprefix(BUILT_IN), full, 1)
        kept = [closest[0] if name == wrong and closest else name for name in skip if name != wrong or closest]
        nothing = f"no step makes {wrong[len(base) + 1 :].removesuffix(']')!r}" if bracket and base in names else ""
        raise ConfigError(
            f"{where}, [tool.plusone.checks] skip names {wrong!r}, and {nothing or 'plusone has no such check'}. "
            + (f"Closest is {closest[0]!r}. " if closest else "")
            + f"Known: {', '.join(names)}; NAME[OUTPUT] for one step output ({', '.join(tables) or 'there is none'}).",
            mend=f"skip = {json.dumps(list(dict.fromkeys(kept)))}",
        )


def known_skips(skip: Sequence[str], outputs: Iterable[str]) -> tuple[str, ...]:
    """Return those of the names that are of a check: all, where somebody who brings checks does not say their names."""
    names = _names() if skip else None
    if names is None:
        return tuple(skip)
    known = {*names, *(f"{name}[{output}]" for name in names if "[" not in name for output in outputs)}
    return tuple(name for name in skip if name in known)


def _names() -> list[str] | None:
    """Return the names of all checks that may be; None where somebody does not say theirs."""
    names: dict[str, None] = {}
    for point in find(GROUP):
        said = getattr(importlib.import_module(point.module), "NAMES", None)
        if said is None:
            return None
        names.update(dict.fromkeys(said))
    return list(names)
