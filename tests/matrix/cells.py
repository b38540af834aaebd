"""The cells of the matrix: each format beside each kind of input, and what keeps one from running here."""

from __future__ import annotations

import importlib.util
import locale
from typing import NamedTuple

from .formats import COMPILED, FORMATS, NATIVE, Format
from .inputs import INPUTS, Input

__all__ = ["CELLS", "Cell", "missing", "table"]

NOTE = """\
Every kind of model beside every kind of input, as `tests/matrix` packages, proves, serves and asks it. `compiled`: it
runs as an ONNX graph in the worker. `native`: it runs as it is, in a process of its own. A number: why there is none.
"""


class Cell(NamedTuple):
    """One format with one kind of input."""

    format: Format
    input: Input

    @property
    def name(self) -> str:
        """What tests call it."""
        return f"{self.format.name}, {self.input.name}"

    @property
    def way(self) -> str:
        """`compiled`, `native`, or why the format takes no such input."""
        return self.format.takes[self.input.name]

    @property
    def runs(self) -> bool:
        """Whether such models are packaged at all."""
        return self.way in (COMPILED, NATIVE)


CELLS = [Cell(form, kind) for form in FORMATS for kind in INPUTS]


def missing(cell: Cell) -> str:
    """Return what keeps a cell from running on this machine; empty: nothing."""
    for module in (*cell.format.needs, *cell.input.needs):
        if not _is_there(module):
            return f"{module} is not {'in this version' if module.startswith('plusone.') else 'installed'}"
    if cell.way == COMPILED and cell.input.name == "text" and not _writes_text() and not _has_locale():
        return "skl2onnx's graphs for text need the locale en_US.UTF-8, which this machine has not"
    return ""


def _writes_text() -> bool:
    """Whether this version writes the graphs of vectorisers itself."""
    from plusone.estimators import transformers

    return any("TfidfVectorizer" in name for name in transformers._handlers())


def _has_locale() -> bool:
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "en_US.UTF-8")
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_ALL, before)
    return True


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def table() -> str:
    """Return the matrix as the documentation has it: formats of this version, whatever is installed here."""
    forms = [form for form in FORMATS if all(map(_in_this_version, form.needs))]
    kinds = [
        kind
        for kind in INPUTS
        if all(map(_in_this_version, kind.needs)) and any(Cell(form, kind).runs for form in forms)
    ]
    reasons: list[str] = []
    lines = [
        NOTE,
        f"| model | answers | {' | '.join(kind.name for kind in kinds)} |",
        "|---|---" + "|---" * len(kinds) + "|",
    ]
    for form in forms:
        cells: list[str] = []
        for kind in kinds:
            way = form.takes[kind.name]
            if way not in (COMPILED, NATIVE):
                if way not in reasons:
                    reasons.append(way)
                way = str(reasons.index(way) + 1)
            cells.append(way)
        lines.append(f"| {form.name} | {form.answers} | {' | '.join(cells)} |")
    lines += ["", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))]
    lines += [
        "\n| input | what a request carries |",
        "|---|---|",
        *(f"| {one.name} | {one.example} |" for one in kinds),
    ]
    return "\n".join(lines) + "\n"


def _in_this_version(module: str) -> bool:
    return not module.startswith("plusone.") or _is_there(module)
