"""`plusone runs files` and `plusone runs get`: what a run keeps under paths."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..app.app import App
from ..base import clock
from ..terminal.output import json_option, print_json, print_table, size_text

__all__ = ["files", "get"]


@click.command(epilog="\b\nExamples:\n  plusone runs files 01m84\n  plusone runs files 01m84 figures")
@click.argument("run_id")
@click.argument("prefix", default="")
@json_option
@click.pass_obj
def files(project: Path | None, run_id: str, prefix: str, as_json: bool) -> None:
    """List the files of a run: all, or those in the folder PREFIX."""
    with App(project, create=False) as app:
        found = app.list_artifacts(run_id=run_id, prefix=prefix)
    if as_json:
        print_json(found)
        return
    rows = [(a.path, a.kind, size_text(a.size_bytes), clock.age_text(a.created_at), a.blob[:12]) for a in found]
    print_table(("path", "kind", "size", "stored", "digest"), rows)


@click.command(
    epilog="\b\nExamples:\n  plusone runs get 01m84 figures/roc.png\n  plusone runs get 01m84 notes.txt --to -"
)
@click.argument("run_id")
@click.argument("path")
@click.option(
    "--to", metavar="FILE", default="", help="Where to write it; - is standard output.  [default: the file's own name]"
)
@json_option
@click.pass_obj
def get(project: Path | None, run_id: str, path: str, to: str, as_json: bool) -> None:
    """Write a file of a run to FILE. Its bytes are checked against their digest."""
    with App(project, create=False) as app:
        if to == "-" and not as_json:
            sys.stdout.buffer.write(app.read_artifact(run_id=run_id, path=path))
            sys.stdout.buffer.flush()
            return
        found = app.save_artifact(run_id=run_id, path=path, to=Path(to or path.rpartition("/")[2]))
    if as_json:
        print_json(found)
        return
    click.echo(f"{to or path.rpartition('/')[2]}  {size_text(found.size_bytes)}")
