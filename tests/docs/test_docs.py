"""The documents are true: every example runs or says why not, every link leads somewhere, the reference is the code's.

An example is a fence of `python` or `console`. `<!-- run -->` on the line before it runs it; the examples of one page
run in turn, in one folder that is empty at first. `<!-- not run: the reason -->` leaves one out. In a `console` fence a
line that begins with `$ ` is run, and what follows up to the next one is what it prints, with `...` for anything.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from docs import generate

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"
EXAMPLE_S = 280
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```\s*$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"<!-- run -->\s*$")
NOT_RUN = re.compile(r"<!-- not run: \w[^>]+ -->\s*$")


class Example(NamedTuple):
    """One fence that can be run."""

    line: int
    kind: str
    text: str
    run: bool
    marked: bool


def pages() -> list[Path]:
    """Every page that people read, without those that `make docs` writes."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in found if page.parent.name != "reference")


def examples(page: Path) -> Iterator[Example]:
    text = page.read_text("utf-8")
    for found in FENCE.finditer(text):
        if found[2] in {"python", "console"}:
            before = text[: found.start()]
            run = RUN.search(before) is not None
            marked = run or NOT_RUN.search(before) is not None
            yield Example(before.count("\n") + 1, found[2], found[3], run, marked)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_every_example_runs_or_says_why_not():
    found = [f"{name(page)}:{example.line}" for page in pages() for example in examples(page) if not example.marked]
    assert not found, f"put <!-- run --> or <!-- not run: the reason --> above {found}"


def environment() -> dict[str, str]:
    """That of a person who has plusone installed, and not what tests it: its command on the path, and no colours."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("PLUSONE_", "PYTEST_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{mine.get('PATH', '')}"
    # The plugin of hypothesis imports all of it, whether a test uses it or not.
    return {**mine, "PATH": path, "NO_COLOR": "1", "COLUMNS": "100", "PYTEST_ADDOPTS": "-p no:hypothesispytest"}


def console(text: str, folder: Path) -> Path:
    """Run the commands of a `console` fence; return the folder that they end in."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        place = folder / ".where"
        script = f'{command}\npwd > "{place}"'
        out = subprocess.run(
            ["bash", "-ec", script],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=EXAMPLE_S,
        )
        assert out.returncode == 0, f"$ {command}\n{out.stdout}"
        pattern = ".*".join(re.escape(piece.strip()) for piece in expected.strip().split("..."))
        assert re.fullmatch(pattern, out.stdout.strip(), re.DOTALL), f"$ {command}\nprinted:\n{out.stdout}"
        after = Path(place.read_text("utf-8").strip())
        place.unlink()
        folder = after
    return folder


LONG = ("model-tests.md", "tensors.md", "track.md")
"""Pages whose Python takes seconds: models are packaged, or processes killed."""


def by_page() -> Iterator[Any]:
    """Every page; those with commands to run take seconds, and so do some others."""
    for page in pages():
        commands = any(example.run and example.kind == "console" for example in examples(page))
        slow = commands or page.name in LONG
        yield pytest.param(page, id=name(page), marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("page", list(by_page()))
def test_examples_run(page: Path, tmp_path: Path):
    folder = tmp_path
    for example in examples(page):
        if not example.run:
            continue
        if example.kind == "console":
            folder = console(example.text, folder)
            continue
        out = subprocess.run(
            [sys.executable, "-c", example.text],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=EXAMPLE_S,
        )
        assert out.returncode == 0, f"{name(page)}:{example.line}\n{out.stderr}"


def test_a_console_example_that_prints_something_else_fails(tmp_path: Path):
    assert console("$ echo one two three\none ... three\n$ mkdir x && cd x\n$ pwd\n.../x\n", tmp_path) == tmp_path / "x"
    with pytest.raises(AssertionError, match=r"printed:\s+one"):
        console("$ echo one\ntwo\n", tmp_path)


def test_examples_that_are_not_run_are_python_all_the_same():
    for page in pages():
        for example in examples(page):
            if example.kind == "python":
                ast.parse(example.text, f"{name(page)}:{example.line}")


def test_links_lead_somewhere():
    lost = [
        f"{name(page)}: {target}"
        for page in [*pages(), *(ROOT / "docs" / "reference").glob("*.md")]
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", FENCE.sub("", page.read_text("utf-8")))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not lost, f"links to nothing: {lost}"


def test_the_reference_is_what_the_code_says():
    assert generate.stale() == [], "make docs"


def test_decisions_have_their_parts():
    numbers: set[str] = set()
    for page in sorted(DECISIONS.glob("*.md")):
        found = re.fullmatch(r"(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.md", page.name)
        assert found, f"{page.name}: expected NNNN-words-of-the-title.md"
        assert found[1] not in numbers, f"two decisions have the number {found[1]}"
        numbers.add(found[1])
        text = page.read_text("utf-8")
        parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert parts == ["Problem", "Evidence", "Choice", "Refused", "Guard"], f"{page.name}: {parts}"
        assert found[1] == "0000" or text.startswith(f"# {found[1]}: "), f"{page.name}: its title has another number"
