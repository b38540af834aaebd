"""Heads from bytes: llhttp judges, we read, and equal bytes are read once.

A client sends the same head again and again. What was parsed is kept by its exact bytes: equal bytes can't mean
anything else. A client whose heads all differ costs the parsing, and never grows the table or empties it of others': a
head gets in when it comes for the second time.

Heads may differ in lines that the server was told of, whose values are new with each request (a key, a trace id). What
was parsed is kept by the bytes without these lines, and by their names. A head is then known that differs in the values
alone: they can't mean anything for the other lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import copy
from typing import ClassVar
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from ..base.errors import BadRequest
from .request import Endpoint, Head

__all__ = ["END", "INLINE_BYTES", "Heads", "Probe"]

END = b"\r\n\r\n"
INLINE_BYTES = 16 * 1024
"""Bodies up to this length, in one piece with their head, are not counted as held."""

_KEPT = 1024
_KEPT_BYTES = 4096  # a longer one is not kept: all together hold 4 MiB and what was read from it
_SEEN = 4096
_LINE = re.compile(r"([A-Z-]+) ([!-~]+) HTTP/(1\.[01])")
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")


class _UnmetExpectation(BadRequest):
    """The request asks for more than to be told to go on with its body."""

    status: ClassVar[int] = 417


class Heads:
    """Heads that were read, and how to read one more.

    Args:
        resolve: finds who answers.
        varying: the names of headers, in lower case, whose values differ from request to request. Who answers must not
            depend on their values, but may on which of them are there.
    """

    def __init__(self, resolve: Callable[[Head], Endpoint], varying: Sequence[str] = ()) -> None:
        self.known: dict[bytes, Head] = {}
        self._seen: set[int] = set()
        self._resolve = resolve
        self._cut = _line_of(varying) if varying else None

    def find(self, raw: bytes) -> Head | None:
        """Return the head whose bytes, up to the empty line and with it, are `raw`, if such a one was read before."""
        head = self.known.get(raw)
        if head is None and self._cut is not None:
            shell, values = self._shell(raw)
            alike = self.known.get(shell) if values else None
            if alike is not None:
                return _vary(alike, raw, values)
        return head

    def read(self, raw: bytes) -> Head:
        """Return the head whose bytes, up to the empty line and with it, are `raw`.

        Raises:
            BadRequest: when it is none, or none that can be understood in one way only.
        """
        head = self.find(raw)
        if head is not None:
            return head
        head = parse_head(raw)
        head.endpoint = self._resolve(head)
        length = head.content_length or 0
        if not head.chunked and not head.expects_continue and length <= min(INLINE_BYTES, head.endpoint.max_body_bytes):
            head.inline = len(raw) + length
        if len(raw) <= _KEPT_BYTES:
            shell, values = self._shell(raw) if self._cut is not None else (raw, {})
            self._keep(shell if values else raw, head)
        return head

    def _shell(self, raw: bytes) -> tuple[bytes, dict[str, str]]:
        """Return what a head is known by when it has lines that vary, and their values by name; none if it has none.

        What is no head may have such lines, too; then nothing is known by the rest of it.
        """
        if self._cut is None or len(raw) > _KEPT_BYTES:
            return raw, {}
        found = self._cut.findall(raw)
        values = {name.lower().decode(): value.decode("latin-1").strip(" \t") for name, value in found}
        if len(values) < len(found):  # one that is there twice is read the long way
            return raw, {}
        # No head has anything behind its empty line: what is known by names is never taken for one without.
        return self._cut.sub(b"", raw) + ",".join(values).encode(), values

    def _keep(self, raw: bytes, head: Head) -> None:
        mark = hash(raw)
        if mark not in self._seen:
            if len(self._seen) >= _SEEN:
                self._seen.clear()
            self._seen.add(mark)
            return
        if len(self.known) >= _KEPT:
            del self.known[next(iter(self.known))]
        self.known[raw] = head


def _line_of(names: Sequence[str]) -> re.Pattern[bytes]:
    """Return what finds the lines of some headers, each with its break before it: nothing but what llhttp takes for a
    line of its own. One that is followed by a space would go on in the next line.
    """
    any_of = b"|".join(re.escape(name.encode()) for name in names)
    return re.compile(rb"\r\n(" + any_of + rb"):([\t -~\x80-\xff]*+)(?=\r\n[^ \t])", re.IGNORECASE)


def _vary(alike: Head, raw: bytes, values: dict[str, str]) -> Head:
    """Return a head that differs from another in the values of some headers alone."""
    head = copy(alike)
    head.raw = raw
    head.headers = {**alike.headers, **values}
    if alike.inline >= 0:
        head.inline = alike.inline - len(alike.raw) + len(raw)
    return head


class _Witness:
    """Sees whether llhttp came to the end of the headers."""

    __slots__ = ("complete",)

    def __init__(self) -> None:
        self.complete = False

    def on_headers_complete(self) -> None:
        self.complete = True


class Probe:
    """Sees in the first bytes of a head whether it can still become one."""

    __slots__ = ("_parser", "fed")

    def __init__(self) -> None:
        self._parser = HttpRequestParser(_Witness())
        self.fed = 0

    def feed(self, data: bytes) -> None:
        """Look at the next bytes of the head. Raises BadRequest when no others could mend it."""
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            raise _broken(str(error)) from None
        self.fed += len(data)


def parse_head(raw: bytes) -> Head:
    """Return the head in `raw`, which ends with its first empty line, without an endpoint. Raises BadRequest."""
    witness = _Witness()
    try:
        HttpRequestParser(witness).feed_data(raw)
    except HttpParserUpgrade:
        pass  # the offer to speak something else is declined by answering in HTTP/1.1
    except HttpParserError as error:
        raise _broken(str(error)) from None
    if not witness.complete:
        raise _broken("the headers have no end")
    # llhttp found each line to be well-formed: no folded line, no line ended by LF alone, no space before a colon.
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    match = _LINE.fullmatch(first)
    if match is None:
        raise _broken(f"its first line is {first[:100]!r}")
    head = Head()
    head.raw = raw
    head.method, target, head.version = match.groups()
    head.path, head.query = _path(target)
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        if name not in headers:
            headers[name] = value
        elif name in ("host", "content-length", "transfer-encoding"):
            raise _broken(f"it has {name} twice")
        else:
            headers[name] = f"{headers[name]}, {value}"
    head.headers = headers
    _read_framing(head, headers)
    return head


def _path(target: str) -> tuple[str, str]:
    """Return the decoded path and the query of a request's target."""
    if target[0] != "/" and target != "*":
        authority = _AUTHORITY.match(target)  # what a client says to a proxy; a server takes it, too
        if authority is None:
            raise _broken(f"its address {target[:100]!r} does not begin with a slash")
        target = target[authority.end() :]
        target = target if target.startswith("/") else f"/{target}"
    if "#" in target:
        raise _broken(f"its address {target[:100]!r} has a fragment")
    path, _, query = target.partition("?")
    if "%" in path:
        try:
            path = unquote(path, errors="strict")
        except UnicodeDecodeError:
            raise _broken(f"its address {target[:100]!r} is not UTF-8 behind the percent signs") from None
    return path, query


def _read_framing(head: Head, headers: dict[str, str]) -> None:
    """Read what says where the request ends, and what comes after it."""
    modern = head.version == "1.1"
    if modern and "host" not in headers:
        raise _broken("it has no host")
    coding = headers.get("transfer-encoding")
    if coding is not None and (coding.lower() != "chunked" or not modern):
        raise _broken(f"its transfer-encoding is {coding[:100]!r} in HTTP/{head.version}")
    length = headers.get("content-length")
    # llhttp sees to both of these, but where the offer of an upgrade keeps it from looking.
    if length is not None and (coding is not None or not (length.isascii() and length.isdigit() and len(length) < 20)):
        raise _broken(f"its content-length is {length[:100]!r}")
    head.chunked = coding is not None
    head.content_length = None if length is None else int(length)
    options = {option.strip() for option in headers.get("connection", "").lower().split(",")}
    head.keep_alive = "close" not in options if modern else "keep-alive" in options and "close" not in options
    expectation = headers.get("expect", "").lower() if modern else ""  # HTTP/1.0 has none
    if expectation not in ("", "100-continue"):
        raise _UnmetExpectation(f"The request expects {expectation[:100]!r}: this server knows 100-continue only.")
    head.expects_continue = expectation != ""
    head.content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    head.plain = modern and head.keep_alive and head.method != "HEAD"
    head.inline = -1


def _broken(reason: str) -> BadRequest:
    return BadRequest(
        f"What came is no HTTP/1.1 request: {reason}.",
        mend="send plain HTTP/1.1 (no TLS, no HTTP/2) with one host, and one content-length or chunked",
    )
