from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plusone.base.records import Code, Decision, Release, Run, StepRun
from plusone.checks.by_hand import by_hand
from plusone.checks.context import ReleaseRef
from plusone.data.datasets import save
from plusone.packaging import keeping
from plusone.store import Store, open_store
from plusone.store.rows import to_row


def add_release(store: Store, package: str, model: str, number: int, *, live: bool) -> None:
    digest = f"{model}-{number}"
    release = Release(model=model, number=number, digest=digest, package=package, run_id="r2", fingerprint="f")
    row = to_row(release)
    del row["stage"]
    decision = Decision(
        id=digest, model=model, release=number, digest=digest, before=None, after="live", by="me", reason="", at=""
    )
    with store.db.write() as tx:
        tx.execute("release_add", **row)
        if live:
            tx.execute("decision_add", **to_row(decision))


@pytest.fixture
def store(sandbox, packages: dict[str, ReleaseRef]):
    """A store with two runs and two releases, of which the first is live."""
    store = open_store(sandbox.root / ".plusone")
    with store.db.write() as tx:
        for run, step, value in (
            ("r1", "flights", {"rows": [1]}),
            ("r1", "split", [1]),
            ("r2", "flights", {"rows": [1, 2]}),
        ):
            if step == "flights":
                tx.execute("run_add", **to_row(Run(id=run, name="release", status="done", started_at="", code=Code())))
            dataset = save(value, store.blobs)
            tx.execute("dataset_add", **to_row(dataset))
            tx.execute(
                "step_run_add",
                **to_row(
                    StepRun(run_id=run, step=step, fingerprint="f", status="done", outputs={step: dataset.digest})
                ),
            )
    for number, name in ((1, "good"), (2, "bad")):
        package = keeping.keep(Path(packages[name].folder), store.blobs)
        add_release(store, package, "delays", number, live=number == 1)
    yield store
    store.close()


def test_a_project_without_a_run_has_no_context(sandbox):
    assert by_hand(sandbox.root) is None
    assert not (sandbox.root / ".plusone" / "plusone.db").exists()


def test_the_newest_outputs_and_releases_are_given(sandbox, store: Store, monkeypatch: pytest.MonkeyPatch):
    context = by_hand(sandbox.root)
    assert context is not None
    assert (context.model, context.models, context.result) == ("delays", ("delays",), "")
    assert {name: json.loads(store.blobs.get(one.blob)) for name, one in context.outputs.items()} == {
        "flights": {"rows": [1, 2]},
        "split": [1],
    }
    assert context.candidate is not None
    assert context.live is not None
    assert (context.candidate.number, context.live.number) == (2, 1)
    add_release(store, context.live.package, "fares", 1, live=False)
    several = by_hand(sandbox.root)
    assert several is not None
    assert (several.model, several.candidate, several.models) == ("", None, ("delays", "fares"))
    monkeypatch.setenv("PLUSONE_MODEL", "fares")
    fares = by_hand(sandbox.root)
    assert fares is not None
    assert fares.candidate is not None
    assert (fares.model, fares.candidate.number, fares.live) == ("fares", 1, None)


@pytest.mark.slow
def test_pytest_by_hand_uses_them(sandbox, store: Store):
    sandbox.write(
        "tests/test_all.py",
        """
        def test_data(flights, split):
            assert flights["rows"] == [1, 2]
            assert split == [1]

        def test_model(model, live):
            assert model.digest != live.digest
            assert model.predict([{"distance": 1.0, "hour": 3}]).shape == (1,)
        """,
    )
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=sandbox.root,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in result.stdout, result.stdout
    assert "plusone: model = delays@2, step outputs of the last run: flights, split" in result.stdout


@pytest.mark.slow
def test_pytest_by_hand_leaves_the_tests_of_other_models_aside(sandbox, store: Store):
    context = by_hand(sandbox.root)
    assert context is not None
    assert context.live is not None
    add_release(store, context.live.package, "fares", 1, live=False)
    sandbox.write(
        "tests/test_all.py",
        """
        import pytest

        @pytest.mark.model("fares")
        def test_of_fares(model, flights): assert flights

        @pytest.mark.model("delays")
        def test_of_delays(model): raise AssertionError("not about fares")

        @pytest.mark.model("delays", "fares")
        def test_of_both(model): pass
        """,
    )
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider"],
        cwd=sandbox.root,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PLUSONE_MODEL": "fares"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed, 1 skipped" in result.stdout, result.stdout
    assert "a test of delays, and this pytest is about fares: PLUSONE_MODEL=delays pytest" in " ".join(
        result.stdout.split()
    )
