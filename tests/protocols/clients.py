"""Runs scripts in the environment of the protocol's real clients and validators (see the Makefile)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("PLUSONE_INFERENCE_PYTHON") or _ROOT / ".venv-inference" / "bin" / "python")


def run_client(script: str, given: Any, *, timeout_s: float = 60.0) -> Any:
    """Return what a script prints as JSON; `given` is its standard input, as JSON."""
    assert PYTHON.exists(), (
        f"There is no {PYTHON}: `make slow` makes it, or PLUSONE_INFERENCE_PYTHON names another one."
    )
    done = subprocess.run(
        [PYTHON, "-c", script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
