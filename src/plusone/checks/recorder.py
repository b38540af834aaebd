"""Writes down what was collected and what came of each test. It sees the tests before anything is deselected."""

from __future__ import annotations

import fnmatch
import gc
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from ..base.records import Check
from ..measuring.outcomes import recording
from .built_in import BuiltInItem, built_in_items
from .context import Context
from .ending import end_in_time
from .names import OURS
from .phases import Phases, clean, explain
from .result import Collected, Subject, Writer

__all__ = ["Recorder"]


class Recorder:
    """The plugin object that records one session, and leaves the other subject's tests aside."""

    def __init__(self, context: Context, writer: Writer, config: pytest.Config) -> None:
        self._context = context
        self._writer = writer
        self._config = config
        self._outputs = frozenset((*context.outputs, *context.not_made))
        self._seen: dict[str, pytest.Item] = {}
        self._visited: set[Path] = set()
        self._phases: Phases | None = None
        self._exit_code = 0
        writer.write()

    # ------------------------------------------------------------------------------------------ collection

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        self._seen[item.nodeid] = item

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        if isinstance(collector, pytest.File):
            self._visited.add(collector.path)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.passed:
            return
        name = clean(report.nodeid) or "."
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            check = Check(test=name, subject="code", outcome="skipped", message=explain(reason))
            self._writer.write(check=check)
            return
        text = clean(report.longreprtext)
        last = [line for line in text.splitlines() if line.strip()][-1:]
        lines = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")] or last
        message = explain("can't be collected: " + " ".join(lines))
        self._writer.write(
            check=Check(test=name, subject="code", outcome="broken", message=message, output=text[-20_000:])
        )
        self._writer.write(problem=f"{name}: broken: {message}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Note what options and hooks take out, then leave aside what is not this session's."""
        for item in items:
            self._seen.setdefault(item.nodeid, item)
        result = yield
        kept = {item.nodeid for item in items}
        here: set[str] = set()
        collected: list[Collected] = []
        for test, item in self._seen.items():
            subject = self._subject(item)
            if not self._belongs(item, subject):
                continue
            mine = (subject == "model") == (self._context.subject == "model")
            if mine:
                here.add(test)
            collected.append(Collected(test=clean(test), subject=subject, here=mine, deselected=test not in kept))
        # Ours come last and after every option, so that -k and -m are about the project's tests alone.
        ours = built_in_items(session, self._context)
        collected.extend(Collected(test=item.nodeid, subject=self._context.subject) for item in ours)
        items[:] = [*(item for item in items if item.nodeid in here), *ours]
        self._writer.write(collected=tuple(collected))
        return result

    def _subject(self, item: pytest.Item) -> Subject:
        if isinstance(item, BuiltInItem):
            return self._context.subject
        names = set(getattr(item, "fixturenames", ()))
        if names.intersection(OURS):
            return "model"
        return "data" if names & self._outputs else "code"

    def _belongs(self, item: pytest.Item, subject: Subject) -> bool:
        """Return whether the test is one of this model's; what is wrong with its mark is a problem of the session."""
        named: list[Any] = []
        for mark in item.iter_markers("model"):
            if not mark.args or mark.kwargs:
                self._problem(
                    item, f'@pytest.mark.model needs names: for example @pytest.mark.model("{self._context.model}")'
                )
            named.extend(mark.args)
        known = ", ".join(self._context.models)
        for name in named:
            if name not in self._context.models:
                self._problem(item, f"@pytest.mark.model names {name!r}, and the project's models are: {known}")
        if not named and subject == "model" and len(self._context.models) > 1:
            self._problem(
                item,
                f"it uses the model and does not say which, and the project has several ({known}): "
                f'mark it with @pytest.mark.model("{self._context.model}")',
            )
            return False
        return not named or self._context.model in named

    def _problem(self, item: pytest.Item, text: str) -> None:
        self._writer.write(problem=f"{clean(item.nodeid)}: broken: {text}")

    # ------------------------------------------------------------------------------------------ running

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        test = clean(item.nodeid)
        self._writer.write(running=test)
        with recording() as measured:
            self._phases = phases = Phases(self._config.rootpath, measured)
            result = yield
        outcome, allowed, message = phases.verdict()
        if outcome != "not run":
            self._writer.write(
                check=Check(
                    test=test,
                    subject=self._subject(item),
                    outcome=outcome,
                    allowed=allowed,
                    message=message,
                    measured=tuple(measured),
                    duration_s=phases.duration_s,
                    output=phases.output,
                )
            )
        self._writer.write(running="")
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        if self._phases is not None:
            self._phases.begin()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if self._phases is not None:
            self._phases.add(call, report, self._outputs)
        return report

    # ------------------------------------------------------------------------------------------ the end

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self._writer.write(problem=f"pytest had an internal error: {explain(excinfo.exconly())}")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self._writer.write(problem=f"the session was stopped: {explain(excinfo.exconly())}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        for path in () if self._context.partial else self._never_visited():
            self._writer.write(
                problem=f"{path}: a test file that was never collected (left out by --ignore, collect_ignore, a hook, "
                "or because the session ended before)"
            )
        self._exit_code = int(exitstatus)
        self._writer.write(exit_code=self._exit_code)
        # pytest collects garbage several times before it ends, through everything that dataframe libraries loaded: a
        # second or more. The process ends now; what is alive is put out of the collector's sight.
        gc.freeze()

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        end_in_time(self._exit_code)

    def _never_visited(self) -> list[str]:
        patterns = [str(pattern) for pattern in self._config.getini("python_files")]
        visited = {path.resolve() for path in self._visited}
        root = Path(self._context.root)
        missed: list[str] = []
        for folder, folders, files in os.walk(self._context.tests):
            # What pytest never looks into: hidden folders, and virtual environments.
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".")
                and name != "__pycache__"
                and not (Path(folder) / name / "pyvenv.cfg").exists()
            )
            for name in sorted(files):
                path = Path(folder) / name
                if _matches(path, patterns) and path.resolve() not in visited:
                    missed.append(os.path.relpath(path, root))
        return missed


def _matches(path: Path, patterns: list[str]) -> bool:
    """Return whether pytest takes the file for one of tests: a pattern with '/' is held against the whole path."""
    if path.suffix != ".py":
        return False
    return any(
        fnmatch.fnmatch(str(path) if "/" in pattern else path.name, f"*/{pattern}" if "/" in pattern else pattern)
        for pattern in patterns
    )
