"""A case with evidence of every kind, from which tests take some away."""

from __future__ import annotations

from typing import Any

from plusone.base.records import Check, Code, Decision, Release, Run
from plusone.base.rollouts import Look, Rollout, RolloutEvent, RolloutStep
from plusone.base.scored import ScoreNote
from plusone.base.trusted import ReleaseSignature
from plusone.score.evidence import Case, Taken, Training
from plusone.score.scoring import TESTS

__all__ = ["AT", "RELEASE", "built_in", "case", "decision", "note", "recorded", "rollout", "run", "whole"]

AT = "2026-06-01T00:00:00.000000Z"
RELEASE = Release(
    model="m", number=3, digest="d" * 64, package="p" * 64, run_id="r3", fingerprint="f", stage="live",
    settings={"max_iter": 3, "rate": 0.3}, created_at=AT,
)  # fmt: skip


def case(**evidence: Any) -> Case:
    """Return a case of m@3 with this evidence and no other."""
    return Case(model="m", release=RELEASE, at=AT, **evidence)


def built_in(name: str, outcome: Any = "passed") -> Check:
    """Return one of plusone's own checks."""
    return Check(test=f"plusone::{name}", subject="data", outcome=outcome)


def recorded(name: str, *, test: str = "", subject: Any = "model", outcome: Any = "passed", **measured: Any) -> Check:
    """Return a test of the project that left a measurement of that name."""
    return Check(
        test=test or f"tests/test_model.py::test_{name}",
        subject=subject,
        outcome=outcome,
        measured=({"check": name, "outcome": outcome, **measured},) if name else (),
    )


def note(test: str, *, checked_by: str = "", at: str = AT, id: str = "") -> ScoreNote:
    """Return a note about a test."""
    return ScoreNote(id=id or f"n-{test}-{checked_by}-{at}", test=test, model="m", release=3, note="did it",
                     checked_by=checked_by, by="ann", at=at)  # fmt: skip


def run(number: int, **changes: Any) -> Run:
    """Return a run that is done."""
    values: dict[str, Any] = {"id": f"r{number}", "name": "release", "status": "done", "started_at": AT, "by": "bob"}
    values |= {"settings": {"max_iter": number, "rate": number / 10}, "code": Code(commit="c" * 40), **changes}
    return Run(**values)


def rollout(release: int, **changes: Any) -> Rollout:
    """Return a rollout with a look of the judge that compared everything."""
    sides = {side: {"counted": 10, "requests": 10} for side in ("live", "candidate")}
    figures = {name: dict(sides) for name in ("errors", "invalid", "latency", "labels")}
    back = RolloutEvent(seq=9, at=AT, kind="rolled back", step=1, by="plusone", reason="errors")
    values: dict[str, Any] = {
        "look": Look(seq=2, at=AT, step=1, action="go on", figures=figures), "looks": 5, "status": "rolled back",
        "events": (back,),
    }  # fmt: skip
    plan = (RolloutStep(kind="canary", share=0.05, duration_s=60.0),)
    return Rollout(id=f"o{release}", model="m", release=release, digest="d", live=2, plan=plan, by="bob", reason="",
                   begun_at=AT, **{**values, **changes})  # fmt: skip


def decision(after: Any = "rolled back", by: str = "ann") -> Decision:
    """Return a decision about m@2."""
    return Decision(
        id=f"i-{after}", model="m", release=2, digest="x", before="live", after=after, by=by, reason="", at=AT
    )


def whole() -> Case:
    """Return a case that has something for every test."""
    names = ("no_worse", "at_least", "slices", "fair", "invariant", "minimum", "stable", "fast", "fresh")
    checks = [recorded(name, live=0.7 if name == "no_worse" else None) for name in (*names, "simpler_is_not_better")]
    checks += [built_in(name) for name in ("columns[t]", "ranges[t]", "answers", "baseline", "replay[labels]", "fast")]
    checks += [recorded("features", unused=["a"])]
    checks += [recorded("", test="tests/test_data.py::test_rows", subject="data"), built_in("slices", "failed")]
    signed = ReleaseSignature(model="m", release=3, digest="d" * 64, key="ed25519:k", signature="s", by="ann", at=AT)
    return case(
        checks=tuple(checks),
        proof={"rows": 100},
        runs=tuple(run(number) for number in (1, 2, 3)),
        trainings=tuple(Training(run_id=f"r{n}", fingerprint="f", package="p") for n in (2, 3)),
        took=(Taken(release=1, fields=("a",)), Taken(release=2, fields=("a", "b"))),
        decisions=(decision(),),
        rollouts=(rollout(3), rollout(2)),
        signatures=(signed,),
        notes=(*(note(test) for test in TESTS), note("data-2", checked_by="tests/test_data.py::test_rows")),
        predictions=1000,
        labelled=True,
    )
