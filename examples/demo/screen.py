"""What a person sees while the story goes on: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = ["Screen", "Step"]

_PLAIN_WIDTH = 150
_PLAIN_EVERY_S = 5.0


class Step:
    """One step of the story that is under way."""

    def __init__(self, bar: Progress | None, task: TaskID | None, text: str, total: float) -> None:
        self._bar = bar
        self._task = task
        self._text = text
        self._total = total
        self.done = 0.0

    def show(self, detail: str = "", *, done: float | None = None) -> None:
        """Show how far it is (in the unit of its total) and what it is at."""
        self.done = self.done if done is None else min(done, self._total)
        if self._bar is not None and self._task is not None:
            description = f"{self._text}: {detail}" if detail else self._text
            self._bar.update(self._task, description=description, completed=self.done)


class Screen:
    """Prints the story.

    Args:
        traffic: says in a few words how the traffic goes; '' while there is none.
    """

    def __init__(self, traffic: Callable[[], str]) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console = Console(highlight=False, width=_PLAIN_WIDTH)
        self._traffic = traffic
        self._bar: Progress | None = None
        self._traffic_task: TaskID | None = None
        self._said_at = time.monotonic()

    def title(self, text: str) -> None:
        """Print the title of a chapter."""
        self.console.print(f"\n[bold]{escape(text)}[/bold]")

    def say(self, text: str, style: str = "") -> None:
        """Print a line."""
        self.console.print(escape(text), style=style or None, soft_wrap=True)

    def table(self, lines: Iterable[tuple[bool, str, str]]) -> None:
        """Print claims: whether each is true, what it says, and what was measured."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for true, claim, measured in lines:
            mark = "[green]yes[/green]" if true else "[bold red]NO[/bold red]"
            table.add_row(mark, escape(claim), escape(measured))
        self.console.print(table)

    def tick(self) -> None:
        """Renew what is shown of the traffic."""
        words = self._traffic()
        if self._bar is not None and self._traffic_task is not None:
            self._bar.update(self._traffic_task, description=words, visible=bool(words))
        elif words and not self.console.is_terminal and time.monotonic() - self._said_at > _PLAIN_EVERY_S:
            self._said_at = time.monotonic()
            self.say(f"    {words}")

    @contextmanager
    def step(self, text: str, *, total: float) -> Iterator[Step]:
        """Show a step while the block runs, and how long it took after it."""
        began = time.monotonic()
        if self.console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), TimeElapsedColumn())
            with Progress(*columns, console=self.console, transient=True, refresh_per_second=5) as bar:
                self._bar = bar
                task = bar.add_task(text, total=total)
                self._traffic_task = bar.add_task("", total=None, visible=False)
                try:
                    yield Step(bar, task, text, total)
                finally:
                    self._bar = self._traffic_task = None
        else:
            self.say(f"  {text} ...")
            yield Step(None, None, text, total)
        self.say(f"  {text}: {time.monotonic() - began:.1f} s")
