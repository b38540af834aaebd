"""`plusone report`: a release as one HTML file that needs nothing beside it."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ..app.app import App
from ..completing import complete_release
from ..terminal.output import json_option, print_json, size_text
from .files import write_whole

__all__ = ["report"]


@click.command(
    epilog="\b\nExamples:\n  plusone report flight-delays@3\n  plusone report @live --out site/index.html\n"
    "  plusone report flight-delays@3 --open\n  plusone report @live --out -  > live.html\n\n"
    "Exit codes: 0 it is written, whatever it says, 2 the caller's mistake, 3 ours."
)
@click.argument("target", metavar="MODEL@N", shell_complete=complete_release)
@click.option(
    "--out", metavar="FILE", help="Where to write it; - is the output.  [default: MODEL-N.html in the working folder]"
)
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
@json_option
@click.pass_obj
def report(project: Path | None, target: str, out: str | None, show: bool, as_json: bool) -> None:
    """Write the report of a release: one HTML file.

    What changed since the release before, the data, every check with its values and plots, the package, decisions. It
    opens from disk, runs no script and loads nothing. The same records give the same file, so it is made when it is
    asked for.
    """
    with App(project, create=False) as app:
        found = app.get_report(target=target)
    if out == "-" and not as_json:
        click.echo(found.html, nl=False)
        return
    path = Path(out) if out and out != "-" else Path(f"{_plain(found.model)}-{found.release}.html")
    if out or not as_json:
        write_whole(path, found.html)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{path}  {size_text(len(found.html.encode()))}: {found.model}@{found.release}")
    if show:
        click.launch(path.resolve().as_uri())


def _plain(name: str) -> str:
    """Return a model's name as that of a file."""
    return re.sub(r"[^\w.-]+", "_", name).strip(".")[:100] or "model"
