"""What a worker counts: exactly what was answered, across restarts of its slot, and beside other slots."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plusone.base.records import Output, RouteTarget
from plusone.evidence.evidence import ADDRESSED, SERVED, SHADOW, read_evidence
from plusone.graphs.runner import Answer
from plusone.hosting.ledger import KEPT, Ledger
from plusone.hosting.table import Target
from plusone.predictor import load


@pytest.fixture
def target(packages: dict[int, tuple[str, Path]]) -> Target:
    """A release that answers numbers."""
    return target_of(packages, 1)


def target_of(packages: dict[int, tuple[str, Path]], number: int) -> Target:
    """One of the releases that answer numbers."""
    digest, folder = packages[number]
    route = RouteTarget(release=number, digest=digest, package=digest, folder="f", share=1.0)
    return Target("m", route, load(folder), folder, 1e-5)


def numbers(*values: float) -> Answer:
    return Answer(None, None, None, np.array(values))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.lists(st.sampled_from([1.0, 5.0, math.nan, math.inf]), min_size=1, max_size=4), max_size=20))
def test_evidence_is_exact(tmp_path_factory: pytest.TempPathFactory, target: Target, answers: list[list[float]]):
    folder = tmp_path_factory.mktemp("serving")
    ledger = Ledger(folder, 0)
    books = ledger.open(SERVED, target)
    flat = [value for values in answers for value in values]
    for place, values in enumerate(answers):
        books.add([0.001, 0.5], numbers(*values))
        if place % 3 == 0:
            books.fail()
        if place % 5 == 0:
            ledger.flush()
    ledger.flush()
    found = read_evidence(folder).served.get(("m", 1))
    if not answers:
        assert found is None or found.requests == 0
        return
    assert found is not None
    failed = len(range(0, len(answers), 3))
    assert (found.requests, found.errors, found.rows) == (2 * len(answers) + failed, failed, len(flat))
    assert found.latency == {"-80": len(answers), "-8": len(answers)}
    wrong = sum(not math.isfinite(value) for value in flat)
    assert found.invalid == wrong
    expected = {"1": flat.count(1.0), "4.76": flat.count(5.0), "invalid": wrong}
    assert found.outputs == {key: count for key, count in expected.items() if count}


def test_more_than_is_held_at_once_is_counted_all_the_same(tmp_path: Path, target: Target):
    ledger = Ledger(tmp_path, 0)
    books = ledger.open(SERVED, target)
    for _ in range(40):
        books.add([0.001] * 200, numbers(*[2.0] * 700))
    books.add([0.001], numbers(*[3.0] * 50_000))
    ledger.flush()
    found = read_evidence(tmp_path).served["m", 1]
    assert (found.requests, found.rows) == (8001, 78_000)
    assert found.outputs == {"2": 28_000, f"{2 ** (12 / 8):.3g}": 50_000}


def test_a_restart_goes_on_and_two_workers_add_up(tmp_path: Path, target: Target):
    for _ in range(3):
        ledger = Ledger(tmp_path, 1)
        ledger.open(SERVED, target).add([0.001], numbers(1.0))
        ledger.flush()
    other = Ledger(tmp_path, 0)
    other.open(SERVED, target).add([0.001] * 2, numbers(1.0, math.nan))
    other.open(ADDRESSED, target).add([0.001], numbers(1.0))
    other.open(SHADOW, target).add([0.002], numbers(1.0))
    other.flush()
    seen = read_evidence(tmp_path)
    served = seen.served["m", 1]
    assert (served.requests, served.rows, served.invalid, served.latency) == (5, 5, 1, {"-80": 5})
    assert seen.shadow["m", 1].requests == 1
    totals = Ledger(tmp_path, 7).totals()
    assert {key: one.requests for key, one in totals.items()} == {
        ("addressed", "m", 1): 1,
        ("served", "m", 1): 5,
        ("shadow", "m", 1): 1,
    }


def test_a_damaged_file_begins_anew_and_is_written(tmp_path: Path, target: Target):
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "0.json").write_bytes(b'{"counts":[{"kind":')
    ledger = Ledger(tmp_path, 0)
    ledger.open(SERVED, target).add([0.001], numbers(1.0))
    ledger.flush()
    assert read_evidence(tmp_path).served["m", 1].requests == 1


def test_nothing_is_written_when_nothing_changed(tmp_path: Path, target: Target):
    ledger = Ledger(tmp_path, 0)
    ledger.open(SERVED, target).add([0.001], numbers(1.0))
    ledger.flush()
    path = tmp_path / "evidence" / "0.json"
    path.unlink()
    ledger.flush()
    assert not path.exists()


def test_a_look_is_taken_in_steps(tmp_path: Path, packages: dict[int, tuple[str, Path]]):
    ledger = Ledger(tmp_path, 0)
    for number in (1, 2, 3):
        ledger.open(SERVED, target_of(packages, number)).add([0.001], numbers(1.0))
    steps = 0
    while ledger.look(0.0):
        steps += 1
    assert steps == 3
    assert not ledger.look(0.0)


def test_releases_that_were_not_used_for_long_are_forgotten(tmp_path: Path, target: Target):
    ledger = Ledger(tmp_path, 0)
    ledger.books(SERVED, "other", 1).fail()
    for number in range(1, KEPT + 20):
        ledger.books(SERVED, "m", number).fail()
    ledger.flush()
    found = read_evidence(tmp_path).served
    assert set(found) == {("other", 1), *(("m", number) for number in range(20, KEPT + 20))}


def test_a_worker_that_opens_several_releases_at_once_forgets_none_of_them(tmp_path: Path):
    ledger = Ledger(tmp_path, 0)
    for number in range(1, KEPT + 1):
        ledger.books(SERVED, "m", number).fail()
    ledger.flush()
    after = Ledger(tmp_path, 0)  # of the worker that is started next in the slot
    opened = [after.books(SERVED, "m", number) for number in (101, 102, 103)]
    for books in reversed(opened):
        books.fail()
    after.flush()
    found = read_evidence(tmp_path).served
    assert [found["m", number].errors for number in (101, 102, 103)] == [1, 1, 1]


def test_classes_are_counted_under_their_names(tmp_path: Path):
    class Sees:
        class signature:
            output = Output(name="y", kind="classes", classes=(False, True))

    predictor: Any = Sees
    route = RouteTarget(release=1, digest="d", package="p", folder="f", share=1.0)
    ledger = Ledger(tmp_path, 0)
    shares = np.array([[0.2, 0.8], [0.96, 0.04]], dtype=np.float32)
    books = ledger.open(SERVED, Target("m", route, predictor, Path(), 1e-5))
    books.add([0.1] * 2, Answer(None, shares.argmax(axis=1), shares, None))
    ledger.flush()
    assert read_evidence(tmp_path).served["m", 1].outputs == {"true/16": 1, "false/19": 1}
