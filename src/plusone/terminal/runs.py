"""Runs for people: many in a table, one with all that it logged, and what differs between some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..app.looking import cells_of
from ..app.views import RunDetail, RunsDifference
from ..base import clock
from ..base.records import Run
from .output import number, print_table, size_text, sparkline, stage_style

__all__ = ["print_run", "print_runs", "print_runs_difference"]

_MOST_SHOWN = 60


def print_runs(found: Sequence[Run], columns: list[str]) -> None:
    """Print runs, one a line, with these columns (as a filter names them) or with their errors."""
    ids = [(r.id, r.name, r.model, stage_style(r.status), clock.age_text(r.started_at)) for r in found]
    chosen = cells_of(found, columns) if columns else [[(r.error or "")[:70]] for r in found]
    rows = [(*one, *map(_cell, more)) for one, more in zip(ids, chosen, strict=True)]
    print_table(("run", "what", "model", "status", "started", *(columns or ["error"])), rows)


def print_runs_difference(found: RunsDifference) -> None:
    """Print what differs between runs, part by part."""
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


def print_run(found: RunDetail) -> None:
    """Print a run: settings, tags, code, steps, what it logged, and its checks."""
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
