"""`plusone promote`, `rollback` and `reject`: the commands that take a decision."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..app.views import Moved
from ..terminal.output import by_option, json_option, print_json
from ..terminal.releases import print_moved

__all__ = ["follow_option", "promote", "reject", "rollback", "show_moved"]

follow_option = click.option(
    "--wait", "wait_s", type=click.FloatRange(0), default=30.0, show_default=True, metavar="SECONDS",
    help="How long to wait for the servers to follow.",
)  # fmt: skip


@click.command(
    epilog="\b\nExamples:\n  plusone promote flight-delays@4\n"
    "  plusone promote @3 --override --reason 'audit passed by hand, see #12'"
)
@click.argument("target", metavar="MODEL@N")
@click.option("--override", is_flag=True, help="Go past a closed gate. Needs a reason; is recorded for ever.")
@click.option("--reason", default="", help="Why.")
@by_option
@follow_option
@json_option
@click.pass_obj
def promote(
    project: Path | None, target: str, override: bool, reason: str, by: str, wait_s: float, as_json: bool
) -> int:
    """Give a release all of its model's traffic. The one that has it stays warm, as the previous one."""
    with App(project, create=False) as app:
        moved = app.promote(target=target, by=by, reason=reason, override=override, wait_s=wait_s)
    return show_moved(moved, as_json)


@click.command(
    epilog="\b\nExamples:\n  plusone rollback\n  plusone rollback flight-delays --reason 'complaints'\n"
    "  plusone rollback flight-delays@2"
)
@click.argument("target", metavar="[MODEL[@N]]", required=False)
@click.option("--reason", default="", help="Why.")
@by_option
@follow_option
@json_option
@click.pass_obj
def rollback(project: Path | None, target: str | None, reason: str, by: str, wait_s: float, as_json: bool) -> int:
    """Give the traffic back to the previous release (or to release N that was live before), at once."""
    with App(project, create=False) as app:
        moved = app.roll_back(target=target, by=by, reason=reason, wait_s=wait_s)
    return show_moved(moved, as_json)


@click.command(epilog="\b\nExample:\n  plusone reject flight-delays@5 --reason 'trained on the wrong month'")
@click.argument("target", metavar="MODEL@N")
@click.option("--reason", required=True, help="Why.")
@by_option
@json_option
@click.pass_obj
def reject(project: Path | None, target: str, reason: str, by: str, as_json: bool) -> int:
    """Record that a release is not to go live."""
    with App(project, create=False) as app:
        moved = app.reject(target=target, reason=reason, by=by)
    return show_moved(moved, as_json)


def show_moved(moved: Moved, as_json: bool) -> int:
    """Print what a decision changed; return the exit code: 1 when it was taken back, 3 when servers do not follow."""
    if as_json:
        print_json(moved)
    else:
        print_moved(moved)
    state = moved.served.state if moved.served else "served"
    return {"served": 0, "not yet served": 0, "taken back": 1, "waiting": 3}[state]
