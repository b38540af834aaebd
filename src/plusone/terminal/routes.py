"""Routes for people: where a model's requests go, who serves it so, and how it came to that."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..app.views import RouteDetail, Served
from ..base import clock
from ..base.records import Decision, Route, ServerReport, Share, WorkerReport
from .output import print_table, print_wrapped, share_text, shortened, stage_style

__all__ = ["print_route", "print_routes", "served_text"]


def print_route(found: RouteDetail) -> None:
    """Print the present route of a model."""
    name = click.style(found.model, bold=True)
    if found.route is None:
        click.echo(f"{name}  has no route: no release of it was live. To make one: plusone release {found.model}")
        return
    served = f", {served_text(found.served)}" if found.served else ""
    click.echo(f"{name}  route version {found.route.version}, {clock.age_text(found.route.at)}{served}")
    if found.releases:
        rows = [
            (
                one.release,
                stage_style(one.stage),
                share_text(one.share),
                share_text(one.shadow),
                clock.age_text(one.made_at),
                one.digest[:12],
            )
            for one in found.releases
        ]
        print_table(("release", "stage", "answers", "copies", "made", "digest"), rows, right={2, 3})
    else:
        click.echo("no release takes its traffic. To change that: " + f"plusone promote {found.model}@N")
    if found.decision is not None:
        print_wrapped(f"why: {shortened(found.decision.reason, 200)} ({found.decision.by})", indent=5)
    _print_workers(found.model, found.route.version, found.servers)


def _print_workers(model: str, version: int, servers: Sequence[ServerReport]) -> None:
    rows = [
        (server.address, worker.slot, worker.pid, _serves(worker, model, version))
        for server in servers
        for worker in server.workers
    ]
    if rows:
        click.echo()
        print_table(("server", "worker", "pid", "serves"), rows)
    elif servers:
        click.echo("no worker is up yet")
    else:
        click.echo("no server is up. To start one: plusone up")


def _serves(worker: WorkerReport, model: str, version: int) -> str:
    failed = worker.failed.get(model)
    serves = worker.versions.get(model)
    text = "nothing of this model" if serves is None else f"version {serves}"
    if failed is not None:
        return click.style(f"{text}; version {failed.get('version')} failed: {failed.get('error')}", fg="red")
    if serves != version:
        return click.style(f"{text}, not yet {version}", fg="yellow")
    return text if worker.ready else click.style(f"{text}, not ready", fg="yellow")


def served_text(served: Served) -> str:
    """Return whether the servers follow a route, in a few words."""
    if served.state == "served":
        return f"served by {served.workers} worker{'s' if served.workers != 1 else ''}"
    if served.state == "waiting":
        return click.style(served.message, fg="yellow")
    return served.state


def print_routes(versions: Sequence[Route], decisions: Sequence[Decision]) -> None:
    """Print the versions of a model's route, the newest first, each with the decision that wrote it."""
    by_id = {one.id: one for one in decisions}
    rows: list[tuple[str, ...]] = []
    for one in reversed(versions):
        decision = by_id.get(one.decision)
        rows.append(
            (
                str(one.version),
                one.at[:19].replace("T", " "),
                ", ".join(f"{share.release}: {share_text(share.share)}" for share in one.shares) or "none",
                _number(one.shadow, with_share=True),
                _number(one.previous),
                decision.by if decision else "-",
                shortened(decision.reason, 90) if decision else "-",
            )
        )
    print_table(("version", "when (UTC)", "answers", "shadow", "previous", "by", "why"), rows)


def _number(one: Share | None, *, with_share: bool = False) -> str:
    if one is None:
        return "-"
    return f"{one.release}: {share_text(one.share)}" if with_share and one.share < 1.0 else str(one.release)
