"""What speaks for each test: a function gives the pieces of evidence that it finds, and what each is worth.

Every one says 'there is a record that ...', never 'there is none that ...': so less evidence can't be worth more. Half
a point is for what records show once or in part, and for what only happens at a release; one for what a machine does
each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from ..base.ids import canonical_json
from ..base.records import Run
from ..base.rollouts import Rollout
from ..base.scored import PointEvidence
from ..checks.verdict import is_built_in
from .evidence import Case, by_built_in, by_recorded, of_check, passed

_Found = Iterator[tuple[float, PointEvidence]]
_TRIED = 3
"""A setting is tuned when it had so many values in runs that trained the model."""


def nothing(case: Case) -> _Found:
    """Find nothing: no record shows it."""
    return iter(())


def _worth(points: float, found: Iterable[PointEvidence]) -> _Found:
    return ((points, one) for one in found)


# ---------------------------------------------------------------------------------------------- data


def expectations(case: Case) -> _Found:
    """Built-in checks of columns, or a test that holds a table against written expectations, passed."""
    yield from _worth(1, by_built_in(case, "columns", "ranges", "categories", "nulls", "units"))
    yield from _worth(1, by_recorded(case, "columns", "between", "one_of", "not_null"))


def useful(case: Case) -> _Found:
    """Each field was shuffled in turn and what that loses was measured: one if all lose something, half if some do."""
    for check in passed(case):
        for one in check.measured:
            if one.get("check") == "features" and isinstance(unused := one.get("unused"), list):
                yield (0.5 if unused else 1), of_check(check)


def new_feature(case: Case) -> _Found:
    """A release that went live took a field that an earlier one did not: it was done, how quickly nobody recorded."""
    for one in case.took:
        for other in case.took:
            new = sorted(set(one.fields) - set(other.fields))
            if other.release < one.release and new:
                name = f"{case.model}@{one.release}"
                yield 0.5, PointEvidence(kind="release", id=name, says=f"went live with the new field {new[0]}")


def tests_on_data(case: Case) -> _Found:
    """A test of the project on the data passed; whether every feature has one, records don't say: half a point."""
    tests = (check for check in passed(case) if check.subject == "data" and not is_built_in(check.test))
    yield from _worth(0.5, map(of_check, tests))


# ---------------------------------------------------------------------------------------------- model


def reviewed(case: Case) -> _Found:
    """Its run was of a clean commit: half. Somebody else than who made it signed it, too: one."""
    release = case.release
    for run in case.runs:
        if release is None or run.id != release.run_id or not run.code.commit or run.code.dirty:
            continue
        said = PointEvidence(kind="run", id=run.id, says=f"made of the commit {run.code.commit[:12]}, nothing changed")
        yield 0.5, said
        for one in case.signatures:
            if one.digest == release.digest and one.by != run.by:
                yield 1, PointEvidence(kind="signature", id=one.key, says=f"signed by {one.by}, made by {run.by}")
                yield 1, said


def labels_judged(case: Case) -> _Found:
    """The judge of a rollout compared releases by labels: what came true, not what was tested."""
    yield from _worth(0.5, _judged(case, "labels", "by labels"))


def tuned(case: Case) -> _Found:
    """Each setting of the release had three values in runs that trained the model: one; some of them: half.

    A run that failed counts if it came to a trained model: one whose gate was closed did, one that broke did not.
    """
    settings = dict(case.release.settings) if case.release is not None else {}
    trained = {one.run_id for one in case.trainings}
    runs: dict[str, dict[bytes, Run]] = defaultdict(dict)
    for run in case.runs:
        if run.status == "done" or (run.status == "failed" and run.id in trained):
            for name in settings.keys() & run.settings.keys():
                runs[name].setdefault(canonical_json(run.settings[name]), run)
    tried = {name: found for name, found in runs.items() if len(found) >= _TRIED}
    worth = 1.0 if settings and len(tried) == len(settings) else 0.5
    for name, found in sorted(tried.items()):
        newest = max(found.values(), key=lambda run: run.id)
        yield worth, PointEvidence(kind="run", id=newest.id, says=f"one of {len(found)} values of {name}")


def staleness(case: Case) -> _Found:
    """The live release answered newer data than it learned from: half. The age of data is bounded, too: one."""
    older = [check for check in passed(case) if any(_has_both(one) for one in check.measured)]
    yield from _worth(0.5, map(of_check, older))
    fresh = list(by_recorded(case, "fresh"))
    if older and fresh:
        yield from _worth(1, [*map(of_check, older), *fresh])


def _has_both(measured: dict[str, Any]) -> bool:
    return measured.get("check") in ("no_worse", "performance") and measured.get("live") is not None


def simpler(case: Case) -> _Found:
    """A simpler model was trained on the spot and was not as good."""
    yield from _worth(1, by_recorded(case, "simpler_is_not_better", "baseline"))
    yield from _worth(1, by_built_in(case, "baseline"))


def slices(case: Case) -> _Found:
    """No slice with enough rows was worse than allowed."""
    yield from _worth(1, by_recorded(case, "slices"))
    yield from _worth(1, by_built_in(case, "slices"))


def fair(case: Case) -> _Found:
    """Groups were compared."""
    yield from _worth(1, by_recorded(case, "fair"))


# ---------------------------------------------------------------------------------------------- infrastructure


def reproducible(case: Case) -> _Found:
    """Two trainings with nothing changed gave packages of one digest."""
    first: dict[tuple[str, str], str] = {}
    for one in sorted(case.trainings, key=lambda training: training.run_id):
        before = first.setdefault((one.fingerprint, one.package), one.run_id)
        if before != one.run_id:
            says = f"trained again, gave package {one.package[:12]} as run {before} had"
            yield 1, PointEvidence(kind="run", id=one.run_id, says=says)


def unit_tested(case: Case) -> _Found:
    """Small cases with known answers, or changes with known effect, were asked of the packaged model."""
    yield from _worth(1, by_recorded(case, "minimum", "invariant", "directional", "stable"))
    yield from _worth(1, by_built_in(case, "answers", "stable"))


def integrated(case: Case) -> _Found:
    """One release went from the data through training to the package, and tests on both ends passed."""
    tests = [check for check in passed(case) if not is_built_in(check.test)]
    data = [check for check in tests if check.subject == "data"]
    model = [check for check in tests if check.subject == "model"]
    if data and model:
        yield from _worth(1, map(of_check, (data[0], model[0])))


def quality(case: Case) -> _Found:
    """A bound on a metric, or the live release, was held before the gate opened."""
    yield from _worth(1, by_recorded(case, "at_least", "no_worse", "performance"))
    yield from _worth(1, by_built_in(case, "performance"))


def canary(case: Case) -> _Found:
    """The judge counted requests of this release beside live: one. Of an earlier release of the model: half."""
    number = case.release.number if case.release is not None else None
    for one in case.rollouts:
        if one.looks and _counted(one, "errors"):
            says = f"{one.model}@{one.release} had {one.looks} looks on real traffic, {one.status}"
            yield (1 if one.release == number else 0.5), PointEvidence(kind="rollout", id=one.id, says=says)


def rollback(case: Case) -> _Found:
    """A rollout took a release back by itself: one. A person rolled one back: half, it was done by hand."""
    for one in case.rollouts:
        for event in one.events:
            if event.kind == "rolled back" and event.by == "plusone":
                says = f"took {one.model}@{one.release} back by itself"
                yield 1, PointEvidence(kind="rollout", id=one.id, says=says)
    for decision in case.decisions:
        if decision.after == "rolled back":
            says = f"{decision.model}@{decision.release} was rolled back by {decision.by}"
            yield 0.5, PointEvidence(kind="decision", id=decision.id, says=says)


# ---------------------------------------------------------------------------------------------- monitoring


def requests_checked(case: Case) -> _Found:
    """Real requests were held against the candidate when it was released; nothing does so between releases yet."""
    yield from _worth(0.5, by_built_in(case, "replay"))


def same_features(case: Case) -> _Found:
    """What prepares the fields is in the package, proven equal: half. Real requests were answered again, too: one."""
    rows = case.proof.get("rows")
    if not isinstance(rows, int | float) or not rows or case.release is None:
        return
    name = f"{case.release.model}@{case.release.number}"
    proven = PointEvidence(kind="release", id=name, says=f"proven equal to the trained model on {rows:,} rows")
    yield 0.5, proven
    replayed = list(by_built_in(case, "replay"))
    if replayed:
        yield from _worth(1, [proven, *replayed])


def age(case: Case) -> _Found:
    """The age of the data is bounded at each release; nothing watches it between releases yet: half."""
    yield from _worth(0.5, by_recorded(case, "fresh"))


def numbers(case: Case) -> _Found:
    """Checked on the holdout at each release, or counted by the judge while it was rolled out: half."""
    yield from _worth(0.5, by_recorded(case, "stable"))
    yield from _worth(0.5, by_built_in(case, "stable", "answers"))
    yield from _worth(0.5, _judged(case, "invalid", "by answers that can't be"))


def speed(case: Case) -> _Found:
    """Compared with the live release at each release, or by the judge while it was rolled out: half."""
    yield from _worth(0.5, by_recorded(case, "fast"))
    yield from _worth(0.5, by_built_in(case, "fast"))
    yield from _worth(0.5, _judged(case, "latency", "by time to answer"))


def quality_served(case: Case) -> _Found:
    """Predictions have labels, and releases were compared by them: half."""
    if case.labelled and case.predictions:
        # No count: it grows between releases, and a page of the same records has to stay the same.
        yield 0.5, PointEvidence(kind="predictions", id=case.model, says="some that were logged have labels")
    yield from _worth(0.5, (one for one in by_built_in(case, "replay") if one.id.endswith("[labels]")))
    yield from _worth(0.5, _judged(case, "labels", "by labels"))


def _judged(case: Case, by: str, says: str) -> Iterator[PointEvidence]:
    """Give the rollouts whose newest look had counts of both releases to compare."""
    for one in case.rollouts:
        if _counted(one, by):
            text = f"{one.model}@{one.release} was judged {says}"
            yield PointEvidence(kind="rollout", id=one.id, says=text)


def _counted(rollout: Rollout, by: str) -> bool:
    found = rollout.look.figures.get(by) if rollout.look else None
    if not isinstance(found, dict):
        return False
    sides = [found.get(side) for side in ("live", "candidate")]
    return all(
        isinstance(one, dict) and any(one.get(key) for key in ("counted", "requests", "numbers")) for one in sides
    )
