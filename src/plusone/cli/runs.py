"""`plusone runs`: what was executed, what it logged and what it printed."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..app.views import RunDetail
from ..base import clock
from .files import files, get
from .output import json_option, number, print_json, print_table, stage_style

__all__ = ["runs"]


@click.group(
    invoke_without_command=True,
    epilog="\b\nExamples:\n  plusone runs\n  plusone runs show 01m84\n  plusone runs log 01m84",
)
@click.option(
    "--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, the newest first."
)
@json_option
@click.pass_context
def runs(context: click.Context, count: int, as_json: bool) -> None:
    """List runs; show one; print its log."""
    if context.invoked_subcommand is not None:
        return
    with App(context.obj, create=False) as app:
        found = app.list_runs(count=count)
    if as_json:
        print_json(found)
        return
    rows = [
        (r.id, r.name, r.model, stage_style(r.status), clock.age_text(r.started_at), (r.error or "")[:70])
        for r in found
    ]
    print_table(("run", "what", "model", "status", "started", "error"), rows)


runs.add_command(files)
runs.add_command(get)


@runs.command(epilog="\b\nExample:\n  plusone runs show 01m84")
@click.argument("run_id")
@json_option
@click.pass_obj
def show(project: Path | None, run_id: str, as_json: bool) -> None:
    """Show a run: settings, code, steps, metrics and checks. The beginning of its id is enough."""
    with App(project, create=False) as app:
        found = app.get_run(run_id=run_id)
    if as_json:
        print_json(found)
        return
    _print_run(found)


@runs.command(epilog="\b\nExample:\n  plusone runs log 01m84")
@click.argument("run_id")
@json_option
@click.pass_obj
def log(project: Path | None, run_id: str, as_json: bool) -> None:
    """Print what a run printed."""
    with App(project, create=False) as app:
        text = app.get_log(run_id=run_id)
    if as_json:
        print_json(text)
        return
    click.echo(text, nl=False)


def _print_run(found: RunDetail) -> None:
    run = found.run
    code = (
        f"{run.code.commit[:12]}{' and a diff' if run.code.dirty else ''}"
        if run.code.commit
        else "in no git repository"
    )
    click.echo(f"run {run.id}  {run.name}  {stage_style(run.status)}")
    click.echo(f"  started  {run.started_at}  finished {run.finished_at or '-'}")
    click.echo(f"  code     {code}")
    if run.settings:
        click.echo("  settings " + ", ".join(f"{key}={value}" for key, value in run.settings.items()))
    if run.resumed_from:
        click.echo(f"  resumed  {run.resumed_from}")
    if run.error:
        click.secho(f"  error    {run.error}", fg="red")
    if found.steps:
        click.echo()
        rows = [
            (s.step, s.status, f"{s.duration_s:.2f} s", " ".join(f"{n}={d[:8]}" for n, d in s.outputs.items()))
            for s in found.steps
        ]
        print_table(("step", "status", "time", "outputs"), rows)
    if found.metrics:
        click.echo()
        print_table(("metric", "last"), [(key, number(value)) for key, value in found.metrics.items()])
    for session in found.sessions:
        click.echo()
        print_table(
            ("outcome", "subject", "test"), [(stage_style(c.outcome), c.subject, c.test) for c in session.checks]
        )
