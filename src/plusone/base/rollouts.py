"""What a rollout is judged by: what each release did on the same traffic, and what was made of it."""

from __future__ import annotations

from msgspec import field

from .records import Record

__all__ = ["Evidence"]


class Evidence(Record, frozen=True, kw_only=True):
    """What one release did, counted from the first request on by every worker of a machine: each number only grows,
    unless the file of a worker was damaged, or 32 other releases of the model were asked since.

    Requests that were refused because of their caller (400 to 499, and 429: more than may wait) are in none of the
    numbers. Nor are those whose caller chose the release: the evidence is of what the shares of the route gave to it,
    so that releases are compared on the same traffic. Evidence of a shadow is that of its copies.
    """

    requests: int = 0
    """Requests that the release was to answer: answered, or failed with a status of 500 and more."""
    errors: int = 0
    """Those that it failed: 500, what it raised; 504, what took too long; 503, what waited too long behind others of
    the same release, or what the process for big bodies could not answer. Of a shadow: copies that it raised at, or
    took too long for; one that does not fit its signature is none."""
    rows: int = 0
    """Rows that were answered and looked at: all but those of bodies over 256 KiB and of Arrow, which another process
    answers."""
    invalid: int = 0
    """Those whose answer can't be: no finite number, no probability (0 to 1), no known class."""
    latency: dict[str, int] = field(default_factory=dict)
    """Answered requests by the time from head to answer: the key is floor(8 log2(seconds)), as text, -160 to 80. Of a
    shadow, the time of the run that a copy was in: nothing that a live release's times can be compared with."""
    outputs: dict[str, int] = field(default_factory=dict)
    """Answered rows by what was answered. The key is a class and the twentieth of its probability, or the bucket of a
    number; what it means is for people: keys of two releases of one model are equal or not."""
    compared: int = 0
    """Rows of a shadow whose answer was compared with the one that was given."""
    differing: int = 0
    """Those that differ: another class, or a number that is off by more than a hundredth."""
