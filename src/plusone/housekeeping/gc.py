"""`plusone gc`: what nothing needs, said first and then freed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from ..app.app import App
from ..base.errors import UsageError
from ..base.records import Freeing
from ..terminal.bars import bar
from ..terminal.output import json_option, print_json, print_table, size_text

__all__ = ["gc", "seconds_of"]

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@click.command(epilog="\b\nExamples:\n  plusone gc --dry-run\n  plusone gc\n  plusone gc --older-than 7d --yes --json")
@click.option("--dry-run", is_flag=True, help="Only say what would be freed.")
@click.option(
    "--older-than", default="30d", show_default=True, metavar="AGE",
    help="What ended runs need is freed this long after their end: 12h, 30d, 0 ...",
)  # fmt: skip
@click.option(
    "--predictions-older-than", "predictions_older", default="90d", show_default=True, metavar="AGE",
    help="Logged predictions are forgotten this long after they were answered; labels never are.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def gc(project: Path | None, dry_run: bool, older_than: str, predictions_older: str, yes: bool, as_json: bool) -> None:
    """Free what nothing live, previous, undecided, running, young or kept needs.

    Releases, checks, decisions, routes and labels stay for ever, and so do the metrics of runs that were not deleted:
    only files go, and old predictions. It asks before it frees anything.
    """
    ages = {
        "older_than_s": seconds_of("--older-than", older_than),
        "predictions_s": seconds_of("--predictions-older-than", predictions_older),
    }
    with App(project, create=False) as app:
        planned = app.plan_gc(**ages)
        if dry_run:
            _show(planned, "would be freed", as_json)
            return
        if not yes:
            if as_json or not sys.stdin.isatty():
                raise UsageError("Nobody can be asked here whether to free it.", mend="plusone gc --yes, or --dry-run")
            _show(planned, "would be freed", as_json)
            if not planned.count and not planned.deleted_runs and not planned.predictions:
                return
            click.confirm("Free it?", abort=True)
        with bar("freeing", in_bytes=True) as on_progress:
            freed = app.gc(**ages, on_progress=on_progress)
    _show(freed, "freed", as_json)


def seconds_of(option: str, text: str) -> float:
    """Return an age such as `30d` in seconds. Raises UsageError, naming the option, for any other text."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h|d)?", text.strip())
    if not found or (found[2] is None and float(found[1]) != 0):
        raise UsageError(f"{option} {text[:50]!r}: expected a number with s, min, h or d.", mend=f"{option} 30d")
    return float(found[1]) * _UNITS[found[2] or "s"]


def _show(found: Freeing, what: str, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if not found.count:
        click.echo(f"nothing {what}" + (f"; {found.waiting} files are too young" if found.waiting else ""))
    else:
        rows = [(kind, f"{part.count:,}", size_text(part.size_bytes)) for kind, part in found.kinds.items()]
        print_table(("kept as", "files", "size"), [*rows, ("all", f"{found.count:,}", size_text(found.size_bytes))])
        click.echo(f"{what}: {size_text(found.size_bytes)}")
    if found.releases:
        click.echo(f"releases that lose their files, and can't go live again: {_some(found.releases)}")
    if found.predictions:
        click.echo(f"logged predictions that are forgotten: {found.predictions:,}")
    if found.deleted_runs:
        click.echo(f"deleted runs that lose their points and files: {_some(found.deleted_runs)}")


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
