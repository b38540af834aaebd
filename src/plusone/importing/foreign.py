"""Finds the tracking server that a URI means; for a database or a folder of files, MLflow's own server is started.

MLflow reads its own databases best: every kind that it knows, and every version of their tables. So the import speaks
one protocol, and whoever has such a database has the `mlflow` command that serves it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..base.errors import PlusoneError, Unavailable, UsageError
from .source import Source

__all__ = ["tracking_server"]

_READY_S = 120.0
_LOOK_S = 0.2
_END_S = 10.0


@contextlib.contextmanager
def tracking_server(uri: str, *, command: str | None = None) -> Iterator[Source]:
    """Give the tracking server at `uri` while the block runs.

    Args:
        uri: `http://HOST:PORT`, a database as SQLAlchemy writes it (`sqlite:///mlflow.db`, `postgresql://...`), or the
            folder of a file store (`./mlruns`).
        command: the `mlflow` command that serves a database or a folder; default: the one on the PATH.

    Raises:
        UsageError: when it is none of these, or there is no `mlflow` command.
        Unavailable: when the server does not answer, or did not start.
    """
    if uri.startswith(("http://", "https://")):
        with contextlib.closing(Source(uri)) as source:
            source.version()
            yield source
        return
    place = uri.removeprefix("file://")
    if "://" not in place and not Path(place).is_dir():
        raise UsageError(
            f"{uri!r} is no tracking server, no database and no folder.",
            mend="for example http://127.0.0.1:5000, sqlite:///mlflow.db or ./mlruns",
        )
    _check_sqlite(uri)
    program = command or shutil.which("mlflow")
    if program is None or not shutil.which(program):
        raise UsageError(
            f"To read {_kind(uri)} of MLflow's its server is started, and there is no command {program or 'mlflow'!r}.",
            mend="pip install mlflow, in an environment of its own; plusone import mlflow URI --mlflow ITS/bin/mlflow",
        )
    with _serving(program, place if "://" not in place else uri) as source:
        yield source


def _check_sqlite(uri: str) -> None:
    # MLflow would make an empty database where there is none, and the import would say that all went well.
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///").partition("?")[0]).is_file():
        raise UsageError(
            f"There is no file {uri.removeprefix('sqlite:///')!r}.", mend="sqlite:///PATH, or sqlite:////PATH from /"
        )


def _kind(uri: str) -> str:
    return "a database" if "://" in uri and not uri.startswith("file:") else "a folder"


@contextlib.contextmanager
def _serving(program: str, store: str) -> Iterator[Source]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    # The URI may hold a password, so it goes by the environment and not by the command line, which others can read.
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_ALLOW_FILE_STORE": "true"}
    # It is read and nothing else: without this it starts eight more processes for work that nobody will give it.
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    arguments = [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            arguments, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        source = Source(f"http://127.0.0.1:{port}")
        try:
            _wait(process, source)
            yield source
        except Unavailable as error:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
            raise Unavailable(f"{error.message} It printed last: {' | '.join(lines[-3:])[-500:]}") from error
        finally:
            source.close()
            _end(process)


def _wait(process: subprocess.Popen[bytes], source: Source) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(f"MLflow's server ended with exit code {process.returncode} before it answered.")
        try:
            with socket.create_connection(("127.0.0.1", source.port), timeout=1.0):
                pass
            source.version()
        except (OSError, PlusoneError):
            time.sleep(_LOOK_S)
        else:
            return
    raise Unavailable(f"MLflow's server did not answer within {_READY_S:.0f} s.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and the workers that it started: they are of one session, which is ours alone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
