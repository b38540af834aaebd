"""Servers to send bytes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from plusone.transport import Limits
from tests.transport.served import QUICK, Served

LOOPS = ("uvloop", "asyncio")


@pytest.fixture(scope="module", params=LOOPS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A server with the usual limits, for a whole module; its loop must never have seen an error when a test ends."""
    server = Served(request.param, Limits(discard_s=60.0))
    yield server
    server.close()


@pytest.fixture(autouse=True)
def no_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test the shared server's loop has seen no error that the test did not take away."""
    yield
    if "served" in request.fixturenames:
        server: Served = request.getfixturevalue("served")
        errors = list(server.errors)
        server.errors.clear()
        assert errors == []


@pytest.fixture(params=LOOPS)
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Served]]:
    """Starts servers with other limits, quick ones if none are named; ends them, and asks that they saw no error."""
    servers: list[Served] = []

    def begin(limits: Limits = QUICK) -> Served:
        server = Served(request.param, limits)
        servers.append(server)
        return server

    yield begin
    for server in servers:
        server.close()
        assert server.errors == []
