"""What `plusone up` says while it runs: a line or two for each event."""

from __future__ import annotations

import time
from typing import Any

import click

from ..control.control import Control
from .output import print_wrapped

__all__ = ["print_event"]


def print_event(event: dict[str, Any], control: Control) -> None:
    """Print an event of `control`, with the time of day; what nobody needs to see is left out."""
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
    elif kind == "rollout":
        print_wrapped(f"{moment} {_rollout_text(event)}", indent=9)
    elif kind == "rollouts stopped":
        click.secho(f"{moment} no rollout goes on; predictions do: {event['message']}", fg="red")
    elif kind == "repaired":
        click.echo(f"{moment} {event['model']}: damaged files were laid out anew: {event['error']}")
    elif kind == "trouble":
        click.secho(f"{moment} trouble, and predictions go on: {event['message']}", fg="yellow")
    elif kind == "recovered":
        click.echo(f"{moment} all is well again")
    elif kind == "stopping":
        click.echo(f"{moment} stopping: what is in flight is answered first")


def _rollout_text(event: dict[str, Any]) -> str:
    name, model = f"{event['model']}@{event['release']}", event["model"]
    step, steps, why = event["step"], event["steps"], event["why"]
    did = event["did"]
    if did == "begin":
        return f"rollout of {name}: step 1 of {steps} is served ({why})"
    if did == "advance" and step < steps:
        return f"rollout of {name}: step {step + 1} of {steps} begins"
    if did == "advance":
        return click.style(f"rollout of {name}: all {steps} steps are done, it is live", fg="green")
    if did == "roll back":
        return click.style(f"rollout of {name}: rolled back in step {step} of {steps}: {why}", fg="red")
    if did == "hold":
        mend = f"to go on in spite of it: plusone rollout resume {model}"
        return click.style(f"rollout of {name}: held in step {step} of {steps}: {why}", fg="yellow") + f". {mend}"
    return f"rollout of {name}: held no longer" if did == "go on" else f"rollout of {name}: {did} {why}".rstrip()
