"""Drives the worker of a project as a release does: a run, a child process, requests."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plusone.base.errors import PlusoneError
from plusone.base.records import Dataset
from plusone.data.datasets import load
from plusone.execution.local import Child
from plusone.store import Store, open_store
from plusone.store.rows import from_row
from plusone.tracking.runs import OpenRun, list_steps, recover_runs, start_run


class Failed(PlusoneError):
    """The worker answered with an error; `message` begins with its kind."""


class Project:
    """A project folder with its store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pipeline = "pipeline.py"
        self.lines: list[str] = []
        root.mkdir(parents=True, exist_ok=True)
        self.store: Store = open_store(root / ".plusone")

    def write(self, text: str, name: str = "pipeline.py") -> None:
        head = "import plusone\n" if name == self.pipeline else ""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(head + textwrap.dedent(text))

    @contextlib.contextmanager
    def begin(self) -> Iterator[tuple[Child, OpenRun]]:
        """Give a worker and its run; the run is finished when the block ends."""
        recover_runs(self.store)
        run = start_run(self.store, name="test")
        words = ["--pipeline", str(self.root / self.pipeline), "--store", str(self.store.folder)]
        try:
            with Child(
                "plusone.pipeline.worker", words, folder=self.root, log=run.output, on_line=self.lines.append
            ) as child:
                yield child, run
        finally:
            run.finish("done")

    def ask(self, child: Child, **request: Any) -> dict[str, Any]:
        reply = child.ask(request)
        if "error" in reply:
            error = reply["error"]
            raise Failed(f"{error['kind']}: {error['message']}", mend=error.get("mend") or "")
        return reply

    def plan(self, child: Child, run: OpenRun, **more: Any) -> dict[str, Any]:
        request: dict[str, Any] = {"model": None, "settings": {}, "force": [], "until": None, "reserved": []}
        return self.ask(child, do="plan", run_id=run.record.id, **(request | more))

    def run(self, until: str | None = None, **more: Any) -> dict[str, str]:
        """Run the steps and return, by step, whether it was done or cached."""
        with self.begin() as (child, run):
            plan = self.plan(child, run, until=until, **more)
            self.ask(child, do="steps", steps=plan["steps"])
        return {step.step: step.status for step in list_steps(self.store, run.record.id)}

    def values(self) -> dict[str, Any]:
        """Return the newest outputs by name."""
        found: dict[str, Any] = {}
        for row in self.store.db.all("run_list", model=None, before=None, count=1):
            for step in list_steps(self.store, row["id"]):
                for name, digest in step.outputs.items():
                    found[name] = load(self.dataset(digest), self.store.blobs)
        return found

    def dataset(self, digest: str) -> Dataset:
        row = self.store.db.one("dataset_get", digest=digest)
        assert row
        return from_row(Dataset, row)
