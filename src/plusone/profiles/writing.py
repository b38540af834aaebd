"""Expectations as a test file that people read and edit: plain pytest, and the checks of `plusone.check`.

It is written as `ruff format` would leave it: a call on one line if it has room, else one argument a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ..expectations.findings import number
from .inferring import Expectations

__all__ = ["write_tests"]

_FEW = 5
_WIDTH = 88
"""What `ruff format` keeps to where a project says nothing else."""


def write_tests(step: str, expected: Expectations) -> str:
    """Return a test file about the step output `step`; it passes on the table that the expectations are of."""
    parts = [_head(step, expected), _columns(step, expected), _rows(step, expected)]
    if expected.columns:
        parts += [_missing(step, expected), _ranges(step, expected), _categories(step, expected)]
    if expected.key:
        key = [quoted(name) for name in expected.key]
        argument = key[0] if len(key) == 1 else f"[{', '.join(key)}]"
        parts.append(_test(step, "no_row_is_there_twice", [_call("unique", step, argument)]))
    if expected.clock:
        gap = f"longest={quoted(expected.longest_gap)}"
        parts.append(_test(step, "nothing_is_missing_in_time", [_call("no_gaps", step, quoted(expected.clock), gap)]))
    return "\n\n\n".join(part for part in parts if part) + "\n"


def quoted(text: str) -> str:
    """Return text as Python writes it, in the quotes that need the fewest backslashes, double ones first."""
    if '"' in text and "'" not in text and text.isprintable() and "\\" not in text:
        return f"'{text}'"
    shown = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[^\x20-\x7e]", lambda found: found[0] if found[0].isprintable() else _escape(found[0]), shown)


def _escape(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _head(step: str, expected: Expectations) -> str:
    said = f"What is expected of {step}, inferred from {expected.rows:,} rows. Edit it: it is yours."
    return f'"""{said}"""\n\nimport plusone'


def _columns(step: str, expected: Expectations) -> str:
    kinds = [f"{quoted(one.name)}: {quoted(one.kind)}" for one in expected.columns]
    return _test(step, "columns", [_call("columns", step, _braced("{", kinds, "}"))])


def _rows(step: str, expected: Expectations) -> str:
    if not expected.at_least:
        return _test(step, "rows", [_call("rows", step, "at_least=0")])
    return _test(step, "rows", [_call("rows", step, f"at_least={_literal(expected.at_least)}")])


def _missing(step: str, expected: Expectations) -> str:
    # A table without rows says nothing of what may be missing.
    whole = [quoted(one.name) for one in expected.columns if one.missing == 0 and expected.rows]
    lines = [_call("not_null", step, *whole)] if whole else []
    lines += [
        _call("not_null", step, quoted(one.name), f"at_most={_literal(one.missing)}")
        for one in expected.columns
        if 0 < one.missing < 1
    ]
    return _test(step, "what_may_be_missing", lines)


def _ranges(step: str, expected: Expectations) -> str:
    lines: list[str] = []
    for one in expected.columns:
        if one.low is None or one.high is None or one.seen is None:
            continue
        ends = [_literal(one.low), _literal(one.high)]
        lines.append(f"    # it was {number(one.seen[0])} to {number(one.seen[1])}")
        lines.append(_call("between", step, quoted(one.name), *ends))
    return _test(step, "ranges", lines)


def _categories(step: str, expected: Expectations) -> str:
    lines: list[str] = []
    for one in expected.columns:
        if one.values:
            words = _braced("[", [quoted(word) for word in one.values], "]")
            # Where there are many, new ones come: few rows of them close no gate.
            few = ["at_most=0.01"] if len(one.values) > _FEW else []
            lines.append(_call("one_of", step, quoted(one.name), words, *few))
    return _test(step, "categories", lines)


def _test(step: str, name: str, lines: Sequence[str]) -> str:
    return "\n".join([f"def test_{name}({step}):", *lines]) if lines else ""


def _call(check: str, *arguments: str) -> str:
    line = f"    plusone.check.{check}({', '.join(arguments)})"
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    inside = "\n".join(f"        {one.replace(chr(10), chr(10) + ' ' * 8)}," for one in arguments)
    return f"    plusone.check.{check}(\n{inside}\n    )"


def _braced(opening: str, parts: Sequence[str], closing: str) -> str:
    """Return a list or dict: on one line if the call that it is in may have room, else a part a line."""
    line = f"{opening}{', '.join(parts)}{closing}"
    if len(line) <= 40:
        return line
    return "\n".join([opening, *(f"    {part}," for part in parts), closing])


def _literal(value: float) -> str:
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):_}" if abs(value) >= 10_000 else str(int(value))
    return repr(value).replace("e+", "e")
