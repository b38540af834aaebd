"""`plusone status --watch` in a terminal, in a pipe, and for programs."""

from __future__ import annotations

import os
import shutil
import sys
import time
from types import TracebackType
from typing import Any

import click
import msgspec

from ..base import clock
from ..base.plans import step_text
from ..base.rollouts import Rollout
from ..watching.glances import Glance, ModelGlance, Traffic
from .output import latency_text, share_text, stage_style, table_lines
from .rollouts import duration_text, is_over, last_reason, progress_bar, served_s, status_style, step_share
from .routes import served_text

__all__ = ["Screen", "glance_lines", "plain_lines"]

_PLAIN_S = 10.0


class Screen:
    """Shows glances: in place on a terminal, as lines elsewhere, as JSON for programs.

    In a pipe a line says how a model is when that has changed, and every 10 s while there is traffic. As JSON there is
    one object a line for each glance that differs from the one before.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._live: Any = None
        self._before: Any = None
        self._problems: tuple[str, ...] = ()
        self._printed_at: dict[str, float] = {}

    def __enter__(self) -> Screen:
        if not self._as_json and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            from rich.console import Console
            from rich.live import Live

            console = Console(highlight=False, soft_wrap=False)
            self._live = Live(console=console, auto_refresh=False, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, glance: Glance) -> None:
        """Show what goes on now."""
        if self._as_json:
            self._print_json(glance)
        elif self._live is not None:
            from rich.text import Text

            width = shutil.get_terminal_size().columns
            text = Text.from_ansi("\n".join(glance_lines(glance, width)), no_wrap=True, overflow="ellipsis")
            self._live.update(text, refresh=True)
        else:
            self._print_plain(glance)

    def _print_json(self, glance: Glance) -> None:
        timeless = _timeless(glance)
        if timeless != self._before:
            self._before = timeless
            click.echo(msgspec.json.encode(glance))

    def _print_plain(self, glance: Glance) -> None:
        moment = time.strftime("%H:%M:%S")
        for problem in glance.problems:
            if problem not in self._problems:
                click.echo(f"{moment} {problem}")
        if self._problems and not glance.problems:
            click.echo(f"{moment} all is well again")
        self._problems = glance.problems
        states = {one.model: _state(one) for one in glance.models}
        before: dict[str, Any] = self._before or {}
        for one in glance.models:
            busy = any(part.requests_s for part in one.releases)
            late = busy and time.monotonic() - self._printed_at.get(one.model, 0.0) >= _PLAIN_S
            if states[one.model] != before.get(one.model) or late:
                self._printed_at[one.model] = time.monotonic()
                for line in plain_lines(one):
                    click.echo(f"{moment} {line}")
        self._before = states


def _timeless(glance: Glance) -> Any:
    """Return a glance without what changes though nothing happens."""
    servers = tuple(
        msgspec.structs.replace(server, heartbeat_at="", workers=_still(server.workers)) for server in glance.servers
    )
    return msgspec.structs.replace(glance, at="", servers=servers, workers=_still(glance.workers))


def _still(workers: Any) -> Any:
    return tuple(msgspec.structs.replace(one, at="") for one in workers)


def _state(one: ModelGlance) -> Any:
    """Return what of a model is no figure."""
    shares = [(part.release, part.stage, part.share, part.shadow) for part in one.releases]
    rollout = one.rollout
    state = (rollout.id, rollout.status, rollout.step, last_reason(rollout)) if rollout else None
    return one.version, one.served.state if one.served else None, shares, state


# ---------------------------------------------------------------------------------------------- on a terminal


def glance_lines(glance: Glance, width: int) -> list[str]:
    """Return what a terminal of that many columns shows."""
    lines = [f"{click.style(glance.project, bold=True)}  {_moment(glance.at)}  {_workers_text(glance)}"]
    for problem in glance.problems:
        lines += _wrapped(click.style(problem, fg="yellow"), width)
    if not glance.models and not glance.problems:
        lines.append("no release yet. To make the first: plusone release")
    for one in glance.models:
        lines += ["", *_model_lines(one, width)]
    return lines


def _moment(at: str) -> str:
    return clock.parse(at).astimezone().strftime("%H:%M:%S")


def _workers_text(glance: Glance) -> str:
    workers = [worker for server in glance.servers for worker in server.workers] or list(glance.workers)
    if not workers:
        return ""
    ready = sum(worker.ready for worker in workers)
    text = f"{ready} of {len(workers)} worker{'s' if len(workers) != 1 else ''} ready"
    return text if ready == len(workers) else click.style(text, fg="yellow")


def _model_lines(one: ModelGlance, width: int) -> list[str]:
    version = f"route version {one.version}" if one.version is not None else "no route"
    served = f", {served_text(one.served)}" if one.served else ""
    lines = [f"{click.style(one.model, bold=True)}  {version}{served}"]
    if one.releases:
        headings = ("release", "stage", "answers", "copies", "requests/s", "errors", "p50", "p99")
        rows = [
            (
                part.release,
                stage_style(part.stage),
                share_text(part.share),
                share_text(part.shadow),
                _rate_text(part),
                # As wide as they become, so that columns do not move when figures do.
                _right(_errors_text(part), 7),
                _right(latency_text(part.p50_s), 7),
                _right(latency_text(part.p99_s), 7),
            )
            for part in one.releases
        ]
        lines += table_lines(headings, rows, right={2, 3, 4, 5, 6, 7}, width=width)
    if one.rollout is not None:
        for line in _rollout_lines(one.rollout):
            lines += _wrapped(line, width)
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    """Return a sentence in as many lines as it needs, the further ones indented."""
    if len(click.unstyle(text)) <= width:
        return [text]
    return click.wrap_text(text, width=max(width, 20), subsequent_indent="  ").splitlines()


def _rollout_lines(one: Rollout) -> list[str]:
    name = f"rollout of {one.model}@{one.release}"
    reason = last_reason(one)
    if is_over(one):
        ended = clock.age_text(one.ended_at) if one.ended_at else ""
        return [f"{name} {status_style(one.status)} {ended}" + (f": {reason}" if reason else "")]
    step = one.plan[one.step - 1]
    asked = one.look.requests if one.look and one.look.step == one.step else 0
    done = duration_text(min(served_s(one), step.duration_s))
    lines = [
        f"{name} {status_style(one.status)}, step {one.step} of {len(one.plan)}: {step_text(step)}",
        f"{progress_bar(step_share(one))}  {done} of {duration_text(step.duration_s)}, "
        f"{asked:,} requests" + (f" of {step.least_requests:,}" if asked < step.least_requests else ""),
    ]
    if one.status == "held":
        lines.append(click.style(f"held: {reason}", fg="yellow", bold=True))
        lines.append(f"to go on in spite of it: plusone rollout resume {one.model}")
    elif one.status == "paused":
        lines.append(click.style(f"paused: {reason or 'no reason was given'}", fg="yellow"))
        lines.append(f"to go on: plusone rollout resume {one.model}")
    elif one.look and one.look.action != "go on":
        lines.append(f"{one.look.action}: {'; '.join(one.look.reasons)}")
    return lines


def _right(text: str, width: int) -> str:
    return " " * (width - len(click.unstyle(text))) + text


def _rate_text(one: Traffic) -> str:
    return f"{one.requests_s:,.1f}" if one.requests_s else "-"


def _errors_text(one: Traffic) -> str:
    if one.error_rate is None:
        return "-"
    text = f"{100 * one.error_rate:.3g} %"
    return click.style(text, fg="red") if one.error_rate else text


# ---------------------------------------------------------------------------------------------- in a pipe


def plain_lines(one: ModelGlance) -> list[str]:
    """Return what a log has of a model: a line for each release that it has, and one for its rollout."""
    lines = [
        f"{one.model}@{part.release} {part.stage or 'held'}"
        + (f", answers {share_text(part.share)}" if part.share else "")
        + (f", copies {share_text(part.shadow)}" if part.shadow else "")
        + _figures_text(part)
        for part in one.releases
    ]
    if not one.releases:
        lines.append(f"{one.model} is not served: no release of it is live")
    elif one.served is not None and one.served.state != "served":
        lines.append(click.unstyle(f"{one.model}: {served_text(one.served)}"))
    if one.rollout is not None:
        lines += [click.unstyle(line) for line in _rollout_lines(one.rollout)]
    return lines


def _figures_text(one: Traffic) -> str:
    if not one.requests_s:
        return ""
    return (
        f": {_rate_text(one)} requests/s, {click.unstyle(_errors_text(one))} errors, "
        f"p50 {latency_text(one.p50_s)}, p99 {latency_text(one.p99_s)}"
    )
