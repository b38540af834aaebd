"""What the shell completes: names that are in the store. It never fails, and never makes a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from .app.app import App
from .base.errors import PlusoneError
from .base.records import Release, Session
from .base.rollouts import Rollout

__all__ = ["complete_model", "complete_output", "complete_release", "complete_rollout", "complete_session"]


def complete_model(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the models whose name begins so; none where there is no project."""
    names = dict.fromkeys(one.model for one in _releases(context))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_release(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the releases whose `MODEL@n` begins so, the newest first; none where there is no project."""
    named = [(f"{one.model}@{one.number}", one.stage) for one in reversed(_releases(context))]
    return [CompletionItem(name, help=stage) for name, stage in named if name.startswith(incomplete)]


def complete_session(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the ids of the sessions of checks of the release before that begin so, the newest first."""
    # Of a command whose last option lacks its value, click has sorted out no arguments yet.
    target = context.params.get("target") or next(iter(context.args), "")
    found: list[Session] = _asked(context, lambda app: app.list_sessions(target=target)) if target else []
    return [CompletionItem(one.id, help=one.finished_at) for one in reversed(found) if one.id.startswith(incomplete)]


def complete_output(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the step outputs of the last run whose name begins so."""
    return [
        CompletionItem(name) for name in _asked(context, lambda app: app.list_outputs()) if name.startswith(incomplete)
    ]


def complete_rollout(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the models whose name begins so and of which a release is being rolled out."""
    found: list[Rollout] = _asked(context, lambda app: app.list_rollouts())
    return [
        CompletionItem(one.model, help=f"{one.model}@{one.release}, {one.status}")
        for one in found
        if one.ended_at is None and one.model.startswith(incomplete)
    ]


def _releases(context: click.Context) -> list[Release]:
    return _asked(context, lambda app: app.list_releases())


def _asked(context: click.Context, ask: Callable[[App], list[Any]]) -> list[Any]:
    try:
        with App(context.find_root().params.get("project"), create=False) as app:
            return ask(app)
    except PlusoneError:
        return []
