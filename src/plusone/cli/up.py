"""`plusone up`: serve what is live until it is stopped."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import msgspec

from ..app.app import App
from ..app.control import Control

__all__ = ["up"]

_EPILOG = """\b
Examples:
  plusone up
  plusone up --port 8080 --workers 2

It stays in the foreground; ctrl-C drains the workers and ends it. Requests then go to
  curl -X POST http://127.0.0.1:7401/models/MODEL/predict -d '{"rows": [{...}]}'
"""


@click.command(epilog=_EPILOG)
@click.option("--host", help="Where predictions are answered.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="The port of predictions.  [default: 7401]")
@click.option("--control-port", type=click.IntRange(1, 65535), help="The port of the control API.  [default: 7400]")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes.  [default: 1]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line for each event.")
@click.pass_obj
def up(
    project: Path | None,
    host: str | None,
    port: int | None,
    control_port: int | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Serve what is live, and publish what goes live.

    Predictions on port 7401, the control API on port 7400, both on this machine only unless --host says otherwise.
    Settings may stand in pyproject.toml, [tool.plusone.serve].
    """
    with App(project) as app:
        serve = app.project.serve
        control = Control(
            app.project,
            app.store,
            host=host or serve.host,
            port=port or serve.port,
            control_port=control_port or serve.control_port,
            workers=workers or serve.workers,
            on_event=_print_json_line if as_json else lambda event: _print(event, control),
        )
        control.run()


def _print_json_line(event: dict[str, Any]) -> None:
    click.echo(msgspec.json.encode(event))


def _print(event: dict[str, Any], control: Control) -> None:
    kind = event["event"]
    moment = time.strftime("%H:%M:%S")
    if kind == "started":
        click.echo(f"{moment} started: control API, also for MLflow's clients, at {event['control']}")
        if not event["models"]:
            click.echo("         no release is live yet, so nothing is served. To make one: plusone release")
    elif kind == "ready":
        count = event["workers"]
        click.echo(
            f"{moment} ready: {count} worker{'s' if count != 1 else ''} at {control.supervisor.address}"
            f", control API at {control.api.address}"
        )
        for model in event["versions"]:
            click.echo(f"         POST {control.supervisor.address}/models/{model}/predict")
    elif kind == "not ready":
        click.echo(f"{moment} not ready: no live release is loaded. To make one: plusone release")
    elif kind == "taken back":
        click.secho(
            f"{moment} {event['model']}: route version {event['version']} taken back: {event['error']}", fg="red"
        )
    elif kind == "repaired":
        click.echo(f"{moment} {event['model']}: damaged files were laid out anew: {event['error']}")
    elif kind == "rollout":
        step = f"step {event['step']} of {event['steps']} of its rollout"
        why = f": {event['why']}" if event["why"] else ""
        click.echo(f"{moment} {event['model']}@{event['release']}, {step}: {event['did']}{why}")
    elif kind == "rollouts stopped":
        click.secho(f"{moment} no rollout goes on; predictions do: {event['message']}", fg="red")
    elif kind == "trouble":
        click.secho(f"{moment} trouble, and predictions go on: {event['message']}", fg="yellow")
    elif kind == "recovered":
        click.echo(f"{moment} all is well again")
    elif kind == "stopping":
        click.echo(f"{moment} stopping: what is in flight is answered first")
