"""`plusone environments`: the environments of models that lie on this machine."""

from __future__ import annotations

import click

from ..base import clock
from ..base.errors import UsageError
from ..execution import venvs
from ..execution.venvs import Environment
from ..terminal.output import json_option, print_json, print_table, shortened, size_text
from .gc import seconds_of

__all__ = ["environments"]


@click.command(
    epilog="\b\nExamples:\n  plusone environments\n  plusone environments --remove --older-than 30d\n"
    "  plusone environments --remove 3f0a9c --json"
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--remove", is_flag=True, help="Remove those named, or those of --older-than. They are made anew when needed."
)
@click.option("--older-than", metavar="AGE", help="Only those that were not used for so long: 12h, 30d, 0 ...")
@json_option
def environments(names: tuple[str, ...], remove: bool, older_than: str | None, as_json: bool) -> None:
    """List the environments that were made from locks: what is in them, their size, and when they were used last.

    They are of no project: equal locks share one. NAME may be the beginning of one. One that a process runs in is
    not removed. They lie in $PLUSONE_ENVIRONMENTS, or in plusone/environments in the user's cache.
    """
    if remove and not names and older_than is None:
        raise UsageError(
            "--remove needs names, or --older-than.", mend="plusone environments --remove --older-than 30d"
        )
    found = venvs.environments()
    chosen = [_named(name, found) for name in names] if names else found
    if older_than is not None:
        before = clock.ago(seconds_of("--older-than", older_than))
        chosen = [one for one in chosen if one.used_at < before]
    kept = [one for one in chosen if remove and not venvs.remove(one.name)]
    if as_json:
        gone = [one.name for one in chosen if remove and one not in kept]
        print_json({"folder": str(venvs.folder()), "environments": chosen, "removed": gone})
        return
    if remove:
        size = sum(one.size_bytes for one in chosen if one not in kept)
        click.echo(f"removed: {len(chosen) - len(kept)}, {size_text(size)}")
        for one in kept:
            click.echo(f"{one.name[:12]} is in use, and stays")
        return
    rows = [(one.name[:12], size_text(one.size_bytes), _used(one), _holds(one)) for one in chosen]
    print_table(("environment", "size", "used", "holds"), rows)
    click.echo(f"{len(chosen)} in {venvs.folder()}, {size_text(sum(one.size_bytes for one in chosen))}")


def _named(name: str, found: list[Environment]) -> Environment:
    fitting = [one for one in found if one.name.startswith(name)]
    if len(fitting) != 1:
        what = "There is no environment" if not fitting else f"{len(fitting)} environments begin with"
        raise UsageError(f"{what} {name!r}.", mend="plusone environments")
    return fitting[0]


def _used(one: Environment) -> str:
    return "now" if one.in_use else clock.age_text(one.used_at)


def _holds(one: Environment) -> str:
    return shortened(", ".join(f"{name} {version}" for name, version in venvs.lines_of(one.lock).items()), 100)
