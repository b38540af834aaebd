"""The time, always UTC, and one way to write it."""

from __future__ import annotations

import datetime as dt

__all__ = ["age_text", "ago", "now", "parse"]


def now() -> str:
    """Return the present time in UTC as ISO 8601 with microseconds, e.g. `2026-01-31T12:00:00.000000Z`.

    The text form sorts as the time does, so that it is compared and stored as it is.
    """
    return ago(0.0)


def ago(seconds: float) -> str:
    """Return the time that many seconds before now, as `now` writes it."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> dt.datetime:
    """Return the aware datetime that `now` wrote. Raises ValueError for any other text."""
    return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=dt.UTC)


def age_text(text: str) -> str:
    """Return how long ago `text` was, in words a table has room for: `12s ago`, `3h ago`, `5d ago`."""
    seconds = max(0.0, (dt.datetime.now(dt.UTC) - parse(text)).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit} ago"
    return f"{int(seconds)}s ago"
