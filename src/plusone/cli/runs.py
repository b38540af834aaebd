"""`plusone runs`: what was executed, what it logged and what it printed."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ..app.app import App
from ..base.errors import PlusoneError
from ..terminal.output import json_option, print_json
from ..terminal.runs import print_run, print_runs, print_runs_difference
from .experiments import experiments as list_experiments
from .files import files, get
from .plot import plot

__all__ = ["runs"]


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
    print_runs(found.runs, [column.strip() for column in columns.split(",") if column.strip()])
    if found.next_page:
        click.echo(f"\nmore: the same with --page {found.next_page}")


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
    print_run(found)


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
    print_runs_difference(found)


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
