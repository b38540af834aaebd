"""`plusone route`: where a model's requests go."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..completing import complete_model
from ..terminal.output import json_option, print_json
from ..terminal.routes import print_route, print_routes

__all__ = ["route"]


@click.command(
    epilog="\b\nExamples:\n  plusone route\n  plusone route flight-delays\n  plusone route flight-delays --history\n"
    "  plusone route flight-delays --json"
)
@click.argument("model", required=False, shell_complete=complete_model)
@click.option("--history", is_flag=True, help="Show every version of the route, the newest first.")
@json_option
@click.pass_obj
def route(project: Path | None, model: str | None, history: bool, as_json: bool) -> None:
    """Show where a model's requests go: which release takes which share, why, and which workers serve it so.

    MODEL may be left out when the project has one.
    """
    with App(project, create=False) as app:
        if history:
            versions = app.list_routes(model=model)
            if as_json:
                print_json(versions)
            else:
                print_routes(versions, app.list_decisions(model=versions[0].model if versions else model))
            return
        found = app.get_route(model=model)
    if as_json:
        print_json(found)
        return
    print_route(found)
