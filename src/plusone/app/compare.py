"""What differs between two releases, or between runs, side by side, from their records alone."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..base.errors import UsageError
from ..base.records import Check, Code, Run, Session
from ..store import Store
from ..tracking import runs
from .views import Difference, ReleaseDetail, RunsDifference

__all__ = ["compare", "compare_runs", "lock_of"]

_MOST_RUNS = 50


def compare(store: Store, a: ReleaseDetail, b: ReleaseDetail) -> Difference:
    """Return the differences of two releases of one model; `[of a, of b]` for each thing that differs.

    Raises:
        UsageError: when they are of two models.
    """
    if a.release.model != b.release.model:
        raise UsageError(
            f"{a.release.model}@{a.release.number} and {b.release.model}@{b.release.number} are of different models: "
            "expected two releases of one.",
            mend=f"plusone diff {a.release.model}@{a.release.number} {a.release.model}@N",
        )
    run_a, run_b = runs.get_run(store, a.release.run_id), runs.get_run(store, b.release.run_id)
    return Difference(
        model=a.release.model,
        a=a.release.number,
        b=b.release.number,
        settings=_pairs(a.release.settings, b.release.settings),
        code=_code(store, run_a.code, run_b.code),
        environment=_pairs(_versions(store, run_a.environment), _versions(store, run_b.environment)),
        data=_data(store, a, b),
        metrics=_pairs(dict(a.release.metrics), dict(b.release.metrics)),
        checks=_pairs(_checks(a.sessions), _checks(b.sessions)),
        signature=_pairs(_fields(a), _fields(b)),
    )


def compare_runs(store: Store, run_ids: Sequence[str]) -> RunsDifference:
    """Return what differs between runs, each named by its id or the beginning of it.

    Raises:
        NotFound: when one of them is not there.
        UsageError: when it is less than two or more than 50.
    """
    if not 2 <= len(run_ids) <= _MOST_RUNS:
        raise UsageError(
            f"{len(run_ids)} runs can't be compared: expected 2 to {_MOST_RUNS}.", mend="plusone runs compare RUN RUN"
        )
    found = [runs.get_run(store, run_id) for run_id in run_ids]
    return RunsDifference(
        runs=tuple(run.id for run in found),
        names=tuple(run.name for run in found),
        settings=_differing([run.settings for run in found]),
        metrics=_differing([{key: latest.value for key, latest in run.metrics.items()} for run in found]),
        code=_differing([_commit(run) | run.code.files for run in found]),
        environment=_differing([_versions(store, run.environment) for run in found]),
    )


def _differing(each: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the values of every key that are not the same in all."""
    found = {key: [one.get(key) for one in each] for key in sorted({key for one in each for key in one})}
    return {key: values for key, values in found.items() if any(value != values[0] for value in values)}


def _commit(run: Run) -> dict[str, Any]:
    return {"commit": run.code.commit and run.code.commit + (" and changes" if run.code.dirty else "")}


def _pairs(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    return {key: [a.get(key), b.get(key)] for key in sorted({*a, *b}) if a.get(key) != b.get(key)}


def _code(store: Store, a: Code, b: Code) -> dict[str, Any]:
    """Return the commits if they differ, and for each changed file the lines of a unified diff."""
    found = _pairs({"commit": a.commit}, {"commit": b.commit})
    for path, (one, other) in _pairs(a.files, b.files).items():
        before, after = (
            store.blobs.get(digest).decode("utf-8", "replace").splitlines() if digest else [] for digest in (one, other)
        )
        found[path] = {"diff": list(difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm="", n=2))}
    return found


def lock_of(store: Store, environment: str | None) -> tuple[str, ...]:
    """Return the lines of an environment lock, `name==version`, without its comments."""
    text = store.blobs.get(environment).decode() if environment else ""
    return tuple(line for line in text.splitlines() if "==" in line)


def _versions(store: Store, environment: str | None) -> dict[str, Any]:
    """Return the version of each package of an environment lock."""
    return {name: version for name, _, version in (line.partition("==") for line in lock_of(store, environment))}


def _data(store: Store, a: ReleaseDetail, b: ReleaseDetail) -> dict[str, Any]:
    """Return rows and columns of the outputs that differ, and how each column of the training data moved."""
    found = _pairs(_outputs(store, a), _outputs(store, b))
    moved: dict[str, Any] = {}
    for column in sorted({*a.package.profile, *b.package.profile}):
        one, other = a.package.profile.get(column, {}), b.package.profile.get(column, {})
        changes = _pairs(
            {key: one.get(key) for key in ("type", "nulls", "minimum", "maximum", "mean", "distinct")},
            {key: other.get(key) for key in ("type", "nulls", "minimum", "maximum", "mean", "distinct")},
        )
        if changes:
            moved[column] = changes
    return {**found, **({"profile": moved} if moved else {})}


def _outputs(store: Store, detail: ReleaseDetail) -> dict[str, Any]:
    outputs: dict[str, Any] = {}
    for step in runs.list_steps(store, detail.release.run_id):
        for name, digest in step.outputs.items():
            if name == "package":
                continue  # a trainer's output is the release itself, not data
            row = store.db.one("dataset_get", digest=digest)
            outputs[name] = {"digest": digest, "rows": row["rows"] if row else None}
    return outputs


def _checks(sessions: tuple[Session, ...]) -> dict[str, Any]:
    return {check.test: _check(check) for check in (sessions[-1].checks if sessions else ())}


def _check(check: Check) -> dict[str, Any]:
    measured = [_numbers(one) for one in check.measured if "warning" not in one]
    return {"outcome": check.outcome, **({"measured": measured} if measured else {})}


def _numbers(measured: dict[str, Any]) -> dict[str, Any]:
    """Return the single values of a measurement, those that say most first; without sentences, lists and figures."""
    first = ("metric", "candidate", "live", "value", "difference", "low", "high", "rows")
    skip = ("check", "outcome", "message", "allowed", "confidence", "resamples", "figure")
    keys = [key for key in dict.fromkeys([*first, *measured]) if key in measured and key not in skip]
    return {key: measured[key] for key in keys if not isinstance(measured[key], list | dict)}


def _fields(detail: ReleaseDetail) -> dict[str, Any]:
    skip = {"example", "categories"}
    return {
        field.name: {key: value for key, value in msgspec.to_builtins(field).items() if key not in skip}
        for field in detail.package.signature.fields
    }
