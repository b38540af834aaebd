"""How much, and for how long, one client and all of them together may hold a server."""

from __future__ import annotations

import dataclasses

__all__ = ["Limits"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What a server bears. Times are in seconds and are looked at about once a second: `sweep_s`."""

    head_bytes: int = 32 * 1024
    """A request's line and headers; those beyond are answered 431."""
    head_s: float = 10.0
    """From the first byte of a head to its last; 408 after that."""
    idle_s: float = 75.0
    """Between two requests, or before the first; closed without a word after that."""
    crowded_idle_s: float = 2.0
    """The same while seven eighths of `max_connections` are taken: who asks goes before who keeps a place."""
    body_stall_s: float = 10.0
    """Without one byte of a body that has begun; 408 after that."""
    body_min_bytes_per_s: int = 1024
    """On average, once a body is `body_stall_s` old; 408 for those that are slower."""
    write_stall_s: float = 30.0
    """Without the client taking one byte of an answer; the connection is cut after that."""
    discard_bytes: int = 64 * 1024 * 1024
    """What is taken in and thrown away after a refusal. A client that is cut off while it sends loses the answer."""
    discard_s: float = 2.0
    """For how long that goes on."""
    linger_s: float = 1.0
    """How long an idle connection is kept while draining: its client may be about to send."""
    held_bytes: int = 256 * 1024 * 1024
    """What all clients together may have sent that is not answered yet, or not have taken of their answers. A body that
    would go beyond is answered 429."""
    max_connections: int = 10_000
    """At a time; those beyond are answered 503 and closed. Fewer, where the process may not open so many files."""
    backlog: int = 1024
    """How many connections wait in the kernel to be accepted."""

    @property
    def sweep_s(self) -> float:
        """How often the times are looked at: once a second, more often where a limit is shorter than that."""
        times = (self.head_s, self.idle_s, self.body_stall_s, self.write_stall_s, self.discard_s, self.linger_s)
        return min(1.0, min(times) / 4)
