"""`plusone new`: writes a project that can be released at once."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import click

from ..base.errors import Conflict, UsageError

__all__ = ["new"]

_TEMPLATE = Path(__file__).parent / "template"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")


@click.command(epilog="\b\nExamples:\n  plusone new flights\n  cd flights && plusone release && plusone up")
@click.argument("name")
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), help="The folder to make it in.  [default: here]"
)
def new(name: str, into: Path | None) -> None:
    """Make a project folder: pipeline.py, tests/, pyproject.toml, .gitignore.

    It is small and real: `plusone release` in it passes at once. Change it into yours.
    """
    if not _NAME.match(name):
        raise UsageError(
            f"{name!r} can't name a project: expected 1 to 63 letters, digits, '-', '_' and '.', with a letter or "
            "a digit at both ends.",
            mend="plusone new flights",
        )
    folder = (into or Path.cwd()) / name
    if folder.exists() or folder.is_symlink():
        raise Conflict(f"{folder} exists already: a project is made in a new folder.", mend="choose another name")
    try:
        write_project(folder, name)
    except OSError as error:
        raise UsageError(f"{folder} can't be made: {error}.", mend="plusone new NAME --into FOLDER") from error
    click.echo(f"made {folder}")
    for line in ("plusone release     make release 1", "plusone up          serve it", "plusone status      see it"):
        click.echo(f"  {line}")
    click.echo(f"in it: cd {folder.name}")


def write_project(folder: Path, name: str) -> None:
    """Write the template to `folder`, which appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f".tmp-{folder.name}")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        for source in sorted(_TEMPLATE.rglob("*.txt")):
            place = scratch / source.relative_to(_TEMPLATE).with_suffix("")
            place = place.with_name(place.name.replace("dot-", "."))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(source.read_text("utf-8").replace("{name}", name), "utf-8")
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
