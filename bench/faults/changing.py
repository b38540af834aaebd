"""What a fault is: a change of the project's source (or of its settings, or a file beside it) for release n+1."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

__all__ = [
    "FEATURES",
    "Edit",
    "Fault",
    "Size",
    "after_joining",
    "after_reading",
    "apply",
    "flights",
    "learning",
    "pair",
    "replaced",
    "reports",
    "splitting",
    "trees",
    "write",
]

Size = Literal["large", "small"]


class Edit(NamedTuple):
    """A text of the source that is there exactly once, and what stands there instead."""

    old: str
    new: str


class Fault(NamedTuple):
    """One kind of fault at one size.

    `what` says what was done, and whom it hurts; a careful person would want both sizes caught before the gate.
    """

    kind: str
    size: Size
    what: str
    edits: tuple[Edit, ...] = ()
    settings: Mapping[str, Any] = MappingProxyType({})
    files: Mapping[str, str] = MappingProxyType({})

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.size}"


def apply(source: str, fault: Fault) -> str:
    """Return the pipeline with the fault in it.

    Raises:
        ValueError: when a text that the fault replaces is not there exactly once: the project has changed.
    """
    for edit in fault.edits:
        if (found := source.count(edit.old)) != 1:
            raise ValueError(f"{fault.name}: {edit.old!r} is {found} times in the pipeline, expected once")
        source = source.replace(edit.old, edit.new)
    return source


def write(project: Path, fault: Fault) -> None:
    """Put the fault into a copy of the project."""
    pipeline = project / "pipeline.py"
    pipeline.write_text(apply(pipeline.read_text("utf-8"), fault), "utf-8")
    for name, text in fault.files.items():
        (project / name).write_text(text, "utf-8")


def pair(kind: str, large: tuple[str, Any], small: tuple[str, Any]) -> tuple[Fault, Fault]:
    """Return a kind at its two sizes; each is what it does and the change: edits, settings or files."""
    return _fault(kind, "large", *large), _fault(kind, "small", *small)


def _fault(kind: str, size: Size, what: str, change: Any) -> Fault:
    if isinstance(change, Edit):
        change = (change,)
    return Fault(kind, size, what, **change) if isinstance(change, dict) else Fault(kind, size, what, tuple(change))


# Where a change goes in. Each hook hands the code that it is given `data` (or what it says), to be changed in place.

_READ = '    data = table("flights.csv.zip")\n'
_FLIGHTS = '    return data[["date", "departure_hour", *PLANE, *SCHEDULE, "late"]].reset_index(drop=True)\n'
_REPORTS = '    return data[["origin", "report_hour", *WEATHER]]\n'
_JOIN = '    return flights.merge(last_report, on=["origin", "departure_hour"], how="left", validate="many_to_one")\n'
_SPLIT = "    return flights_in_weather[~held_out], flights_in_weather[held_out]\n"
_LEARN = "    features = train_set[FEATURES]\n"
_FIT = 'fit(features, train_set["late"])'
_TREES = "HistGradientBoostingClassifier(max_iter=max_iter, learning_rate=learning_rate, random_state=0)"
FEATURES = "FEATURES = [*PLANE, *SCHEDULE, *WEATHER]\n"


def _code(code: str) -> str:
    return textwrap.indent(textwrap.dedent(code).strip(), "    ") + "\n"


def after_reading(code: str) -> Edit:
    """Change `data`, the file as it was read: all of the year, with what is known only after departure."""
    return Edit(_READ, _READ + _code(code))


def flights(code: str, *, also: str = "") -> Edit:
    """Change `data` before the step `flights` returns it; `new` marks the rows of the newest month.

    `also`: more columns that the step returns, as they stand in a list: `"dep_delay"`.
    """
    begin = 'new = data["date"].dt.strftime("%Y-%m") == until\n'
    kept = _FLIGHTS.replace('"late"]]', f'"late", {also}]]') if also else _FLIGHTS
    return Edit(_FLIGHTS, _code("data = data.reset_index(drop=True)\n" + begin + textwrap.dedent(code)) + kept)


def reports(code: str) -> Edit:
    """Change `data`, the reports of the weather of the whole year, before the step `weather` returns them."""
    return Edit(_REPORTS, _code("data = data.reset_index(drop=True)\n" + textwrap.dedent(code)) + _REPORTS)


def after_joining(code: str) -> Edit:
    """Change `data`, the flights with their weather, before the step returns it; `new` marks the newest month."""
    begin = 'month = data["date"].dt.strftime("%Y-%m")\nnew = month == month.max()\n'
    return Edit(_JOIN, _JOIN.replace("return", "data =") + _code(begin + textwrap.dedent(code) + "\nreturn data"))


def splitting(code: str) -> Edit:
    """Change `train_set` and `holdout` before the step `split` returns them."""
    begin = "train_set, holdout = flights_in_weather[~held_out].copy(), flights_in_weather[held_out].copy()\n"
    return Edit(_SPLIT, _code(begin + textwrap.dedent(code) + "\nreturn train_set, holdout"))


def learning(code: str) -> tuple[Edit, Edit]:
    """Change `features` and `late` in the function that trains: what the model learns from, and no request is."""
    begin = 'features, late = train_set[FEATURES].copy(), train_set["late"].copy()\n'
    return Edit(_LEARN, _code(begin + textwrap.dedent(code))), Edit(_FIT, "fit(features, late)")


def trees(expression: str) -> Edit:
    """Train this estimator in place of the boosted trees."""
    return Edit(_TREES, expression)


def replaced(old: str, new: str) -> Edit:
    """Replace a text of the pipeline."""
    return Edit(old, new)
