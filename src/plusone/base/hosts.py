"""Which names stand for this machine: a page in a browser that found its way to the port comes by another one."""

from __future__ import annotations

import re

from .errors import UsageError

__all__ = ["check_host"]

_HOSTS = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?\Z", re.ASCII)


def check_host(host: str) -> None:
    """Accept the Host header of a request to a port of the loopback.

    Raises:
        UsageError: when it names anything but this machine.
    """
    if not _HOSTS.match(host):
        raise UsageError(f"The host {host!r} is not this machine: expected localhost or 127.0.0.1.")
