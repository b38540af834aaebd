"""How a run of a script begins: what is recorded of script, machine and environment without being asked."""

from __future__ import annotations

import getpass
import os
import platform
import shlex
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..base.config import Project
from ..base.errors import Conflict
from ..base.records import Code
from ..execution.environment import lock_text
from ..store import Store
from ..tracking import changing, experiments
from ..tracking.code import capture_code
from ..tracking.runs import OpenRun, get_run, recover_runs, start_run

__all__ = ["begin", "is_interactive", "reopen"]

_MOST_COMMAND = 2000


def begin(
    store: Store, project: Project, *, name: str, settings: dict[str, Any], experiment: str, tags: dict[str, str]
) -> OpenRun:
    """Begin a run of this script with its code, environment, command line and machine."""
    recover_runs(store)  # what killed processes have left is not to wait for a release
    script = _script()
    return start_run(
        store,
        name=name or (script.stem if script else "notebook" if is_interactive() else "run"),
        settings=settings,
        code=_code(store, project, script),
        environment=store.blobs.put_bytes(lock_text().encode()),
        experiment=_experiment(store, experiment),
        source="script",
        by=_who(),
        tags={**_machine(), **tags},
    )


def reopen(store: Store, run_id: str, settings: dict[str, Any], tags: dict[str, str]) -> OpenRun:
    """Go on with a run that has ended, or whose process died.

    Raises:
        NotFound: when there is none.
        Conflict: when it is under way or deleted, or one of the settings was another before.
    """
    recover_runs(store)  # what a dead process of it left is in the store before it goes on
    found = get_run(store, run_id)
    if found.deleted_at:
        raise Conflict(f"The run {found.id} was deleted.")
    if found.status == "running":
        raise Conflict(f"The run {found.id} is under way, in another process: it can't go on here.")
    record = changing.add_settings(store, found.id, settings)
    opened = OpenRun(store, record)
    with store.db.write() as tx:
        tx.execute("run_reopen", id=found.id)
    record = changing.set_tags(store, found.id, {**_machine(), **tags})
    opened.record = msgspec.structs.replace(record, status="running", finished_at=None, error=None)
    return opened


def is_interactive() -> bool:
    """Say whether a person types into this process: a notebook, or Python's prompt."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or "ipykernel" in sys.modules


def _experiment(store: Store, name: str) -> str:
    if not name:
        return experiments.DEFAULT
    found = experiments.find_experiment(store, name)
    if found is None:
        try:
            found = experiments.add_experiment(store, name)
        except Conflict:  # another process was first
            found = experiments.find_experiment(store, name)
    if found is None or found.status == "deleted":
        raise Conflict(f"The experiment {name!r} was deleted: expected another name.")
    return found.id


def _code(store: Store, project: Project, script: Path | None) -> Code:
    is_inside = script is None or script.is_relative_to(project.root)
    if (project.root / "pyproject.toml").is_file() and is_inside:
        return capture_code(project.root, store.blobs)
    # Elsewhere the folder may be somebody's whole home: only what this process has loaded from it.
    root = script.parent if script else project.root
    return capture_code(root, store.blobs, only={*([script] if script else []), *_loaded_from(root)})


def _loaded_from(root: Path) -> Iterator[Path]:
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if not isinstance(name, str) or not name.endswith(".py"):
            continue
        path = Path(name).absolute()
        if path.is_relative_to(root):
            parts = path.relative_to(root).parts
            if not any(part.startswith(".") or part == "site-packages" for part in parts):
                yield path


def _script() -> Path | None:
    name = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(name).resolve() if isinstance(name, str) and Path(name).is_file() else None


def _machine() -> dict[str, str]:
    """Return OpenTelemetry's names of where and how this process runs."""
    command = shlex.join(sys.orig_argv).encode("utf-8", "backslashreplace").decode()
    return {
        "host.name": socket.gethostname(),
        "process.command_line": command[:_MOST_COMMAND],
        "process.runtime.version": platform.python_version(),
    }


def _who() -> str:
    try:
        return os.environ.get("PLUSONE_BY") or getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return f"uid {os.getuid()}"
