"""One client at a time, in bytes, over real sockets, on uvloop and on asyncio's own loop."""

from __future__ import annotations

import functools
import http.client
import json
import random
import socket
import struct
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.transport import Limits
from tests.transport.served import Served, chunked, head, post

Start = Callable[..., Served]


def describe(served: Served, *parts: bytes) -> dict[str, Any]:
    """What `/describe` saw of a request."""
    status, _, body = served.ask(*parts)
    assert status == 200
    return json.loads(body)


# ---------------------------------------------------------------------------------------------- requests


def test_many_requests_over_one_connection(served: Served):
    with served.client() as client:
        for number in range(50):
            body = b"x" * number
            client.send(post("/json", body))
            assert client.answer() == (
                200,
                {"content-type": "application/json", "content-length": str(number)},
                body,
            )


def test_what_the_endpoint_sees(served: Served):
    seen = describe(served, post("/describe?a=%20", b"abc", "Content-Type: Text/Plain; x=y", "X-A: 1", "x-a: 2"))
    assert (seen["method"], seen["path"], seen["query"]) == ("POST", "/describe", "a=%20")
    assert (seen["content_type"], seen["headers"]["x-a"], seen["length"]) == ("text/plain", "1, 2", 3)
    assert (seen["body"], seen["size"], seen["chunked"]) == ("abc", 3, False)


def test_bodies_of_all_sizes_come_whole(served: Served):
    for size in (0, 1, 16 * 1024, 16 * 1024 + 1, 100_000, 1 << 20):
        body = random.Random(size).randbytes(size)
        for _ in range(3):
            assert served.ask(post("/echo", body))[2] == body
            assert served.ask(head("POST", "/echo", "transfer-encoding: chunked"), chunked(body, 70_000))[2] == body


def test_byte_by_byte(served: Served):
    with served.client() as client:
        for request in (
            post("/describe", b"abc"),
            head("POST", "/describe", "transfer-encoding: chunked") + chunked(b"abc", 1),
        ):
            for at in range(len(request)):
                client.send(request[at : at + 1])
            assert json.loads(client.answer()[2])["body"] == "abc"


def test_pipelined_requests_are_answered_in_order(served: Served):
    numbers = [b"%d" % number for number in range(500)]
    with served.client() as client:
        client.send(b"".join(post("/json", number) for number in numbers))
        assert [client.answer()[2] for _ in numbers] == numbers


STREAM: list[tuple[bytes, bytes]] = [
    (post("/echo", b"abc"), b"abc"),
    (head("GET", "/json"), b""),
    (head("POST", "/echo", "transfer-encoding: chunked") + chunked(b"0123456789" * 30, 1, 7, 100), b"0123456789" * 30),
    (b"\r\n\r\n" + post("/echo", b"\r\n\r\n"), b"\r\n\r\n"),
    (post("/echo", b"y" * 20_000), b"y" * 20_000),
    (head("POST", "/echo", "transfer-encoding: chunked") + b"0\r\nx: y\r\n\r\n", b""),
    (post("/echo", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
    (post("/small", b"z" * 101), b""),
]


@given(order=st.permutations(STREAM[:-1]), cuts=st.lists(st.integers(0, 22_000), max_size=12))
def test_however_a_stream_is_split_the_answers_are_the_same(
    served: Served, order: list[tuple[bytes, bytes]], cuts: list[int]
):
    data = b"".join(request for request, _ in order)
    with served.client() as client:
        begin = 0
        for end in [*sorted(cuts), len(data)]:
            client.send(data[begin:end])
            begin = max(begin, end)
        assert [client.answer()[2] for _ in order] == [answer for _, answer in order]


def test_an_answer_that_comes_later_holds_up_the_next_request(served: Served):
    with served.client() as client:
        client.send(post("/later", b"a") + post("/json", b"b") + post("/later", b"c"))
        for body in (b"a", b"c"):
            served.until(lambda: len(served.site.waiting) == 1)
            request = served.site.waiting.pop()
            assert request.body == body
            assert served.do(lambda: served.server.in_flight) == 1
            served.do(functools.partial(request.respond, 200, b"later " + body))
            assert client.answer()[2] == b"later " + body
            if body == b"a":
                assert client.answer()[2] == b"b"
    assert served.do(lambda: served.server.in_flight) == 0


def test_a_client_that_sends_ahead_is_not_read_without_end(served: Served):
    with served.client() as client:
        client.send(post("/later", b""))
        served.until(lambda: len(served.site.waiting) == 1)
        client.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.send(post("/json", b"x" * 100_000) * 1000)
        assert served.do(lambda: served.server.held_bytes) <= 1 << 20
    request = served.site.waiting.pop()
    served.do(lambda: request.respond(200, b""))  # only now is it read on, and seen that the client has gone
    served.until(lambda: served.server.held_bytes == served.server.connections == 0)


def test_bytes_that_were_answered_are_not_counted_as_held(served: Served):
    with served.client() as client:
        client.send(post("/echo", b"x" * 500_000))
        client.answer()
        served.until(lambda: served.server.held_bytes == 0)
        client.send(post("/json", b"x") + post("/echo", b"x" * 20_000) + post("/json", b"x"))
        for _ in range(3):
            client.answer()
        served.until(lambda: served.server.held_bytes == 0)


def test_head_is_answered_without_a_body(served: Served):
    with served.client() as client:
        client.send(head("HEAD", "/big?500") + head("GET", "/big?3"))
        assert client.answer(bodiless=True)[1]["content-length"] == "500"
        assert client.answer()[2] == b"xxx"
        client.send(b"HEAD /small HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\n")
        assert client.answer(bodiless=True)[0] == 413
        assert client.rest() == b""


def test_statuses_without_a_body(served: Served):
    with served.client() as client:
        client.send(head("GET", "/empty?204") + head("GET", "/empty?304") + head("GET", "/json"))
        for status in (204, 304):
            assert client.answer() == (status, {"x-a": "b"}, b"")
        assert client.answer()[0] == 200


@pytest.mark.parametrize(
    ("version", "connection", "said", "stays"),
    [
        ("1.1", [], None, True),
        ("1.1", ["connection: close"], "close", False),
        ("1.0", [], "close", False),
        ("1.0", ["connection: keep-alive"], "keep-alive", True),
        ("1.0", ["connection: keep-alive, close"], "close", False),
    ],
)
def test_whether_the_connection_stays(served: Served, version: str, connection: list[str], said: str, stays: bool):
    with served.client() as client:
        client.send(head("GET", "/json", *connection, version=version))
        assert client.answer()[1].get("connection") == said
        if stays:
            client.send(head("GET", "/json"))
            assert client.answer()[0] == 200
        else:
            assert client.rest() == b""


def test_what_comes_behind_the_last_request_is_not_answered(served: Served):
    with served.client() as client:
        client.send(head("GET", "/json", "connection: close") + post("/echo", b"x" * 300_000))
        assert client.answer()[0] == 200
        assert client.rest() == b""


def test_an_upgrade_is_declined_by_an_ordinary_answer(served: Served):
    lines = ("connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQ")
    assert served.ask(post("/echo", b"abc", *lines))[2] == b"abc"


# ---------------------------------------------------------------------------------------------- 100-continue


def test_a_client_that_asks_is_told_to_go_on(served: Served):
    for lines, body in ((["content-length: 3"], b"abc"), (["transfer-encoding: chunked"], chunked(b"abc", 2))):
        with served.client() as client:
            client.send(head("POST", "/echo", *lines, "expect: 100-continue"))
            assert client.answer()[0] == 100
            client.send(body)
            assert client.answer()[2] == b"abc"


def test_a_client_whose_body_is_not_wanted_is_told_so_at_once(served: Served):
    for line, status in (("content-length: 101", 413), ("content-length: 99999999999999", 413)):
        with served.client() as client:
            client.send(head("POST", "/small", line, "expect: 100-continue"))
            answer = client.answer()
            assert (answer[0], answer[1]["connection"]) == (status, "close")
            assert client.rest() == b""
    assert served.ask(head("POST", "/echo", "content-length: 1", "expect: the-unexpected"))[0] == 417


def test_a_body_that_came_already_needs_no_asking(served: Served):
    with served.client() as client:
        client.send(head("POST", "/echo", "content-length: 3", "expect: 100-continue") + b"abc")
        assert client.answer()[0] == 200


# ---------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",  # the beginning of TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"\r\n" * 20,
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nnot hexadecimal\r\n",
    ],
)
def test_what_is_no_request_is_answered_400_at_once_and_ends_the_connection(served: Served, data: bytes):
    with served.client() as client:
        client.send(post("/json", b"first") + data + head("GET", "/json"))
        assert client.answer()[2] == b"first"
        status, headers, body = client.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert json.loads(body)["error"]["code"] == "bad_request"
        assert client.rest() == b""


def test_a_head_too_large_is_answered_431(served: Served):
    for request in (
        head("GET", "/json", "x: " + "y" * 40_000),
        b"GET /" + b"x" * 40_000,
        head("GET", "/" + "x" * 33_000),
    ):
        with served.client() as client:
            client.send(request)
            assert client.answer()[0] == 431
            assert client.rest() == b""
    assert served.ask(head("GET", "/json", "x: " + "y" * 32_000))[0] == 200


@pytest.mark.parametrize("size", [101, 1_000_000, 40_000_000])
def test_a_body_too_large_is_refused_at_once_and_the_answer_is_not_lost(served: Served, size: int):
    with served.client() as client:
        client.send(head("POST", "/small", f"content-length: {size}"))
        status, headers, body = client.answer()  # none of the body was sent
        assert (status, headers["connection"]) == (413, "close")
        assert json.loads(body)["error"]["details"] == {"limit_bytes": 100, "size_bytes": size}
    assert served.ask(post("/small", b"x" * size))[0] == 413  # all of it was
    assert served.ask(head("POST", "/small", "transfer-encoding: chunked"), chunked(b"x" * size, 60_000))[0] == 413


def test_what_is_discarded_is_bounded(start: Start):
    served = start(Limits(discard_bytes=1 << 20, discard_s=60.0))
    with served.client() as client:
        client.send(head("POST", "/small", "content-length: 1000000000"))
        with pytest.raises(ConnectionError):
            client.send(b"x" * 100_000_000)


def test_memory_that_all_clients_hold_is_bounded(start: Start):
    served = start(Limits(held_bytes=1 << 20))
    clients = [served.client() for _ in range(4)]
    for client in clients:
        client.send(head("POST", "/huge", "content-length: 2000000") + b"x" * 400_000)
    served.until(lambda: bool(served.site.refused))
    assert served.ask(post("/echo", b"x" * 10_000))[0] == 200  # a small one is not refused for others' big ones
    for client in clients:
        client.socket.close()
    served.until(lambda: served.server.held_bytes == 0)
    (_, error), *_ = served.site.refused
    assert (error.code, error.status) == ("overloaded", 429)
    assert served.ask(post("/huge", b"x" * 500_000))[2] == b"500000"


# ---------------------------------------------------------------------------------------------- endpoints that fail


def take_errors(served: Served, count: int) -> list[str]:
    served.until(lambda: len(served.errors) == count)
    told = [repr(context["exception"]) for context in served.errors]
    served.errors.clear()
    return told


def test_an_endpoint_that_raises_is_answered_500_and_the_connection_stays(served: Served):
    with served.client() as client:
        for request in (post("/raise", b"x"), post("/raise", b"x" * 100_000)) * 2:
            client.send(request + post("/json", b"next"))
            status, _, body = client.answer()
            assert (status, json.loads(body)["error"]["code"]) == (500, "internal")
            assert b"no answer" not in body
            assert client.answer()[2] == b"next"
    assert take_errors(served, 4) == ["LookupError('no answer')"] * 4
    assert isinstance(served.site.refused[-1][1].__cause__, LookupError)


def test_only_the_first_answer_counts(served: Served):
    with served.client() as client:
        client.send(head("GET", "/twice") + head("GET", "/answer-and-raise") + head("GET", "/json"))
        assert [client.answer()[2] for _ in range(3)] == [b"one", b"answered", b""]
    assert take_errors(served, 1) == ["LookupError('after all')"]


def test_an_answer_that_would_break_its_lines_is_not_sent(served: Served):
    with served.client() as client:
        client.send(head("GET", "/split") + head("GET", "/type") + head("GET", "/json"))
        assert [client.answer()[0] for _ in range(3)] == [500, 500, 200]
    assert len(take_errors(served, 2)) == 2


def test_an_application_that_fails_at_its_duties_ends_no_server(served: Served):
    assert served.ask(head("GET", "/unresolved"))[0] == 500
    assert served.ask(head("GET", "/raise?refuse-fails"))[0] == 500
    assert served.ask(head("GET", "/raise?refuse-breaks"))[0] == 500
    for query in ("refuse-fails", "refuse-breaks"):
        assert served.ask(head("POST", f"/small?{query}", "content-length: 1000"))[0] in (413, 500)
    assert len(take_errors(served, 7)) == 7


# ---------------------------------------------------------------------------------------------- clients that leave


def test_who_leaves_gets_nothing(served: Served):
    client = served.client()
    client.send(post("/later", b"x"))
    served.until(lambda: len(served.site.waiting) == 1)
    request = served.site.waiting.pop()
    assert not request.gone
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()  # reset
    served.until(lambda: request.gone)
    assert served.do(lambda: served.server.in_flight) == 0
    served.do(lambda: request.respond(200, b"too late"))


def test_who_only_sends_no_more_gets_the_answers(served: Served):
    with served.client() as client:
        client.send(post("/json", b"a") + post("/later", b"b") + post("/json", b"c"))
        client.finish()
        served.until(lambda: len(served.site.waiting) == 1)
        request = served.site.waiting.pop()
        served.do(lambda: request.respond(200, request.body))
        assert [client.answer()[2] for _ in range(3)] == [b"a", b"b", b"c"]
        assert client.rest() == b""


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HT",
        head("POST", "/echo", "content-length: 5") + b"abc",
        head("POST", "/echo", "transfer-encoding: chunked") + b"5\r\nabc",
    ],
)
def test_who_ends_in_the_middle_is_told_so(served: Served, data: bytes):
    with served.client() as client:
        client.send(data)
        client.finish()
        assert client.answer()[0] == 400
        assert client.rest() == b""


def test_uploads_that_are_broken_off_leave_nothing_behind(served: Served):
    for number in range(200):
        lines = ("content-length: 900000",) if number % 2 else ("transfer-encoding: chunked",)
        client = served.client()
        client.send(head("POST", "/echo", *lines) + b"8000\r\n" + b"x" * 30_000)
        client.socket.close()
    assert served.ask(head("GET", "/json"))[0] == 200  # whoever came before is accepted now
    served.until(lambda: served.server.connections == 0)
    assert served.do(lambda: (served.server.held_bytes, served.server.in_flight)) == (0, 0)


def test_a_body_in_tiny_pieces_takes_little_more_than_its_bytes(served: Served):
    body = b"x" * 30_000
    with served.client() as client:
        client.send(head("POST", "/later", "transfer-encoding: chunked") + chunked(body, 1))
        served.until(lambda: len(served.site.waiting) == 1)
        request = served.site.waiting.pop()
        assert len(request.parts) < 400
        assert request.body == body
        served.do(lambda: request.respond(200, b""))
        assert client.answer()[0] == 200


# ---------------------------------------------------------------------------------------------- others' clients


def test_the_clients_of_the_standard_library(served: Served):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    for body in (b"abc", iter([b"ab", b"c"])):
        connection.request("POST", "/echo", body=body)
        assert connection.getresponse().read() == b"abc"
    connection.request("HEAD", "/big?10")
    assert connection.getresponse().read() == b""
    connection.request("GET", "/empty?204")
    assert connection.getresponse().read() == b""
    connection.close()
    request = urllib.request.Request(f"http://127.0.0.1:{served.port}/echo", data=b"abc")
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
        assert answer.read() == b"abc"


# ---------------------------------------------------------------------------------------------- anything

WORDS = (
    b"GET", b"POST", b" ", b"/", b"/echo", b"/later?", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\r\n\r\n", b"\r", b"\n",
    b":",
    b"host: a", b"content-length: ", b"transfer-encoding: chunked", b"connection: close", b"expect: 100-continue",
    b"upgrade: h2c", b"0", b"5", b"ffffffff", b"99999999999999999999", b"-1", b";", b"abcde", b"\0", b"\xff", b"%zz",
)  # fmt: skip


def hostile(source: random.Random) -> bytes:
    """Random bytes, random words of the protocol, or a good request with some bytes changed."""
    kind = source.randrange(3)
    if kind == 0:
        return source.randbytes(source.randrange(1, 200))
    if kind == 1:
        return b"".join(source.choice(WORDS) for _ in range(source.randrange(1, 40)))
    data = bytearray(b"".join(request for request, _ in source.sample(STREAM, source.randrange(1, 4))))
    for _ in range(source.randrange(1, 6)):
        at = source.randrange(min(len(data), 400))
        change = source.randrange(3)
        if change == 0:
            data[at] = source.randrange(256)
        elif change == 1:
            del data[at : at + source.randrange(1, 30)]
        else:
            data[at:at] = source.choice(WORDS)
        data = data or bytearray(b"x")
    return bytes(data)


def send_anything(served: Served, source: random.Random) -> None:
    """Send something hostile in pieces and end; whatever comes back are answers, and then the end."""
    with served.client() as client:
        data = hostile(source)
        try:
            while data:
                size = source.randrange(1, len(data) + 1)
                client.send(data[:size])
                data = data[size:]
            client.finish()
        except OSError:
            return
        while client.came or client.more():
            assert client.answer()[0] < 500


@pytest.mark.parametrize("seed", [range(100), pytest.param(range(100, 2100), marks=pytest.mark.slow)])
def test_whatever_comes_is_answered_or_closed_and_hurts_no_other(start: Start, seed: range):
    served = start(Limits(head_s=2.0, body_stall_s=2.0, discard_s=1.0))
    with served.client() as good:
        for number in seed:
            send_anything(served, random.Random(number))
            if number % 20 == 0:
                good.send(post("/json", b"%d" % number))
                assert good.answer()[2] == b"%d" % number
    for request in served.site.waiting:
        served.do(lambda request=request: request.respond(200, b""))
    served.until(lambda: served.server.connections == 0)
    assert served.do(lambda: served.server.held_bytes) == 0
    assert served.do(lambda: served.server.in_flight) == 0
