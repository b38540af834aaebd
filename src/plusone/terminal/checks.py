"""Checks for people: what came of each, what was measured, what warns, and what differs in two releases."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from ..app.views import Difference
from ..base.records import Check, Session
from ..built_in.causes import only_message, reasons_of
from ..checks.verdict import BUILT_IN, closes, is_built_in, problems_of
from .output import facts, number, print_table, shortened, stage_style

__all__ = ["print_difference", "print_reasons", "print_session", "print_sessions"]

_LONG = 1000


def print_session(
    session: Session, *, shown: Sequence[Check] | None = None, show_output: bool = False, whole: bool = True
) -> None:
    """Print the checks of one session, the project's tests and plusone's own apart, what each measured, and the gate.

    Args:
        shown: those that are printed; by default all.
        show_output: what each printed, too.
        whole: say at the end whether the gate is open.
    """
    checks = session.checks if shown is None else shown
    idle = [check for check in checks if whole and not show_output and _is_idle(check)]
    checks = [check for check in checks if check not in idle]
    for title, mine in (("the project's tests", False), ("plusone's own checks", True)):
        rows = [_row(check) for check in checks if is_built_in(check.test) is mine]
        if rows:
            click.secho(f"{title}", bold=True)
            print_table(("outcome", "subject", "check", "rows", "time"), rows, right={3, 4})
            click.echo()
    _print_together("not applicable", idle)
    alike = [] if show_output or not whole else _alike(checks)
    _print_together("passed", alike)
    # The gate names them too.
    for problem in () if whole else session.problems:
        click.secho(f"problem: {problem}", fg="red")
    for check in checks:
        if check not in alike:
            _print_check(check, show_output)
    if whole:
        _print_gate(session)


def _is_idle(check: Check) -> bool:
    return is_built_in(check.test) and check.outcome == "not applicable"


def _alike(checks: Sequence[Check]) -> list[Check]:
    """Return those that all passed for the same reason, which is all that they say."""
    said = {check.test: message for check in checks if (message := only_message(check))}
    counts = Counter(said.values())
    return [check for check in checks if counts[said.get(check.test, "")] > 1]


def _print_together(title: str, checks: Sequence[Check]) -> None:
    """Print checks of plusone's own that say one thing, together by what they say."""
    reasons: dict[str, list[str]] = {}
    for check in checks:
        reasons.setdefault(only_message(check) or check.message, []).append(_name(check))
    for reason, names in reasons.items():
        click.secho(f"{title}: {shortened(reason, 300)}" + (f" ({len(names)} checks)" if names[1:] else ""), dim=True)
        click.secho(textwrap.fill(", ".join(names), 110, initial_indent="  ", subsequent_indent="  "), dim=True)
    if reasons:
        click.echo()


def print_sessions(sessions: Sequence[Session]) -> None:
    """Print the sessions of a release in a line each, the oldest first: the gate reads the last."""
    rows = [
        (
            one.id,
            one.finished_at[:19].replace("T", " "),
            len(one.checks),
            sum(bool(closes(check)) for check in one.checks),
            sum("warning" in measured for check in one.checks for measured in check.measured),
            "closed" if problems_of(one) else "open",
        )
        for one in sessions
    ]
    print_table(("session", "ended (UTC)", "checks", "closing", "warnings", "gate"), rows, right={2, 3, 4})


def print_difference(found: Difference) -> None:
    """Print what differs between two releases, part by part."""
    click.secho(f"{found.model}@{found.a} -> {found.model}@{found.b}", bold=True)
    names = ("settings", "code", "metrics", "data", "signature", "environment")
    sections: dict[str, dict[str, Any]] = {name: dict(getattr(found, name)) for name in names}
    changed = sections["code"]
    files = {path: changed.pop(path)["diff"] for path in list(changed) if isinstance(changed[path], dict)}
    for name, pairs in sections.items():
        rows = [row for key, pair in pairs.items() for row in _rows(key, pair)]
        if rows:
            click.echo()
            print_table((name, str(found.a), str(found.b)), rows)
        if name == "metrics" and found.checks:
            click.echo()
            print_table(("checks", str(found.a), str(found.b)), _checks(found.checks))
    for lines in files.values():
        click.echo()
        for line in lines:
            click.secho(line, fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
    if not any(sections.values()) and not files and not found.checks:
        click.echo("nothing differs")


def _row(check: Check) -> tuple[Any, ...]:
    warns = click.style(" (warns)", fg="yellow") if any("warning" in one for one in check.measured) else ""
    rows = next((one["rows"] for one in check.measured if isinstance(one.get("rows"), int)), None)
    counted = f"{rows:,}" if rows is not None else "-"
    return stage_style(check.outcome) + warns, check.subject, _name(check), counted, f"{check.duration_s:.2f} s"


def _name(check: Check) -> str:
    return check.test.removeprefix(BUILT_IN)


def _print_check(check: Check, show_output: bool) -> None:
    told = check.measured or check.outcome != "passed" or (show_output and check.output)
    if told:
        click.secho(f"{_name(check)}", bold=True)
    # What a check raises is what it recorded, perhaps with a sentence more: that one says why it failed.
    said = [one.get("message") for one in check.measured]
    whole = check.message if check.outcome != "passed" and check.message not in said else ""
    if whole:
        click.echo(f"  {shortened(whole, _LONG)}")
    for measured in check.measured:
        _print_measured(measured, whole)
    if show_output and check.output:
        click.echo("  | " + check.output.rstrip("\n").replace("\n", "\n  | "))
    if told:
        click.echo()


def _print_measured(measured: dict[str, Any], said: str) -> None:
    """Print what was measured; not again what the check itself has said."""
    if "warning" in measured:
        click.secho(f"  warning: {shortened(str(measured['warning']), _LONG)}", fg="yellow")
    elif measured.get("message") and str(measured["message"]) not in said:
        click.echo(f"  {shortened(str(measured['message']), _LONG)}")
    if line := facts(measured):
        click.secho(f"    {shortened(line, _LONG)}", dim=True)


def _print_gate(session: Session) -> None:
    problems = problems_of(session)
    if not problems:
        click.secho("the gate is open", fg="green")
        return
    click.secho("the gate is closed", fg="red", bold=True)
    print_reasons(session.checks, problems)


def print_reasons(checks: Sequence[Check], problems: Sequence[str]) -> None:
    """Print why a gate is closed, each cause in a line."""
    for problem, check in reasons_of(checks, problems):
        why = closes(check) if check is not None else problem
        click.echo(f"  - {shortened(why, 300)}{problem.removeprefix(why)}")


def _checks(pairs: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return a row for each check that differs: first what is new, gone or came out otherwise."""

    def rank(pair: Any) -> int:
        return 0 if None in pair or pair[0]["outcome"] != pair[1]["outcome"] else 1

    ordered = sorted(pairs.items(), key=lambda one: rank(one[1]))
    return [
        (test.removeprefix(BUILT_IN), _side(pair[0], "not there"), _side(pair[1], "gone")) for test, pair in ordered
    ]


def _side(found: dict[str, Any] | None, without: str) -> str:
    if found is None:
        return without
    measured: dict[str, Any] = next(filter(None, found.get("measured") or ()), {})
    shown = " ".join(f"{key} {number(value)}" for key, value in list(measured.items())[:3])
    return f"{stage_style(found['outcome'])} {shortened(shown, 70)}".rstrip()


def _rows(key: str, pair: Any) -> list[tuple[str, str, str]]:
    """Return one table row for a pair, or one for each pair inside of a nested difference."""
    if isinstance(pair, dict):
        return [
            row for inner, part in pair.items() for row in _rows(f"{key}.{inner}" if key != "profile" else inner, part)
        ]
    return [(key, _cell(pair[0]), _cell(pair[1]))]


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        parts: dict[str, Any] = value
        if "digest" in parts:
            return f"{parts['digest'][:12]} ({parts.get('rows')} rows)"
        return " ".join(f"{k}={number(v)}" for k, v in parts.items())[:80]
    text = "-" if value is None else number(value)
    return text if len(text) <= 60 else text[:57] + "..."
