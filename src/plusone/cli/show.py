"""`plusone status`, `show`, `checks`, `diff` and `decisions`: the commands that look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..app.app import App
from ..app.views import Difference, ModelStatus
from ..base import clock
from ..base.records import Check, Field, Release, Session
from ..terminal.output import facts, json_option, number, print_json, print_table, stage_style

__all__ = ["checks", "decisions", "diff", "show", "status"]


@click.command(epilog="\b\nExamples:\n  plusone status\n  plusone status flight-delays --json")
@click.argument("model", required=False)
@json_option
@click.pass_obj
def status(project: Path | None, model: str | None, as_json: bool) -> None:
    """Show the models, their releases, and what is served."""
    with App(project) as app:
        found = app.status(model=model)
    if as_json:
        print_json(found)
        return
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


@click.command(epilog="\b\nExamples:\n  plusone show flight-delays@3\n  plusone show @live --json")
@click.argument("target", metavar="MODEL@N")
@json_option
@click.pass_obj
def show(project: Path | None, target: str, as_json: bool) -> None:
    """Show a release: where it came from, how it was proven, what it takes and what moved it."""
    with App(project, create=False) as app:
        found = app.get_release(target=target)
    if as_json:
        print_json(found)
        return
    release, package, proof = found.release, found.package, found.package.proof
    click.echo(f"{click.style(f'{release.model}@{release.number}', bold=True)}  {stage_style(release.stage)}")
    click.echo(f"  made      {release.created_at}  by run {release.run_id}")
    click.echo(f"  digest    {release.digest}")
    if found.freed_at:
        click.secho(f"  freed     {found.freed_at[:10]} by plusone gc: it can't go live again", fg="yellow")
    click.echo(f"  model     {package.trained}, packaged as {package.format} ({package.options.get('precision', '-')})")
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


@click.command(epilog="\b\nExamples:\n  plusone checks flight-delays@3\n  plusone checks @live --json")
@click.argument("target", metavar="MODEL@N")
@click.option("--output", "show_output", is_flag=True, help="Also show what each test printed.")
@json_option
@click.pass_obj
def checks(project: Path | None, target: str, show_output: bool, as_json: bool) -> None:
    """Show the checks of a release and what they measured."""
    with App(project, create=False) as app:
        session = app.list_checks(target=target)
    if as_json:
        print_json(session)
        return
    _print_session(session, show_output)


def _print_session(session: Session, show_output: bool) -> None:
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


@click.command(
    epilog="\b\nExamples:\n  plusone diff 1 2\n  plusone diff flight-delays@previous flight-delays@live --json"
)
@click.argument("a", metavar="MODEL@A")
@click.argument("b", metavar="B")
@json_option
@click.pass_obj
def diff(project: Path | None, a: str, b: str, as_json: bool) -> None:
    """Show what differs between two releases: settings, code, data, metrics, checks."""
    with App(project, create=False) as app:
        found = app.compare_releases(a=a, b=b)
    if as_json:
        print_json(found)
        return
    _print_difference(found)


def _print_difference(found: Difference) -> None:
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


@click.command(epilog="\b\nExample:\n  plusone decisions flight-delays")
@click.argument("model", required=False)
@json_option
@click.pass_obj
def decisions(project: Path | None, model: str | None, as_json: bool) -> None:
    """Show who or what moved which release, when and why."""
    with App(project, create=False) as app:
        found = app.list_decisions(model=model)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            d.at[:19].replace("T", " "),
            f"{d.model}@{d.release}",
            f"{d.before or '-'} -> {stage_style(d.after)}" + (" OVERRIDE" if d.override else ""),
            d.by,
            d.reason if len(d.reason) <= 90 else d.reason[:87] + "...",
        )
        for d in found
    ]
    print_table(("when (UTC)", "release", "decision", "by", "reason"), rows)
