"""The operations on the ML Test Score: what the records come to, and what people note."""

from __future__ import annotations

import re

from ..base import clock
from ..base.errors import Conflict, UsageError
from ..base.ids import new_id
from ..base.records import Decision, Release, Run
from ..base.scored import Score, ScoreNote
from ..packaging import keeping
from ..predictions import reading
from ..release import events, lifecycle
from ..release.gate import newest_session
from ..score.evidence import Case, Taken, Training, stands_for
from ..score.scoring import TESTS, score_of
from ..store import Store
from ..store.rows import from_row, to_row
from ..tracking import runs
from ..trust.records import signatures_of
from .trusting import who

__all__ = ["Scoring", "case_of"]

_RUNS = 300
_RELEASES = 30
_MOST_LETTERS = 10_000
_SHORT = {"infra": "infrastructure"}


class Scoring:
    """What App answers about the ML Test Score."""

    store: Store

    def get_score(self, *, model: str | None = None) -> Score:
        """Return the ML Test Score of a model, each point with the records that it stands on, and the next step."""
        name = lifecycle.pick_model(self.store.db, model)
        return score_of(case_of(self.store, name, clock.now()))

    def add_score_note(
        self, *, test: str, note: str, model: str | None = None, checked_by: str = "", by: str = ""
    ) -> ScoreNote:
        """Record that one of the 28 tests was done by hand, or with `checked_by` which check of the project does it.

        Args:
            test: `data-1` to `monitoring-7`.
            note: what was done, and what came of it.
            checked_by: the id of a check, as `plusone checks` shows it.
        """
        name = lifecycle.pick_model(self.store.db, model)
        if not note.strip():
            raise UsageError(
                "A test that was done needs a note: what was done, and what came of it.",
                mend=f"plusone score record {test[:40]} --note '...'",
            )
        if (letters := max(len(note), len(checked_by))) > _MOST_LETTERS:
            raise UsageError(
                f"The note has {letters:,} letters: expected at most {_MOST_LETTERS:,}.",
                mend="put the long text into a file of the project, and its name into the note",
            )
        scored, named = _scored(self.store, name), _test_named(test)
        if checked_by:
            self._check_known(name, scored, checked_by)
            self._check_free(name, named, checked_by)
        record = ScoreNote(
            id=new_id(),
            test=named,
            model=name,
            release=scored.number if scored else None,
            note=note,
            checked_by=checked_by,
            by=by or who(),
            at=clock.now(),
        )
        with self.store.db.write() as tx:
            tx.execute("score_note_add", **to_row(record))
        return record

    def list_score_notes(self, *, model: str | None = None) -> list[ScoreNote]:
        """Return what people noted for the ML Test Score of a model, or of all, the oldest first."""
        return _notes(self.store, model and lifecycle.pick_model(self.store.db, model))

    def _check_known(self, model: str, release: Release | None, test: str) -> None:
        session = newest_session(self.store.db, release.digest) if release else None
        if not any(stands_for(check, test) for check in (session.checks if session else ())):
            name = f"{model}@{release.number}" if release else model
            raise UsageError(
                f"{name} has no check {test[:200]!r} of the project: expected the id of one, as "
                "tests/test_model.py::test_it. plusone's own count by themselves.",
                mend=f"plusone checks {name}  (shows them)",
            )

    def _check_free(self, model: str, test: str, check: str) -> None:
        """Raise Conflict where the check was named for another of the 28: one test that does them all does none."""
        for note in _notes(self.store, model):
            shares = f"{note.checked_by}[".startswith(f"{check}[") or f"{check}[".startswith(f"{note.checked_by}[")
            if note.checked_by and note.test != test and shares:
                raise Conflict(
                    f"{note.checked_by[:200]} was named for {note.test} on {note.at[:10]} by {note.by}: a check stands "
                    f"for one of the 28, and {test} asks for something else.",
                    mend=f"write a test of its own for {test}, or record that it was done by hand: without --check",
                )


def case_of(store: Store, model: str, at: str, release: Release | None = None) -> Case:
    """Return the records that speak for the score of a model at a moment; later ones are not among them.

    Args:
        release: the release that it is about; by default the live one, or the newest.
    """
    releases = [one for one in lifecycle.list_releases(store.db, model) if one.created_at <= at]
    release = release or _scored(store, model)
    decisions = [
        one for one in (from_row(Decision, row) for row in store.db.all("decision_list", model=model, release=None))
        if one.at <= at
    ]  # fmt: skip
    session = newest_session(store.db, release.digest) if release else None
    made = _runs_until(store, model, at)
    live = {one.release for one in decisions if one.after == "live"}
    labels = store.db.all("label_first_since", model=model, since="", after_id="", count=1)
    return Case(
        model=model,
        release=release,
        at=at,
        checks=session.checks if session else (),
        proof=keeping.describe(release.package, store.blobs).proof if release else {},
        runs=tuple(made),
        trainings=tuple(_trainings(store, made)),
        took=tuple(_took(store, one) for one in [one for one in releases if one.number in live][-_RELEASES:]),
        decisions=tuple(decisions),
        rollouts=tuple(one for one in events.list_rollouts(store.db, model) if one.begun_at <= at),
        signatures=tuple(signatures_of(store.db, release.digest)) if release else (),
        notes=tuple(one for one in _notes(store, model) if one.at <= at),
        predictions=reading.count_in(store, model, until=at),
        labelled=any(one["received_at"] <= at for one in labels),
    )


def _scored(store: Store, model: str) -> Release | None:
    """Return the release that a score is about: the live one, or the newest."""
    releases = lifecycle.list_releases(store.db, model)
    return next((one for one in releases if one.stage == "live"), releases[-1] if releases else None)


def _runs_until(store: Store, model: str, at: str) -> list[Run]:
    """Return the newest runs of a model that had begun at a moment, however many came after it."""
    found: list[Run] = []
    before: str | None = None
    while len(found) < _RUNS:
        page = runs.list_runs(store, model=model, before=before, count=_RUNS)
        found += [run for run in page if run.started_at <= at]
        if len(page) < _RUNS:
            break
        before = page[-1].id
    return found[:_RUNS]


def _trainings(store: Store, made: list[Run]) -> list[Training]:
    return [
        Training(run_id=run.id, fingerprint=step.fingerprint, package=step.outputs["package"])
        for run in made
        for step in runs.list_steps(store, run.id)
        if step.status == "done" and "package" in step.outputs
    ]


def _took(store: Store, release: Release) -> Taken:
    fields = keeping.describe(release.package, store.blobs).signature.fields
    return Taken(release=release.number, fields=tuple(field.name for field in fields))


def _notes(store: Store, model: str | None) -> list[ScoreNote]:
    return [from_row(ScoreNote, row) for row in store.db.all("score_note_list", model=model)]


def _test_named(test: str) -> str:
    """Return the id of one of the 28 tests: `data-1`, `Data 1` and `infra-7` are understood."""
    words = re.split(r"[\s_-]+", test.strip().lower())
    name = "-".join([_SHORT.get(words[0], words[0]), *words[1:]])
    if name not in TESTS:
        raise UsageError(
            f"There is no test {test[:80]!r}: expected data-1 to data-7, model-1 to model-7, infrastructure-1 to "
            "infrastructure-7 or monitoring-1 to monitoring-7.",
            mend="plusone score  (shows the 28)",
        )
    return name
