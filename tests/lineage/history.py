"""A store whose runs, steps and releases are written as the pipeline and scripts write them, without running any."""

from __future__ import annotations

from typing import Any

from plusone.base.ids import digest_bytes
from plusone.base.records import Code, Dataset, StepRun
from plusone.data.datasets import save
from plusone.store import Store
from plusone.store.rows import to_row
from plusone.tracking.runs import start_run

__all__ = ["History"]


class History:
    """Adds to a store and remembers the datasets by name."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.datasets: dict[str, Dataset] = {}

    def dataset(self, name: str) -> Dataset:
        """Return the dataset of that name, made when it is first asked for."""
        if name not in self.datasets:
            self.datasets[name] = save({"name": name}, self.store.blobs)
        return self.datasets[name]

    def run(self, name: str = "r", *, code: dict[str, str] | None = None, **values: Any) -> str:
        """Add a run that has ended and return its id; `code` is the text of each file."""
        blobs = self.store.blobs
        files = {path: blobs.put_bytes(text.encode()) for path, text in (code or {}).items()}
        opened = start_run(self.store, name=name, code=Code(files=files), **values)
        opened.finish("done")
        return opened.record.id

    def step(
        self, run_id: str, step: str, inputs: list[str], outputs: list[str], *, cached: bool = False, package: str = ""
    ) -> None:
        """Add a step that read and made the datasets of these names, or made a package with this digest."""
        named = {name: self.dataset(name).digest for name in (*inputs, *outputs)}
        made = {"package": package} if package else {name: named[name] for name in outputs}
        record = StepRun(
            run_id=run_id,
            step=step,
            fingerprint="f",
            status="cached" if cached else "done",
            inputs={name: named[name] for name in inputs},
            outputs=made,
            started_at="2026-01-01T00:00:00.000000Z",
        )
        with self.store.db.write() as tx:
            for name in (*inputs, *outputs):
                tx.execute("dataset_add", **to_row(self.dataset(name)))
            tx.execute("step_run_add", **to_row(record))
            for role, some in (("input", record.inputs), ("output", made)):
                for name, digest in some.items():
                    tx.execute(
                        "step_dataset_add",
                        run_id=run_id, step=step, role=role, name=name, digest=digest, reused=int(cached),
                    )  # fmt: skip

    def release(self, model: str, run_id: str, *, number: int, tests: dict[str, str] | None = None) -> str:
        """Add a release of a package and return the package's digest."""
        package = digest_bytes(f"{model}{number}{run_id}".encode())
        with self.store.db.write() as tx:
            tx.execute(
                "release_add",
                model=model, number=number, digest=digest_bytes(package.encode()), package=package, run_id=run_id,
                fingerprint="f", settings="{}", tests=str(tests or {}).replace("'", '"'), metrics="{}",
                created_at="2026-01-01T00:00:00.000000Z",
            )  # fmt: skip
        return package
