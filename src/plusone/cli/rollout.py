"""`plusone rollout`: a release on its way to all of its model's traffic, step by step."""

from __future__ import annotations

import math
import time
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ..app.app import App
from ..base.errors import StoreError, UsageError
from ..base.rollouts import Rollout
from ..completing import complete_model, complete_release, complete_rollout
from ..terminal.output import by_option, json_option, print_json
from ..terminal.rollouts import is_over, print_looks, print_rollout, print_rollout_event, print_rollouts
from .move import follow_option, show_moved

__all__ = ["rollout"]

_LOOK_S = 0.5


class _ShownByDefault(click.Group):
    """`plusone rollout MODEL` is `plusone rollout show MODEL`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        # A shell that asks what could come here means the commands, too.
        if not named and (args or not ctx.resilient_parsing):
            args.insert(0, "show")
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        models = complete_model(ctx, self.params[0] if self.params else click.Argument(["model"]), incomplete)
        return [*super().shell_complete(ctx, incomplete), *models]


@click.group(
    cls=_ShownByDefault,
    epilog="\b\nExamples:\n  plusone rollout\n  plusone rollout flight-delays\n"
    '  plusone rollout start flight-delays@4 --plan "shadow 2m" --plan "5% 5m"\n'
    "  plusone rollout promote flight-delays --reason 'seen enough'",
)
def rollout() -> None:
    """Show how a release takes over its model's traffic; start, pause, resume, promote or abort it.

    `plusone rollout MODEL` shows.
    """


_model = click.argument("model", required=False, shell_complete=complete_rollout)
_reason = click.option("--reason", default="", help="Why.")
_wait = click.option(
    "--wait", is_flag=True, help="Wait until it has ended. Exit code 0: promoted, 1: rolled back or aborted."
)


_limit = click.option(
    "--at-most",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="With --wait: how long. Exit code 3: it goes on, and nobody waits any more.",
)


@rollout.command(
    epilog="\b\nExamples:\n  plusone rollout show flight-delays\n  plusone rollout show --json\n"
    "  plusone rollout show flight-delays --wait --at-most 3600"
)
@click.argument("model", required=False, shell_complete=complete_model)
@_wait
@_limit
@json_option
@click.pass_obj
def show(project: Path | None, model: str | None, wait: bool, at_most: float | None, as_json: bool) -> int:
    """Show the newest rollout of a model: its plan, the evidence on both releases, and what the judge makes of it."""
    _check_limit(wait, at_most)
    with App(project, create=False) as app:
        found = app.get_rollout(model=model)
        if wait:
            return _waited(app, found, at_most, as_json)
    if as_json:
        print_json(found)
    else:
        print_rollout(found)
    return 0


@rollout.command("list", epilog="\b\nExamples:\n  plusone rollout list\n  plusone rollout list flight-delays --json")
@click.argument("model", required=False, shell_complete=complete_model)
@json_option
@click.pass_obj
def list_(project: Path | None, model: str | None, as_json: bool) -> None:
    """List the rollouts of a model, or of all, the newest first."""
    with App(project, create=False) as app:
        found = app.list_rollouts(model=model)
    if as_json:
        print_json(found)
        return
    print_rollouts(found)


@rollout.command(
    epilog="\b\nExamples:\n  plusone rollout looks flight-delays\n"
    "  plusone rollout looks --of 01m8dgt90m... --count 1000 --json"
)
@click.argument("model", required=False, shell_complete=complete_model)
@click.option("--of", metavar="ID", help="Of this rollout: its id is in --json.  [default: the newest of the model]")
@click.option("--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, at most.")
@click.option("--before", type=click.IntRange(0), metavar="PLACE", help="Only those older than the one at this place.")
@json_option
@click.pass_obj
def looks(
    project: Path | None, model: str | None, of: str | None, count: int, before: int | None, as_json: bool
) -> None:
    """List the looks that the judge took, the newest first, with what it made of them; --json has all figures."""
    with App(project, create=False) as app:
        found = app.list_looks(rollout=of or app.get_rollout(model=model).id, before=before, count=count)
    if as_json:
        print_json(found)
        return
    print_looks(found)


@rollout.command(
    epilog="\b\nExamples:\n  plusone rollout start flight-delays@4\n"
    '  plusone rollout start flight-delays@4 --plan "shadow 2m" --plan "5% 5m" --plan "50% 5m"\n'
    "  plusone rollout start flight-delays@4 --wait"
)
@click.argument("target", metavar="MODEL@N", shell_complete=complete_release)
@click.option(
    "--plan",
    multiple=True,
    metavar="STEP",
    help='A step such as "shadow 2m" or "5% 5m"; give one for each.  [default: rollout in pyproject.toml]',
)
@_reason
@by_option
@_wait
@_limit
@json_option
@click.pass_obj
def start(
    project: Path | None,
    target: str,
    plan: tuple[str, ...],
    reason: str,
    by: str,
    wait: bool,
    at_most: float | None,
    as_json: bool,
) -> int:
    """Begin to give a release its model's traffic, step by step, as long as it does no harm.

    A rollout of another release of the model that is under way is superseded by it.
    """
    _check_limit(wait, at_most)
    with App(project, create=False) as app:
        moved = app.begin_rollout(target=target, plan=list(plan) or None, by=by, reason=reason)
        if not wait or moved.rollout is None:
            return show_moved(moved, as_json)
        if not as_json:
            show_moved(moved, as_json)
        return _waited(app, moved.rollout, at_most, as_json)


@rollout.command(epilog="\b\nExample:\n  plusone rollout pause flight-delays --reason 'over the weekend'")
@_model
@_reason
@by_option
@json_option
@click.pass_obj
def pause(project: Path | None, model: str | None, reason: str, by: str, as_json: bool) -> int:
    """Let no step end until it is resumed. Its share of the traffic stays, and harm still takes it back."""
    with App(project, create=False) as app:
        return show_moved(app.pause_rollout(model=_named(app, model), by=by, reason=reason), as_json)


@rollout.command(
    epilog="\b\nExample:\n  plusone rollout resume flight-delays --reason 'it is meant to say late more often'"
)
@_model
@_reason
@by_option
@json_option
@click.pass_obj
def resume(project: Path | None, model: str | None, reason: str, by: str, as_json: bool) -> int:
    """Let a rollout that was paused go on; one that is held goes on in spite of what it is held for."""
    with App(project, create=False) as app:
        return show_moved(app.resume_rollout(model=_named(app, model), by=by, reason=reason), as_json)


@rollout.command(epilog="\b\nExample:\n  plusone rollout promote flight-delays --reason 'seen enough'")
@_model
@_reason
@by_option
@follow_option
@json_option
@click.pass_obj
def promote(project: Path | None, model: str | None, reason: str, by: str, wait_s: float, as_json: bool) -> int:
    """Give the release that is being rolled out all of the traffic now."""
    with App(project, create=False) as app:
        moved = app.promote_rollout(model=_named(app, model), by=by, reason=reason, wait_s=wait_s)
        return show_moved(moved, as_json)


@rollout.command(epilog="\b\nExample:\n  plusone rollout abort flight-delays --reason 'not before the holidays'")
@_model
@_reason
@by_option
@follow_option
@json_option
@click.pass_obj
def abort(project: Path | None, model: str | None, reason: str, by: str, wait_s: float, as_json: bool) -> int:
    """Give all of the traffic back to the live release. The candidate may be rolled out again."""
    with App(project, create=False) as app:
        moved = app.abort_rollout(model=_named(app, model), by=by, reason=reason, wait_s=wait_s)
        return show_moved(moved, as_json)


def _named(app: App, model: str | None) -> str:
    """Return the model that was named, or the only one there is."""
    return model or app.get_rollout().model


def _check_limit(wait: bool, at_most: float | None) -> None:
    if at_most is not None and not wait:
        raise UsageError("--at-most says how long to wait, and there is no --wait.", mend="--wait --at-most SECONDS")


def _waited(app: App, found: Rollout, at_most: float | None, as_json: bool) -> int:
    """Say what happens until the rollout has ended; return the exit code."""
    until = time.monotonic() + at_most if at_most is not None else math.inf
    seen, trouble = 0, ""
    while True:
        for event in found.events[seen:] if not as_json else ():
            print_rollout_event(found, event)
        seen = len(found.events)
        if is_over(found) or time.monotonic() >= until:
            break
        time.sleep(_LOOK_S)
        try:
            found, trouble = _again(app, found), ""
        except StoreError as error:
            if error.message != trouble:
                trouble = error.message
                click.secho(f"{trouble} It is waited for.", fg="yellow", err=True)
    if as_json:
        print_json(found)
    elif not is_over(found):
        click.echo(f"it goes on, and nobody waits any more: plusone rollout {found.model}")
    return {"promoted": 0}.get(found.status, 1) if is_over(found) else 3


def _again(app: App, found: Rollout) -> Rollout:
    newest = app.get_rollout(model=found.model)
    if newest.id == found.id:
        return newest
    return next((one for one in app.list_rollouts(model=found.model) if one.id == found.id), found)
