"""The process beside a worker: reads whole bodies from a socket, runs the packaged model, and sends the answer back.

It loads packages with `predictor`, as the worker does (law 2), and serves one request at a time. It ends when the
worker closes the socket, however that comes about. It is a little less urgent than the worker, so that small requests
win the core, and the kernel takes it first when the machine runs out of memory.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import select
import signal
import socket
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..base.errors import PlusoneError, Unavailable
from ..evidence.histograms import Outputs
from ..predictor import Predictor, load
from ..trust.published import read_trusted
from .frames import HEAD_BYTES, FrameError, Kind, meta_of, pack, read_head, read_meta

__all__ = ["Handler", "Outcome", "run", "serve"]

_NICE = 5
_OOM_SCORE = 500
_PACKAGES = 8


class Outcome(msgspec.Struct, frozen=True):
    """What a handler says of its answer: the number of rows, what else the caller needs (headers, for example), and
    what the answers come to.
    """

    rows: int
    info: dict[str, Any] = {}
    outputs: Outputs | None = None


Handler = Callable[[Predictor, memoryview, Mapping[str, Any]], Generator[bytes, None, Outcome]]
"""Answers one body: yields the answer piece by piece, and returns its outcome.

It is given the model, the body, and the options that came with the request. It raises a `PlusoneError` for what the
caller did wrong; any other exception is reported as a fault of ours. Between two pieces it can be ended: the request
was given up. It must not keep the body.
"""


def run(arguments: Sequence[str], handlers: Mapping[str, Handler]) -> int:
    """Serve the socket whose descriptor is the last of the arguments, until its other end is closed; return 0.

    What a program consists of that is given to `Aside` as its command:
    `sys.exit(run(sys.argv[1:], HANDLERS))`.
    """
    connection = socket.socket(fileno=int(arguments[-1]))
    connection.set_inheritable(False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The worker that drains still needs the answers: the end of this process is the end of the socket.
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), "ascii")
    threading.Thread(target=_end_with, args=(connection.fileno(),), name="watch", daemon=True).start()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(ConnectionError):  # the worker is gone
        serve(connection, handlers)
    return 0


def _end_with(descriptor: int) -> None:
    """End this process when the other end of the socket is closed, whatever the main thread does then."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    poll.poll()
    os._exit(0)


def serve(connection: socket.socket, handlers: Mapping[str, Handler]) -> None:
    """Answer what comes over the socket until its other end is closed.

    Raises:
        FrameError: when what comes is no frame.
        ConnectionError: when the other end is closed in the middle of a frame.
    """
    _Server(connection, handlers).serve()


class _Server:
    """One connection, and the packages that were asked for over it."""

    def __init__(self, connection: socket.socket, handlers: Mapping[str, Handler]) -> None:
        self._connection = connection
        self._handlers = handlers
        self._packages: OrderedDict[str, Predictor] = OrderedDict()
        """By digest, the one used last at the end."""

    def serve(self) -> None:
        """Answer one frame after the other."""
        while (frame := self._read()) is not None:
            kind, request, meta, body = frame
            if kind in (Kind.LOAD, Kind.PREDICT):
                self._answer(kind, request, meta, body)
            # A CANCEL that comes when its request is answered has nothing to end.

    def _read(self) -> tuple[Kind, int, dict[str, Any], memoryview] | None:
        """Return the next frame, what it unloads already unloaded; None when the stream has ended."""
        front = self._receive(HEAD_BYTES, may_end=True)
        if not len(front):
            return None
        head = read_head(front)
        if head.kind >= Kind.PART:
            raise FrameError(f"a worker sends no {head.kind.name}")
        meta = read_meta(self._receive(head.meta_bytes))
        if head.kind == Kind.UNLOAD:
            self._packages.pop(str(meta.get("package")), None)
        return head.kind, head.request, meta, self._receive(head.body_bytes)

    def _answer(self, kind: Kind, request: int, meta: dict[str, Any], body: memoryview) -> None:
        try:
            predictor = self._load(str(meta["package"]), Path(meta["folder"]))
            outcome = Outcome(0)
            if kind == Kind.PREDICT:
                outcome = self._predict(predictor, request, meta, body)
        except (ConnectionError, FrameError):
            raise
        except PlusoneError as error:
            self._send(Kind.FAILED, request, meta_of(error))
        except MemoryError:
            error = Unavailable(
                f"A body of {len(body)} bytes needs more memory than there is.", mend="send fewer rows at a time"
            )
            self._send(Kind.FAILED, request, meta_of(error))
        except Exception:
            cause = traceback.format_exc()[-8000:].encode("utf-8", "backslashreplace").decode()
            self._send(Kind.FAILED, request, {"code": "", "cause": cause})
        else:
            self._send(Kind.DONE, request, {"rows": outcome.rows, "info": outcome.info, "outputs": outcome.outputs})

    def _load(self, digest: str, folder: Path) -> Predictor:
        predictor = self._packages.get(digest)
        if predictor is None:
            predictor = self._packages[digest] = load(folder, digest, trusted=read_trusted(folder.parents[1]))
            if len(self._packages) > _PACKAGES:
                self._packages.popitem(last=False)
        self._packages.move_to_end(digest)
        return predictor

    def _predict(self, predictor: Predictor, request: int, meta: dict[str, Any], body: memoryview) -> Outcome:
        pieces = self._handlers[meta["kind"]](predictor, body, meta.get("options", {}))
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                return end.value
            self._send(Kind.PART, request, None, piece)
            if self._is_given_up(request):
                pieces.close()
                return Outcome(0)

    def _is_given_up(self, request: int) -> bool:
        """Whether the worker says that nobody waits for this request any more. Does not wait."""
        while select.select((self._connection,), (), (), 0)[0]:
            frame = self._read()
            if frame is None:
                raise ConnectionError("the worker closed the socket")
            if frame[0] == Kind.CANCEL and frame[1] == request:
                return True
            if frame[0] in (Kind.LOAD, Kind.PREDICT):
                raise FrameError(f"request {frame[1]} came while {request} is answered")
        return False

    def _receive(self, size: int, *, may_end: bool = False) -> memoryview:
        """Return the next bytes; none, where the stream may end and does."""
        if not size:
            return memoryview(b"")
        # Anonymous pages are zero without being written, and go back to the system as soon as nobody looks at them.
        view = memoryview(bytearray(size) if size <= mmap.PAGESIZE else mmap.mmap(-1, size))
        got = 0
        while got < size:
            count = self._connection.recv_into(view[got:])
            if not count:
                if may_end and not got:
                    return memoryview(b"")
                raise ConnectionError("the worker closed the socket")
            got += count
        return view

    def _send(self, kind: Kind, request: int, meta: dict[str, Any] | None, body: bytes = b"") -> None:
        front = pack(kind, request, meta, len(body))
        if len(body) < 1 << 16:
            self._connection.sendall(front + body)
        else:
            self._connection.sendall(front)
            self._connection.sendall(body)
