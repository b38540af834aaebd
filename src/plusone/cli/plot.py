"""`plusone runs plot`: a series as a picture, as a line of text, or as its points."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..base.files import write_atomic
from ..terminal.curves import draw, print_curves
from ..terminal.output import json_option, print_json

__all__ = ["plot"]


@click.command(
    epilog="\b\nExamples:\n  plusone runs plot 01m84 loss\n  plusone runs plot 01m84 loss val/loss --to loss.svg\n"
    "  plusone runs plot 01m84 loss --first-step 1000 --last-step 2000 --json"
)
@click.argument("run_id")
@click.argument("keys", nargs=-1, required=True)
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this SVG file.")
@click.option("--count", type=click.IntRange(2, 100_000), default=2000, show_default=True, help="At most, of each.")
@click.option("--first-step", type=int, help="Leave out what is before it.")
@click.option("--last-step", type=int, help="Leave out what is after it.")
@json_option
@click.pass_obj
def plot(
    project: Path | None,
    run_id: str,
    keys: tuple[str, ...],
    to: Path | None,
    count: int,
    first_step: int | None,
    last_step: int | None,
    as_json: bool,
) -> None:
    """Draw metrics of a run. Of a long series the smallest and largest of equal spans are shown: no spike is lost."""
    with App(project, create=False) as app:
        curves = [
            app.get_series(run_id=run_id, key=key, count=count, first_step=first_step, last_step=last_step)
            for key in keys
        ]
    if to is not None:
        write_atomic(to, draw(curves).encode())
    if as_json:
        print_json(curves)
        return
    print_curves(curves)
    if to is not None:
        click.echo(f"drawn: {to}")
