"""Material for reports whose every text is one that the test chooses."""

from __future__ import annotations

from typing import Any

from plusone.base.records import (
    Check,
    Code,
    Column,
    Dataset,
    Decision,
    Field,
    Output,
    Package,
    PackageFile,
    Release,
    Run,
    Session,
    Signature,
    StepRun,
)
from plusone.base.rollouts import Look, Rollout, RolloutEvent, RolloutStep
from plusone.base.trusted import ReleaseSignature
from plusone.measuring import figures
from plusone.report.material import Before, Material
from plusone.score.evidence import Case
from plusone.score.scoring import score_of

__all__ = ["AT", "FIGURES", "check", "material", "session"]

AT = "2026-01-31T12:00:00.000000Z"
FIGURES: tuple[dict[str, Any], ...] = (
    figures.lines("ROC", {"candidate": ([0, 0.5, 1], [0, 0.8, 1])}, x="false", y="true", diagonal=True),
    figures.bars("slices", ["a", "b"], [0.7, 0.8], low=[0.6, 0.7], high=[0.8, 0.9], limit=0.65, unit=" ms"),
    figures.matrix("confusion", ["no", "yes"], ["no", "yes"], [[9, 1], [2, 8]], x="answered", y="true"),
    figures.histograms("drift", ["low", "high"], {"then": [0.4, 0.6], "now": [0.5, 0.5]}, x="temp"),
)


def check(test: str = "tests/test_model.py::test_it", **changes: Any) -> Check:
    """Return a check that passed, with changes."""
    values: dict[str, Any] = {"subject": "model", "outcome": "passed", "duration_s": 0.1}
    return Check(test=test, **{**values, **changes})


def session(*checks: Check, **changes: Any) -> Session:
    """Return a session of these checks."""
    values: dict[str, Any] = {"id": "s1", "release": "d" * 64, "started_at": AT, "finished_at": AT, "run_id": "r1"}
    return Session(checks=checks, **{**values, **changes})


def material(text: str = "x", *checks: Check, **changes: Any) -> Material:
    """Return material in which every text that a project, a person or another version can choose is `text`."""
    release = _release(2, text)
    shown = checks or tuple(_checks(text))
    values: dict[str, Any] = {
        "project": text,
        "release": release,
        "package": _package(text),
        "lock": (text, "numpy==2.0"),
        "session": session(*shown, problems=(text,)),
        "problems": (text,),
        "older_sessions": (text,),
        "run": Run(id="r1", name=text, status="done", started_at=AT, finished_at=AT, code=Code(commit=text)),
        "steps": (StepRun(run_id="r1", step=text, fingerprint="f", status="done", outputs={text: "e" * 64}),),
        "datasets": {text: _dataset(text)},
        "decisions": tuple(_decisions(text)),
        "signatures": (ReleaseSignature(model=text, release=2, digest="d", key=text, signature=text, by=text, at=AT),),
        "rollouts": (_rollout(text),),
        "before": Before(
            release=_release(1, text), was_live=True, session=session(check(text)), changes=_changes(text)
        ),
        "score": score_of(Case(model=text, release=release, at=AT, checks=shown)),
    }
    return Material(**{**values, **changes})


def _release(number: int, text: str) -> Release:
    return Release(
        model=text, number=number, digest=f"{number}" * 64, package="p" * 64, run_id="r1", fingerprint="f",
        settings={text: text}, tests={text: text}, metrics={text: 0.5, "none": None}, stage="live", created_at=AT,
    )  # fmt: skip


def _package(text: str) -> Package:
    fields = (
        Field(name=text, dtype="float64", minimum=0.0, maximum=1e300, example=0.5),
        Field(name="c", dtype="string", categories=(text, "b"), example=text),
    )
    numbers = {"type": text, "count": 4, "nulls": 1, "minimum": 0.0, "maximum": 9.0, "mean": 3.0}
    quantiles = {"0.01": 0.0, "0.25": 1.0, "0.5": 2.0, "0.75": 4.0, "0.99": 9.0}
    return Package(
        model=text,
        format=text,
        signature=Signature(fields=fields, output=Output(name=text, kind="classes", classes=(text, "b"))),
        files=(PackageFile(path=text, digest="f" * 64, size_bytes=5000),),
        options={"precision": text},
        proof={"rows": 20, "max_difference": 1e-7, "tolerance": 1e-5, "quantised": {"kept": False, "reason": text}},
        profile={
            text: {**numbers, "quantiles": quantiles},
            "words": {"type": "string", "count": 4, "nulls": 0, "distinct": 2, "top": {text: 3, "b": 1}},
        },
        environment=text,
        trained=text,
    )


def _dataset(text: str) -> Dataset:
    columns = (Column(name=text, type="double", nullable=True),)
    return Dataset(digest="e" * 64, blob="b", kind="table", flavour=text, size_bytes=10, rows=4, columns=columns)


def _checks(text: str) -> list[Check]:
    measured = {"check": "no_worse", "metric": text, "candidate": 0.7, "live": 0.6, "difference": 0.1, "low": 0.0}
    measured |= {"high": 0.2, "margin": 0.01, "rows": 10, "message": text, "outcome": "passed", "note": text}
    return [
        check(text, measured=(measured, {"warning": text, "value": text}), output=text),
        check(f"{text}::b", subject="data", outcome="failed", message=text),
        check(f"plusone::{text}", measured=tuple({"figure": {**one, "title": text}} for one in FIGURES)),
        check("plusone::cases", measured=({"cases": [{"case": text, "outcome": 1}]},)),
        check("tests/test_code.py::c", subject="code", outcome="xfailed", message=text),
    ]


def _decisions(text: str) -> list[Decision]:
    about: dict[str, Any] = {"model": text, "release": 2, "digest": "d" * 64, "by": text, "reason": text, "at": AT}
    return [
        Decision(id="i1", before=None, after="passed", **about),
        Decision(id="i2", before="passed", after="live", override=True, **about),
    ]


def _rollout(text: str) -> Rollout:
    event = RolloutEvent(seq=1, at=AT, kind="began", step=1, by=text, reason=text)
    return Rollout(
        id=text, model=text, release=2, digest="d", live=1, by=text, reason=text, begun_at=AT, looks=1, events=(event,),
        plan=(RolloutStep(kind="canary", share=0.05, duration_s=60.0),),
        look=Look(seq=2, at=AT, step=1, action="go on", reasons=(text,)),
    )  # fmt: skip


def _changes(text: str) -> dict[str, dict[str, Any]]:
    return {
        "settings": {text: [1, text]},
        "code": {"commit": [text, None], text: {"diff": [f"--- {text}", f"+++ {text}", f"-{text}", f"+{text}", text]}},
        "environment": {text: ["1", "2"]},
        "data": {text: [{"digest": "a" * 64, "rows": 1}, None], "profile": {text: {"mean": [1.0, text]}}},
        "metrics": {text: [0.1, None]},
        "signature": {text: [{"dtype": text, "nullable": True}, {"dtype": "int64", "nullable": True}]},
    }
