"""What a client is told whose request never comes to an endpoint."""

from __future__ import annotations

from ..base.errors import (
    BadRequest,
    BodyTooLarge,
    HeadTooLarge,
    Overloaded,
    PlusoneError,
    RequestTimeout,
    Unavailable,
)

__all__ = [
    "body_too_large",
    "empty_lines",
    "ended",
    "full",
    "head_too_large",
    "not_in_time",
    "too_many",
    "unexpected",
]


def too_many() -> PlusoneError:
    """Return the 503 for a connection beyond the limit."""
    return Unavailable("This server has as many connections as it can bear.", mend="try again in a while")


def full() -> PlusoneError:
    """Return the 429 for a body that would fill the memory."""
    return Overloaded("The requests under way fill this server's memory.", mend="send it again in a while")


def head_too_large(limit: int) -> PlusoneError:
    """Return the 431 for a head that has no end within `limit` bytes."""
    return HeadTooLarge(
        f"The line and headers of the request have over {limit} bytes: expected at most {limit}.",
        mend="send fewer or shorter headers (cookies?)",
        limit_bytes=limit,
    )


def body_too_large(limit: int, size: int | None) -> PlusoneError:
    """Return the 413 for a body of `size` bytes, or of an unknown number beyond `limit`."""
    if size is None:
        return BodyTooLarge(f"The body has over {limit} bytes: expected at most {limit}.", limit_bytes=limit)
    return BodyTooLarge(f"The body has {size} bytes: expected at most {limit}.", limit_bytes=limit, size_bytes=size)


def not_in_time(what: str) -> PlusoneError:
    """Return the 408 for a head or a body that takes too long."""
    return RequestTimeout(f"{what} did not come in time.", mend="send it faster, or in smaller requests")


def ended(where: str) -> PlusoneError:
    """Return the 400 for a client that ended before its request did."""
    return BadRequest(f"The client ended in the middle of a request's {where}.", mend="send it whole")


def empty_lines(count: int) -> PlusoneError:
    """Return the 400 for empty lines without a request."""
    return BadRequest(f"{count} empty lines came where a request should.", mend="send a request")


def unexpected(cause: Exception) -> PlusoneError:
    """Return the 500 for what should not happen, with its cause for the application's log."""
    error = PlusoneError("This request could not be answered: an unexpected error.")
    error.__cause__ = cause
    return error
