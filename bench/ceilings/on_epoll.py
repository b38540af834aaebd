"""The bare program on nothing: epoll and system calls from Python; one run per request."""

from __future__ import annotations

import os
import re
import select
import socket
import sys

import model

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
answer = model.answer
lengths: dict[bytes, int] = {}
parts: dict[int, bytes] = {}
connections: dict[int, socket.socket] = {}
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
listener.setblocking(False)
polled = select.epoll()
polled.register(listener.fileno(), select.EPOLLIN)


def length(head: bytes) -> int:
    found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    known = lengths[head] = int(found[1]) if found else 0
    return known


def accept() -> None:
    connection, _ = listener.accept()
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connections[connection.fileno()] = connection
    polled.register(connection.fileno(), select.EPOLLIN)


def leave(number: int) -> None:
    polled.unregister(number)
    parts.pop(number, None)
    connections.pop(number).close()


def serve(number: int) -> None:
    try:
        data = os.read(number, 65536)
    except BlockingIOError:
        return
    except OSError:
        data = b""
    if not data:
        leave(number)
        return
    if number in parts:
        data = parts.pop(number) + data
    end = data.find(b"\r\n\r\n")
    head = data[:end]
    size = lengths.get(head)
    if size is None:
        size = length(head)
    body = data[end + 4 :]
    if end < 0 or len(body) < size:
        parts[number] = data
        return
    payload = answer(body) if size else b"{}"
    os.write(number, b"%b%d\r\n\r\n%b" % (HEAD, len(payload), payload))


first = listener.fileno()
while True:
    for number, _ in polled.poll():
        if number == first:
            accept()
        else:
            serve(number)
