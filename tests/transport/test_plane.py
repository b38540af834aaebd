"""What connections share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from plusone.base.errors import BadRequest
from plusone.transport import Limits
from plusone.transport.plane import Plane
from plusone.transport.request import Head
from tests.transport.served import Site


class Guest:
    """A connection that does nothing."""

    due = 0.0
    asked_at = 0.0
    busy = False

    def overdue(self, now: float) -> None: ...

    def end(self) -> None: ...

    def cut(self) -> None: ...


@pytest.fixture
def plane() -> Iterator[Plane]:
    loop = asyncio.new_event_loop()
    yield Plane(Site(), Limits(idle_s=60.0, crowded_idle_s=2.0, linger_s=1.0), loop, max_connections=16)
    loop.close()


def test_so_many_are_admitted_some_are_told_and_the_rest_is_cut(plane: Plane):
    said = [plane.admit(Guest()) for _ in range(16 + 256 + 3)]
    assert said == [True] * 16 + [False] * 256 + [None] * 3


def test_idle_connections_make_room_when_it_is_crowded(plane: Plane):
    for _ in range(14):
        plane.admit(Guest())
    plane.look_at_crowd()
    assert plane.idle_until(10.0) == 70.0
    plane.admit(Guest())
    plane.look_at_crowd()
    assert plane.idle_until(10.0) == 12.0


def test_idle_connections_go_soon_while_draining(plane: Plane):
    plane.draining = True
    plane.drained_at = 100.0
    assert plane.idle_until(10.0) == 101.0
    assert plane.idle_until(110.0) == 111.0


def test_an_application_that_fails_to_refuse_is_reported_and_refused_for(plane: Plane):
    told: list[dict[str, Any]] = []
    plane.loop.set_exception_handler(lambda _, context: told.append(context))
    read = Head()
    read.query = "refuse-fails"
    assert plane.refusal(read, BadRequest("no")) == (400, b"text/plain", b"", ())
    assert isinstance(told[0]["exception"], LookupError)
    assert plane.refusal(None, BadRequest("no"))[0] == 400
    assert len(told) == 1
