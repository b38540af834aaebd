"""`plusone replay`: asks a release the requests that the live one was asked."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..completing import complete_release
from ..monitoring.replayed import Replayed
from ..release.replays import ReplayReport
from ..terminal.output import json_option, print_json, print_table, print_wrapped, stage_style

__all__ = ["replay"]

_SHOWN = 15
_EPILOG = """\b
Examples:
  plusone replay flight-delays@4
  plusone replay flight-delays@4 --requests 1000
  plusone replay flight-delays@4 --against flight-delays@2 --json

Exit codes: 0 within the bounds, 1 beyond one of them, 2 the caller's mistake, 3 ours.
"""


@click.command(epilog=_EPILOG)
@click.argument("target", metavar="MODEL@N", shell_complete=complete_release)
@click.option(
    "--against", metavar="MODEL@M", default="", shell_complete=complete_release, help="Beside which.  [default: live]"
)
@click.option(
    "--requests", type=int, metavar="N", help="How many of the newest requests.  [default: replay_requests, 10000]"
)
@json_option
@click.pass_obj
def replay(project: Path | None, target: str, against: str, requests: int | None, as_json: bool) -> int:
    """Ask a release the newest requests that were logged, beside the live release, and show who gets another answer.

    What it refuses, how many answers change and where, how long it takes, and where labels have arrived who was right.
    Nothing is recorded. The bounds are those of [tool.plusone.checks].
    """
    with App(project, create=False) as app:
        found = app.replay(target=target, against=against, requests=requests)
    if as_json:
        print_json(found)
    else:
        _print(found)
    return 1 if any(one.outcome == "failed" for one in found.verdicts) else 0


def _print(found: ReplayReport) -> None:
    asked = found.replayed
    by = ", ".join(f"{count:,} of @{number}" for number, count in asked.releases.items())
    click.secho(f"{asked.candidate} beside {asked.live}: {asked.requests:,} requests ({by})", bold=True)
    click.echo(f"{asked.first_at[:19]}Z to {asked.last_at[:19]}Z")
    for one in found.verdicts:
        click.echo(f"\n{stage_style(one.outcome)}  {one.part}")
        print_wrapped(f"  {one.message}", indent=2)
        for text in one.warnings:
            if text != one.message:
                print_wrapped(f"  warning: {text}", indent=2)
    _print_refused(asked)
    _print_slices(asked)


def _print_refused(found: Replayed) -> None:
    rows = [
        (f"{one.requests:,}", one.field or "-", one.reason, one.example)
        for one in (*found.refused, *found.refused_by_both)[:_SHOWN]
    ]
    if rows:
        click.echo()
        print_table(("refused", "field", "expected", "for example"), rows)


def _print_slices(found: Replayed) -> None:
    if found.changed is None:
        return
    rows = [
        (one.field, one.values, f"{one.rows:,}", f"{one.share:.1%}", f"{one.low:.1%} to {one.high:.1%}",
         "more than all" if one.more else "")
        for one in found.changed.slices[:_SHOWN]
        if one.share
    ]  # fmt: skip
    if rows:
        click.echo()
        print_table(("field", "values", "rows", "changed", "interval", ""), rows)
