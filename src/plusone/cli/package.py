"""`plusone package`: what a release is made of, and whether it works elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..app.app import App
from ..app.packages import verify_package
from ..completing import complete_release
from ..terminal.output import json_option, print_json
from ..terminal.packages import print_package, print_verified

__all__ = ["package"]


@click.group(epilog="\b\nExamples:\n  plusone package show flight-delays@3\n  plusone package verify @live --each-line")
def package() -> None:
    """Show what a release is made of; try it in a clean environment."""


@package.command(epilog="\b\nExamples:\n  plusone package show flight-delays@3\n  plusone package show @live --json")
@click.argument("target", metavar="MODEL@N", shell_complete=complete_release)
@json_option
@click.pass_obj
def show(project: Path | None, target: str, as_json: bool) -> None:
    """Show the files of a release, its lock, what it takes and answers, and its proof."""
    with App(project, create=False) as app:
        found = app.get_package(target=target)
    if as_json:
        print_json(found)
        return
    print_package(found)


@package.command(
    epilog="\b\nExamples:\n  plusone package verify flight-delays@3\n"
    "  plusone package verify @live --each-line --json\n\n"
    "Exit codes: 0 it works there, 1 it does not, 2 the caller's mistake, 3 ours."
)
@click.argument("target", metavar="MODEL@N", shell_complete=complete_release)
@click.option(
    "--each-line",
    is_flag=True,
    help="Also try it without each line of the lock that it imports: each is missed by name.",
)
@json_option
@click.pass_obj
def verify(project: Path | None, target: str, each_line: bool, as_json: bool) -> int:
    """Load a release in a clean environment made from its lock alone, and ask it its recorded examples again.

    What this Python has in the very version is copied, pip installs the rest (--no-deps). Environments are kept and
    shared: plusone environments.
    """

    def log(text: str) -> None:
        click.secho(text, dim=True, err=True)

    with App(project, create=False) as app:
        found = verify_package(app.store, target, each_line=each_line, log=None if as_json else log)
    if as_json:
        print_json(found)
    else:
        sys.stderr.flush()
        print_verified(found)
    return 0 if found.ok else 1
