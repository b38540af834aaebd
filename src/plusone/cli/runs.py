"""`plusone runs`: what was executed, what it logged and what it printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..app.app import App
from ..app.looking import cells_of
from ..app.views import RunDetail, RunsDifference
from ..base import clock
from ..base.errors import PlusoneError
from ..base.records import Run
from ..terminal.output import json_option, number, print_json, print_table, size_text, sparkline, stage_style
from .experiments import experiments as list_experiments
from .files import files, get
from .plot import plot

__all__ = ["runs"]

_MOST_SHOWN = 60


def _complete_run(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the newest runs whose id begins so, for the shell; none where there is no project."""
    if not incomplete.isalnum() and incomplete:
        return []
    try:
        with App(context.find_root().params.get("project"), create=False) as app:
            found = app.search_runs(filter=f"run_id LIKE '{incomplete.lower()}%'", count=50, view="all")
    except PlusoneError:
        return []
    return [CompletionItem(run.id, help=f"{run.name}, {run.status}") for run in found.runs]


@click.group(
    invoke_without_command=True,
    epilog="\b\nExamples:\n  plusone runs\n  plusone runs --filter \"metrics.auc > 0.9 and params.depth = '3'\"\n"
    '  plusone runs --order-by "metrics.loss" --columns metrics.loss,params.depth\n'
    "  plusone runs show 01m84\n  plusone runs compare 01m84 01m8b\n  plusone runs log 01m84",
)
@click.option("--filter", "filter_", metavar="TEXT", default="", help="Only runs that fulfil it, in MLflow's grammar.")
@click.option(
    "--order-by",
    metavar="KEY",
    multiple=True,
    help='For example "metrics.loss", "params.depth DESC"; may be given again.  [default: the newest first]',
)
@click.option(
    "--experiment",
    "experiments",
    metavar="NAME",
    multiple=True,
    help="Only its runs, by name or id; may be given again.",
)
@click.option("--columns", metavar="KEYS", default="", help="What to show: metrics.loss,params.depth,tags.owner")
@click.option("--deleted", is_flag=True, help="Show deleted runs in place of the others.")
@click.option("--count", type=click.IntRange(1, 50_000), default=20, show_default=True, help="How many.")
@click.option("--page", metavar="TOKEN", help="The page that the page before named.")
@json_option
@click.pass_context
def runs(
    context: click.Context,
    filter_: str,
    order_by: tuple[str, ...],
    experiments: tuple[str, ...],
    columns: str,
    deleted: bool,
    count: int,
    page: str | None,
    as_json: bool,
) -> None:
    """List and search runs; show one; compare some; print a log. Their files: `files` and `get`."""
    if context.invoked_subcommand is not None:
        return
    with App(context.obj, create=False) as app:
        found = app.search_runs(
            filter=filter_,
            order_by=list(order_by),
            experiments=list(experiments) or None,
            view="deleted" if deleted else "active",
            count=count,
            page=page,
        )
    if as_json:
        print_json(found)
        return
    _print_runs(found.runs, [column.strip() for column in columns.split(",") if column.strip()])
    if found.next_page:
        click.echo(f"\nmore: the same with --page {found.next_page}")


def _print_runs(found: Sequence[Run], columns: list[str]) -> None:
    ids = [(r.id, r.name, r.model, stage_style(r.status), clock.age_text(r.started_at)) for r in found]
    chosen = cells_of(found, columns) if columns else [[(r.error or "")[:70]] for r in found]
    rows = [(*one, *map(_cell, more)) for one, more in zip(ids, chosen, strict=True)]
    print_table(("run", "what", "model", "status", "started", *(columns or ["error"])), rows)


runs.add_command(files)
runs.add_command(get)
runs.add_command(list_experiments)
runs.add_command(plot)


@runs.command(epilog="\b\nExample:\n  plusone runs show 01m84")
@click.argument("run_id", shell_complete=_complete_run)
@json_option
@click.pass_obj
def show(project: Path | None, run_id: str, as_json: bool) -> None:
    """Show a run: settings, tags, code, steps, metrics, files and checks. The beginning of its id is enough."""
    with App(project, create=False) as app:
        found = app.get_run(run_id=run_id)
    if as_json:
        print_json(found)
        return
    _print_run(found)


@runs.command(
    epilog="\b\nExamples:\n  plusone runs compare 01m84 01m8b\n  plusone runs compare 01m84 01m8b 01m8c --json"
)
@click.argument("run_ids", nargs=-1, required=True, shell_complete=_complete_run)
@json_option
@click.pass_obj
def compare(project: Path | None, run_ids: tuple[str, ...], as_json: bool) -> None:
    """Show what differs between runs: settings, metrics, code, environment."""
    with App(project, create=False) as app:
        found = app.compare_runs(run_ids=list(run_ids))
    if as_json:
        print_json(found)
        return
    _print_difference(found)


@runs.command(epilog="\b\nExample:\n  plusone runs log 01m84")
@click.argument("run_id", shell_complete=_complete_run)
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


def _print_difference(found: RunsDifference) -> None:
    print_table(("run", "what"), list(zip(found.runs, found.names, strict=True)))
    parts = {"setting": found.settings, "metric": found.metrics, "code": found.code, "environment": found.environment}
    for name, rows in parts.items():
        if rows:
            click.echo()
            # A file's digest says that it differs; its beginning is enough.
            cells = {
                key: [_cell(v)[:12] if name == "code" else _cell(v) for v in values] for key, values in rows.items()
            }
            print_table((name, *_short(found.runs)), [(key, *values) for key, values in cells.items()])
    if not any(parts.values()):
        click.echo("\nnothing differs")


def _short(ids: Sequence[str]) -> list[str]:
    """Return the shortest beginnings that tell the ids apart, of at least 8 characters."""
    length = next((n for n in range(8, 26) if len({one[:n] for one in ids}) == len({*ids})), 26)
    return [one[:length] for one in ids]


def _cell(value: Any) -> str:
    text = "-" if value is None else number(value)
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


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
    if run.tags:
        click.echo("  tags     " + ", ".join(f"{key}={_cell(value)}" for key, value in run.tags.items()))
    if run.resumed_from:
        click.echo(f"  resumed  {run.resumed_from}")
    if run.deleted_at:
        click.secho(f"  deleted  {run.deleted_at}", fg="yellow")
    if run.error:
        click.secho(f"  error    {run.error}", fg="red")
    if found.steps:
        click.echo()
        rows = [
            (s.step, s.status, f"{s.duration_s:.2f} s", " ".join(f"{n}={d[:8]}" for n, d in s.outputs.items()))
            for s in found.steps
        ]
        print_table(("step", "status", "time", "outputs"), rows)
    _print_logged(found)
    for session in found.sessions:
        click.echo()
        print_table(
            ("outcome", "subject", "test"), [(stage_style(c.outcome), c.subject, c.test) for c in session.checks]
        )


def _print_logged(found: RunDetail) -> None:
    """Print the metrics, those of a run under way too, and the files."""
    names = sorted({*found.metrics, *found.series})
    if names:
        click.echo()
        rows: list[tuple[str, ...]] = []
        for key in names:
            shape = found.series.get(key)
            last = found.run.metrics[key].value if key in found.run.metrics else found.metrics.get(key)
            ends = (_cell(shape.minimum), _cell(shape.maximum)) if shape else ("-", "-")
            rows.append((key, _cell(last), *ends, sparkline(shape.values) if shape else ""))
        print_table(("metric", "last", "min", "max", "series"), rows)
    if found.artifacts:
        click.echo()
        print_table(("file", "kind", "size"), [(a.path, a.kind, size_text(a.size_bytes)) for a in found.artifacts])
