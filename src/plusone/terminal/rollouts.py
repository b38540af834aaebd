"""Rollouts for people: the plan and where it is, the evidence on both releases, what the judge makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..app.views import Served
from ..base import clock
from ..base.plans import step_text
from ..base.rollouts import Look, Rollout, RolloutEvent
from .output import number, print_table, print_wrapped
from .routes import served_text

__all__ = [
    "duration_text",
    "is_over",
    "last_reason",
    "print_looks",
    "print_rollout",
    "print_rollout_event",
    "print_rollouts",
    "print_way",
    "progress_bar",
    "served_s",
    "status_style",
    "step_share",
]

_COLOURS = {
    "running": "cyan",
    "held": "yellow",
    "paused": "yellow",
    "promoted": "green",
    "rolled back": "red",
    "aborted": "yellow",
    "superseded": "bright_black",
}
_BAR = 20
_TIMED = 21  # the width of a moment, and two spaces


def is_over(one: Rollout) -> bool:
    """Say whether a rollout has ended, one way or the other."""
    return one.status not in ("running", "held", "paused")


def status_style(status: str) -> str:
    """Return the status of a rollout in its colour."""
    return click.style(status, fg=_COLOURS.get(status))


def duration_text(seconds: float) -> str:
    """Return a span of time in its two largest units: `45s`, `2m`, `1h 30m`, `2d 3h`."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0s"


def served_s(one: Rollout) -> float:
    """Return how long the present step has been served, in seconds, as the newest look says."""
    return one.look.served_s if one.look and one.look.step == one.step else 0.0


def step_share(one: Rollout) -> float:
    """Return how much of the present step is done, 0 to 1: of its time or of its requests, whichever is less."""
    step = one.plan[one.step - 1]
    look = one.look if one.look and one.look.step == one.step else None
    time_done = served_s(one) / step.duration_s if step.duration_s > 0 else 1.0
    return min(1.0, time_done, (look.requests if look else 0) / max(1, step.least_requests))


def last_reason(one: Rollout) -> str:
    """Return the reason that was given last for what happened to it; empty when none was given."""
    return next((event.reason for event in reversed(one.events) if event.reason), one.reason)


def progress_bar(share: float, width: int = _BAR) -> str:
    """Return a bar of `width` characters that is full to `share`, 0 to 1."""
    full = max(0, min(width, round(share * width)))
    return "█" * full + "░" * (width - full)


# ---------------------------------------------------------------------------------------------- one


def print_rollout(one: Rollout) -> None:
    """Print a rollout: its state, its plan, the evidence, the newest look, and what a person can do."""
    click.echo(f"{click.style(f'{one.model}@{one.release}', bold=True)}  {_state(one)}")
    print_wrapped(f"begun {clock.age_text(one.begun_at)} by {one.by}" + (f": {one.reason}" if one.reason else ""))
    click.echo()
    print_table(("", "step", "served", "requests", ""), [_step_row(one, place) for place in range(len(one.plan))])
    if one.look is not None:
        _print_evidence(one, one.look)
        _print_look(one.look)
    _print_events(one)
    _print_ways(one)


def _state(one: Rollout) -> str:
    status = status_style(one.status)
    if is_over(one):
        return f"{status} {clock.age_text(one.ended_at)}" if one.ended_at else status
    step = one.plan[one.step - 1]
    left_s = sum(later.duration_s for later in one.plan[one.step - 1 :]) - min(served_s(one), step.duration_s)
    where = f"step {one.step} of {len(one.plan)} beside {one.model}@{one.live}"
    return f"{status}, {where}, {duration_text(left_s)} left at least"


def _step_row(one: Rollout, place: int) -> tuple[str, ...]:
    step = one.plan[place]
    text = step_text(step)
    ended = one.events[-1] if one.events and is_over(one) else None
    finished = ended is not None and ended.kind == "promoted" and ended.by == "plusone"
    if place + 1 < one.step or finished:
        return (click.style("✓", fg="green"), text, "done", "", "")
    if place + 1 > one.step:
        return ("", click.style(text, dim=True), "left out" if ended else "", "", "")
    served = served_s(one)
    asked = one.look.requests if one.look and one.look.step == one.step else 0
    mark = click.style("■" if ended else "▸", fg=_COLOURS[one.status])
    return (
        mark,
        text,
        f"{duration_text(min(served, step.duration_s))} of {duration_text(step.duration_s)}",
        f"{asked:,} of {step.least_requests:,}" if asked < step.least_requests else f"{asked:,}",
        progress_bar(step_share(one)),
    )


def _print_evidence(one: Rollout, look: Look) -> None:
    """Print what both releases did since the rollout began, side by side."""
    live, candidate = look.figures.get("live"), look.figures.get("candidate")
    if not isinstance(live, dict) or not isinstance(candidate, dict):
        return
    rows = [
        (name.replace("_", " "), number(live.get(name, "-")), number(candidate.get(name, "-")))
        for name in dict.fromkeys([*live, *candidate])
        if not isinstance(live.get(name), dict) and not isinstance(candidate.get(name), dict)
    ]
    click.echo()
    print_table(("since it began", f"{one.model}@{one.live}", f"{one.model}@{one.release}"), rows, right={1, 2})


def _print_look(look: Look) -> None:
    click.echo(f"\nthe judge, {clock.age_text(look.at)}: {_action_style(look.action)}")
    for reason in look.reasons:
        click.echo(f"  {reason}")


def print_looks(found: Sequence[Look]) -> None:
    """Print looks of the judge, one a line."""
    if not found:
        click.echo("no look yet: the judge takes one when the servers serve the first step")
        return
    rows = [
        (
            one.seq,
            one.at[:19].replace("T", " "),
            one.step,
            duration_text(one.served_s),
            f"{one.requests:,}",
            _action_style(one.action),
            "; ".join(one.reasons) or "-",
        )
        for one in found
    ]
    print_table(("place", "when (UTC)", "step", "served", "requests", "says", "why"), rows, right={0, 4})


def _action_style(action: str) -> str:
    return click.style(action, fg={"go on": "green", "hold": "yellow"}.get(action, "red"))


def _print_events(one: Rollout) -> None:
    if one.events:
        click.echo()
    for event in one.events:
        print_wrapped(f"{event.at[:19].replace('T', ' ')}  {_event_text(one, event)}", indent=_TIMED)


def print_rollout_event(one: Rollout, event: RolloutEvent) -> None:
    """Print one thing that happened to a rollout."""
    moment = event.at[:19].replace("T", " ")
    print_wrapped(f"{moment}  {one.model}@{one.release} {_event_text(one, event)}", indent=_TIMED)


def _event_text(one: Rollout, event: RolloutEvent) -> str:
    if event.kind == "step":  # its reason says all
        return event.reason
    colour = {"held": "yellow", "paused": "yellow", "promoted": "green", "rolled back": "red", "aborted": "yellow"}
    what = {"went on": "held no longer", "accepted": "goes on all the same"}.get(event.kind, event.kind)
    if event.kind == "began":
        what = f"began step 1 of {len(one.plan)}: {step_text(one.plan[0])}"
    why = f"{event.by}: {event.reason}" if event.reason and event.kind != "began" else event.by
    return f"{click.style(what, fg=colour.get(event.kind))}  ({why})"


def _print_ways(one: Rollout) -> None:
    """Print what a person can do about a rollout that waits for one."""
    if one.status == "held":
        click.echo("\nheld: it goes on by itself when the reason is gone, or when you say so:")
        click.echo(f"  plusone rollout resume {one.model}     go on in spite of it")
        click.echo(f"  plusone rollout abort {one.model}      give the traffic back")
    elif one.status == "paused":
        click.echo(f"\npaused: it waits for plusone rollout resume {one.model}")


def print_way(one: Rollout, served: Served | None) -> None:
    """Print where a rollout is after somebody moved it, and whether the servers follow."""
    name = f"{one.model}@{one.release}"
    step = one.plan[one.step - 1]
    click.echo(f"rollout of {name} {status_style(one.status)}, step {one.step} of {len(one.plan)}: {step_text(step)}")
    if served is not None and served.state == "not yet served":
        click.secho("no server is up, so its time does not run yet: plusone up", fg="yellow")
    elif served is not None and served.state == "taken back":
        click.secho(f"taken back: {served.message}", fg="red")
    elif served is not None:
        click.echo(served_text(served))
    click.echo(f"to follow it: plusone rollout {one.model} --wait   or: plusone status --watch")


# ---------------------------------------------------------------------------------------------- many


def print_rollouts(found: Sequence[Rollout]) -> None:
    """Print rollouts, one a line."""
    if not found:
        click.echo("no rollout yet. To begin one: plusone rollout start MODEL@N")
        return
    rows = [
        (
            f"{one.model}@{one.release}",
            status_style(one.status),
            f"{one.step} of {len(one.plan)}",
            one.live,
            clock.age_text(one.begun_at),
            clock.age_text(one.ended_at) if one.ended_at else "-",
            one.by,
            last_reason(one) or "-",
        )
        for one in found
    ]
    print_table(("release", "status", "step", "beside", "begun", "ended", "by", "why"), rows)
