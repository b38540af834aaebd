"""Releases for people: what there is, what one is made of, what was measured, what differs, what moved it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..app.views import Difference, ModelStatus, Moved, ReleaseDetail, Status
from ..base import clock
from ..base.records import Check, Decision, Field, Release, Session
from .output import facts, number, print_table, shortened, stage_style
from .rollouts import is_over, print_way

__all__ = ["print_decisions", "print_difference", "print_moved", "print_release", "print_session", "print_status"]


def print_status(found: Status) -> None:
    """Print the models with their releases, and the servers."""
    if not found.models:
        click.echo(f"{found.project}: no release yet. To make the first: plusone release")
    for one in found.models:
        _print_model(one)
    for server in found.servers:
        ready = sum(worker.ready for worker in server.workers)
        click.echo(f"server {server.address}  {ready} of {len(server.workers)} workers ready  control {server.control}")
    if not found.servers:
        click.echo("no server is up. To start one: plusone up")


def _print_model(one: ModelStatus) -> None:
    served = one.served.state if one.served else "no route"
    version = f", route version {one.route.version}" if one.route else ""
    name = click.style(one.model, bold=True)
    click.echo(f"{name}  live {one.live or '-'}, previous {one.previous or '-'}{version}, {served}")
    rows = [
        (
            release.number,
            stage_style(release.stage),
            clock.age_text(release.created_at),
            release.digest[:12] or "-",
            _settings(release, one.releases) if release.digest else "registered through MLflow",
        )
        for release in one.releases
    ]
    print_table(("release", "stage", "made", "digest", "settings that differ"), rows)


def _settings(release: Release, releases: tuple[Release, ...]) -> str:
    """Return the settings that are not the same in all of these releases."""
    values = {key: {repr(one.settings.get(key)) for one in releases if one.digest} for key in release.settings}
    return ", ".join(f"{key}={value}" for key, value in release.settings.items() if len(values[key]) > 1)


def print_release(found: ReleaseDetail) -> None:
    """Print a release: where it came from, how it was proven, what it takes and what moved it."""
    release, package, proof = found.release, found.package, found.package.proof
    click.echo(f"{click.style(f'{release.model}@{release.number}', bold=True)}  {stage_style(release.stage)}")
    click.echo(f"  made      {release.created_at}  by run {release.run_id}")
    click.echo(f"  digest    {release.digest}")
    if found.freed_at:
        click.secho(f"  freed     {found.freed_at[:10]} by plusone gc: it can't go live again", fg="yellow")
    click.echo(f"  model     {package.trained}, packaged as {package.format} ({package.options.get('precision', '-')})")
    if because := package.options.get("native_because"):
        click.echo(f"            runs in a process of its own: {because}")
    click.echo(
        f"  proven    equal on {proof.get('rows', 0):,} rows: largest difference {proof.get('max_difference', 0):.1e}, "
        f"allowed {proof.get('tolerance', 0):.0e}"
    )
    click.echo("  settings  " + (", ".join(f"{key}={value}" for key, value in release.settings.items()) or "none"))
    if release.metrics:
        click.echo("  metrics   " + ", ".join(f"{key} {number(value)}" for key, value in release.metrics.items()))
    output = package.signature.output
    click.echo(f"  answers   {output.name}: " + (", ".join(map(str, output.classes)) or "a number"))
    click.echo()
    print_table(
        ("field", "type", "may be null", "in training", "example"),
        [
            (f.name, f.dtype, "yes" if f.nullable else "no", _seen(f), "-" if f.example is None else f.example)
            for f in package.signature.fields
        ],
    )
    click.echo()
    for one in found.decisions:
        click.echo(
            f"{one.at[:19].replace('T', ' ')}  {one.before or '-'} -> {stage_style(one.after)}  {one.by}: {one.reason}"
        )


def _seen(field: Field) -> str:
    """Return what a field held in the training data, in few words."""
    if field.minimum is not None and field.maximum is not None:
        return f"{field.minimum:g} to {field.maximum:g}"
    if field.categories is None:
        return "any text" if field.dtype == "string" else "-"
    some = ", ".join(field.categories[:4]) + (", ..." if len(field.categories) > 4 else "")
    others = "others accepted" if field.unseen == "accept" else "others refused"
    return f"{len(field.categories)} values ({some}); {others}"


def print_session(session: Session, *, show_output: bool = False) -> None:
    """Print the checks of one session, and what each measured; `show_output`: what its test printed, too."""
    rows = [(stage_style(c.outcome), c.subject, c.test, f"{c.duration_s:.2f} s") for c in session.checks]
    print_table(("outcome", "subject", "test", "time"), rows)
    for problem in session.problems:
        click.secho(f"problem: {problem}", fg="red")
    for check in session.checks:
        _print_check(check, show_output)


def _print_check(check: Check, show_output: bool) -> None:
    if check.measured or check.outcome != "passed" or (show_output and check.output):
        click.secho(f"\n{check.test}", bold=True)
    if check.message and check.outcome != "passed":
        click.echo(f"  {check.message}")
    for measured in check.measured:
        click.echo(f"  {facts(measured)}")
    if show_output and check.output:
        click.echo("  | " + check.output.replace("\n", "\n  | "))


def print_difference(found: Difference) -> None:
    """Print what differs between two releases, part by part."""
    click.secho(f"{found.model}@{found.a} -> {found.model}@{found.b}", bold=True)
    sections: dict[str, dict[str, Any]] = {
        name: getattr(found, name)
        for name in ("settings", "code", "metrics", "checks", "data", "signature", "environment")
    }
    changed = sections["code"]
    files = {path: changed.pop(path)["diff"] for path in list(changed) if isinstance(changed[path], dict)}
    for name, pairs in sections.items():
        rows = [row for key, pair in pairs.items() for row in _rows(key, pair)]
        if rows:
            click.echo()
            print_table((name, str(found.a), str(found.b)), rows)
    for lines in files.values():
        click.echo()
        for line in lines:
            click.secho(line, fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
    if not any(sections.values()) and not files:
        click.echo("nothing differs")


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
        if "outcome" in parts:
            found = parts.get("measured") or [{}]
            shown = {k: v for k, v in found[0].items() if k in ("candidate", "value", "difference")}
            return " ".join([str(parts["outcome"]), *(f"{k} {number(v)}" for k, v in shown.items())])
        if "digest" in parts:
            return f"{parts['digest'][:12]} ({parts.get('rows')} rows)"
        return " ".join(f"{k}={number(v)}" for k, v in parts.items())[:80]
    text = "-" if value is None else number(value)
    return text if len(text) <= 60 else text[:57] + "..."


def print_decisions(found: Sequence[Decision]) -> None:
    """Print decisions, one a line."""
    rows = [
        (
            d.at[:19].replace("T", " "),
            f"{d.model}@{d.release}",
            f"{d.before or '-'} -> {stage_style(d.after)}" + (" OVERRIDE" if d.override else ""),
            d.by,
            shortened(d.reason, 90),
        )
        for d in found
    ]
    print_table(("when (UTC)", "release", "decision", "by", "reason"), rows)


def print_moved(moved: Moved) -> None:
    """Print what a decision changed, and whether it is served."""
    for decision in moved.decisions:
        line = f"{decision.model}@{decision.release}  {decision.before} -> {stage_style(decision.after)}"
        if decision.override:
            line += click.style("  OVERRIDE", fg="red", bold=True)
        click.echo(f"{line}  ({shortened(decision.reason, 400)})")
    rollout, served = moved.rollout, moved.served
    if rollout is not None and not is_over(rollout):
        print_way(rollout, served)
        return
    if served is None:
        return
    if served.state == "served":
        workers = f"{served.workers} worker{'s' if served.workers != 1 else ''}"
        click.echo(f"{moved.model}@{moved.release} is served by {workers}, {served.waited_s:.2f} s after the decision")
    elif served.state == "not yet served":
        click.echo(f"{moved.model}@{moved.release} is live, not yet served: {served.message}")
    elif served.state == "taken back":
        click.secho(f"taken back: {served.message}", fg="red")
    else:
        click.secho(f"after {served.waited_s:.0f} s {served.message}: plusone status", fg="yellow")
