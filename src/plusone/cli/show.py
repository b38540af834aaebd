"""`plusone status`, `show` and `decisions`: the commands that look."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..completing import complete_model
from ..terminal.output import json_option, print_json
from ..terminal.releases import print_decisions, print_release, print_status
from .watch import watch

__all__ = ["decisions", "show", "status"]


@click.command(
    epilog="\b\nExamples:\n  plusone status\n  plusone status flight-delays --json\n  plusone status --watch\n"
    "  plusone status --watch --json --every 5 >> status.jsonl"
)
@click.argument("model", required=False, shell_complete=complete_model)
@click.option("--watch", "-w", "watching", is_flag=True, help="Show what goes on, until ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, metavar="SECONDS",
    help="With --watch: how often to look.",
)  # fmt: skip
@json_option
@click.pass_obj
def status(project: Path | None, model: str | None, watching: bool, every: float, as_json: bool) -> None:
    """Show the models, their releases, and what is served.

    With --watch: shares, rollouts, requests a second, errors and latencies, anew every second; in a pipe one line for
    each change, with --json one object a line. Requests are those of this machine, over the last 10 s. It goes on while
    the store or the servers are gone.
    """
    if watching:
        watch(project, model, every_s=every, as_json=as_json)
        return
    with App(project) as app:
        found = app.status(model=model)
    if as_json:
        print_json(found)
        return
    print_status(found)


@click.command(epilog="\b\nExamples:\n  plusone show flight-delays@3\n  plusone show @live --json")
@click.argument("target", metavar="MODEL@N")
@json_option
@click.pass_obj
def show(project: Path | None, target: str, as_json: bool) -> None:
    """Show a release: where it came from, how it was proven, what it takes and what moved it."""
    with App(project, create=False) as app:
        found = app.get_release(target=target)
    if as_json:
        print_json(found)
        return
    print_release(found)


@click.command(epilog="\b\nExample:\n  plusone decisions flight-delays")
@click.argument("model", required=False)
@json_option
@click.pass_obj
def decisions(project: Path | None, model: str | None, as_json: bool) -> None:
    """Show who or what moved which release, when and why."""
    with App(project, create=False) as app:
        found = app.list_decisions(model=model)
    if as_json:
        print_json(found)
        return
    print_decisions(found)
