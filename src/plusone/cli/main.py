"""`plusone`: finds the command that was asked for, imports only that, and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..base.errors import PlusoneError, UsageError

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module:function, one line for --help); in the order of a release's life. A module with a dot is of another
    # room below this one.
    "new": ("new:new", "Make a project folder."),
    "release": ("release:release", "Make release n+1: data, tests, train, package, tests, live."),
    "up": ("up:up", "Serve what is live, and publish what goes live."),
    "status": ("show:status", "Show the models, their releases, and what is served."),
    "show": ("show:show", "Show a release: what it takes, its proof, what moved it."),
    "data": ("quality.data:data", "Show what a step's data holds; write what is expected of it."),
    "checks": ("quality.checks:checks", "Show the checks of a release and what they measured."),
    "test": ("quality.test:test", "Run the tests of a release again."),
    "replay": ("quality.replay:replay", "Ask a release the newest requests that were logged."),
    "diff": ("quality.checks:diff", "Show what differs between two releases."),
    "report": ("quality.report:report", "Write the report of a release: one HTML file."),
    "score": ("quality.score:score", "Show the ML Test Score; record a test done by hand."),
    "package": ("package:package", "Show what a release is made of; try it in a clean environment."),
    "route": ("route:route", "Show where a model's requests go, and who serves it so."),
    "rollout": ("rollout:rollout", "Show how a release takes over its model's traffic; steer it."),
    "promote": ("move:promote", "Give a release all of its model's traffic."),
    "rollback": ("move:rollback", "Give the traffic back to the previous release, at once."),
    "reject": ("move:reject", "Record that a release is not to go live."),
    "decisions": ("show:decisions", "Show who or what moved which release, when and why."),
    "trust": ("trust:trust", "Trust the package of a release, or list."),
    "sign": ("sign:sign", "Sign a release: with a key."),
    "keys": ("sign:keys", "Make and show keys that sign releases."),
    "runs": ("runs:runs", "List and search runs; show one; compare some; print a log."),
    "predictions": ("predictions:predictions", "List logged predictions and labels; show one; export."),
    "label": ("predictions:label", "Give predictions their labels from a file."),
    "lineage": ("lineage:lineage", "Show what made a thing, and what it made."),
    "keep": ("housekeeping.keep:keep", "Keep a run, release, dataset or file from gc; list the kept."),
    "gc": ("housekeeping.gc:gc", "Free what nothing live, previous or kept needs."),
    "environments": ("housekeeping.environments:environments", "List the environments of models; remove some."),
    "import": ("importing:import_", "Bring over what an MLflow server or database holds."),
    "store": ("housekeeping.store:store", "Migrate, check or copy a store."),
    "completion": ("completion:completion", "Print the shell completion for bash, zsh or fish."),
}


class _ReaderGone(Exception):
    """Whoever read what we print, such as `head`, has gone."""


class _Commands(click.Group):
    """Commands by name, imported when they are used; `--help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = COMMANDS.get(cmd_name)
        if found is None:
            return None
        module, _, function = found[0].partition(":")
        name = f"..{module}" if "." in module else f".{module}"
        return getattr(importlib.import_module(name, __package__), function)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # click would exit with 1, which here says that the gate is closed.
            raise _ReaderGone from None

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
    as_json = "--json" in words
    try:
        code: Any = cli.main(words, prog_name="plusone", standalone_mode=False, color=_colour())
    except click.ClickException as error:
        if as_json:
            _print_json(UsageError(error.format_message(), mend="plusone --help"))
        error.show()
        code = error.exit_code
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        code = 130
    except PlusoneError as error:
        code = _fail(error, as_json=as_json)
    except _ReaderGone:
        # Nobody is there to be told; what Python would still flush at its end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except Exception as error:
        traceback.print_exc()
        code = _fail(
            PlusoneError(
                f"A fault of plusone: {type(error).__name__}: {error}",
                mend="run it again; if it stays so, report it with the lines above",
            ),
            as_json=as_json,
        )
    sys.exit(code if isinstance(code, int) else 0)


def _fail(error: PlusoneError, *, as_json: bool) -> int:
    if as_json:
        _print_json(error)
    click.echo(click.style("error: ", fg="red", bold=True) + error.message, err=True, color=_colour())
    if error.mend:
        click.echo(click.style("to mend it: ", bold=True) + error.mend, err=True, color=_colour())
    return error.exit_code


def _colour() -> bool | None:
    """Return False where the person wants no colours (no-color.org); None: as the terminal can."""
    return False if os.environ.get("NO_COLOR") else None


def _print_json(error: PlusoneError) -> None:
    import msgspec

    # Arguments that are no UTF-8 reach us as lone surrogates, which JSON can't hold.
    body = msgspec.json.encode(_plain(error.as_dict()))
    click.echo(msgspec.json.format(body, indent=2))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
