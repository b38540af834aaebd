"""Rollouts for people: the plan and where it is, the evidence on both releases, what the judge makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import click

from ..app.views import Served
from ..base import clock
from ..base.plans import step_text
from ..base.rollouts import Look, Rollout, RolloutEvent
from ..release.events import held_for
from .output import latency_text, print_table, print_wrapped
from .routes import served_text

__all__ = [
    "duration_text",
    "evidence_rows",
    "is_over",
    "last_reason",
    "print_looks",
    "print_rollout",
    "print_rollout_event",
    "print_rollouts",
    "print_way",
    "progress_bar",
    "reason_text",
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
    return next((reason_text(event) for event in reversed(one.events) if event.reason), one.reason)


def reason_text(event: RolloutEvent) -> str:
    """Return the reason of an event; where things only went on, without the figures that stand behind it."""
    if event.kind == "step":
        return event.reason.partition("; ")[0]
    return event.reason.partition(": ")[0] if (event.kind, event.by) == ("promoted", "plusone") else event.reason


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
    """Print what both releases did since the rollout began, side by side, and how strong the evidence of harm is."""
    rows = evidence_rows(look.figures)
    if not rows:
        return
    bar = _figure(look.figures, "bar")
    harm = f"e-value, {bar:.0f} is harm" if bar is not None else "e-value"
    headings = ("evidence", f"{one.model}@{one.live}", f"{one.model}@{one.release}", harm)
    click.echo()
    print_table(headings, rows, right={1, 2, 3})
    if text := _answers_text(look.figures.get("outputs")):
        print_wrapped(text)


def evidence_rows(figures: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return what the judge counted of the live release and of the candidate, as rows of a table.

    Figures come from the store, perhaps from another version of the judge: what is not as expected is left out.
    """
    rows: list[tuple[str, str, str, str]] = []
    for name, title in (("errors", "errors"), ("invalid", "answers that can't be"), ("labels", "wrong by labels")):
        live, candidate, strength = _sides(figures, name)
        if name == "errors":
            rows.append(("requests", _count_text(live), _count_text(candidate), ""))
        if name != "labels" or _figure(live, "counted") or _figure(candidate, "counted"):
            rows.append((title, _rate_text(live), _rate_text(candidate), strength))
    live, candidate, strength = _sides(figures, "latency")
    if _figure(live, "requests") and _figure(candidate, "requests"):
        for name, title in (("p50_s", "half answered within"), ("p99_s", "99 of 100 within")):
            cells = (latency_text(_figure(live, name)), latency_text(_figure(candidate, name)))
            rows.append((title, *cells, strength if name == "p99_s" else ""))
    return rows if "errors" in figures else []


def _sides(figures: dict[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return what is said of live and of the candidate, and the e-value."""
    part, bar = figures.get(name), _figure(figures, "bar")
    told: dict[str, Any] = part if isinstance(part, dict) else {}
    live, candidate = (one if isinstance(one := told.get(side), dict) else {} for side in ("live", "candidate"))
    value = _figure(told, "e_value")
    text = "-" if value is None else f"{value:.3g}" if value < 1e4 else "over 10,000"
    if told.get("decided"):
        return live, candidate, click.style(text, fg="red", bold=True)
    # Surely worse, and not surely by more than is tolerated.
    worse = value is not None and bar is not None and value >= bar
    return live, candidate, f"{text}, tolerated" if worse else text


def _figure(told: dict[str, Any], name: str) -> float | None:
    value = told.get(name)
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None


def _count_text(side: dict[str, Any]) -> str:
    return f"{int(_figure(side, 'counted') or 0):,}"


def _rate_text(side: dict[str, Any]) -> str:
    rate = _figure(side, "rate")
    return "-" if rate is None else f"{100 * rate:.3g} %"


def _answers_text(outputs: Any) -> str:
    """Return in a sentence how far the answers lie apart; empty when that is not known yet."""
    told: dict[str, Any] = outputs if isinstance(outputs, dict) else {}
    apart, chance, most = (_figure(told, name) for name in ("distance", "by_chance", "expected_shift"))
    if apart is None or most is None:
        return ""
    by_chance = f" ({100 * chance:.3g} % by chance)" if chance is not None else ""
    return f"answers: {100 * apart:.3g} % lie elsewhere than live's{by_chance}; up to {100 * most:.3g} % are expected"


def _print_look(look: Look) -> None:
    click.echo(f"the judge, {clock.age_text(look.at)}: {_action_style(look.action)}")
    for reason in look.reasons if look.action != "go on" else ():
        print_wrapped(f"  {reason}", indent=2)


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
            "; ".join(one.reasons) if one.action != "go on" else "-",
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
    reason = reason_text(event)
    if event.kind == "step":
        return reason
    colour = {"held": "yellow", "paused": "yellow", "promoted": "green", "rolled back": "red", "aborted": "yellow"}
    what = {"went on": "held no longer", "accepted": "goes on all the same"}.get(event.kind, event.kind)
    if event.kind == "began":
        what = f"began step 1 of {len(one.plan)}: {step_text(one.plan[0])}"
    why = f"{event.by}: {reason}" if reason and event.kind != "began" else event.by
    return f"{click.style(what, fg=colour.get(event.kind))}  ({why})"


def _print_ways(one: Rollout) -> None:
    """Print what a person can do about a rollout that waits for one."""
    if one.status == "held":
        until = {
            "judge": "when the answers are nearer again",
            "requests": "when there are enough requests",
            "gate": "when the gate is open again",
        }
        click.echo(f"\nheld: it goes on by itself {until.get(held_for(one), 'when the reason is gone')}, or by")
        click.echo(f"  plusone rollout resume {one.model}   in spite of it, or ended by")
        click.echo(f"  plusone rollout abort {one.model}    with all of the traffic for {one.model}@{one.live}")
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
