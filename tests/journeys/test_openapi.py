"""Schemathesis, unchanged, on the OpenAPI document of a real worker: the worker does what its document says.

It lives in the environment of the inference clients, which `make slow` makes (tests/protocols/clients.py).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.journeys.hostile import Hostage, hostage, worker
from tests.packaged import flights, one_thread
from tests.protocols.clients import PYTHON

__all__ = ["flights", "hostage", "one_thread", "worker"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# A schema can't say everything that a request must be: columns as long as each other, times from 1970 on, a header that
# is the length of a part of the body. What it allows may be refused; what it forbids must be, and no answer is a 5xx.
EXCLUDED = "positive_data_acceptance"


def test_requests_made_from_the_document_get_the_answers_that_it_promises(worker: Hostage, tmp_path: Path) -> None:
    command = [
        PYTHON.with_name("st"),
        "run",
        f"http://127.0.0.1:{worker.port}/openapi.json",
        *("--seed", "1", "--max-examples", "20", "--phases", "examples,coverage,fuzzing"),
        *("--checks", "all", "--exclude-checks", EXCLUDED, "--suppress-health-check", "all"),
        *("--continue-on-failure", "--request-timeout", "20"),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
    assert "prediction_failed" not in worker.folder.log()
