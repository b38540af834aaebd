"""What an endpoint is given."""

from __future__ import annotations

from plusone.transport.request import ANSWERED, GONE, Head, Headers, Request


class Way:
    """Notes what is answered."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def answer(self, request: Request, status: int, body: bytes, content_type: bytes, headers: Headers) -> None:
        request.connection = ANSWERED
        self.answers.append(body)


def test_a_body_in_one_piece():
    request = Request(Head(), b"abc", 1.0, Way())
    assert (request.body, request.parts, request.size, request.began) == (b"abc", [b"abc"], 3, 1.0)


def test_a_body_in_pieces_is_joined_when_asked_for():
    request = Request(Head(), None, 1.0, Way())
    assert (request.size, request.parts) == (0, [])
    request.parts.extend((b"ab", b"c"))
    assert (request.size, request.parts) == (3, [b"ab", b"c"])
    assert request.body == b"abc"
    assert request.body is request.body
    assert (request.size, request.parts) == (3, [b"abc"])


def test_an_answer_is_sent_once_and_not_to_who_has_gone():
    way = Way()
    request = Request(Head(), b"", 1.0, way)
    request.respond(200, b"one")
    request.respond(200, b"two")
    assert (way.answers, request.gone) == ([b"one"], False)
    left = Request(Head(), b"", 1.0, way)
    left.connection = GONE
    left.respond(200, b"three")
    assert (way.answers, left.gone) == ([b"one"], True)
