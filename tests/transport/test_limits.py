"""The limits of a server, and of the time that it gives a client, over real sockets on both loops."""

from __future__ import annotations

import dataclasses
import json
import select
import time
from collections.abc import Callable

import pytest

from plusone.transport import Limits
from tests.transport.served import QUICK, Client, Served, head, post

Start = Callable[..., Served]


def test_times_are_looked_at_often_enough_for_the_shortest():
    assert Limits().sweep_s == 0.25  # a quarter of `linger_s`
    assert Limits(linger_s=5.0, discard_s=5.0).sweep_s == 1.0
    for field in ("head_s", "idle_s", "body_stall_s", "write_stall_s", "discard_s", "linger_s"):
        assert dataclasses.replace(Limits(), **{field: 0.2}).sweep_s == 0.05


# ---------------------------------------------------------------------------------------------- time


def lasted(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def drip(client: Client, data: bytes, every_s: float) -> bytes:
    """Send `data` byte by byte until something comes back; return what came."""
    client.socket.settimeout(every_s)
    for at in range(len(data)):
        try:
            client.send(data[at : at + 1])
            came = client.socket.recv(1000)
        except TimeoutError:
            continue
        return came
    raise AssertionError("nothing came back")


def test_a_head_that_drips_is_answered_408(start: Start):
    served = start()
    with served.client() as client:
        client.send(head("GET", "/json"))
        client.answer()
        assert drip(client, head("GET", "/json", "x: " + "y" * 500), 0.02).startswith(b"HTTP/1.1 408 ")


@pytest.mark.slow
def test_a_body_that_stalls_is_answered_408(start: Start):
    served = start()
    for data in (
        head("POST", "/echo", "content-length: 5"),
        head("POST", "/echo", "content-length: 5") + b"abc",
        head("POST", "/echo", "transfer-encoding: chunked") + b"5\r\nab",
    ):
        with served.client() as client:
            client.send(data)
            answer = client.answer()
            assert (answer[0], json.loads(answer[2])["error"]["code"]) == (408, "request_timeout")
            assert client.rest() == b""
    assert served.do(lambda: served.server.in_flight) == 0


def test_a_body_that_drips_is_answered_408(start: Start):
    served = start()
    with served.client() as client:
        client.send(head("POST", "/echo", "content-length: 1000"))
        assert drip(client, b"x" * 1000, 0.02).startswith(b"HTTP/1.1 408 ")


@pytest.mark.slow
def test_a_body_that_comes_steadily_may_take_longer_than_a_stall(start: Start):
    served = start(dataclasses.replace(QUICK, body_stall_s=1.6))
    with served.client() as client:
        client.send(head("POST", "/echo", "content-length: 20000"))
        for _ in range(20):
            select.select([], [], [], 0.1)
            client.send(b"x" * 1000)
        assert client.answer()[2] == b"x" * 20_000


@pytest.mark.slow
def test_an_idle_connection_is_closed_without_a_word(start: Start):
    served = start()
    with served.client() as fresh, served.client() as used:
        used.send(head("GET", "/json"))
        used.answer()
        assert lasted(lambda: (fresh.rest(), used.rest())) > 0.5
        assert fresh.rest() == used.rest() == b""
    assert served.site.refused == []


@pytest.mark.slow
def test_an_answer_may_take_longer_than_a_client_may_be_idle(start: Start):
    served = start(Limits(idle_s=0.9, linger_s=0.4))
    with served.client() as client:
        client.send(post("/later", b"x"))
        client.socket.settimeout(1.0)
        with pytest.raises(TimeoutError):
            client.more()
        request = served.site.waiting.pop()
        served.do(lambda: request.respond(200, b"at last"))
        assert client.answer()[2] == b"at last"
        client.send(head("GET", "/json"))
        assert client.answer()[0] == 200


def test_a_client_that_does_not_read_its_answers_is_asked_nothing_and_cut(start: Start):
    served = start()
    with served.client() as client:
        client.send(head("GET", "/big?100000") * 2000)
        served.until(lambda: served.server.held_bytes > 0)
        assert served.do(lambda: served.server.held_bytes) < 1 << 20
        served.until(lambda: served.server.connections == 0)


@pytest.mark.slow
def test_a_client_that_reads_slowly_gets_all_of_its_answer(start: Start):
    served = start(dataclasses.replace(QUICK, write_stall_s=1.6))
    with served.client() as client:
        client.send(head("GET", "/big?30000000"))
        for _ in range(20):
            wanted = len(client.came) + 1_000_000
            while len(client.came) < wanted:
                assert client.more()
            select.select([], [], [], 0.1)  # slow for longer than an answer may stall
        assert len(client.answer()[2]) == 30_000_000
