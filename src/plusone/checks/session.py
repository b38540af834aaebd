"""Runs the project's tests in a fresh process and makes the session of checks that the gate reads."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

import msgspec

from ..base import clock
from ..base.ids import digest_file, digest_json, new_id
from ..base.records import Check, Session
from . import context as contexts
from .context import Context
from .result import Part, read_part
from .verdict import closes, is_built_in

__all__ = ["CONFIGS", "assemble", "has_pytest_options", "pytest_options", "run_tests", "test_sources"]

_LINE_BYTES = 4_000
_MOST_LINES = 5_000
CONFIGS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
"""Where pytest looks for its options, in its own order."""
_DROPPED = (
    "PYTHONOPTIMIZE",  # would take the assert statements out
    "PYTEST_CURRENT_TEST",
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_WORKER_COUNT",
    "PYTHONSAFEPATH",
)
_QUIET = (0, 1, 5)
"""pytest's exit codes that say nothing new: all passed, some failed (each is a check), none collected."""


def run_tests(
    context: Context,
    *,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
    options: Sequence[str] = (),
    terminal: bool = False,
) -> Part:
    """Run the tests of `context.subject` in a fresh pytest process and return what came of them.

    Whatever happens to the process (a crash, a kill, a time-out, no pytest at all) becomes a problem of the part.
    The result file is `context.result`, or a temporary one when that is empty; a file that is there is replaced.

    Args:
        on_line: gets each line that pytest prints, as it prints it; at most 5,000 lines of 4,000 bytes.
        timeout_s: the process and its children are killed after so many seconds; None: never.
        options: what pytest is told besides. Paths and ids of tests among them take the place of the tests folder.
        terminal: leave pytest the terminal, for a debugger; nothing of what it prints is read then.
    """
    with tempfile.TemporaryDirectory(prefix="plusone-checks-") as name:
        folder = Path(name)
        result = Path(context.result) if context.result else folder / "result.jsonl"
        result.parent.mkdir(parents=True, exist_ok=True)
        result.unlink(missing_ok=True)
        contexts.write(msgspec.structs.replace(context, result=str(result)), folder / "context.json")
        tail: list[str] = []
        command = _command(context, folder, options, terminal=terminal)
        if terminal:
            ended = _attached(command, context, folder)
        else:
            ended = _run(command, context, folder, on_line, timeout_s, tail)
        return _part(context, result, ended, tail)


def assemble(release_digest: str | None, *parts: Part, run_id: str = "") -> Session:
    """Return the session made of the parts: the one on the data and the one on the model.

    `release_digest` is None when the tests on the data stopped the release before there was one.

    A collected test that has no outcome in any part is 'not run'; a missing part is a problem.
    """
    checks: dict[str, Check] = {}
    problems: list[str] = []
    for part in parts:
        problems.extend(part.problems)
        for check in part.checks:
            # The same file-level check may be in both parts: the one that closes is kept.
            if check.test not in checks or closes(check):
                checks[check.test] = check
    there = {part.subject for part in parts}
    problems.extend(f"the tests on the {subject} were not run" for subject in ("data", "model") if subject not in there)
    for part in parts:
        for test in part.collected:
            if test.test not in checks:
                checks[test.test] = Check(
                    test=test.test, subject=test.subject, outcome="not run", message="collected, and run in no session"
                )
    problems.extend(_differences(parts))
    return Session(
        id=new_id(),
        release=release_digest,
        run_id=run_id,
        checks=tuple(checks.values()),
        problems=tuple(dict.fromkeys(problems)),
        started_at=min((part.started_at for part in parts if part.started_at), default=clock.now()),
        finished_at=max((part.finished_at for part in parts if part.finished_at), default=clock.now()),
    )


def test_sources(tests_folder: Path, root: Path | None = None) -> dict[str, str]:  # noqa: PT028  no test: see below
    """Return the sha256 of every file of the tests folder, data files too, and of each conftest.py above it.

    The keys are paths relative to `root`, the project's folder (default: the one that the tests folder lies in), with
    '/', sorted.
    """
    root = root or tests_folder.parent
    found: list[Path] = []
    for folder, folders, files in os.walk(tests_folder):
        folders[:] = [name for name in folders if name not in ("__pycache__", ".pytest_cache")]
        found.extend(Path(folder) / name for name in files if not name.endswith(".pyc"))
    above = [folder for folder in tests_folder.parents if folder == root or root in folder.parents]
    found.extend(folder / "conftest.py" for folder in above)
    return {path.relative_to(root).as_posix(): digest_file(path) for path in sorted(found) if path.is_file()}


def pytest_options(root: Path) -> dict[str, str]:
    """Return the digest of each file in which pytest finds its options; of pyproject.toml that of its part alone."""
    found: dict[str, str] = {}
    for name in CONFIGS:
        file = root / name
        if not has_pytest_options(file):
            continue
        if name == "pyproject.toml":
            found[name] = digest_json(tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("pytest"))
        else:
            found[name] = digest_file(file)
    return found


test_sources.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]  a test module that imports it has no test of that name


def _differences(parts: Iterable[Part]) -> list[str]:
    """Return what one process collected and another did not: then the two did not run the same tests.

    Plusone's own checks are each of one session alone.
    """
    collected = [
        {test.test: test.subject for test in part.collected if not is_built_in(test.test)}
        for part in parts
        if part.collected
    ]
    if len(collected) < 2:
        return []
    problems: list[str] = []
    for test in sorted(set().union(*collected)):
        subjects = {one.get(test, "absent") for one in collected}
        if len(subjects) > 1:
            problems.append(
                f"{test}: not the same in the sessions on data and on the model ({', '.join(sorted(subjects))}): "
                "the tests changed in between, or depend on something else than their files"
            )
    return problems


def _command(context: Context, folder: Path, options: Sequence[str] = (), *, terminal: bool = False) -> list[str]:
    root = Path(context.root)
    config = next((root / name for name in CONFIGS if has_pytest_options(root / name)), root / "pyproject.toml")
    command = [sys.executable, "-m", "pytest", "-p", "plusone", "--rootdir", str(root)]
    if config.is_file():
        # Named, so that pytest does not look for the options of a project above this one.
        command += ["-c", str(config)]
    # The cache is moved, not switched off: options such as --lf would be unknown without it.
    command += ["-o", f"cache_dir={folder / 'cache'}", "--continue-on-collection-errors", "--no-header"]
    command += [] if terminal else ["--color=no", "--show-capture=no", "--tb=short", "-q"]
    if importlib.util.find_spec("xdist") is not None and not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        command += ["-n0"]
    chosen = any((root / one.partition("::")[0]).exists() for one in options if one and not one.startswith("-"))
    return [*command, *options] if chosen else [*command, *options, context.tests]


def has_pytest_options(file: Path) -> bool:
    """Say whether pytest finds its options in this file."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    if file.name.lstrip(".") in ("pytest.toml", "pytest.ini"):
        return True
    return {"pyproject.toml": "[tool.pytest", "tox.ini": "[pytest]", "setup.cfg": "[tool:pytest]"}[file.name] in text


def _environment(context: Context, folder: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    paths = [context.root, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment["PYTHONUNBUFFERED"] = "1"
    environment["COLUMNS"] = "76"  # its lines are shown indented
    environment[contexts.ENVIRONMENT] = str(folder / "context.json")
    return environment


def _attached(command: list[str], context: Context, folder: Path) -> str:
    """Run the process on the terminal of this one, and return how it ended, '' when it exited by itself."""
    try:
        code = subprocess.run(command, cwd=context.root, env=_environment(context, folder), check=False).returncode
    except OSError as error:
        return f"the test process could not be started: {error}"
    return "" if code in _QUIET else f"the test process ended with exit code {code}"


def _run(
    command: list[str],
    context: Context,
    folder: Path,
    on_line: Callable[[str], None] | None,
    timeout_s: float | None,
    tail: list[str],
) -> str:
    """Run the process to its end and return how it ended, '' when it exited by itself."""
    try:
        process = subprocess.Popen(
            command,
            cwd=context.root,
            env=_environment(context, folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return f"the test process could not be started: {error}"
    assert process.stdout is not None
    reader = threading.Thread(target=_read_lines, args=(process.stdout, on_line, tail), daemon=True)
    reader.start()
    try:
        process.wait(timeout_s)
        # Children that a test left behind may hold the pipe open: what is there is read, and they are ended.
        reader.join(2.0)
    except subprocess.TimeoutExpired:
        return f"the tests were ended after {timeout_s:g} s: they had not finished"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(2.0)
        if not reader.is_alive():
            process.stdout.close()
    if process.returncode < 0:
        return f"the test process was killed by {signal.Signals(-process.returncode).name}"
    return "" if process.returncode in _QUIET else f"the test process ended with exit code {process.returncode}"


def _read_lines(stream: IO[bytes], on_line: Callable[[str], None] | None, tail: list[str]) -> None:
    count = 0
    for data in iter(lambda: stream.readline(_LINE_BYTES), b""):
        line = data.decode("utf-8", "replace").rstrip("\r\n")
        if line.strip():
            tail.append(line)
            del tail[:-12]
        count += 1
        if on_line is None or count > _MOST_LINES:
            continue
        try:
            on_line(line if count < _MOST_LINES else "(the tests print more than is shown)")
        except Exception:
            # A listener that fails (a closed terminal, say) must not stop the tests: they write to this pipe.
            on_line = None


def _part(context: Context, result: Path, ended: str, tail: list[str]) -> Part:
    part, running, exit_code = read_part(result, context.subject)
    problems = list(part.problems)
    if exit_code is None:
        where = f" while {running} ran" if running else " before the tests began" if not part.checks else ""
        last = " ".join(tail)[-600:]
        problems.append(
            f"the session on the {context.subject} is not complete: {ended or 'the test process ended'}{where}"
            + (f". Its last words: {last}" if last else "")
        )
    elif ended and not problems:
        problems.append(ended + (f". Its last words: {' '.join(tail)[-600:]}" if tail else ""))
    elif exit_code not in (0, 5) and not problems and not any(closes(check) for check in part.checks):
        problems.append(f"pytest ended with exit code {exit_code}, and no test says why: {' '.join(tail)[-600:]}")
    return msgspec.structs.replace(part, problems=tuple(problems))
