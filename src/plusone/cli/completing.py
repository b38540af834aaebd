"""What the shell completes: names that are in the store. It never fails, and never makes a store."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from ..app.app import App
from ..base.errors import PlusoneError
from ..base.records import Release

__all__ = ["complete_model", "complete_release"]


def complete_model(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the models whose name begins so; none where there is no project."""
    names = dict.fromkeys(one.model for one in _releases(context))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_release(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the releases whose `MODEL@n` begins so, the newest first; none where there is no project."""
    named = [(f"{one.model}@{one.number}", one.stage) for one in reversed(_releases(context))]
    return [CompletionItem(name, help=stage) for name, stage in named if name.startswith(incomplete)]


def _releases(context: click.Context) -> list[Release]:
    try:
        with App(context.find_root().params.get("project"), create=False) as app:
            return app.list_releases()
    except PlusoneError:
        return []
