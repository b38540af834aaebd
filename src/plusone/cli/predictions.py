"""`plusone predictions` and `plusone label`: what was asked and answered, and what the truth was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from ..app.app import App
from ..base import clock
from ..base.logged import Label, Prediction
from ..terminal.bars import bar
from ..terminal.output import json_option, print_json, print_table

__all__ = ["label", "predictions"]

_MOST_SHOWN = 60


class _ListedByDefault(click.Group):
    """`plusone predictions MODEL` is `plusone predictions list MODEL`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args.insert(0, "list")
        return super().parse_args(ctx, args)


@click.group(
    cls=_ListedByDefault,
    epilog="\b\nExamples:\n  plusone predictions flight-delays --since 1h\n  plusone predictions show 01m84x...\n"
    "  plusone predictions export flight-delays --to predictions.parquet",
)
def predictions() -> None:
    """List logged predictions with their labels; show one; write them to a file.

    `plusone predictions MODEL` lists.
    """


def _span_options(function: Any) -> Any:
    for option in (
        click.option("--until", metavar="TIME", help="Only those before: a time with its zone, or an age."),
        click.option("--since", metavar="TIME", help="Only those from then on: a time with its zone, or an age: 1h."),
        click.option("--release", type=click.IntRange(1), metavar="N", help="Only those that this release answered."),
    ):
        function = option(function)
    return function


@predictions.command("list", epilog="\b\nExample:\n  plusone predictions list flight-delays --labelled --limit 100")
@click.argument("model")
@_span_options
@click.option("--labelled/--unlabelled", default=None, help="Only those that have a label, or have none.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.option("--page", metavar="TOKEN", help="The page that the page before named.")
@json_option
@click.pass_obj
def list_(
    project: Path | None,
    model: str,
    release: int | None,
    since: str | None,
    until: str | None,
    labelled: bool | None,
    limit: int,
    page: str | None,
    as_json: bool,
) -> None:
    """List the predictions of a model, the newest first."""
    with App(project, create=False) as app:
        found = app.list_predictions(
            model=model, release=release, since=since, until=until, labelled=labelled, count=limit, page=page
        )
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one.id,
            one.release,
            clock.age_text(one.at),
            one.kind,
            one.rows,
            _cell(_shown_answer(one)),
            _labels(one.labels),
        )
        for one in found.predictions
    ]
    print_table(("prediction", "release", "answered", "kind", "rows", "answer", "label"), rows)
    if found.next_page:
        click.echo(f"\nmore: the same with --page {found.next_page}")


@predictions.command(epilog="\b\nExample:\n  plusone predictions show 01m84x...")
@click.argument("prediction_id")
@json_option
@click.pass_obj
def show(project: Path | None, prediction_id: str, as_json: bool) -> None:
    """Show one prediction: what was asked, what was answered, and every label that came for it."""
    with App(project, create=False) as app:
        found = app.get_prediction(prediction_id=prediction_id)
    if as_json:
        print_json(found)
        return
    click.echo(f"prediction {found.id}  {found.model}@{found.release}  {found.at}  {found.kind}, {found.rows} rows")
    for name, value in (("request", found.request), ("answer", found.answer)):
        click.secho(f"\n{name}", bold=True)
        click.echo(
            msgspec.json.format(msgspec.json.encode(value), indent=2) if value is not None else "too big: not kept"
        )
    if found.labels:
        click.echo()
        rows = [(one.prediction_id, _cell(one.value), one.at, one.received_at) for one in found.labels]
        print_table(("label of", "label", "at", "received"), rows)


@predictions.command(epilog="\b\nExample:\n  plusone predictions export flight-delays --to predictions.parquet")
@click.argument("model")
@click.option(
    "--to", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="A Parquet file."
)
@_span_options
@json_option
@click.pass_obj
def export(
    project: Path | None,
    model: str,
    to: Path,
    release: int | None,
    since: str | None,
    until: str | None,
    as_json: bool,
) -> None:
    """Write the predictions of a model, with their labels, to a Parquet file."""
    with App(project, create=False) as app, bar("predictions") as on_progress:
        found = app.export_predictions(
            model=model, to=to, release=release, since=since, until=until, on_progress=on_progress
        )
    if as_json:
        print_json({"file": str(to), **found._asdict()})
        return
    click.echo(f"{to}: {found.predictions:,} predictions, {found.labelled:,} of them with a label")


@click.command(
    epilog="\b\nExamples:\n  plusone label flight-delays late.csv\n  plusone label flight-delays late.jsonl\n\n"
    "A CSV file has the columns id, label and perhaps at; a line of a .jsonl file is\n"
    '{"id": "...", "label": true, "at": "2026-01-31T12:00:00Z"}.'
)
@click.argument("model")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@click.pass_obj
def label(project: Path | None, model: str, file: Path, as_json: bool) -> None:
    """Give predictions their labels from a file. The same file again adds nothing."""
    with App(project, create=False) as app:
        taken = app.label_from_file(model=model, file=file)
    if as_json:
        print_json(taken)
        return
    click.echo(f"{taken.accepted:,} label{'s' if taken.accepted != 1 else ''} of {taken.model} taken")


def _shown_answer(one: Prediction) -> Any:
    answer: Any = one.answer
    if isinstance(answer, dict):
        return answer.get("predictions", answer.get("outputs", answer))
    return answer


def _labels(labels: tuple[Label, ...]) -> str:
    values = [one.value for one in labels]
    return "-" if not values else _cell(values[0] if len(values) == 1 else values)


def _cell(value: Any) -> str:
    text = "-" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."
