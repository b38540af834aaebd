"""Every statistic has its line in docs/tasks/statistics.md, and every line a function and a test that calls it."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from plusone.statistics import metrics

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/tasks/statistics.md").read_text("utf-8")
LINES = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE))
MODULES = [
    f"{room}.{file.stem}"
    for room in ("statistics", "evalues")
    for file in sorted((ROOT / "src/plusone" / room).glob("*.py"))
    if file.stem != "__init__"
]


def functions(name: str) -> list[str]:
    module = importlib.import_module(f"plusone.{name}")
    return [one for one in module.__all__ if inspect.isfunction(getattr(module, one))]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_has_its_line_and_its_test(module: str):
    room, _, name = module.partition(".")
    tests = (ROOT / "tests" / room / f"test_{name}.py").read_text("utf-8")
    for function in functions(module):
        assert function in LINES, f"docs/tasks/statistics.md has no line for {module}.{function}"
        assert re.search(rf"\b{function}\b", tests), f"tests/{room}/test_{name}.py does not call {function}"


def test_every_line_is_of_a_function_that_there_is():
    known = {function for module in MODULES for function in functions(module)}
    assert {name for name in LINES if name not in known} == set()


def test_every_metric_has_its_line():
    rows = re.findall(r"^\| ([a-z0-9_, ]+) \|", PAGE, re.MULTILINE)
    named = {one.strip() for row in rows for one in row.split(",")}
    assert set(metrics.METRICS) <= named


@pytest.mark.parametrize("module", MODULES)
def test_the_sources_on_the_page_are_those_of_the_module(module: str):
    text = (ROOT / "src/plusone" / f"{module.replace('.', '/')}.py").read_text("utf-8")
    for function in functions(module):
        source = LINES[function].split(" | ")[0]
        assert source, function
        missing = [year for year in re.findall(r"\b(?:1[89]|20)\d\d\b", source) if year not in text]
        assert not missing, f"{module}.{function}: the page says {source}, the module has no {', '.join(missing)}"


def test_the_files_that_the_page_names_are_there():
    for path in re.findall(r"`((?:tests|src|bench)/[\w/.]+)`", PAGE):
        assert (ROOT / path).exists(), path
