"""The tests of a release again, and its replay by hand."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..base.config import Project
from ..base.errors import BrokenArtifact, Conflict, NotFound, UsageError
from ..base.records import Dataset, Learning, Record, Release, Session
from ..checks.context import Context
from ..checks.layout import Testing, lay_out, options_of
from ..checks.result import Part
from ..checks.session import assemble, run_tests
from ..checks.skips import check_skips, known_skips
from ..checks.verdict import problems_of, problems_so_far
from ..release.lifecycle import find_release, list_releases, pick_model
from ..release.replays import GONE, ReplayReport, replay_by_hand
from ..release.testing import add_session, context_for, outputs_of
from ..store import Store
from ..tracking.runs import get_run

__all__ = ["Retesting", "Tested"]

OnEvent = Callable[[dict[str, Any]], None]


class Tested(Record, frozen=True, kw_only=True):
    """What came of running the tests of a release again."""

    model: str
    release: int
    stage: str
    session: Session
    recorded: bool
    """Whether it is a session of the release now, which the gate reads."""
    problems: tuple[str, ...]
    """What closes the gate, or would; empty: nothing."""


class Retesting:
    """What App answers about tests of releases that are there."""

    project: Project
    store: Store

    def test_release(
        self,
        *,
        target: str | None = None,
        now: bool = False,
        record: bool = True,
        options: Sequence[str] = (),
        terminal: bool = False,
        junit: Path | None = None,
        on_event: OnEvent = lambda event: None,
    ) -> Tested:
        """Run the tests of a release again, by default of the newest: on the outputs of its run, on its package, beside
        today's live release.

        With `now` the test files and the code are those of the working folder, else those of the release; with
        `options` pytest is told more, and with `terminal` it has the terminal. Both are for looking: only a whole
        session of the release's own tests is recorded, and with `record` False none. JUnit XML is written to `junit`.
        """
        release = find_release(self.store.db, target) if target else _newest(self.store)
        if junit is not None:
            _make_folder_of(junit)
        with tempfile.TemporaryDirectory(prefix="plusone-test-") as scratch:
            folder = Path(scratch)
            rerun = _Rerun(self.project, self.store, release, folder, on_event)
            rerun.place(now=now)
            parts = [rerun.run(subject, options, terminal=terminal, junit=bool(junit)) for subject in ("data", "model")]
            if junit is not None:
                _join(sorted(folder.glob("junit-*.xml")), junit)
        _refuse_what_did_not_begin(f"{release.model}@{release.number}", parts, options)
        session = assemble(release.digest, *parts, run_id=release.run_id)
        if options:
            _refuse_what_chooses_nothing(session, options)
        problems = problems_of(session)
        if options:
            chosen = tuple(check for check in session.checks if check.outcome not in ("deselected", "not run"))
            session = msgspec.structs.replace(session, checks=chosen)
            problems = problems_so_far(chosen, session.problems)
        recorded = record and not now and not options
        if recorded:
            with self.store.db.write() as tx:
                add_session(tx, session)
        return Tested(
            model=release.model,
            release=release.number,
            stage=release.stage,
            session=session,
            recorded=recorded,
            problems=tuple(problems),
        )

    def replay(self, *, target: str, against: str = "", requests: int | None = None) -> ReplayReport:
        """Ask a release the newest logged requests beside the live one, or another; nothing is recorded."""
        return replay_by_hand(self.project, self.store, target, against=against, requests=requests)


# ---------------------------------------------------------------------------------------------- tests again


def _newest(store: Store) -> Release:
    model = pick_model(store.db, None)
    releases = list_releases(store.db, model)
    if not releases:
        raise NotFound(f"There is no release of {model} yet.", mend="plusone release")
    return releases[-1]


def _refuse_what_did_not_begin(name: str, parts: Sequence[Part], options: Sequence[str]) -> None:
    """Raise UsageError where pytest ended before it had looked for tests: that says nothing of the release.

    It may lack a plugin that the release's own configuration names, or not take what a person told it.
    """
    for part in parts:
        if part.collected or not part.problems or part.checks:
            continue
        said = part.problems[0].partition("Its last words: ")[2] or part.problems[0]
        if options and "exit code 4" in part.problems[0]:
            words = " ".join(options)
            raise UsageError(f"pytest does not take these options: {words}. It says: {said}", mend="pytest --help")
        raise UsageError(
            f"pytest can't begin with the tests of {name} here, so nothing is said of it: {said}",
            mend="install the plugins that its options of pytest name, and try again",
        )


def _refuse_what_chooses_nothing(session: Session, options: Sequence[str]) -> None:
    """Raise UsageError where the options leave no test: nothing was looked at."""
    if not session.problems and all(check.outcome == "deselected" for check in session.checks):
        raise UsageError(
            f"These options leave none of the {len(session.checks)} tests: {' '.join(options)}.",
            mend="pytest --collect-only -q  (shows their names)",
        )


def _make_folder_of(file: Path) -> None:
    """Make the folder that a file is to be written into: before minutes of tests, and not after them."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror or error}.", mend=f"--junit {file.name}") from error


class _Rerun:
    def __init__(self, project: Project, store: Store, release: Release, folder: Path, on_event: OnEvent) -> None:
        self._project = project
        self._store = store
        self._release = release
        self._folder = folder
        self._on_event = on_event
        manifest = msgspec.json.decode(store.blobs.get(release.digest))
        # Releases of before do not say all of it.
        self._learning = msgspec.convert(manifest.get("learning", {}), Learning)
        self._testing = msgspec.convert(manifest.get("testing", {}), Testing)

        if freed := store.db.one("freed_get", package=release.package):
            name = f"{release.model}@{release.number}"
            raise Conflict(
                f"{name} can't be tested again: plusone gc freed its files on {freed['at'][:10]}.",
                mend="plusone release --again  (makes and tests one of today's code)",
            )

    def place(self, *, now: bool) -> None:
        """Decide where the tests lie; those of the release are laid out with the code that they were run with."""
        release, testing, checks = self._release, self._testing, self._project.checks
        if now:
            check_skips(checks.skip, self._declared, str(self._project.root / "pyproject.toml"))
            return
        code = get_run(self._store, release.run_id).code
        root = self._folder / "project"
        root.mkdir()
        options = testing.options if testing.checks is not None else options_of(self._project.root)
        # A name that was misspelt then left nothing out, and the settings of a release can't be mended any more.
        checks = testing.checks or checks
        lay_out(root, {**(code.files if code else {}), **release.tests}, options, self._read)
        self._project = msgspec.structs.replace(
            self._project,
            root=root,
            tests=root / testing.folder,
            checks=msgspec.structs.replace(checks, skip=known_skips(checks.skip, self._declared)),
        )

    @property
    def _declared(self) -> tuple[str, ...]:
        """The step outputs that the release's steps would make."""
        return self._testing.declared or tuple(outputs_of(self._store, self._release.run_id))

    def run(self, subject: Literal["data", "model"], options: Sequence[str], *, terminal: bool, junit: bool) -> Part:
        """Run the tests on one subject."""
        self._on_event({"event": "phase", "phase": f"{subject} tests"})
        more = [*options, f"--junitxml={self._folder / f'junit-{subject}.xml'}"] if junit else list(options)
        part = run_tests(
            self._context(subject, partial=bool(options)),
            on_line=lambda line: self._on_event({"event": "line", "text": line}),
            options=more,
            terminal=terminal,
        )
        for check in part.checks:
            if not (options and check.outcome in ("deselected", "not run")):
                self._on_event({"event": "check", "check": msgspec.to_builtins(check)})
        return part

    def _context(self, subject: Literal["data", "model"], *, partial: bool) -> Context:
        store, release = self._store, self._release
        outputs: dict[str, Dataset] = outputs_of(store, release.run_id)
        known = {row["model"] for row in store.db.all("model_list")} | {release.model}
        live = next((one for one in list_releases(store.db, release.model) if one.stage == "live"), None)
        context = context_for(
            self._project,
            store,
            subject=subject,
            model=release.model,
            models=self._testing.models or sorted(known),
            outputs=outputs,
            declared=self._declared,
            learning=self._learning,
            candidate=release if subject == "model" else None,
            live=live,
            packages=self._folder / "packages",
        )
        if not partial:
            return context
        # Who chooses tests means those of the project.
        settings = msgspec.structs.replace(context.settings, built_in=False)
        return msgspec.structs.replace(context, partial=True, settings=settings)

    def _read(self, digest: str) -> bytes:
        try:
            return self._store.blobs.get(digest)
        except NotFound as error:
            raise BrokenArtifact(
                f"A file of {self._release.model}@{self._release.number} is gone: {error.message}", mend=GONE
            ) from error


def _join(parts: Sequence[Path], to: Path) -> None:
    """Write the suites of several JUnit files into one."""
    from xml.etree import ElementTree as ET

    suites = ET.Element("testsuites", name="plusone")
    for part in parts:
        with contextlib.suppress(ET.ParseError):  # pytest was killed as it wrote it
            for suite in ET.parse(part).getroot().iter("testsuite"):  # noqa: S314  pytest has written it just now
                suite.set("name", part.stem.partition("-")[2])
                suites.append(suite)
    try:
        ET.ElementTree(suites).write(to, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UsageError(f"{to} can't be written: {error.strerror or error}.", mend=f"--junit {to.name}") from error
