"""One store per test and backend, and a way to open it again as another process would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plusone.store import Store
from tests.contracts.backends import BACKENDS, NEED_SERVERS

Start = Callable[..., "subprocess.Popen[str]"]

# What takes seconds on servers, and not on files.
SLOW_ON_SERVERS = {"test_a_kill_at_any_moment_leaves_the_whole_blob_or_none"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name = getattr(item, "originalname", None)
        if name in SLOW_ON_SERVERS and any(backend in item.name for backend in NEED_SERVERS):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of the backend under test; what it needs is running."""
    if request.param in NEED_SERVERS:
        request.getfixturevalue("servers")
    return request.param


@pytest.fixture
def open_again(backend: str, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Return a function that opens the test's store; each call gives connections of its own."""
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(BACKENDS[backend](tmp_path / "store"))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_again: Callable[[], Store]) -> Store:
    return open_again()


@pytest.fixture
def start(backend: str, repository: Path, tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts `python -m tests.contracts.work` with the test's store."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.contracts.work", backend, str(tmp_path / "store"), *words]
        process = subprocess.Popen(
            command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()
