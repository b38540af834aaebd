"""`plusone`: finds the command that was asked for, imports only that, and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..base.errors import PlusoneError

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module:function, one line for --help); in the order of a release's life
    "new": ("new:new", "Make a project folder."),
    "release": ("release:release", "Make release n+1: data, tests, train, package, tests, live."),
    "up": ("up:up", "Serve what is live, and publish what goes live."),
    "status": ("show:status", "Show the models, their releases, and what is served."),
    "checks": ("show:checks", "Show the checks of a release and what they measured."),
    "diff": ("show:diff", "Show what differs between two releases."),
    "promote": ("move:promote", "Give a release all of its model's traffic."),
    "rollback": ("move:rollback", "Give the traffic back to the previous release, at once."),
    "reject": ("move:reject", "Record that a release is not to go live."),
    "decisions": ("show:decisions", "Show who or what moved which release, when and why."),
    "runs": ("runs:runs", "List runs; show one; print its log."),
    "completion": ("completion:completion", "Print the shell completion for bash, zsh or fish."),
}


class _Commands(click.Group):
    """Commands by name, imported when they are used; `--help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = COMMANDS.get(cmd_name)
        if found is None:
            return None
        module, _, function = found[0].partition(":")
        return getattr(importlib.import_module(f"plusone.cli.{module}"), function)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


_EPILOG = """\b
Examples:
  plusone new flights && cd flights
  plusone release
  plusone up
  plusone rollback

Exit codes: 0 done, 1 the gate said no, 2 the caller's mistake, 3 ours.
"""


@click.group(
    cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The project's folder.  [default: the working folder, or the nearest one above it]",
)
@click.version_option(__version__, prog_name="plusone")
@click.pass_context
def cli(context: click.Context, project: Path | None) -> None:
    """Takes a model out of research into production, and does it again: n+1."""
    context.obj = project


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code: Any = cli.main(words, prog_name="plusone", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        code = 130
    except PlusoneError as error:
        code = _fail(error, as_json="--json" in words)
    except BrokenPipeError:
        # The reader, such as `head`, has gone: nobody is there to be told.
        sys.stderr.close()
        code = 141
    sys.exit(code if isinstance(code, int) else 0)


def _fail(error: PlusoneError, *, as_json: bool) -> int:
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(error.as_dict()), indent=2))
    click.echo(click.style("error: ", fg="red", bold=True) + error.message, err=True)
    if error.mend:
        click.echo(click.style("to mend it: ", bold=True) + error.mend, err=True)
    return error.exit_code
