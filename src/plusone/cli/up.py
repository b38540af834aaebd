"""`plusone up`: serve what is live until it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from ..app.app import App
from ..control.control import Control
from ..terminal.events import print_event

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
            on_event=_print_json_line if as_json else lambda event: print_event(event, control),
        )
        control.run()


def _print_json_line(event: dict[str, Any]) -> None:
    click.echo(msgspec.json.encode(event))
