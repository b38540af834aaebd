"""Settings: what `--set key=value` may say, checked against the steps' own defaults before anything runs."""

from __future__ import annotations

from typing import Any

import msgspec

from ..base.errors import UsageError
from .declare import REQUIRED, StepSpec, is_plain
from .graph import Graph

__all__ = ["parse_assignments", "settings_for"]


def parse_assignments(texts: list[str]) -> dict[str, str]:
    """Return `{"until": "2013-06"}` for `["until=2013-06"]`.

    Raises:
        UsageError: for a text without `=` or a key given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError(f"--set {text!r}: expected key=value.", mend="for example --set max_iter=300")
        if key in found:
            raise UsageError(f"--set {key!r} was given twice: {found[key]!r} and {value!r}.")
        found[key] = value
    return found


def settings_for(graph: Graph, assignments: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of each step: its defaults, and over them what was assigned.

    `key` reaches every step that has a setting of that name, `step.key` one step. A text is read as the type that the
    default has; a value that is no text must be of that type already.

    Raises:
        UsageError: for a key that no step has, a value of another type, or a setting without default left unset.
    """
    result = {name: dict(spec.settings) for name, spec in graph.steps.items()}
    known = sorted({key for spec in graph.steps.values() for key in spec.settings})
    for key, value in sorted(assignments.items(), key=lambda item: "." in item[0]):
        step_name, dot, short = key.rpartition(".")
        reached = [
            spec for name, spec in graph.steps.items() if short in spec.settings and (not dot or name == step_name)
        ]
        if not reached:
            raise UsageError(f"--set {key}: no step has that setting. Settings: {', '.join(known) or 'none'}.")
        for spec in reached:
            result[spec.name][short] = _read(spec, short, value)
    for name, values in result.items():
        if REQUIRED in values.values():
            key = next(key for key, value in values.items() if value is REQUIRED)
            raise UsageError(f"Step {name!r} has a setting {key!r} without a default.", mend=f"--set {key}=VALUE")
    return result


def _read(spec: StepSpec, key: str, value: Any) -> Any:
    default = spec.settings[key]
    read: Any = value
    if isinstance(value, str) and not isinstance(default, str):
        try:
            read = msgspec.json.decode(value.strip())
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            words = {"true": True, "false": False, "none": None}
            read = value if default is REQUIRED or default is None else words.get(value.strip().lower(), value)
    if not is_plain(read):
        raise UsageError(
            f"--set {key}={value!r}: expected text, a finite number, a boolean, null, or a list or object of those."
        )
    if default is REQUIRED or default is None:
        return read
    if not _fits(read, default):
        raise UsageError(
            f"--set {key}={value}: step {spec.name!r} expects {type(default).__name__} (its default is {default!r})."
        )
    if isinstance(default, float):
        return float(read)
    return tuple(read) if isinstance(default, tuple) else read


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float)) and abs(value) < 2**1023
    if isinstance(default, (list, tuple)):
        return isinstance(value, (list, tuple))
    return isinstance(value, type(default))
