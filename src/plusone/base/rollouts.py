"""What a rollout is judged by: what each release did on the same traffic, and what was made of it."""

from __future__ import annotations

from msgspec import field

from .records import Record

__all__ = ["Evidence"]


class Evidence(Record, frozen=True, kw_only=True):
    """What one release did, counted from the first request on by every worker of a machine: each number only grows.

    Requests that were refused because of their caller (400 to 499) are in none of the numbers. Evidence of a shadow is
    that of its copies.
    """

    requests: int = 0
    """Requests that the release was to answer: answered, or failed with a status of 500 and more."""
    errors: int = 0
    """Those that it failed."""
    rows: int = 0
    """Rows that were answered."""
    invalid: int = 0
    """Rows whose answer can't be: no number, no probability, no known class."""
    latency: dict[str, int] = field(default_factory=dict)
    """Answered requests by the time from head to answer: the key is floor(8 log2(seconds)), as text, -160 to 80."""
    outputs: dict[str, int] = field(default_factory=dict)
    """Answered rows by what was answered. The key is a class and the twentieth of its probability, or the bucket of a
    number; what it means is for people: keys of two releases of one model are equal or not."""
    compared: int = 0
    """Rows of a shadow whose answer was compared with the one that was given."""
    differing: int = 0
    """Those that differ: another class, or a number that is off by more than a hundredth."""
