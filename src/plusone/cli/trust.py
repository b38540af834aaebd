"""`plusone trust`: which packages may make types that are not known to be safe."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..app.app import App
from ..app.views import Asked
from ..base import clock
from ..base.errors import UsageError
from ..base.trusted import Trust
from ..terminal.output import by_option, json_option, print_json, print_table

__all__ = ["trust"]

_EPILOG = """\b
Examples:
  plusone trust flight-delays@4                    (shows what it asks for, and asks)
  plusone trust flight-delays@4 --yes --reason 'made by our own pipeline, run 01m8'
  plusone trust flight-delays@4 --withdraw --reason 'that laptop was stolen'
  plusone trust                                    (lists what is trusted, and was)
"""


@click.command(epilog=_EPILOG)
@click.argument("target", required=False, metavar="[MODEL@N]")
@click.option("--yes", is_flag=True, help="Do not ask. Without it --json says what it asks for, and trusts nothing.")
@click.option("--reason", default="", help="Why; kept with the record.")
@click.option("--withdraw", is_flag=True, help="Trust it no longer: it is not loaded again. Takes a digest too.")
@by_option
@json_option
@click.pass_obj
def trust(
    project: Path | None, target: str | None, yes: bool, reason: str, withdraw: bool, by: str, as_json: bool
) -> None:
    """Trust the package of a release that names types which are not known to be safe. Without MODEL@N, list.

    Such a package is loaded by no check and no server until somebody trusts it, by its digest: a crafted one could run
    any program with such types, under the user that serves. Trust one whose maker you know.
    """
    if target is None:
        if withdraw or yes or reason:
            raise UsageError("Which release?", mend="plusone trust MODEL@N")
        with App(project, create=False) as app:
            found = app.list_trust()
        print_json(found) if as_json else _print_list(found)
        return
    asked = None
    with App(project, create=False) as app:
        if withdraw:
            whole = "@" not in target and len(target) == 64
            digest = target if whole else app.get_asked(target=target).digest
            record = app.withdraw_trust(digest=digest, reason=reason, by=by)
        else:
            asked = app.get_asked(target=target)
            if as_json and not yes:
                print_json(asked)
                return
            if not as_json:
                _print_asked(asked)
            if asked.types and not asked.trusted:
                reason = _agreed(asked, reason, yes=yes)
            record = app.trust(target=target, digest=asked.digest, reason=reason, by=by)
    if as_json:
        print_json(record)
    elif record.withdrawn:
        click.echo(f"no longer trusted: {record.digest}\nWhat has it loaded goes on until it loads it anew.")
    else:
        click.echo(f"trusted: {record.digest}, by {record.by}")
        if asked is not None and asked.stage in ("candidate", "failed"):
            click.echo(f"Its checks could not load it. They run again with: plusone release {asked.model} --again")


def _agreed(asked: Asked, reason: str, *, yes: bool) -> str:
    """Return the reason, once a person said yes."""
    if yes:
        return reason
    if not sys.stdin.isatty():
        raise UsageError(
            "Nobody is there to be asked.", mend=f"plusone trust {asked.model}@{asked.release} --yes --reason 'why'"
        )
    click.confirm("Do you know who made it, and trust them with this machine?", abort=True)
    return reason or click.prompt("Why? (kept with the record)")


def _print_asked(asked: Asked) -> None:
    click.echo(f"{asked.model}@{asked.release} ({asked.stage}), format {asked.format}, package {asked.digest}")
    if not asked.types:
        return
    types = "1 type that is" if len(asked.types) == 1 else f"{len(asked.types)} types that are"
    click.echo(f"It names {types} not known to be safe:")
    rows = [
        (one.own_name, one.module, one.source, "can run programs or reach files" if one.powerful else "")
        for one in asked.types
    ]
    print_table(("type", "module", "of", "beware"), rows)


def _print_list(found: list[Trust]) -> None:
    newest = {one.digest: one.id for one in found}
    rows = [
        (
            f"{one.model}@{one.release}",
            one.digest,
            "withdrawn" if one.withdrawn else "trusted" if newest[one.digest] == one.id else "trusted once",
            clock.age_text(one.at),
            one.by,
            one.reason,
        )
        for one in found
    ]
    print_table(("release", "package", "what", "since", "by", "reason"), rows)
