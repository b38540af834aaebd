"""Projects whose releases, checks and decisions are written straight into the store: no training, no pytest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from plusone.base import clock
from plusone.base.config import load_project
from plusone.base.ids import canonical_json, new_id
from plusone.base.records import (
    Check,
    Field,
    Outcome,
    Output,
    Package,
    PackageFile,
    Release,
    Session,
    Signature,
)
from plusone.release import lifecycle
from plusone.release.lifecycle import Move
from plusone.store import Store, open_store
from plusone.store.rows import to_row
from plusone.tracking.runs import start_run

__all__ = ["PASSED", "Subject", "Written", "asking_package", "write_project"]

Subject = Literal["data", "model", "code"]
PASSED: tuple[tuple[Subject, Outcome], ...] = (("data", "passed"), ("model", "passed"))
_MODEL = "m"


def write_project(root: Path, *, serve: dict[str, Any] | None = None) -> Path:
    """Make a project folder without steps or tests and return it."""
    root.mkdir(parents=True, exist_ok=True)
    text = f'[project]\nname = "{root.name}"\n\n[tool.plusone]\n\n[tool.plusone.serve]\n'
    text += "".join(f"{key} = {value}\n" for key, value in (serve or {}).items())
    (root / "pyproject.toml").write_text(text, "utf-8")
    return root


def asking_package(model: str, *types: str) -> bytes:
    """Return the manifest of a package that names types which are not known to be safe."""
    signature = Signature(fields=(Field(name="x", dtype="float64"),), output=Output(name="y", kind="number"))
    options = {"types": list(types)}
    return canonical_json(Package(model=model, format="skops", signature=signature, files=(), options=options))


class Written:
    """A project and its store, to which records are added as the pipeline would add them.

    Args:
        store: another store than the project's own.
    """

    def __init__(self, root: Path, store: Store | None = None) -> None:
        self.root = write_project(root)
        self.store: Store = store or open_store(load_project(root).store)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def release(
        self,
        model: str = _MODEL,
        *,
        checks: Sequence[tuple[Subject, Outcome]] | None = PASSED,
        settings: dict[str, Any] | None = None,
        metrics: dict[str, float | None] | None = None,
        live: bool = False,
        package: str = "",
    ) -> Release:
        """Add a release with one session of these (subject, outcome) checks, or with none, and return it.

        `package` is that of a model; without one it has bytes that are none.
        """
        run = start_run(self.store, name="release", model=model, settings=settings or {})
        run.output.write_text(f"the run of {model} printed this\n", "utf-8")
        run.finish("done")
        package = package or self._package(model, run.record.id)
        with self.store.db.write() as tx:
            row = tx.one("release_next", model=model)
            assert row is not None
            release = Release(
                model=model,
                number=row["number"],
                digest=self.store.blobs.put_bytes(canonical_json({"model": model, "run": run.record.id})),
                package=package,
                run_id=run.record.id,
                fingerprint="f" * 64,
                settings=settings or {},
                metrics=metrics or {},
                created_at=clock.now(),
            )
            columns = to_row(release)
            del columns["stage"]
            tx.execute("release_add", **columns)
        if checks is not None:
            self.session(release, checks)
        if live:
            self.promote(release)
        return release

    def session(
        self, release: Release, checks: Sequence[tuple[Subject, Outcome]], *, problems: Sequence[str] = ()
    ) -> None:
        """Add a session of checks on a release."""
        session = Session(
            id=new_id(),
            release=release.digest,
            run_id=release.run_id,
            checks=(),
            problems=tuple(problems),
            started_at=clock.now(),
            finished_at=clock.now(),
        )
        row = to_row(session)
        del row["checks"]
        with self.store.db.write() as tx:
            tx.execute("session_add", **row)
            for position, (subject, outcome) in enumerate(checks):
                check = Check(test=f"tests/test_{subject}.py::test_{position}", subject=subject, outcome=outcome)
                tx.execute("check_add", session_id=session.id, position=position, **to_row(check))

    def promote(self, release: Release, **values: Any) -> Move:
        """Promote a release."""
        return lifecycle.promote(self.store, f"{release.model}@{release.number}", by="a person", **values)

    def stages(self, model: str = _MODEL) -> dict[int, str]:
        """Return the stage of each release of the model."""
        return {one.number: one.stage for one in lifecycle.list_releases(self.store.db, model)}

    def _package(self, model: str, run_id: str) -> str:
        blobs = self.store.blobs
        code = f"not a model, but bytes of {model} from {run_id}".encode()
        # Of a Python that this is not, so that nobody goes out to look for the thing.
        lock = b"# python 3.0.1 cpython\nthing==1.0\n"
        examples = b'{"rows":[],"answers":{}}'
        files = tuple(
            PackageFile(path=path, digest=blobs.put_bytes(data), size_bytes=len(data))
            for path, data in (("model.onnx", code), ("environment.txt", lock), ("examples.json", examples))
        )
        return blobs.put_bytes(
            canonical_json(
                Package(
                    model=model,
                    format="onnx",
                    signature=Signature(
                        fields=(Field(name="x", dtype="float64", minimum=0.0, maximum=1.0, example=0.5),),
                        output=Output(name="y", kind="number"),
                    ),
                    files=files,
                    environment=files[1].digest,
                )
            )
        )
