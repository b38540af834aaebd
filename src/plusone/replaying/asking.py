"""Starts a fresh Python for one replay, and reads what came of it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..base.errors import BrokenEnvironment
from ..execution import environment

__all__ = ["NOT_HERE", "Failure", "Replay", "absent", "compiled_lock", "replay"]

NOT_HERE = "imported where it was packaged, and not here"
"""The kind of failure of a replay in which a module was not imported that its lock says was imported: no matter what
the model answered.
"""

_PATIENCE_S = 300.0


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a replay came to no answer."""

    kind: str
    message: str
    module: str = ""
    """The module that could not be found, where that was why."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a fresh Python reported: what it answered, or why it did not, and what it imported besides plusone."""

    files: tuple[str, ...]
    rows: int = 0
    differing: tuple[int, ...] = ()
    max_difference: float | None = 0.0
    error: Failure | None = None


def replay(
    python: Path,
    folder: Path | None,
    digest: str = "",
    *,
    options: Sequence[str] = ("-I",),
    images: bool = False,
) -> Replay:
    """Return what a Python reports of the package in `folder`; None asks a tiny model of its own.

    It finds plusone's own source and what is in its environment, and nothing else.

    Args:
        images: whether the tiny model is sent a picture, too.

    Raises:
        BrokenEnvironment: when the process dies or hangs.
    """
    here = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory(prefix="plusone-replay-") as name:
        scratch = Path(name)
        (scratch / "source").mkdir()
        # Where plusone is installed lie its neighbours too: a folder with nothing but a link to it.
        (scratch / "source" / "plusone").symlink_to(here.parent)
        sources = [str(scratch / "source")]
        request: dict[str, Any] = {
            "sources": sources if "-S" not in options else [*sources, *sys.path],
            "digest": digest,
        }
        request |= {"folder": str(folder.absolute()) if folder else "", "images": images}
        (scratch / "request.json").write_bytes(msgspec.json.encode(request))
        files = [str(scratch / "request.json"), str(scratch / "result.json")]
        try:
            done = subprocess.run(
                [str(python), *options, str(here / "boot.py"), *files],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_PATIENCE_S,
                check=False,
                cwd=scratch,
            )
        except subprocess.TimeoutExpired as error:
            raise BrokenEnvironment(f"The model did not answer to its examples within {_PATIENCE_S:.0f} s.") from error
        result = scratch / "result.json"
        if not result.exists():
            said = done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise BrokenEnvironment(
                f"The Python that was to load the model ended with exit code {done.returncode}: {said[:500]}"
            )
        found = msgspec.json.decode(result.read_bytes(), type=Replay)
        own = f"{sources[0]}/"
        return msgspec.structs.replace(found, files=tuple(file for file in found.files if not file.startswith(own)))


_ABSENT = """
import importlib.util, json, sys
def absent(module):
    try:
        return importlib.util.find_spec(module) is None
    except ModuleNotFoundError:
        return True
    except Exception:
        return False
print(json.dumps([module for module in sys.argv[1:] if absent(module)]))
"""


def absent(python: Path, modules: Sequence[str]) -> list[str]:
    """Return those of these modules that this Python can't find in its environment, in their order.

    Raises:
        BrokenEnvironment: when this Python does not even start.
    """
    done = subprocess.run(
        [str(python), "-I", "-c", _ABSENT, *modules], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise BrokenEnvironment(f"The Python {python} ended with exit code {done.returncode}: {said[:500]}")
    return msgspec.json.decode(done.stdout.strip().rpartition(b"\n")[2], type=list[str])


_found: dict[bool, str] = {}


def compiled_lock(*, images: bool = False) -> str:
    """Return the lock of what a compiled model needs to load and answer, found by importing it in a fresh Python.

    Asked once per process: it takes as long as these imports do. What Python imports by itself when it starts (lines
    of `.pth` files) is not in it.

    Args:
        images: whether its requests may bring pictures: what reads those is in the lock, too.

    Raises:
        BrokenEnvironment: when the present environment can't load a model, or read a picture.
    """
    if images not in _found:
        found = replay(Path(sys.executable), None, options=("-I", "-S"), images=images)
        if found.error is not None:
            what = "read the pictures of a request" if found.error.module == "PIL" else "load a model"
            raise BrokenEnvironment(
                f"This environment can't {what}: {found.error.message}",
                mend="pip install 'plusone[image]'" if found.error.module == "PIL" else "",
            )
        _found[images] = environment.lock_of(found.files)
    return _found[images]
