"""`plusone score`: the ML Test Score from the records, and what people note for it."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..completing import complete_model
from ..score.scoring import NOTE_DAYS, TESTS
from ..terminal.output import by_option, json_option, print_json
from ..terminal.scores import print_noted, print_notes, print_score

__all__ = ["score"]


class _ShownByDefault(click.Group):
    """`plusone score MODEL` is `plusone score show MODEL`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args.insert(0, "show")
        return super().parse_args(ctx, args)


@click.group(
    cls=_ShownByDefault,
    epilog="\b\nExamples:\n  plusone score\n  plusone score flight-delays --steps\n"
    "  plusone score record data-5 --note 'no column names a person; looked at all 19'\n\n"
    "Exit codes: 0 whatever the score is, 2 the caller's mistake, 3 ours.",
)
def score() -> None:
    """Show the ML Test Score; record a test done by hand.

    `plusone score [MODEL]` shows it.
    """


@score.command(epilog="\b\nExamples:\n  plusone score show\n  plusone score show flight-delays --steps --json")
@click.argument("model", required=False, shell_complete=complete_model)
@click.option("--steps", is_flag=True, help="Also show what would bring more, for each of the 28 tests.")
@json_option
@click.pass_obj
def show(project: Path | None, model: str | None, steps: bool, as_json: bool) -> None:
    """Show the 28 tests in their four sections, what each point stands on, the score, and the cheapest next step.

    Computed from the records of the live release (or the newest) and its model: no record, no point.
    """
    with App(project, create=False) as app:
        found = app.get_score(model=model)
    if as_json:
        print_json(found)
        return
    print_score(found, steps=steps)


def _complete_test(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [test for test in TESTS if test.startswith(incomplete)]


@score.command(
    epilog="\b\nExamples:\n  plusone score record model-3 --note 'searched max_iter and learning_rate on a grid'\n"
    "  plusone score record data-4 --check tests/test_data.py::test_only_allowed_sources --note 'agreed with legal'"
)
@click.argument("test", shell_complete=_complete_test)
@click.option("--note", required=True, help="What was done, and what came of it.")
@click.option("--model", help="The model that it is about.  [default: the only one]", shell_complete=complete_model)
@click.option("--check", "checked_by", default="", metavar="ID", help="A check of the project that does it each time.")
@by_option
@json_option
@click.pass_obj
def record(
    project: Path | None, test: str, note: str, model: str | None, checked_by: str, by: str, as_json: bool
) -> None:
    """Record that a test was done by hand: half a point, for 180 days.

    With --check: that a check of the project does it: one point, while it passes on the release. Records are only ever
    added.
    """
    with App(project, create=False) as app:
        made = app.add_score_note(test=test, note=note, model=model, checked_by=checked_by, by=by)
    if as_json:
        print_json(made)
        return
    print_noted(made, NOTE_DAYS)


@score.command(epilog="\b\nExamples:\n  plusone score notes\n  plusone score notes flight-delays --json")
@click.argument("model", required=False, shell_complete=complete_model)
@json_option
@click.pass_obj
def notes(project: Path | None, model: str | None, as_json: bool) -> None:
    """List what people recorded, the oldest first."""
    with App(project, create=False) as app:
        found = app.list_score_notes(model=model)
    if as_json:
        print_json(found)
    elif found:
        print_notes(found)
    else:
        click.echo("nobody recorded anything: plusone score record TEST --note '...'")
