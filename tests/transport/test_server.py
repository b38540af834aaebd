"""A whole server: how many it bears, how it drains, how it ends."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plusone.transport import Limits, Server
from tests.transport.served import Client, Served, Site, head, post

Start = Callable[..., Served]


def test_a_server_that_was_not_started_says_so_and_can_be_closed():
    server = Server(Site())
    assert (server.connections, server.in_flight, server.held_bytes, server.last_request_at) == (0, 0, 0, 0.0)
    server.stop_accepting()
    server.drain()
    asyncio.run(server.close())


def test_what_it_counts(start: Start):
    served = start(Limits())
    before = time.perf_counter()
    with served.client() as client, served.client() as other:
        other.send(head("GET", "/json"))
        other.answer()
        assert before < served.do(lambda: served.server.last_request_at) < time.perf_counter()
        client.send(post("/later", b"x"))
        served.until(lambda: len(served.site.waiting) == 1)
        assert served.do(lambda: (served.server.connections, served.server.in_flight)) == (2, 1)
        asked_at = served.do(lambda: served.server.last_request_at)
        request = served.site.waiting.pop()
        served.do(lambda: request.respond(200, b""))
    served.until(lambda: served.server.connections == 0)
    assert served.do(lambda: (served.server.in_flight, served.server.last_request_at)) == (0, asked_at)


def test_answers_are_sent_without_delay(start: Start):
    served = start(Limits())
    with served.client() as client:
        client.send(head("GET", "/json"))
        client.answer()
        (connection,) = served.server._plane.connections  # type: ignore[union-attr] - it was started
        accepted = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined] - it is a Connection
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_so_many_connections_and_no_more(start: Start):
    served = start(Limits(max_connections=20, crowded_idle_s=30.0, discard_s=0.4))
    clients = [served.client() for _ in range(20)]
    served.until(lambda: served.server.connections == 20)
    with served.client() as client:
        assert client.answer()[0] == 503
        assert client.rest() == b""
    clients.pop().socket.close()
    served.until(lambda: served.server.connections == 19)
    assert served.ask(head("GET", "/json"))[0] == 200
    for client in clients:
        client.send(head("GET", "/json"))
        assert client.answer()[0] == 200
        client.socket.close()


def test_idle_connections_make_room_for_those_who_ask(start: Start):
    served = start(Limits(max_connections=20, crowded_idle_s=0.1, linger_s=0.4))
    idle = [served.client() for _ in range(19)]
    served.until(lambda: served.server.connections < 18)
    assert served.ask(head("GET", "/json"))[0] == 200
    for client in idle:
        client.socket.close()


def test_no_more_connections_than_files_may_be_open(start: Start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        served = start(Limits())
        clients = [served.client() for _ in range(45)]
        assert clients[-1].answer()[0] == 503
        for client in clients:
            client.socket.close()
        served.until(lambda: served.server.connections == 0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.alone
def test_a_thousand_idle_connections_are_borne(start: Start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        served = start(Limits())
        idle = [served.client() for _ in range(1000)]
        slow = [served.client() for _ in range(100)]
        for client in slow:
            client.send(b"GET /json HT")
        served.until(lambda: served.server.connections == 1100)
        times: list[float] = []
        with served.client() as client:
            for _ in range(500):
                began = time.perf_counter()
                client.send(post("/json", b"x"))
                client.answer()
                times.append(time.perf_counter() - began)
        assert sorted(times)[len(times) // 2] < 0.05
        for client in (*idle, *slow):
            client.socket.close()
        served.until(lambda: served.server.connections == 0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


@pytest.mark.slow
def test_memory_stays_flat_over_uploads_that_are_broken_off(start: Start):
    served = start(Limits())

    def break_off(times: int) -> None:
        for number in range(times):
            lines = ("content-length: 1000000",) if number % 2 else ("transfer-encoding: chunked",)
            with served.client() as client:
                client.send(head("POST", "/echo", *lines) + b"80000\r\n" + b"x" * 300_000)
            served.until(lambda: served.server.connections == 0)  # more at a time would take more, for a while

    break_off(100)
    gc.collect()
    before = resident_bytes()
    break_off(1000)
    gc.collect()
    assert resident_bytes() - before < 20 << 20
    assert served.do(lambda: served.server.held_bytes) == 0


@pytest.mark.slow
@pytest.mark.alone
def test_small_requests_pass_while_big_ones_are_read_and_refused(start: Start):
    served = start(Limits(discard_s=60.0))

    def big(path: str) -> int:
        return served.ask(head("POST", path, "content-length: 50000000"), b"x" * 50_000_000)[0]

    def tiny() -> int:
        return served.ask(head("POST", "/huge", "transfer-encoding: chunked"), b"1\r\nx\r\n" * 300_000, b"0\r\n\r\n")[0]

    with ThreadPoolExecutor(3) as pool, served.client() as client:
        uploads = [pool.submit(big, path) for path in ("/huge", "/small") for _ in range(2)]
        uploads.append(pool.submit(tiny))
        times: list[float] = []
        while not times or not all(upload.done() for upload in uploads):
            began = time.perf_counter()
            client.send(post("/json", b"x"))
            assert client.answer()[2] == b"x"
            times.append(time.perf_counter() - began)
        assert [upload.result() for upload in uploads] == [200, 200, 413, 413, 200]
    assert sorted(times)[len(times) // 2] < 0.1


# ---------------------------------------------------------------------------------------------- the end


def test_while_draining_each_answer_is_the_last_of_its_connection(start: Start):
    served = start()
    with served.client() as active, served.client() as idle, served.client() as waiting:
        for client in (active, idle):
            client.send(head("GET", "/json"))
            assert "connection" not in client.answer()[1]
        waiting.send(post("/later", b"x"))
        served.until(lambda: len(served.site.waiting) == 1)
        served.do(served.server.drain)
        served.do(served.server.drain)
        active.send(head("GET", "/json"))
        assert active.answer()[1]["connection"] == "close"
        assert active.rest() == b""
        assert idle.rest() == b""
        assert served.do(lambda: served.server.in_flight) == 1
        request = served.site.waiting.pop()
        served.do(lambda: request.respond(200, b"done"))
        status, headers, body = waiting.answer()
        assert (status, headers["connection"], body) == (200, "close", b"done")
        assert waiting.rest() == b""
    served.until(lambda: served.server.connections == 0)


def test_who_waits_to_be_accepted_waits_for_another_holder_of_the_socket(start: Start):
    first, second = start(), start()
    with first.client() as before:
        before.send(head("GET", "/json"))
        before.answer()
        first.do(first.server.stop_accepting)
        first.do(first.server.stop_accepting)
        queued = Client(first.port)
        queued.send(post("/json", b"queued"))
        before.send(head("GET", "/json"))
        assert before.answer()[0] == 200  # a connection that is open goes on
        again = Server(second.site, limits=Limits())
        asyncio.run_coroutine_threadsafe(again.start(first.listener), second.loop).result(60)
        assert queued.answer()[2] == b"queued"
        queued.socket.close()
        second.until(lambda: again.connections == 0)
        asyncio.run_coroutine_threadsafe(again.close(), second.loop).result(60)


def test_closing_sends_what_was_answered_and_loses_what_was_not(start: Start):
    served = start()
    with served.client() as big, served.client() as waiting:
        big.send(head("GET", "/big?2000000"))
        assert big.more()  # it is answered, and not taken yet
        waiting.send(post("/later", b"x"))
        served.until(lambda: len(served.site.waiting) == 1)
        with ThreadPoolExecutor(1) as pool:
            body = pool.submit(lambda: big.answer()[2])
            asyncio.run_coroutine_threadsafe(served.server.close(), served.loop).result(60)
            assert len(body.result(60)) == 2_000_000
        assert waiting.rest() == b""
        request = served.site.waiting.pop()
        assert request.gone
        served.do(lambda: request.respond(200, b"too late"))
        served.listener.close()
        with pytest.raises(ConnectionError):
            served.client()


@pytest.mark.slow
def test_closing_cuts_who_does_not_read(start: Start):
    served = start(Limits())
    with served.client() as client:
        client.send(head("GET", "/big?50000000"))
        served.until(lambda: served.server.held_bytes > 0)
        asyncio.run_coroutine_threadsafe(served.server.close(), served.loop).result(60)
        served.until(lambda: served.server.connections == 0)
