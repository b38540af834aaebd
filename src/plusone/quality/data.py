"""`plusone data profile` and `plusone data expect`: what a step's data holds, and what is expected of the next."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..base.errors import UsageError
from ..completing import complete_output
from ..terminal.output import json_option, print_json
from ..terminal.tables import print_profile
from .files import write_whole

__all__ = ["data"]


@click.group(epilog="\b\nExamples:\n  plusone data profile flights\n  plusone data expect flights")
def data() -> None:
    """Show what a step's data holds; write what is expected of it."""


@data.command(epilog="\b\nExamples:\n  plusone data profile flights\n  plusone data profile train_set --json")
@click.argument("step", metavar="STEP", shell_complete=complete_output)
@json_option
@click.pass_obj
def profile(project: Path | None, step: str, as_json: bool) -> None:
    """Show what a step output of the last run holds, column by column.

    How much is missing, how many different values there are, how they are spread, rows that are there twice, and the
    longest gap in time.
    """
    with App(project, create=False) as app:
        found = app.get_profile(step=step)
    if as_json:
        print_json(found)
        return
    print_profile(step, found)


@data.command(
    epilog="\b\nExamples:\n  plusone data expect flights\n  plusone data expect flights --out tests/test_arrivals.py\n"
    "  plusone data expect flights --out -"
)
@click.argument("step", metavar="STEP", shell_complete=complete_output)
@click.option(
    "--out", metavar="FILE", help="Where to write it; - is the output.  [default: test_STEP.py in the project's tests]"
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@json_option
@click.pass_obj
def expect(project: Path | None, step: str, out: str | None, force: bool, as_json: bool) -> None:
    """Write what is expected of a step's data as a test file: to be read, edited and kept.

    It is inferred from the step output of the last run, on which it passes: columns and their kinds, rows, what may be
    missing, ranges, categories, a key, gaps in time.
    """
    with App(project, create=False) as app:
        found = app.infer_tests(step=step)
        path = Path(out) if out else app.project.tests / f"test_{step}.py"
    if out == "-":
        click.echo(found.text, nl=False)
        return
    if path.exists() and not force:
        raise UsageError(f"{path} is there already, and somebody may have edited it.", mend="--force, or --out FILE")
    write_whole(path, found.text)
    count = found.text.count("\ndef test_")
    if as_json:
        print_json({"path": str(path), "step": step, "rows": found.rows, "tests": count})
        return
    click.echo(f"{path}  {count} tests of {step}, inferred from {found.rows:,} rows: read them, they are yours to edit")
