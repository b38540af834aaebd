"""`plusone keep`: what gc leaves alone."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..base import clock
from ..base.errors import UsageError
from ..terminal.output import by_option, json_option, print_json, print_table

__all__ = ["keep"]


@click.command(
    epilog="\b\nExamples:\n  plusone keep flight-delays@3 --reason 'the audit of 2026'\n  plusone keep\n"
    "  plusone keep --remove flight-delays@3"
)
@click.argument("thing", required=False)
@click.option("--reason", default="", help="Why.")
@click.option("--remove", is_flag=True, help="Keep it no longer; its bytes go with the next gc.")
@by_option
@json_option
@click.pass_obj
def keep(project: Path | None, thing: str | None, reason: str, remove: bool, by: str, as_json: bool) -> None:
    """Keep a run, release, dataset or file, and all that it needs, from gc. Without THING, list what is kept.

    THING is a run, a release, a dataset or a file, as `plusone lineage` takes it.
    """
    if remove and thing is None:
        raise UsageError("--remove needs the name of what is kept.", mend="plusone keep  (lists it)")
    with App(project, create=False) as app:
        if thing is not None and not remove:
            made = app.keep(thing=thing, reason=reason, by=by)
            if as_json:
                print_json(made)
            else:
                click.echo(f"kept: {made.thing}  ({made.reason})")
            return
        found = app.forget(thing=thing) if thing is not None else app.list_kept()
    if as_json:
        print_json(found)
        return
    print_table(("kept", "since", "by", "reason"), [(k.thing, clock.age_text(k.at), k.by, k.reason) for k in found])
