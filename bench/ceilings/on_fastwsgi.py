"""The bare program on fastwsgi: HTTP is llhttp on libuv, in C; each request is one call of a function."""

from __future__ import annotations

import sys

import fastwsgi
import model

HEADERS = [("content-type", "application/json")]
answer = model.answer


def app(environ, start_response) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", HEADERS)
    return [answer(body) if body else b"{}"]


fastwsgi.run(app, host="127.0.0.1", port=int(sys.argv[1]))
