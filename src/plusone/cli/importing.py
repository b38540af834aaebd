"""`plusone import`: what other trackers hold, brought over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..app.app import App
from ..importing.mlflow import Counts, Imported, import_tracking
from ..terminal.output import json_option, print_json, print_table

__all__ = ["import_"]

_EPILOG = """\b
Examples:
  plusone import mlflow http://127.0.0.1:5000
  plusone import mlflow sqlite:///mlflow.db
  plusone import mlflow ./mlruns --experiment churn --experiment fraud

Begun again it goes on where it stopped. Exit codes: 0 everything is here, 1 something could not be brought over.
"""


@click.group(name="import", epilog="\b\nExample:\n  plusone import mlflow http://127.0.0.1:5000")
def import_() -> None:
    """Bring over what an MLflow server or database holds."""


@import_.command(epilog=_EPILOG)
@click.argument("uri")
@click.option("--experiment", "experiments", multiple=True, help="Only this experiment; may be given again.")
@click.option("--mlflow", "command", help="The mlflow command that serves a database or a folder.  [default: mlflow]")
@json_option
@click.pass_context
def mlflow(context: click.Context, uri: str, experiments: tuple[str, ...], command: str | None, as_json: bool) -> None:
    """Bring over an MLflow tracking server, a database of MLflow's, or a folder mlruns.

    Experiments, runs with their settings, tags, series and files, logged models and registered models. Runs keep their
    ids. A database or a folder is read by MLflow's own server, which is started for it and ended. What was read and
    what is here is counted, run by run, and compared.
    """
    project: Path | None = context.obj
    with App(project) as app, _progress(shown=not as_json) as on_event:
        done = import_tracking(app.store, uri, experiments=experiments, command=command, on_event=on_event)
    if as_json:
        print_json(done)
    else:
        _print(done)
    context.exit(1 if done.problems else 0)


@contextlib.contextmanager
def _progress(*, shown: bool) -> Iterator[Any]:
    if not shown:
        yield lambda event: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading")
        name, runs = "", 0

        def on_event(event: dict[str, Any]) -> None:
            nonlocal name, runs
            name = event["name"] if event["event"] == "experiment" else name
            runs += event["event"] == "run"
            bar.update(task, description=f"{name}: {runs} runs")

        yield on_event


def _print(done: Imported) -> None:
    click.echo(f"{done.source}: {done.experiments} experiments, {done.skipped} runs were here already")
    rows = [
        (name.replace("_", " "), getattr(done.there, name), getattr(done.here, name))
        for name in Counts.__struct_fields__
    ]
    print_table(("", "there", "here"), rows)
    click.echo(
        f"{done.logged_models} logged models, {done.registered_models} registered models with {done.versions} versions"
    )
    for problem in done.problems[:20]:
        click.secho(f"not brought over: {problem}", fg="yellow", err=True)
    if len(done.problems) > 20:
        click.secho(f"and {len(done.problems) - 20} more; --json lists them all", fg="yellow", err=True)
