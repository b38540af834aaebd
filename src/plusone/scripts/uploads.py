"""A bar while files are stored, on a terminal, when there is much to store."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

__all__ = ["showing"]

_FROM_BYTES = 16 * 1024 * 1024


@contextlib.contextmanager
def showing(title: str, files: Sequence[Path]) -> Iterator[Callable[[int], object] | None]:
    """Give a function to be told of bytes that were read; it moves a bar on standard error.

    None, and nothing is shown, when standard error is no terminal, or for less than 16 MiB.
    """
    total = sum(file.stat().st_size for file in files)
    if total < _FROM_BYTES or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda size_bytes: bar.advance(task, size_bytes)
