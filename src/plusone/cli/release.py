"""`plusone release`: shows release n+1 being made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from ..app.app import App
from ..app.views import Moved
from ..base.errors import UsageError
from ..pipeline.settings import parse_assignments
from ..quality.files import write_whole
from ..release.making import Made, Request
from ..report.junit import junit_xml
from ..terminal.making import Progress, print_made
from ..terminal.output import by_option, json_option, print_json

__all__ = ["release"]

_EPILOG = """\b
Examples:
  plusone release
  plusone release flight-delays --set until=2013-06 --set train.max_iter=300
  plusone release --until split          (run the steps up to one, and stop)
  plusone release --no-promote           (make and test it; promote it later)
  plusone release -q --junit checks.xml  (for CI)
  plusone release --clean                (try it in a clean environment of its lock, before the gate)
  plusone release --live                 (no rollout: all of the traffic at once)
  plusone release --from flight-delays@3 (make release 3 of what was registered as version 3 through MLflow)

Exit codes: 0 done or nothing changed, 1 the gate said no, 2 the caller's mistake, 3 ours.
"""


@click.command(epilog=_EPILOG)
@click.argument("model", required=False)
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting of a step, or STEP.KEY=VALUE."
)
@click.option("--force", multiple=True, metavar="STEP", help="Run this step even if nothing about it changed.")
@click.option("--until", metavar="STEP", help="Run the steps up to this one, and make no release.")
@click.option(
    "--from",
    "source",
    metavar="MODEL@N",
    default="",
    help="Take the model from version N that was registered through MLflow, and train none.",
)
@click.option(
    "--trust",
    metavar="SHA256",
    default="",
    help="With --from: load this very file though it names types that are not known to be safe.",
)
@click.option(
    "--clean", is_flag=True, help="Before the gate: load it in a clean environment of its lock, and replay examples."
)
@click.option("--again", is_flag=True, help="Make a release even if nothing changed.")
@click.option(
    "--promote/--no-promote", default=True, help="Whether it goes live when its checks pass.  [default: promote]"
)
@click.option("--live", is_flag=True, help="Give it all of the traffic at once, whatever the plan of rollouts says.")
@click.option("--reason", default="", help="Why; kept with the decision.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Also write its checks as JUnit XML, whatever came of it.",
)  # fmt: skip
@click.option("--quiet", "-q", is_flag=True, help="Do not show what steps and tests print (the run's log keeps it).")
@by_option
@json_option
@click.pass_obj
def release(
    project: Path | None,
    model: str | None,
    assignments: tuple[str, ...],
    force: tuple[str, ...],
    until: str | None,
    source: str,
    trust: str,
    clean: bool,
    again: bool,
    promote: bool,
    live: bool,
    reason: str,
    junit: Path | None,
    quiet: bool,
    by: str,
    as_json: bool,
) -> int:
    """Make release n+1 of MODEL: data -> tests -> train -> package -> tests -> live.

    MODEL may be left out when the project has one. With a plan in pyproject.toml (rollout = ["shadow 2m", "5% 5m"]) it
    goes live step by step. If code, settings, data, environment and tests are those of the newest release, nothing is
    made. A release that was interrupted, even by kill -9, goes on where it was.
    """
    if live and not promote:
        raise UsageError("--live and --no-promote say opposite things.", mend="leave one of them out")
    with App(project) as app:
        request = Request(
            model=model,
            settings=parse_assignments(list(assignments)),
            force=force,
            until=until,
            source=_checked_source(model, source, trust, until),
            trust=trust,
            again=again,
            clean=clean,
            promote=promote,
            rollout=not live,
            by=by or "",
            reason=reason,
        )
        with Progress(quiet=quiet or as_json, stream=sys.stderr if as_json else sys.stdout) as progress:
            made, moved = app.make_release(request, on_event=progress.on_event)
        if junit is not None:
            _write_junit(app, made, junit)
    if as_json:
        print_json(_as_json(made, moved))
    else:
        print_made(made, moved)
    return _exit_code(made, moved)


def _write_junit(app: App, made: Made, file: Path) -> None:
    """Write the checks of what was made; of what was not made anew those that it has, and of steps alone nothing."""
    release = made.release
    name = f"{release.model}@{release.number}" if release else made.model or "release"
    session = made.session or (app.list_checks(target=name) if release else None)
    if session is not None:
        write_whole(file, junit_xml(session, name))


def _checked_source(model: str | None, source: str, trust: str, until: str | None) -> str:
    if trust and not source:
        raise UsageError(
            "--trust is about the file of --from MODEL@N.", mend="plusone release --from MODEL@N --trust SHA256"
        )
    if source and until:
        raise UsageError(
            "--until makes no release, so there is nothing to take from --from.", mend="leave one of them out"
        )
    if source and model and source.rpartition("@")[0] != model:
        raise UsageError(f"--from {source} is of another model than {model}.", mend=f"plusone release --from {model}@N")
    return source


def _exit_code(made: Made, moved: Moved | None) -> int:
    if made.outcome in ("failed", "stopped") or (made.outcome == "passed" and made.problems):
        return 1
    if made.outcome == "unchanged" and made.release is not None and made.release.stage == "failed":
        return 1
    if moved and moved.served and moved.served.state != "served" and moved.served.state != "not yet served":
        return 1 if moved.served.state == "taken back" else 3
    return 0


def _as_json(made: Made, moved: Moved | None) -> dict[str, Any]:
    release = made.release
    return {
        "outcome": made.outcome,
        "model": made.model,
        "release": release.number if release else None,
        "digest": release.digest if release else None,
        "stage": release.stage if release else None,
        "run_id": made.run_id,
        "problems": list(made.problems),
        "mend": made.mend,
        "checks": msgspec.to_builtins(made.session.checks) if made.session else [],
        "decisions": msgspec.to_builtins(made.decisions),
        "route": msgspec.to_builtins(made.route),
        "served": msgspec.to_builtins(moved.served) if moved else None,
        "rollout": msgspec.to_builtins(moved.rollout) if moved else None,
    }
