"""Shows a release being made, bars on a terminal and plain lines elsewhere, and what came of it."""

from __future__ import annotations

from collections import Counter
from typing import IO, Any

import click
import msgspec

from ..app.views import Moved
from ..base.records import Check, Release
from ..built_in.causes import causes_of, reasons_of
from ..checks.verdict import closes
from ..release.making import Made
from .checks import print_reasons
from .output import facts, shortened, stage_style
from .releases import print_moved

__all__ = ["Progress", "print_made"]

_PHASES = {
    "data": "data",
    "data tests": "tests on the data",
    "train": "train and package",
    "take": "take the registered model and package it",
    "model tests": "tests on the model",
    "environment": "an environment of the lock alone",
}
_STYLES = {"bold": {"bold": True}, "dim": {"dim": True}, "red": {"fg": "red"}, "yellow": {"fg": "yellow"}}


class Progress:
    """Turns the events of a release into lines; on a terminal a bar below them says what is under way.

    Args:
        quiet: leave out what steps and tests print.
        alone: whether nobody else writes to the terminal meanwhile; a debugger's prompt would be drawn over.
    """

    def __init__(self, *, quiet: bool, stream: IO[str], alone: bool = True) -> None:
        self._quiet = quiet
        self._alone = alone
        self._stream = stream
        self._bar: Any = None
        self._task: Any = None
        self._checks: list[Check] = []

    def __enter__(self) -> Progress:
        if self._alone and self._stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            console = Console(file=self._stream, highlight=False)
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
            self._bar = Bar(*columns, console=console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._flush_checks()
        if self._bar is not None:
            self._bar.stop()

    def on_event(self, event: dict[str, Any]) -> None:
        """Show one event of `make_release`."""
        kind = event["event"]
        if kind == "phase":
            self._flush_checks()
            title = _PHASES[event["phase"]]
            self._say(title, style="bold")
            self._under_way(title)
        elif kind == "plan":
            self._under_way(
                f"step {event['place'] + 1} of {event['count']}: {event['step']}", event["place"], event["count"]
            )
        elif kind == "step" and event["status"] == "running":
            self._under_way(event["step"] if event["step"] != "package" else "package: compile and prove equal")
        elif kind == "step":
            what = "unchanged" if event["status"] == "cached" else f"{event['duration_s']:.1f} s"
            if event["step"] != "package":
                self._say(f"  {event['step']:<24} {what}")
        elif kind == "native":
            self._say(f"  runs in a process of its own: {event['because']}")
        elif kind == "check":
            self._checks.append(msgspec.convert(event["check"], Check))
        elif kind == "line" and not self._quiet:
            self._say(f"  | {event['text']}", style="dim")
        elif kind == "resumed":
            self._say(f"goes on after run {event['run']}, which was interrupted: finished steps are taken over")

    def _flush_checks(self) -> None:
        """Show what came of the checks of a phase, each cause in a line; they come when all of them have run."""
        checks, self._checks = self._checks, []
        for check in checks:
            if check.outcome not in ("passed", "not applicable") and not closes(check):
                self._say(f"  {check.outcome:<24} {check.test}", style="red" if not check.allowed else "")
        for cause in causes_of(checks):
            test = cause.check.test
            if cause.closing:
                self._say(f"  {cause.check.outcome:<24} {test}{cause.also}", style="red")
            else:
                said = f"{test}: {shortened(cause.said, 300)}{cause.also}"
                self._say(f"  {'warning':<24} {said}", style="yellow")
        if counts := Counter(check.outcome for check in checks):
            self._say("  " + ", ".join(f"{count} {stage_style(word)}" for word, count in counts.items()))

    def _under_way(self, text: str, done: int | None = None, total: int | None = None) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=text, completed=done or 0, total=total)

    def _say(self, text: str, *, style: str = "") -> None:
        marks: dict[str, Any] = _STYLES.get(style, {})
        styled = click.style(text, **marks) if marks else text
        if self._bar is not None:
            from rich.text import Text

            self._bar.console.print(Text.from_ansi(styled))
        else:
            click.echo(styled, file=self._stream)


def print_made(made: Made, moved: Moved | None) -> None:
    """Print what came of making a release, and what to do next."""
    release = made.release
    if made.outcome == "ran":
        click.echo(f"done; no release was made. The run: plusone runs show {made.run_id}")
        return
    if made.outcome == "unchanged" and release is not None:
        click.echo(
            f"nothing changed since {release.model}@{release.number} ({stage_style(release.stage)}): no release made. "
            "To make one all the same: plusone release --again"
        )
        if release.stage == "passed":
            click.echo(f"It passed and is not live: plusone promote {release.model}@{release.number}")
        return
    if made.outcome in ("failed", "stopped"):
        _print_closed(made)
        return
    _print_report(release)
    if release is not None and made.outcome == "passed":
        for problem in made.problems:
            click.secho(problem, fg="yellow")
        click.echo(
            f"{release.model}@{release.number} passed, not promoted: plusone promote {release.model}@{release.number}"
        )
    if moved is not None:
        print_moved(moved)


def _print_closed(made: Made) -> None:
    release = made.release
    name = f"{release.model}@{release.number}" if release else f"no release of {made.model} was made"
    click.secho(f"\n{name}: the gate is closed", fg="red", bold=True)
    checks = made.session.checks if made.session else ()
    print_reasons(checks, made.problems)
    told = {check.test for _, check in reasons_of(checks, made.problems) if check is not None}
    for check in checks:
        if check.outcome in ("failed", "inconclusive") and check.test in told:
            for line in filter(None, map(facts, check.measured)):
                click.echo(f"    measured by {check.test}: {line}")
    if made.mend:
        click.echo(f"nothing loads it until a person trusts it: {made.mend}")
    look = f"plusone checks {name}" if release else f"plusone runs show {made.run_id}"
    click.echo(f"where to look: {look}   what was printed: plusone runs log {made.run_id}")
    _print_report(release)


def _print_report(release: Release | None) -> None:
    if release is not None:
        click.echo(f"its report, one page of HTML: plusone report {release.model}@{release.number}")
