"""`plusone runs experiments`: the names under which runs are compared."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..base import clock
from ..terminal.output import json_option, print_json, print_table

__all__ = ["experiments"]


@click.command(epilog='\b\nExamples:\n  plusone runs experiments\n  plusone runs --experiment "trees"')
@json_option
@click.pass_obj
def experiments(project: Path | None, as_json: bool) -> None:
    """List the experiments, the oldest first."""
    with App(project, create=False) as app:
        found = app.list_experiments()
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.status, clock.age_text(one.updated_at) if one.id != "0" else "-", one.id) for one in found]
    print_table(("experiment", "status", "changed", "id"), rows)
