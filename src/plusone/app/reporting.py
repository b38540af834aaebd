"""The operations on what came of a release's checks: its sessions, and the report that is made of its records."""

from __future__ import annotations

from ..base.config import Project
from ..base.errors import NotFound
from ..base.records import Decision, Release, Session
from ..checks.verdict import problems_of
from ..packaging import keeping
from ..release import events, lifecycle
from ..release.gate import sessions_of
from ..release.testing import outputs_of
from ..report.material import Before, Material
from ..score.scoring import score_of
from ..store import Store
from ..store.rows import from_row
from ..tracking import runs
from ..trust.records import signatures_of
from .compare import compare, lock_of
from .scoring import case_of
from .views import ReleaseDetail, Report

__all__ = ["Reporting", "describe_release"]

_COMPARED = ("settings", "code", "environment", "data", "metrics", "signature")


class Reporting:
    """What App answers about the results of checks."""

    project: Project
    store: Store

    def list_sessions(self, *, target: str) -> list[Session]:
        """Return every session of checks of a release, the oldest first; the gate reads the last one."""
        return sessions_of(self.store.db, digest=lifecycle.find_release(self.store.db, target).digest)

    def list_checks(self, *, target: str, session: str | None = None) -> Session:
        """Return the newest session of checks of a release, which is the one that the gate reads, or one by its id.

        `session` may be the beginning of the id.
        """
        release = lifecycle.find_release(self.store.db, target)
        name, found = f"{release.model}@{release.number}", sessions_of(self.store.db, digest=release.digest)
        if not found:
            raise NotFound(f"{name} has no checks.", mend=f"plusone test {name}")
        if session is None:
            return found[-1]
        some = [one for one in found if session and one.id.startswith(session)]
        if len(some) != 1:
            what = "no session" if not some else f"{len(some)} sessions"
            raise NotFound(f"{name} has {what} {session[:80]!r}.", mend=f"plusone checks {name} --all  (lists them)")
        return some[0]

    def get_report(self, *, target: str) -> Report:
        """Return the report of a release: one HTML document, made of its records now, the same for the same records."""
        from ..report.page import report_html  # here: no other operation draws a page

        material = material_of(self.store, self.project.name, target)
        release = material.release
        return Report(model=release.model, release=release.number, digest=release.digest, html=report_html(material))


def describe_release(store: Store, target: str) -> ReleaseDetail:
    """Return a release with its package, its sessions of checks and its decisions."""
    release = lifecycle.find_release(store.db, target)
    freed = store.db.one("freed_get", package=release.package)
    decisions = store.db.all("decision_list", model=release.model, release=release.number)
    return ReleaseDetail(
        freed_at=freed["at"] if freed else None,
        release=release,
        package=keeping.describe(release.package, store.blobs),
        sessions=tuple(sessions_of(store.db, digest=release.digest)),
        decisions=tuple(from_row(Decision, row) for row in decisions),
        signatures=tuple(signatures_of(store.db, release.digest)),
    )


def material_of(store: Store, project: str, target: str) -> Material:
    """Return the records that the report of a release is made of."""
    found = describe_release(store, target)
    release = found.release
    newest = found.sessions[-1] if found.sessions else None
    rollouts = [one for one in events.list_rollouts(store.db, release.model) if one.release == release.number]
    # As of the newest of the records: the same records give the same page.
    moments = [release.created_at, *(one.at for one in (*found.decisions, *found.signatures))]
    moments += [one.ended_at or (one.look.at if one.look else one.begun_at) for one in rollouts]
    moments += [newest.finished_at] if newest else []
    return Material(
        project=project,
        release=release,
        package=found.package,
        lock=lock_of(store, found.package.environment),
        session=newest,
        problems=tuple(problems_of(newest)) if newest else ("it has no session of checks",),
        older_sessions=tuple(one.id for one in found.sessions[:-1]),
        run=runs.get_run(store, release.run_id),
        steps=tuple(runs.list_steps(store, release.run_id)),
        datasets=outputs_of(store, release.run_id),
        decisions=found.decisions,
        signatures=found.signatures,
        rollouts=tuple(rollouts),
        before=_before(store, found),
        score=score_of(case_of(store, release.model, max(moments), release)),
        freed_at=found.freed_at,
    )


def _before(store: Store, found: ReleaseDetail) -> Before | None:
    """Return the release that this one took over from: the newest earlier one that was live, else the one before it."""
    release = found.release
    earlier = [one for one in lifecycle.list_releases(store.db, release.model) if one.number < release.number]
    if not earlier:
        return None
    live = [one for one in earlier if _was_live(store, one)]
    chosen = (live or earlier)[-1]
    other = describe_release(store, f"{chosen.model}@{chosen.number}")
    different = compare(store, other, found)
    return Before(
        release=other.release,
        was_live=bool(live),
        session=other.sessions[-1] if other.sessions else None,
        changes={part: getattr(different, part) for part in _COMPARED},
    )


def _was_live(store: Store, release: Release) -> bool:
    rows = store.db.all("decision_list", model=release.model, release=release.number)
    return any(row["after"] == "live" for row in rows)
