"""A bar on standard error while something long goes on; none where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["bar"]


@contextmanager
def bar(title: str, *, in_bytes: bool = False) -> Iterator[Callable[[int, int], object]]:
    """Give a function that is told how much is done, and of how much; it moves a bar when standard error is a terminal.

    Args:
        in_bytes: whether it is bytes that are counted.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn(title), BarColumn(24), DownloadColumn() if in_bytes else MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
