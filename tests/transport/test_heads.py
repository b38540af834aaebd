"""What is a head, what is none, and what is kept of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import BadRequest
from plusone.transport.heads import Heads, Probe, parse_head
from plusone.transport.request import Head
from tests.transport.served import Answers, head, post

REFUSED = {
    b"GET / HTTP/1.1\r\n\r\n": "no host",
    b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n": "host twice",
    b"GET / HTTP/2.0\r\nhost: a\r\n\r\n": "first line",
    b"PRI * HTTP/2.0\r\n\r\n": "no end",
    b"GET / HTTP/0.9\r\n\r\n": "first line",
    b"GET /\r\n\r\n": "first line",
    b"\rGET / HTTP/1.1\r\nhost: a\r\n\r\n": "first line",
    b"GET  / HTTP/1.1\r\nhost: a\r\n\r\n": "first line",
    b"SOURCE / ICE/1.0\r\nhost: a\r\n\r\n": "first line",
    b"SETUP rtsp://a RTSP/1.0\r\nhost: a\r\n\r\n": "first line",
    b"NONSENSE / HTTP/1.1\r\nhost: a\r\n\r\n": "method",
    b"get / HTTP/1.1\r\nhost: a\r\n\r\n": "method",
    b"GET /a b HTTP/1.1\r\nhost: a\r\n\r\n": "HTTP",
    b"GET nowhere HTTP/1.1\r\nhost: a\r\n\r\n": "url",
    b"GET /#there HTTP/1.1\r\nhost: a\r\n\r\n": "fragment",
    b"GET /%ff HTTP/1.1\r\nhost: a\r\n\r\n": "UTF-8",
    b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n": "url",
    b"CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n": "slash",
    b"GET / HTTP/1.1\nhost: a\r\n\r\n": "CRLF",
    b"GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n": "CR",
    b"GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n folded\r\n\r\n": "whitespace",
    b"GET / HTTP/1.1\r\nhost: a\r\nx : a\r\n\r\n": "header token",
    b"GET / HTTP/1.1\r\nhost: a\r\n: a\r\n\r\n": "header token",
    b"GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n": "header value",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n": "Content-Length",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n": "Content-Length",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\n": "Content-Length",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\n": "Content-Length",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x1\r\n\r\n": "Content-Length",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n": "Content-Length",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\n": "Content-Length",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n": "Content-Length",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n": "Transfer-Encoding",
    b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n": "Content-Length",
    b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n": "transfer-encoding",
    b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n": "Transfer-Encoding",
    b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n": "Transfer-Encoding",
    b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n": "ransfer",
    b"POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\ntransfer-encoding: gzip\r\n\r\n": "transfer",
    b"POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n": "HTTP/1.0",
    b"POST / HTTP/1.1\r\nhost: a\r\nexpect: miracles\r\n\r\n": "miracles",
}


@pytest.mark.parametrize("raw", REFUSED)
def test_what_could_be_understood_in_two_ways_is_refused(raw: bytes):
    with pytest.raises(BadRequest) as caught:
        parse_head(raw)
    assert REFUSED[raw] in caught.value.message
    assert caught.value.status == (417 if b"expect" in raw else 400)


def test_a_head_is_read():
    raw = head(
        "POST",
        "/a%2Fb/%C3%A9?x=%20y&z",
        "Content-Type: Application/JSON; charset=utf-8",
        "X-Twice: 1",
        "x-twice:  2 \t",
        "content-length: 7",
    )
    read = parse_head(raw)
    assert (read.method, read.path, read.query, read.version) == ("POST", "/a/b/\xe9", "x=%20y&z", "1.1")
    assert read.headers["x-twice"] == "1, 2"
    assert read.headers["host"] == "here"
    assert (read.content_type, read.content_length, read.chunked) == ("application/json", 7, False)
    assert (read.keep_alive, read.expects_continue, read.plain) == (True, False, True)
    assert read.raw == raw


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("*", "*", ""),
        ("//a/b", "//a/b", ""),
        ("/?", "/", ""),
        ("/%", "/%", ""),
        ("/%00", "/\0", ""),
        ("http://here:80/a?b", "/a", "b"),
        ("http://here", "/", ""),
        ("http://here?b", "/", "b"),
    ],
)
def test_a_target_becomes_path_and_query(target: str, path: str, query: str):
    read = parse_head(head("OPTIONS", target))
    assert (read.path, read.query) == (path, query)


@pytest.mark.parametrize(
    ("version", "connection", "stays"),
    [
        ("1.1", "", True),
        ("1.1", "connection: close", False),
        ("1.1", "connection: Keep-Alive, Close", False),
        ("1.1", "connection: upgrade, http2-settings", True),
        ("1.0", "", False),
        ("1.0", "connection: keep-alive", True),
        ("1.0", "connection: keep-alive, close", False),
    ],
)
def test_whether_the_connection_stays(version: str, connection: str, stays: bool):
    lines = [connection] if connection else []
    assert parse_head(head("GET", "/", *lines, version=version)).keep_alive is stays


def test_http_1_0_needs_no_host_and_knows_no_expectation():
    read = parse_head(b"GET / HTTP/1.0\r\nexpect: 100-continue\r\n\r\n")
    assert (read.version, read.expects_continue) == ("1.0", False)


def test_an_upgrade_is_an_ordinary_request():
    read = parse_head(head("POST", "/", "connection: upgrade", "upgrade: h2c", "content-length: 3"))
    assert (read.content_length, read.keep_alive) == (3, True)


def heads(max_body_bytes: int = 100) -> tuple[Heads, list[Head]]:
    resolved: list[Head] = []
    endpoint = Answers(lambda request: None, max_body_bytes)

    def resolve(read: Head) -> Answers:
        resolved.append(read)
        return endpoint

    return Heads(resolve), resolved


def test_equal_bytes_are_read_and_resolved_once_they_came_twice():
    table, resolved = heads()
    raw = head("GET", "/a")
    first, second, third, fourth = (table.read(bytes(bytearray(raw))) for _ in range(4))
    assert first is not second
    assert second is third is fourth
    assert resolved == [first, second]


def test_heads_that_never_come_again_are_not_kept_and_push_none_out():
    table, resolved = heads()
    usual = head("GET", "/usual")
    for _ in range(2):
        table.read(usual)
    for number in range(20_000):
        table.read(head("GET", "/a", f"traceparent: {number}"))
    assert list(table.known) == [usual]
    before = len(resolved)
    table.read(usual)
    assert len(resolved) == before


def test_the_table_is_bounded_in_number_and_length():
    table, _ = heads()
    for number in range(3000):
        for _ in range(2):
            table.read(head("GET", f"/{number}"))
    assert len(table.known) == 1024
    long = head("GET", "/", "x: " + "y" * 5000)
    for _ in range(3):
        table.read(long)
    assert long not in table.known


def test_only_a_short_plain_body_needs_no_second_look():
    table, _ = heads(max_body_bytes=100)
    plain = post("/", b"x" * 100)[:-100]
    assert table.read(plain).inline == len(plain) + 100
    assert table.read(head("GET", "/")).inline == len(head("GET", "/"))
    for other in (
        post("/", b"x" * 101)[:-101],
        head("POST", "/", "transfer-encoding: chunked"),
        head("POST", "/", "content-length: 3", "expect: 100-continue"),
    ):
        assert table.read(other).inline == -1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_a_bad_request(data: bytes):
    try:
        read = parse_head(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    except BadRequest:
        return
    assert read.path.startswith("/") or read.path == "*"


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=20))
def test_a_probe_never_raises_anything_else(pieces: list[bytes]):
    probe = Probe()
    for piece in pieces:
        try:
            probe.feed(piece.replace(b"\r\n\r\n", b"\r\n"))
        except BadRequest:
            return


def test_a_probe_accepts_each_beginning_of_a_head_and_sees_what_is_none():
    raw = head("GET", "/a?b", "x: y")
    probe = Probe()
    for at in range(len(raw) - 1):
        probe.feed(raw[at : at + 1])
    assert probe.fed == len(raw) - 1
    with pytest.raises(BadRequest, match="method"):
        Probe().feed(b"\x16\x03\x01\x02\x00\x01")


VARYING = ("plusone-key", "x-request-id")
FIELDS = ("method", "path", "query", "version", "headers", "content_length", "chunked", "keep_alive", "content_type")
LINE = st.tuples(
    st.sampled_from([b"plusone-key", b"Plusone-Key", b"x-request-id", b"plusone-keys", b"x"]),
    st.sampled_from([b":", b": ", b":\t ", b" :", b""]),
    st.one_of(
        st.binary(max_size=20),
        st.text("abcXYZ 09\t:,", max_size=20).map(str.encode),
        st.sampled_from(
            [b"a\r\nhost: b", b"a\r\n b", b"a\nb", b"a\r\n\r\nb", b"\x7f", b"\xff\x80", b"transfer-encoding"]
        ),
    ),
).map(b"".join)


def with_lines(before: list[bytes], after: list[bytes]) -> bytes:
    """A head with these lines before and behind one of its own."""
    lines = [b"POST /json HTTP/1.1", *before, b"host: a", *after, b"content-length: 3"]
    return b"\r\n".join(lines) + b"\r\n\r\n"


@given(st.lists(LINE, max_size=2), st.lists(LINE, max_size=2))
def test_a_head_that_is_known_but_for_values_is_what_it_would_be_read_as(before: list[bytes], after: list[bytes]):
    heads = Heads(lambda head: Answers(lambda request: None), VARYING)
    for names in ([], [b"plusone-key"], [b"x-request-id"], [b"plusone-key", b"x-request-id"]):
        for value in (b"1", b"2"):  # what comes for the second time is kept
            heads.read(with_lines([name + b": " + value for name in names], []))
    raw = with_lines(before, after)
    raw = raw[: raw.find(b"\r\n\r\n") + 4]
    found = heads.find(raw)
    if found is None:
        return
    read = parse_head(raw)
    assert {name: getattr(found, name) for name in FIELDS} == {name: getattr(read, name) for name in FIELDS}
    assert found.raw == raw
    assert found.inline == len(raw) + 3


def test_heads_that_differ_in_a_value_that_varies_are_resolved_twice_and_kept_once():
    resolved: list[Head] = []

    def resolve(head: Head) -> Answers:
        resolved.append(head)
        return Answers(lambda request: None)

    heads = Heads(resolve, VARYING)
    for _ in range(2):
        heads.read(with_lines([], []))
    steady = heads.find(with_lines([], []))
    assert steady is not None
    for number in range(5000):
        head = heads.read(with_lines([b"plusone-key: user %d" % number], []))
        assert head.headers["plusone-key"] == f"user {number}"
    assert len(resolved) == 4
    assert len(heads.known) == 2
    assert heads.find(with_lines([], [])) is steady, "the table of others is left alone"
    assert "plusone-key" not in steady.headers


def test_a_header_that_varies_is_found_whether_it_is_there_or_not():
    heads = Heads(lambda head: Answers(lambda request: None), VARYING)
    keyed = with_lines([b"plusone-key: 1"], [])
    for _ in range(2):
        heads.read(keyed)
    assert heads.find(with_lines([], [])) is None, "a head without it may be answered by another"
    assert heads.find(with_lines([b"x-request-id: 1"], [])) is None
    assert heads.find(with_lines([b"plusone-key: 1", b"plusone-key: 2"], [])) is None
    assert heads.read(with_lines([b"plusone-key: 1", b"plusone-key: 2"], [])).headers["plusone-key"] == "1, 2"
    found = heads.find(with_lines([], [b"PLUSONE-KEY:\t two words  "]))
    assert found is not None
    assert found.headers["plusone-key"] == "two words"
