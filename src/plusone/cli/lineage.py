"""`plusone lineage`: what made a thing, and what it made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..app.app import App
from ..base.ids import digest_file
from ..lineage.nodes import Branch, Lineage, Thing
from ..terminal.output import json_option, print_json

__all__ = ["lineage"]


@click.command(
    epilog="\b\nExamples:\n  plusone lineage flight-delays@live\n  plusone lineage train_set\n"
    "  plusone lineage data/flights.csv\n  plusone lineage 01m84:figures/roc.png --depth 3"
)
@click.argument("thing")
@click.option(
    "--depth", type=click.IntRange(1, 50), default=10, show_default=True, help="How many links from it the trees go."
)
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="How many branches of one sort to show.",
)
@json_option
@click.pass_obj
def lineage(project: Path | None, thing: str, depth: int, count: int, as_json: bool) -> None:
    """Show what made a thing, THING, and what was made of it.

    THING is a file, a digest or a run's id (its beginning is enough), RUN:PATH, MODEL@n, or the name of a step or of
    what it makes.
    """
    file = Path(thing)
    is_file = file.is_file()
    with App(project, create=False) as app:
        found = app.lineage(thing=digest_file(file) if is_file else thing, depth=depth, count=count)
    if as_json:
        print_json(found)
        return
    _print(found, thing if is_file else "")


def _print(found: Lineage, file: str) -> None:
    click.echo(_line(found.thing) + (f"  ({file})" if file else ""))
    for title, branches, more in (
        ("made by", found.made_by, found.more_made_by),
        ("made, or was used for", found.made, found.more_made),
    ):
        click.secho(f"\n{title}", bold=True)
        if not branches:
            click.echo("  nothing that this store knows of")
        _print_branches(branches, more, "  ")


def _print_branches(branches: Sequence[Branch], more: int, indent: str) -> None:
    for branch in branches:
        seen = click.style("  (shown elsewhere)", dim=True) if branch.seen else ""
        click.echo(f"{indent}{click.style(branch.relation, dim=True)} {_line(branch.thing)}{seen}")
        _print_branches(branch.branches, branch.more, indent + "  ")
    if more > 0:
        click.secho(f"{indent}and {more:,} more (--count)", dim=True)
    elif more < 0 and not branches:
        click.secho(f"{indent}... (--depth)", dim=True)


def _line(thing: Thing) -> str:
    short = thing.id[:12] if thing.kind in ("file", "dataset", "package") else thing.id
    name = thing.title if thing.kind == "step" else f"{thing.title} {short}".strip()
    return f"{thing.kind} {click.style(name, bold=True)}" + (f"  {thing.detail}" if thing.detail else "")
