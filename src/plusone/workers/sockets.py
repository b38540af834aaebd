"""Listening sockets that outlive the process that uses them.

Each worker accepts from a socket of its own (SO_REUSEPORT: the kernel spreads connections evenly), but the supervisor
holds a descriptor of every one of them too. So connections that wait in the queue of a worker that is killed wait for
the next worker instead of being reset. A worker hands its socket to the next supervisor over a Unix socket in the
serving folder, when the first supervisor is gone: the queue lives on across generations.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from ..base.errors import UsageError

__all__ = ["BACKLOG", "adopt", "bind", "hand_over", "hand_over_listener", "refuse_taken", "stop_accepting"]

BACKLOG = 1024
_SHORT = 100  # a Unix socket's path has at most 108 bytes on Linux and 104 on macOS


def bind(host: str, port: int) -> socket.socket:
    """Return a new listening socket on `host` and `port` (0: any free one), beside any other of ours.

    Raises:
        UsageError: when the address can't be listened on.
    """
    family, address = _resolve(host, port)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _refusal(host, port, error) from error
    return listener


def refuse_taken(host: str, port: int) -> None:
    """Raise UsageError when something listens on `host` and `port` already.

    SO_REUSEPORT would let us bind beside another server of the same user, and half of the requests would reach that
    one.
    """
    if port == 0:
        return
    family, address = _resolve(host, port)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            raise _refusal(host, port, error) from error


def _refusal(host: str, port: int, error: OSError) -> UsageError:
    return UsageError(
        f"plusone can't serve predictions on {host}:{port}: {error.strerror or error}.",
        mend="stop what listens there, or choose another port: plusone up --port PORT, "
        "or port = PORT under [tool.plusone.serve] in pyproject.toml",
        host=host,
        port=port,
    )


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"{host!r} is no address of this machine: {error}.",
            mend="for example plusone up --host 127.0.0.1, or --host 0.0.0.0 for every network of this machine",
        ) from error
    family, _, _, _, address = found[0]
    return family, (str(address[0]), port)


def stop_accepting(descriptor: int) -> None:
    """Turn this process's `descriptor` into a listener that nobody connects to; the real one lives on elsewhere.

    Closing it would end its server and with it the connections in use; a connection that waits stays in the shared
    queue.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as spare:
        spare.bind(("127.0.0.1", 0))
        spare.listen(1)
        spare.setblocking(False)
        os.dup2(spare.fileno(), descriptor, inheritable=False)


# ---------------------------------------------------------------------------------- from generation to generation


def hand_over_listener(path: Path) -> socket.socket:
    """Return a Unix socket at `path` on which a worker waits for the next supervisor. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as name:
            door.bind(name)
        door.listen(4)
        door.setblocking(False)
    except OSError:
        door.close()
        raise
    return door


def hand_over(door: socket.socket, descriptor: int) -> bool:
    """Send `descriptor` to whoever knocked at `door`; return whether somebody got it. Never waits."""
    try:
        caller, _ = door.accept()
    except OSError:
        return False
    with caller, contextlib.suppress(OSError):
        caller.settimeout(0.2)
        socket.send_fds(caller, [b"l"], [descriptor])
        return True
    return False


def adopt(path: Path, host: str, port: int, *, timeout_s: float = 2.0) -> socket.socket | None:
    """Return the listening socket of the worker whose door is `path`; None when it has none for this address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(timeout_s)
        try:
            with _short(path) as name:
                caller.connect(name)
            _, descriptors, _, _ = socket.recv_fds(caller, 1, 1)
        except OSError:
            return None
    if not descriptors:
        return None
    listener = socket.socket(fileno=descriptors[0])
    family, address = _resolve(host, port)
    if listener.family != family or listener.getsockname()[:2] != address:
        listener.close()
        return None
    return listener


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a name of `path` that fits into a Unix socket's address."""
    if len(os.fsencode(path)) < _SHORT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
