"""`plusone test`: runs the tests of a release again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..app.app import App
from ..app.testing import Tested
from ..completing import complete_release
from ..terminal.checks import print_session
from ..terminal.making import Progress
from ..terminal.output import json_option, print_json

__all__ = ["test"]

_PYTEST = "plusone.pytest"
_EPILOG = """\b
Examples:
  plusone test                            (the newest release)
  plusone test flight-delays@2
  plusone test @live --junit report.xml
  plusone test @previous --no-record      (look, and leave its gate as it is)
  plusone test flight-delays@2 --now      (with the test files of the working folder)
  plusone test flight-delays@2 -- -k late --pdb

Exit codes: 0 the gate would be open, 1 it would not, 2 the caller's mistake, 3 ours.
"""


class _Command(click.Command):
    """A command that hands what follows `--` on."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            place = args.index("--")
            ctx.meta[_PYTEST] = tuple(args[place + 1 :])
            args = args[:place]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- PYTEST ARGS]"]


@click.command(cls=_Command, epilog=_EPILOG)
@click.argument("target", metavar="[MODEL@N]", required=False, shell_complete=complete_release)
@click.option("--now", is_flag=True, help="Take tests and code of the working folder, not those of the release.")
@click.option("--no-record", is_flag=True, help="Only look: add no session, so that the gate stays as it is.")
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write what came of the tests as JUnit XML: pytest's own, a suite for each of its two sessions.",
)
@click.option("--quiet", "-q", is_flag=True, help="Do not show what the tests print.")
@json_option
@click.pass_context
def test(
    context: click.Context,
    target: str | None,
    now: bool,
    no_record: bool,
    junit: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run the tests of a release again: its own test files, on the data of its run and on its package.

    `live` is today's live release. The session is recorded and the gate reads it from then on: a release whose tests
    fail now can't be given traffic any more, and keeps what it has. With --now, or with options for pytest behind --,
    nothing is recorded. With such options pytest has the terminal, so that a debugger works.
    """
    options = context.meta.get(_PYTEST, ())
    with App(context.obj, create=False) as app:
        stream = sys.stderr if as_json else sys.stdout
        terminal = bool(options) and sys.stdin.isatty() and not as_json
        with Progress(quiet=quiet or as_json, stream=stream, alone=not terminal) as progress:
            found = app.test_release(
                target=target,
                now=now,
                record=not no_record,
                options=options,
                terminal=terminal,
                junit=junit.absolute() if junit else None,
                on_event=progress.on_event,
            )
    if as_json:
        print_json(found)
    else:
        _print(found, chosen=bool(options))
    return 1 if found.problems else 0


def _print(found: Tested, *, chosen: bool) -> None:
    name = f"{found.model}@{found.release}"
    click.echo()
    # Some tests that a person chose say nothing of the gate.
    print_session(found.session, whole=not chosen)
    click.echo()
    if not found.recorded:
        click.echo(f"{name}: {'not in order' if found.problems else 'in order'}. Nothing was recorded.")
        return
    if not found.problems:
        click.echo(f"{name}: its tests pass. Recorded: plusone checks {name}")
        return
    click.secho(f"{name}: its gate is closed from now on.", fg="red", bold=True)
    if found.stage == "live":
        click.echo("It is live and goes on; nothing is rolled back by itself. To go back: plusone rollback")
    if found.stage == "previous":
        click.echo(f"plusone rollback refuses it. Past that: plusone promote {name} --override --reason '...'")
    click.echo(f"Recorded: plusone checks {name}")
