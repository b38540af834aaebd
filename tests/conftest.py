"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.contracts.servers import Postgres, Seaweed, start_servers

settings.register_profile(
    "plusone",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    # What lands is judged by the same examples each time; people and their machines look for others.
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("plusone")
# Read at import: each test clears the variables of whoever runs it.
_MLFLOW_PYTHON = os.environ.get("PLUSONE_MLFLOW_PYTHON")


@pytest.fixture(autouse=True)
def no_project_of_the_developer(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep settings of whoever runs the tests out of them; environments of models are shared by one run of pytest."""
    for name in [key for key in os.environ if key.startswith("PLUSONE_")]:
        monkeypatch.delenv(name)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    monkeypatch.setenv("PLUSONE_ENVIRONMENTS", str(shared / "environments"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of this repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def mlflow_python(repository: Path) -> Path:
    """A Python that has mlflow, in an environment of its own: what its real clients and its own server run in."""
    python = Path(_MLFLOW_PYTHON or repository / ".venv-mlflow" / "bin" / "python")
    assert python.exists(), f"There is no {python}: `make slow` makes it, or PLUSONE_MLFLOW_PYTHON names another one."
    return python


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[Postgres, Seaweed]]:
    """PostgreSQL and S3: once for all tests of this process, which tell their children by the environment."""
    with pytest.MonkeyPatch.context() as patch:
        postgres, seaweed = start_servers(patch.setenv)
        yield postgres, seaweed
        postgres.remove()
        seaweed.remove()
