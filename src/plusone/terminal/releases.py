"""Releases for people: what there is, what one is made of, what was measured, what differs, what moved it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..app.views import ModelStatus, Moved, ReleaseDetail, Status
from ..base import clock
from ..base.records import Decision, Field, Output, Release
from ..labels.several import singles
from .output import number, print_table, shortened, stage_style
from .proofs import proof_lines
from .rollouts import is_over, print_way

__all__ = ["print_decisions", "print_moved", "print_release", "print_status"]


def print_status(found: Status) -> None:
    """Print the models with their releases, and the servers."""
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


def print_release(found: ReleaseDetail) -> None:
    """Print a release: where it came from, how it was proven, what it takes and what moved it."""
    release, package = found.release, found.package
    click.echo(f"{click.style(f'{release.model}@{release.number}', bold=True)}  {stage_style(release.stage)}")
    click.echo(f"  made      {release.created_at}  by run {release.run_id}")
    click.echo(f"  digest    {release.digest}")
    if found.freed_at:
        click.secho(f"  freed     {found.freed_at[:10]} by plusone gc: it can't go live again", fg="yellow")
    click.echo(f"  model     {package.trained}, packaged as {package.format} ({package.options.get('precision', '-')})")
    if because := package.options.get("native_because"):
        click.echo(f"            runs in a process of its own: {because}")
    for line in proof_lines(package.proof):
        click.echo(line)
    click.echo("  settings  " + (", ".join(f"{key}={value}" for key, value in release.settings.items()) or "none"))
    if release.metrics:
        click.echo("  metrics   " + ", ".join(f"{key} {number(value)}" for key, value in release.metrics.items()))
    click.echo(f"  answers   {package.signature.output.name}: {_answered(package.signature.output)}")
    click.echo()
    print_table(
        ("field", "type", "may be null", "in training", "example"),
        [(f.name, _type(f), "yes" if f.nullable else "no", _seen(f), _example(f)) for f in package.signature.fields],
    )
    click.echo()
    for one in found.signatures:
        click.echo(f"  signed    by {one.key}, {one.by}, {one.at}")
    for one in found.decisions:
        click.echo(
            f"{one.at[:19].replace('T', ' ')}  {one.before or '-'} -> {stage_style(one.after)}  {one.by}: {one.reason}"
        )


def _type(field: Field) -> str:
    """Return what a field holds, in few words: its dtype, with the shape of a tensor."""
    return field.dtype if field.shape is None else f"{field.dtype} {list(field.shape)}"


def _example(field: Field) -> Any:
    return "-" if field.example is None or field.shape is not None else shortened(str(field.example), 60)


def _answered(output: Output) -> str:
    """Return what a model answers, in few words."""
    if output.kind == "ranking":
        return f"the best {output.width} of {len(output.classes):,} items"
    if output.kind == "labels":
        return "; ".join(f"{one.name}: {', '.join(map(str, one.classes))}" for one in singles(output))
    if output.kind == "vector":
        return ", ".join(output.names) or f"{output.width} numbers"
    return ", ".join(map(str, output.classes)) or "a number"


def _seen(field: Field) -> str:
    """Return what a field held in the training data, in few words."""
    if field.minimum is not None and field.maximum is not None:
        return f"{field.minimum:g} to {field.maximum:g}"
    if field.categories is None:
        return "any text" if field.dtype == "string" else "-"
    some = ", ".join(field.categories[:4]) + (", ..." if len(field.categories) > 4 else "")
    others = "others accepted" if field.unseen == "accept" else "others refused"
    return f"{len(field.categories)} values ({some}); {others}"


def print_decisions(found: Sequence[Decision]) -> None:
    """Print decisions, one a line."""
    rows = [
        (
            d.at[:19].replace("T", " "),
            f"{d.model}@{d.release}",
            f"{d.before or '-'} -> {stage_style(d.after)}" + (" OVERRIDE" if d.override else ""),
            d.by,
            shortened(d.reason, 90),
        )
        for d in found
    ]
    print_table(("when (UTC)", "release", "decision", "by", "reason"), rows)


def print_moved(moved: Moved) -> None:
    """Print what a decision changed, and whether it is served."""
    for decision in moved.decisions:
        line = f"{decision.model}@{decision.release}  {decision.before} -> {stage_style(decision.after)}"
        if decision.override:
            line += click.style("  OVERRIDE", fg="red", bold=True)
        click.echo(f"{line}  ({shortened(decision.reason, 400)})")
    rollout, served = moved.rollout, moved.served
    if rollout is not None and not is_over(rollout):
        print_way(rollout, served)
        return
    if served is None:
        return
    if served.state == "served":
        workers = f"{served.workers} worker{'s' if served.workers != 1 else ''}"
        click.echo(f"{moved.model}@{moved.release} is served by {workers}, {served.waited_s:.2f} s after the decision")
    elif served.state == "not yet served":
        click.echo(f"{moved.model}@{moved.release} is live, not yet served: {served.message}")
    elif served.state == "taken back":
        click.secho(f"taken back: {served.message}", fg="red")
    else:
        click.secho(f"after {served.waited_s:.0f} s {served.message}: plusone status", fg="yellow")
