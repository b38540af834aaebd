"""Errors say the command or the line that mends them, wherever a person reads them first."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from plusone.base import errors

SRC = Path(errors.__file__).resolve().parent.parent
ROOMS = (
    *("app", "cli", "housekeeping", "quality"),
    *("check", "checks", "behaving", "expectations", "measuring", "perturbing", "statistics"),
)
"""The rooms whose every error has a mend: what people and their tests call, and what checks are made of."""
NAMES = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, BaseException)}


def without_mend(source: str) -> list[str]:
    """The errors of plusone's tree that are made without a mend, or with an empty one: the line and the name."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        # `pytest.UsageError` and `click.UsageError` are other people's.
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        said = next((one.value for one in node.keywords if one.arg in ("mend", None)), None)
        if name in NAMES and (said is None or (isinstance(said, ast.Constant) and not said.value)):
            found.append(f"{node.lineno} {name}")
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_every_error_of_what_people_call_says_what_mends_it(room: str):
    files = [file for file in sorted((SRC / room).rglob("*.py")) if "template" not in file.parts]
    assert files
    bare = {file.name: found for file in files if (found := without_mend(file.read_text("utf-8")))}
    assert not bare, f"give each mend=..., a command or the line to write: {bare}"


def test_the_search_finds_an_error_without_one():
    assert without_mend("raise UsageError('x')\nraise NotFound('x', mend='')\nraise NotFound('x', mend='do')") == [
        "1 UsageError",
        "2 NotFound",
    ]
    assert without_mend("raise pytest.UsageError('x')\nraise ValueError('x')\nraise Conflict('x', **more)") == []


def test_an_error_reads_as_a_sentence_and_what_mends_it():
    error = errors.NotFound("There is no release 9.", mend="plusone status", release=9)
    assert str(error) == "There is no release 9.\n  to mend it: plusone status"
    assert error.as_dict() == {
        "error": {
            "code": "not_found",
            "message": "There is no release 9.",
            "mend": "plusone status",
            "details": {"release": 9},
        }
    }
