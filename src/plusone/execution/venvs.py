"""Virtual environments that hold exactly what a lock says, made once and shared by all equal locks.

A distribution that the running interpreter has in that very version is copied by its RECORD, file by file, each
compared with its sha256; pip installs the others with `--no-deps`, with the user's own configuration. An environment
is made under a temporary name and renamed when it is whole: a kill at any moment leaves nothing that looks like one.

No commands are in an environment but Python itself: it is there to import from. This module knows locks and files. It
knows no model.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ..base import clock, files
from ..base.errors import BrokenEnvironment, UsageError
from . import environment

__all__ = ["Environment", "ensure", "environments", "find", "folder", "lines_of", "remove", "site_of", "without"]

Log = Callable[[str], None]

_LINE = re.compile(r"([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)==([A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_PYTHON = re.compile(r"# python (\d+)\.(\d+)\S* (\S+)")
_RECORD = ".plusone.json"
_USED = ".plusone.used"
_COPY = ".copy-"
_HELD = "held"


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """One environment of this machine, as `plusone environments` lists it."""

    name: str
    lock: str
    made_at: str
    used_at: str
    size_bytes: int
    in_use: bool
    """Whether a process runs in it now."""


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    lock: str
    made_at: str
    size_bytes: int
    stamp: str


def folder() -> Path:
    """Return where environments lie: `$PLUSONE_ENVIRONMENTS`, or `plusone/environments` in the user's cache."""
    own = os.environ.get("PLUSONE_ENVIRONMENTS")
    if own:
        return Path(own).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "plusone" / "environments"


def lines_of(lock: str) -> dict[str, str]:
    """Return the version of each distribution that a lock names, by its normalised name, sorted.

    Raises:
        UsageError: naming the line that is no `name==version`, or that names a distribution a second time.
    """
    found: dict[str, str] = {}
    for number, text in enumerate(lock.splitlines(), 1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise UsageError(
                f"Line {number} of the lock is {line[:200]!r}: expected `name==version`, in small letters."
            )
        if match[1] in found:
            raise UsageError(f"Line {number} of the lock names {match[1]!r} a second time.")
        found[match[1]] = match[2]
    return dict(sorted(found.items()))


def ensure(lock: str, *, log: Log | None = None) -> Path:
    """Return the Python of a virtual environment that holds exactly the distributions of the lock.

    One that was made before is taken if none of its files was added, removed or written to since (sizes and times are
    compared: some 30 ms for 2,000 files); otherwise it is made anew. Processes that want the same one at once wait
    for the first of them.

    Args:
        log: called with a line of text about what is being done.

    Raises:
        UsageError: when the lock can't be read.
        BrokenEnvironment: when it was made by another Python, or a distribution can't be had: names the line.
    """
    wanted = lines_of(lock)
    _check_python(lock)
    say = log or _silent
    place = folder() / _name(wanted)
    if _intact(place):
        return _used(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _locked(place):
            if _intact(place):
                return _used(place)
            _clear(place)
            _make(place, lock, wanted, say)
            return _used(place)
    except OSError as error:
        raise BrokenEnvironment(
            f"The environment {place} can't be made: {error}.",
            mend="make room or give the right to write there, or set PLUSONE_ENVIRONMENTS to another folder",
        ) from error


def find(lock: str) -> Path | None:
    """Return the Python of the environment of a lock if it is there, as it was made; nothing is made.

    Raises:
        UsageError: when the lock can't be read.
        BrokenEnvironment: when it was made by another Python.
    """
    wanted = lines_of(lock)
    _check_python(lock)
    place = folder() / _name(wanted)
    return _used(place) if _intact(place) else None


@contextlib.contextmanager
def without(lock: str, name: str) -> Iterator[Path]:
    """Give the Python of a copy of the lock's environment that lacks one distribution; it is gone after the block.

    The copy shares the files of the environment (hard links), so that it takes neither time nor room.

    Raises:
        UsageError: when the lock does not name it.
        BrokenEnvironment: as `ensure` does.
    """
    if name not in lines_of(lock):
        raise UsageError(f"The lock does not name {name!r}.")
    place = ensure(lock).parent.parent
    scratch = Path(tempfile.mkdtemp(prefix=_COPY, dir=place.parent))
    held = (scratch / _HELD).open("ab")
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        copy = scratch / "environment"
        _link(place, copy, leaving_out=_files_of(place, name))
        yield copy / "bin" / "python"
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        held.close()


def environments() -> list[Environment]:
    """Return the environments of this machine, the one used last first."""
    found: list[Environment] = []
    for path in sorted(folder().glob(f"*/{_RECORD}")):
        place = path.parent
        made = None if place.name.startswith(".") else _made(place)
        if made is not None:
            found.append(
                Environment(
                    name=place.name,
                    lock=made.lock,
                    made_at=made.made_at,
                    used_at=_used_at(place) or made.made_at,
                    size_bytes=made.size_bytes,
                    in_use=_in_use(place),
                )
            )
    return sorted(found, key=lambda one: one.used_at, reverse=True)


def remove(name: str) -> bool:
    """Remove an environment; False, and nothing is done, where a process runs in it. It is made anew when needed.

    Raises:
        UsageError: when the name leads out of the folder.
    """
    place = files.inside(folder(), name)
    if place.parent != folder().resolve() or not place.is_dir():
        raise UsageError(f"There is no environment {name!r}.", mend="plusone environments")
    with _locked(place) as lock_file:
        if _in_use(place):
            return False
        _clear(place)
        lock_file.unlink()
    return True


def site_of(place: Path) -> Path:
    """Return the folder of an environment in which its distributions lie."""
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(place), "platbase": str(place)}))


def _files_of(place: Path, name: str) -> set[str]:
    """Return the files of one distribution of an environment, relative to it."""
    site = site_of(place)
    record = [environment.record_of(one.distribution) for one in environment.installed([str(site)]) if one.name == name]
    return {os.path.relpath(site / file, place) for listed in record for file, _ in listed or ()}


def _link(place: Path, copy: Path, *, leaving_out: set[str]) -> None:
    """Make a copy of an environment by links, without some files and without the folders that only they were in."""
    for folder_name, _, names in os.walk(place):
        inner = os.path.relpath(folder_name, place)
        cached = inner.rpartition("/")[2] == "__pycache__"
        for name in names:
            # What Python compiled of a source goes with it.
            source = os.path.normpath(f"{inner}/../{name.partition('.')[0]}.py" if cached else f"{inner}/{name}")
            if source in leaving_out or os.path.normpath(f"{inner}/{name}") in leaving_out:
                continue
            target = copy / inner / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(f"{folder_name}/{name}", target, follow_symlinks=False)


def _silent(text: str) -> None:
    del text


def _base() -> str:
    # Of an interpreter in a virtual environment: the one that the environment was made from.
    return str(getattr(sys, "_base_executable", sys.executable))


def _name(wanted: dict[str, str]) -> str:
    """Return the name of the environment of these lines, for this Python and this kind of machine."""
    head = [platform.python_version(), sys.implementation.name, sys.platform, platform.machine(), _base()]
    text = "\n".join([*head, *(f"{name}=={version}" for name, version in wanted.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _check_python(lock: str) -> None:
    match = _PYTHON.search(lock)
    mine = (str(sys.version_info[0]), str(sys.version_info[1]), sys.implementation.name)
    if match and match.groups() != mine:
        raise BrokenEnvironment(
            f"The lock was made by Python {match[1]}.{match[2]} ({match[3]}), and this is Python "
            f"{mine[0]}.{mine[1]} ({mine[2]}): its distributions are not the same.",
            mend=f"run plusone with Python {match[1]}.{match[2]}, or make the next release with this one",
        )


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[Path]:
    """Hold the lock of one environment, across processes; it goes with the process that holds it."""
    path = place.with_name(f"{place.name}.lock")
    while True:
        with path.open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            try:
                same = os.path.samestat(os.fstat(stream.fileno()), path.stat())
            except FileNotFoundError:
                same = False
            # Whoever removed the environment took the file away, and others wait at a new one.
            if same:
                yield path
                return


def _clear(place: Path) -> None:
    """Remove an environment and what killed processes left of it. Its lock is held."""
    if place.exists():
        place.rename(tempfile.mkdtemp(prefix=f".tmp-{place.name}-", dir=place.parent))
    for left in place.parent.glob(f".tmp-{place.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in place.parent.glob(f"{_COPY}*/{_HELD}"):
        with contextlib.suppress(OSError), left.open("ab") as stream:
            # Nobody holds it: it was left by a process that was killed.
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)


def _used(place: Path) -> Path:
    with contextlib.suppress(OSError):  # a folder that is shared may not be ours to write to
        (place / _USED).touch()
    return place / "bin" / "python"


def _used_at(place: Path) -> str:
    import datetime as dt

    with contextlib.suppress(OSError):
        moment = dt.datetime.fromtimestamp((place / _USED).stat().st_mtime, dt.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return ""


def _in_use(place: Path) -> bool:
    """Return whether a process of this machine that we may see was started as this environment's Python."""
    starts = tuple({os.fsencode(path / "bin") + b"/" for path in (place, folder() / place.name, place.resolve())})
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if _command_line(process).startswith(starts):
                return True
    return False


def _command_line(process: Path) -> bytes:
    """Return a process's command line; b"" of one that is dead, or the kernel's.

    In the middle of an exec the new program is there (`exe`), and its command line is empty,
    and this waits a moment.
    """
    for _ in range(50):
        if line := (process / "cmdline").read_bytes():
            return line
        (process / "exe").readlink()
        time.sleep(0.001)
    return b""


def _made(place: Path) -> _Made | None:
    try:
        return msgspec.json.decode((place / _RECORD).read_bytes(), type=_Made)
    except (OSError, msgspec.DecodeError):
        return None


def _intact(place: Path) -> bool:
    """Return whether an environment is there, as it was when it was made."""
    made = _made(place)
    return made is not None and (place / "bin" / "python").exists() and _stamp(place)[0] == made.stamp


def _stamp(place: Path) -> tuple[str, int]:
    """Return a digest of the names, sizes and times of all files, and their bytes; what Python caches is left out."""
    seen: list[str] = []
    total = 0
    waiting = [str(place)]
    start = len(str(place)) + 1
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "__pycache__":
                        waiting.append(entry.path)
                    continue
                state = entry.stat(follow_symlinks=False)
                total += state.st_size
                if entry.name not in (_RECORD, _USED):
                    seen.append(f"{entry.path[start:]}\0{state.st_size}\0{state.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(seen)).encode("utf-8", "surrogateescape")).hexdigest(), total


def _make(place: Path, lock: str, wanted: dict[str, str], say: Log) -> None:
    """Make the environment. Its lock is held, and nothing is there."""
    import venv

    scratch = Path(tempfile.mkdtemp(prefix=f".tmp-{place.name}-", dir=place.parent))
    try:
        say(f"making the environment {place.name} of {len(wanted)} distributions")
        venv.EnvBuilder(symlinks=True, with_pip=False).create(scratch)
        here = {found.name: found for found in environment.installed()}
        rest: list[str] = []
        for name, version in wanted.items():
            found = here.get(name)
            if found is None or found.version != version or not _copy(found, scratch, say):
                rest.append(f"{name}=={version}")
        if rest:
            _install(scratch, rest, say)
        _remove_commands(scratch)
        _verify(scratch, wanted)
        stamp, size = _stamp(scratch)
        made = _Made(lock=lock, made_at=clock.now(), size_bytes=size, stamp=stamp)
        files.write_atomic(scratch / _RECORD, msgspec.json.encode(made))
        scratch.chmod(0o755)
        scratch.rename(place)
        files.sync_folder(place.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _copy(found: environment.Installed, place: Path, say: Log) -> bool:
    """Copy a distribution of the running interpreter; False, with nothing copied, where that can't be done safely."""
    record = environment.record_of(found.distribution)
    if record is None or environment.is_editable(found.distribution):
        return False
    source, site = Path(str(found.distribution.locate_file(""))), site_of(place)
    planned: list[tuple[Path, Path, str]] = []
    for name, digest in record:
        target = Path(os.path.normpath(site / name))
        if target.is_relative_to(place / "bin"):
            continue
        if place not in target.parents or target == place / "pyvenv.cfg":
            say(f"{found.name} is not copied: its RECORD names {name!r}, which leads out of its environment")
            return False
        planned.append((source / name, target, digest))
    try:
        for path, target, digest in planned:
            if target.suffix == ".pyc" and not path.exists():
                continue
            if digest and _digest(path) != digest:
                say(f"{found.name} is not copied: {path.name} was changed after it was installed")
                raise FileNotFoundError(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            # With its time: what Python compiled of it stays valid.
            shutil.copy2(path, target)
    except (FileNotFoundError, IsADirectoryError):
        for _, target, _ in planned:
            target.unlink(missing_ok=True)
        return False
    say(f"copied {found.name} {found.version}")
    return True


def _digest(path: Path) -> str:
    """Return the sha256 as RECORD files write it."""
    import base64

    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _install(place: Path, lines: list[str], say: Log) -> None:
    """Let pip install these lines and nothing else, with the user's own configuration."""
    say(f"pip installs {', '.join(lines)}")
    # What Python or pip would find elsewhere, or put elsewhere, is not for this environment.
    outside = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "__PYVENV_LAUNCHER__")
    variables = {key: value for key, value in os.environ.items() if key not in outside}
    command = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install", "--no-deps"]
    done = subprocess.run(
        [*command, "--no-input", "--disable-pip-version-check", "--no-warn-script-location", *lines],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**variables, "PIP_USER": "0"},
        check=False,
    )
    if done.returncode == 0:
        return
    printed = [line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
    text = "\n".join(printed)
    blamed = [line for line in lines if line in text.rpartition("ERROR")[2]] or lines
    raise BrokenEnvironment(
        f"pip can't install {', '.join(blamed)} of the lock: {_last(printed)}",
        mend="install it with pip in the environment that plusone runs in: it is copied from there, without a network. "
        "Or put its wheel into a folder and name that in PIP_FIND_LINKS",
        lines=blamed,
    )


def _last(printed: list[str]) -> str:
    wrong = [line for line in printed if line.startswith("ERROR")]
    if printed and printed[-1].endswith("No module named pip"):
        return "there is no pip in the Python that plusone runs in (python -m ensurepip)"
    return (wrong or printed or ["it said nothing"])[-1]


def _remove_commands(place: Path) -> None:
    # They begin with the path of the temporary folder, and Windows' and macOS's are no concern here.
    for path in (place / "bin").iterdir():
        if not path.name.startswith("python"):
            path.unlink()


_LIST = """
import importlib.metadata, json
print(json.dumps([[one.metadata["Name"], one.version] for one in importlib.metadata.distributions()]))
"""


def _verify(place: Path, wanted: dict[str, str]) -> None:
    """Ask the new Python what it has, and compare."""
    done = subprocess.run(
        [str(place / "bin" / "python"), "-I", "-c", _LIST], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise BrokenEnvironment(f"The Python of the new environment does not start: {said}")
    found = {environment.normal(name): version for name, version in msgspec.json.decode(done.stdout)}
    for name, version in wanted.items():
        if found.get(name) != version:
            raise BrokenEnvironment(
                f"{name}=={version} of the lock is not what was installed: found {found.get(name, 'nothing')}.",
                lines=[f"{name}=={version}"],
            )
    more = sorted(set(found) - set(wanted))
    if more:
        raise BrokenEnvironment(f"The new environment has {', '.join(more)}, which the lock does not name.")
