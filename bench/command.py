"""What it costs to start: `plusone --help`, `import plusone`, and a release when nothing changed."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PAIRS = 15
# The command as pip installs it, without the shell or shim that may stand before it on the path.
COMMAND = "import sys; from plusone.cli.main import main; sys.exit(main())"


def _seconds(command: list[str], cwd: Path | None = None) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=cwd)
    return time.perf_counter() - began


def script() -> list[str]:
    """How `plusone` is started: the script beside this interpreter."""
    found = Path(sys.executable).parent / "plusone"
    return [str(found)] if found.exists() else [sys.executable, "-c", COMMAND]


def help_ratio() -> dict[str, Any]:
    """How many times `python -c pass` the time of `plusone --help` is: medians of paired runs."""
    bare, ours = [sys.executable, "-c", "pass"], [*script(), "--help"]
    for command in (bare, ours):
        _seconds(command)
    pairs = [(_seconds(bare), _seconds(ours)) for _ in range(PAIRS)]
    return {
        "ratio": statistics.median(b / a for a, b in pairs),
        "python_s": statistics.median(a for a, _ in pairs),
        "help_s": statistics.median(b for _, b in pairs),
        "pairs": PAIRS,
    }


def modules_at_import() -> int:
    """How many modules are loaded after `import plusone` in a fresh process."""
    program = "import plusone, sys; print(len(sys.modules))"
    return int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)


def nothing_changed(folder: Path) -> dict[str, Any]:
    """Seconds of `plusone release` in a new project, the first time and when nothing changed (median of 5)."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PLUSONE_")}

    def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*script(), *arguments], check=True, capture_output=True, text=True, cwd=cwd, env=environment
        )

    run("new", "bench", cwd=folder)
    project = folder / "bench"
    began = time.perf_counter()
    run("release", cwd=project)
    first = time.perf_counter() - began
    took: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        run("release", cwd=project)
        took.append(time.perf_counter() - began)
    releases = json.loads(run("status", "--json", cwd=project).stdout)
    return {"first_s": first, "nothing_changed_s": statistics.median(took), "status": releases}
