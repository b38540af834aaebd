"""`plusone checks` and `plusone diff`: what tests said of a release, and of two side by side."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..base.errors import NotFound, UsageError
from ..base.records import Check, Session
from ..checks.verdict import closes, problems_of
from ..completing import complete_release, complete_session
from ..terminal.checks import print_difference, print_session, print_sessions
from ..terminal.output import json_option, print_json
from .files import write_whole

__all__ = ["checks", "diff"]

_OUTPUT = Path("-")


@click.command(
    epilog="\b\nExamples:\n  plusone checks flight-delays@3\n  plusone checks @live --failed --output\n"
    "  plusone checks @live --test test_no_worse_than_live --output\n"
    "  plusone checks flight-delays@3 --junit checks.xml\n  plusone checks flight-delays@3 --all\n\n"
    "Exit codes: 0 the gate is open, 1 it is closed, 2 the caller's mistake, 3 ours."
)
@click.argument("target", metavar="MODEL@N", shell_complete=complete_release)
@click.option("--all", "every", is_flag=True, help="Only list its sessions of checks; the gate reads the last.")
@click.option(
    "--session", metavar="ID", help="Show an earlier session; the beginning of its id will do.",
    shell_complete=complete_session,
)  # fmt: skip
@click.option("--failed", is_flag=True, help="Show only what closes the gate or warns.")
@click.option("--test", metavar="TEXT", help="Show only the checks with this in their name.")
@click.option("--output", "show_output", is_flag=True, help="Also show what each test printed.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Also write the session as JUnit XML, for CI; - is the output, and nothing else is printed.",
)  # fmt: skip
@json_option
@click.pass_obj
def checks(
    project: Path | None,
    target: str,
    every: bool,
    session: str | None,
    failed: bool,
    test: str | None,
    show_output: bool,
    junit: Path | None,
    as_json: bool,
) -> int:
    """Show the checks of a release and what they measured.

    Each with its outcome, values, rows and time; plusone's own apart from the project's tests. --json prints the whole
    session, with figures and outputs.
    """
    if every and any((session, failed, test is not None, show_output, junit)):
        raise UsageError(
            "--all lists sessions, a line each: of the other options it goes with --json alone.",
            mend=f"plusone checks {target} --all",
        )
    if junit == _OUTPUT and as_json:
        raise UsageError("--junit - and --json are both the output: expected one of them.", mend="--junit FILE --json")
    with App(project, create=False) as app:
        if every and (found := app.list_sessions(target=target)):
            print_json(found) if as_json else print_sessions(found)
            return int(bool(problems_of(found[-1])))
        shown = app.list_checks(target=target, session=session)
        release = app.get_release(target=target).release if junit else None
    if junit is not None and release is not None:
        from ..report.junit import junit_xml

        xml = junit_xml(shown, f"{release.model}@{release.number}")
        click.echo(xml, nl=False) if junit == _OUTPUT else write_whole(junit, xml)
    if as_json:
        print_json(shown)
    elif junit != _OUTPUT:
        some = _some(shown, target, failed=failed, test=test)
        print_session(shown, shown=some, show_output=show_output, whole=test is None)
    return int(bool(problems_of(shown)))


def _some(session: Session, target: str, *, failed: bool, test: str | None) -> list[Check]:
    found = [check for check in session.checks if test is None or test in check.test]
    if test is not None and not found:
        raise NotFound(f"No check of this session has {test[:80]!r} in its name.", mend=f"plusone checks {target}")
    return [check for check in found if not failed or closes(check) or _warns(check)]


def _warns(check: Check) -> bool:
    return any("warning" in one for one in check.measured)


@click.command(
    epilog="\b\nExamples:\n  plusone diff 1 2\n  plusone diff flight-delays@previous flight-delays@live --json\n\n"
    "Exit codes: 0 whether or not something differs, 2 the caller's mistake, 3 ours."
)
@click.argument("a", metavar="MODEL@A", shell_complete=complete_release)
@click.argument("b", metavar="B", shell_complete=complete_release)
@json_option
@click.pass_obj
def diff(project: Path | None, a: str, b: str, as_json: bool) -> None:
    """Show what differs between two releases: settings, code, data, metrics, checks.

    Of checks: the outcome and what was measured in both, what is new and what is gone.
    """
    with App(project, create=False) as app:
        found = app.compare_releases(a=a, b=b)
    if as_json:
        print_json(found)
        return
    print_difference(found)
