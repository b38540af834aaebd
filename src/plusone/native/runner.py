"""Runs a packaged model in a process of its own. The prover and the predictor both call this one, as they do the runner
of graphs.

It knows packages and processes. It knows no request and no trained object.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..base.errors import BrokenArtifact, PlusoneError, TooSlow, Unavailable
from ..base.files import inside, unlisted
from ..base.ids import digest_file
from ..base.records import Package
from ..graphs.layout import Columns
from ..graphs.runner import Answer, class_array, largest
from ..labels.several import parts_of
from .process import Died, Log, Process
from .wire import Frame

__all__ = ["TIME_LIMIT_S", "NativeRunner"]

TIME_LIMIT_S = 60.0
"""How long a request may take, unless `limit` says otherwise."""
_START_S = 120.0
_FIRST_DELAY_S = 0.2
_MOST_DELAY_S = 10.0
_SPARE_BYTES = 1 << 16
_MANIFEST = "manifest.json"


class NativeRunner:
    """A packaged model in a process. Thread safe: requests are answered one after the other.

    A process that dies costs the request that it had, which fails with Unavailable; the next one starts it again. One
    that dies again and again before it answers is started ever less often. The process ends with `close`, when nobody
    has the runner any more, and when this process ends, however that comes about.

    Args:
        folder: the package's folder.
        python: the interpreter of the environment in which the model works.
        log: told of starts, ends, output and tracebacks; from any thread. By default they go to stderr.
        path: where modules are found, if not where that Python looks (see `Process`).

    Raises:
        BrokenArtifact: when a file was changed, or the model can't be loaded.
        Unavailable: when no process can be started, or it died as it loaded.
    """

    def __init__(
        self, folder: Path, package: Package, python: Path, *, log: Log | None = None, path: Sequence[str] = ()
    ) -> None:
        self.classes = class_array(package.signature.output.classes)
        self._folder = folder.resolve()
        self._package = package
        self._python = python
        self._path = tuple(path)
        self._log: Log = _Printed(package.model) if log is None else log
        self._output: str = package.options["output"]
        self._width = package.signature.output.width
        self._sizes = package.signature.output.sizes
        self._lock = threading.Lock()
        self._limit_s = TIME_LIMIT_S
        self._delay_s = 0.0
        self._not_before = 0.0
        self._closed = False
        self._holder: list[Process] = []
        """The process, if there is one; a list of its own, so that its end does not need this object."""
        self._end = weakref.finalize(self, _end_all, self._holder)
        with self._lock:
            self._start()

    @property
    def pid(self) -> int | None:
        """The process that holds the model; None when there is none now."""
        return self._holder[0].pid if self._holder else None

    def limit(self, seconds: float) -> None:
        """Say how long a request may take from now on: one that hangs is ended after it, and its process with it."""
        self._limit_s = seconds

    def run(self, columns: Columns) -> Answer:
        """Return the answers for these rows. The columns must be those of the model's own layout.

        Raises:
            Unavailable: when the process died of this request, or can't be started; another one may be answered.
            TooSlow: when the model did not answer in time, or was busy for so long.
            PlusoneError: when the model raised; the log has its traceback, the message only what kind of error it was.
        """
        limit = self._limit_s
        if not self._lock.acquire(timeout=limit):
            raise self._late(limit)
        try:
            if self._closed:
                raise Unavailable(f"The process of the model {self._package.model!r} was ended.", mend="send it again")
            if self._holder and self._holder[0].is_dead:  # it died of no request: this one must not pay for it
                self._drop("between two requests")
            if not self._holder:
                self._start()
            frame = self._ask({"kind": "run", "rows": columns.rows}, columns.feeds, limit, rows=columns.rows)
            return self._read(frame, columns.rows)
        finally:
            self._lock.release()

    def imported(self) -> list[str]:
        """Return the file of each module that its process has imported so far, those of the package left out.

        Raises:
            Unavailable: when there is no process, or it died.
        """
        with self._lock:
            if not self._holder:
                raise Unavailable(f"The process of the model {self._package.model!r} is not there.")
            files: list[str] = self._ask({"kind": "files"}, None, self._limit_s).meta.get("files", [])
            return [file for file in files if self._folder not in Path(file).resolve().parents]

    def close(self) -> None:
        """End the process, after the request that it has; there is no other afterwards."""
        with self._lock:
            self._closed = True
            self._end()

    # ---------------------------------------------------------------------------------- the process

    def _start(self) -> None:
        """Start a process and have it load the model."""
        if (left := self._not_before - time.monotonic()) > 0:
            raise Unavailable(
                f"The process of the model {self._package.model!r} died before it answered; the next attempt is in "
                f"{left:.1f} s.",
                mend="see the log of the worker; send it again later",
                model=self._package.model,
            )
        before = self._verify()
        began = time.monotonic()
        process = Process(self._python, self._folder, self._log, path=self._path)
        self._holder.append(process)
        output = self._package.signature.output
        meta = {
            "folder": str(self._folder),
            "options": self._package.options,
            "classes": list(output.classes),
            "width": output.width,
            "sizes": output.sizes,
        }
        frame = self._ask({"kind": "load", **json.loads(msgspec.json.encode(meta))}, None, _START_S)
        if frame.meta.get("kind") != "done":
            self._drop("it can't load the model", failed=True)
            raise self._not_loaded(frame)
        if self._verify(before) != before:
            self._drop("files were changed", failed=True)
            raise BrokenArtifact(
                f"{self._folder} was changed while it was loaded: what was verified may not be what was loaded.",
                mend="load it again; plusone up lays damaged packages out anew",
            )
        self._log("model_process_started", model_pid=process.pid, seconds=round(time.monotonic() - began, 3))

    def _verify(self, before: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
        """Return what changes when a file of the package does, their digests compared where nothing was said before."""
        found: list[Any] = []
        names = [file.path for file in self._package.files]
        if added := unlisted(self._folder, (_MANIFEST, *names)):  # Python would import it
            raise BrokenArtifact(
                f"{self._folder / added[0]} is not in the package's manifest: it was added later.", file=added[0]
            )
        for file in self._package.files:
            path = inside(self._folder, file.path)
            try:
                stat = path.stat()
                actual = file.digest if before is not None else digest_file(path)
            except OSError as error:
                raise BrokenArtifact(f"{path} can't be read: {error}.", file=file.path) from error
            if actual != file.digest:
                raise BrokenArtifact(
                    f"{path} was changed: expected sha256 {file.digest}, found {actual}.", file=file.path
                )
            found.append((file.path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return tuple(found)

    def _ask(self, meta: dict[str, Any], arrays: Any, limit_s: float, *, rows: int = 0) -> Frame:
        model = self._package.model
        # Two numbers for each of what a row is answered with: of a ranking it is that much.
        most_bytes = 16 * rows * (len(self.classes) + self._width) + _SPARE_BYTES
        try:
            frame = self._holder[0].ask(meta, arrays, limit_s, most_bytes=most_bytes)
        except TimeoutError:
            self._drop(f"it did not answer within {limit_s:g} s", failed=meta["kind"] == "load")
            raise self._late(limit_s) from None
        except Died as error:
            self._drop(str(error), failed=True)
            raise Unavailable(
                f"The process of the model {model!r} died ({error}) while it had this request.",
                mend="send it again; the log of the worker says what the model printed last",
                model=model,
            ) from None
        except BaseException:  # what was half sent can't be gone on with
            self._drop("the request was broken off")
            raise
        if meta["kind"] != "load":
            self._delay_s = self._not_before = 0.0
        return frame

    def _drop(self, why: str, *, failed: bool = False) -> None:
        """End the process; `failed`: it may fail again, so that the next one is not started at once."""
        process = self._holder.pop()
        process.end()
        self._log("model_process_dropped", model_pid=process.pid, why=why)
        if failed:
            self._not_before = time.monotonic() + self._delay_s
            self._delay_s = min(max(_FIRST_DELAY_S, 2 * self._delay_s), _MOST_DELAY_S)

    # ---------------------------------------------------------------------------------- answers

    def _read(self, frame: Frame, rows: int) -> Answer:
        if frame.meta.get("kind") != "done":
            text = str(frame.meta.get("error", "it did not say why"))[:500]
            trace = str(frame.meta.get("trace", ""))
            self._log("model_raised", model=self._package.model, error=text, cause=trace)
            raised = PlusoneError(
                f"The model {self._package.model!r} raised a {text.partition(':')[0]}.",
                mend="see its traceback in the log",
                model=self._package.model,
            )
            raised.add_note(trace)  # for who runs it by hand; no caller over HTTP is told
            raise raised
        try:
            return self._answer(frame.arrays, rows)
        except (KeyError, WrongAnswer) as error:
            self._drop(f"its answer has {error}", failed=True)
            raise Unavailable(
                f"The process of the model {self._package.model!r} answered what can't be: {error}.",
                mend="see the log of the worker",
            ) from None

    def _answer(self, arrays: dict[str, Any], rows: int) -> Answer:
        classes = len(self.classes)
        if self._output == "probabilities":
            out = _checked(arrays["probabilities"], "f", (rows, classes))
            codes = arrays.get("codes")
            codes = largest(out, self._sizes) if codes is None else self._codes(codes, rows)
            return Answer(self.classes, codes, out, None)
        if self._output == "codes":
            return Answer(self.classes, self._codes(arrays["codes"], rows), None, None)
        if self._output == "ranking":
            shape = (rows, self._width)
            codes = _in_range(_checked(arrays["codes"], "i", shape), -1, classes)
            return Answer(self.classes, codes, None, None, _checked(arrays["scores"], "f", shape))
        shape = (rows, self._width) if self._output == "vector" else (rows,)
        return Answer(None, None, None, _checked(arrays["numbers"], "f", shape))

    def _codes(self, codes: Any, rows: int) -> Any:
        if not self._sizes:
            return _in_range(_checked(codes, "i", (rows,)), 0, len(self.classes))
        found = _checked(codes, "i", (rows, len(self._sizes)))
        for place, (start, stop) in enumerate(parts_of(self._sizes)):
            _in_range(found[:, place], start, stop)
        return found

    def _late(self, limit_s: float) -> TooSlow:
        return TooSlow(
            f"The model {self._package.model!r} did not answer within {limit_s:g} s; its process was ended if it hung.",
            mend="raise timeout_s under [tool.plusone.serve] in pyproject.toml, or send fewer rows per request",
            model=self._package.model,
        )

    def _not_loaded(self, frame: Frame) -> BrokenArtifact:
        text = str(frame.meta.get("error", "it did not say why"))[:500]
        self._log("model_not_loaded", model=self._package.model, error=text, cause=str(frame.meta.get("trace", "")))
        missing = str(frame.meta.get("missing", ""))
        mend = (
            f"the environment of the package lacks the module {missing!r}: see its environment.txt" if missing else ""
        )
        return BrokenArtifact(
            f"The model {self._package.model!r} can't be loaded in its own process ({self._python}): {text}.",
            mend=mend or "see the traceback in the log",
            missing=missing,
        )


class WrongAnswer(ValueError):
    """An array of an answer is not what this model answers."""


def _checked(array: Any, kind: str, shape: tuple[int, ...]) -> Any:
    if array.dtype.kind != kind or array.shape != shape:
        raise WrongAnswer(f"an array of {array.dtype} and shape {array.shape} in place of {shape}")
    return array


def _in_range(codes: Any, least: int, classes: int) -> Any:
    if codes.size and (codes.min() < least or codes.max() >= classes):
        raise WrongAnswer(f"codes that are none of {classes} classes")
    return codes


def _end_all(holder: list[Process]) -> None:
    while holder:
        holder.pop().end(wait=False)


class _Printed:
    """Writes what is to be seen of a model's process to stderr: its output and its tracebacks."""

    def __init__(self, model: str) -> None:
        self._model = model

    def __call__(self, event: str, **fields: Any) -> None:
        text = fields.get("cause") or fields.get("line")
        if text:
            print(f"{self._model} ({event}): {text}", file=sys.stderr)
