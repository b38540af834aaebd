"""`plusone.log`: what it keeps, what it refuses, and nothing outside of a run."""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plusone
from plusone.base.errors import UsageError
from plusone.journal import read
from plusone.tracking import active


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Path]:
    active.start(tmp_path / "metrics.journal")
    yield tmp_path / "metrics.journal"
    active.stop()


def points(journal: Path) -> list[tuple[str, int, float]]:
    return [(point.key, point.step, point.value) for point in active.points_in(read(journal).records)]


def test_outside_of_a_run_nothing_happens() -> None:
    plusone.log(loss=0.1)
    hostile: Any = object()
    plusone.log(step=hostile, loss=hostile)
    active.stop()


def test_each_metric_counts_its_own_steps_and_goes_on_from_a_given_one(journal: Path) -> None:
    plusone.log(loss=3.0)
    plusone.log(loss=2.0, accuracy=0.5)
    plusone.log(step=10, loss=1.0)
    plusone.log(loss=0.5)
    plusone.log(step=-4, loss=0.25)
    assert points(journal) == [
        ("loss", 0, 3.0),
        ("loss", 1, 2.0),
        ("accuracy", 0, 0.5),
        ("loss", 10, 1.0),
        ("loss", 11, 0.5),
        ("loss", -4, 0.25),
    ]


def test_what_a_number_can_be(journal: Path) -> None:
    values: list[Any] = [
        math.nan,
        math.inf,
        -math.inf,
        True,
        7,
        np.float32(0.5),
        np.int64(2),
        np.array(1.5),
        decimal.Decimal("2.5"),
    ]
    for value in values:
        plusone.log(x=value)
    found = [value for _, _, value in points(journal)]
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, 1.0, 7.0, 0.5, 2.0, 1.5, 2.5]


@pytest.mark.parametrize("value", ["0.5", b"1", None, [1], {"a": 1}, 1j, 10**400, np.array([1, 2]), object])
def test_what_is_no_number_is_refused_and_nothing_of_that_call_is_kept(journal: Path, value: Any) -> None:
    with pytest.raises(UsageError, match=r"plusone\.log\(wrong="):
        plusone.log(right=1.0, wrong=value)
    plusone.log(right=2.0)
    assert points(journal) == [("right", 0, 2.0)]


@pytest.mark.parametrize("step", [1.0, "1", 2**63, -(2**64), [1], np.array([1, 2])])
def test_a_step_that_is_no_integer_of_64_bits_is_refused(journal: Path, step: Any) -> None:
    with pytest.raises(UsageError, match="expected an integer"):
        plusone.log(step=step, loss=1.0)
    five: Any = np.int8(5)
    plusone.log(step=five, loss=1.0)
    plusone.log(step=2**63 - 1, loss=1.0)
    plusone.log(loss=1.0)
    assert [step for _, step, _ in points(journal)] == [5, 2**63 - 1, 2**63 - 1]


def test_a_name_that_is_no_text_is_refused(journal: Path) -> None:
    log: Any = plusone.log
    with pytest.raises(UsageError, match="can't name a metric"):
        log(**{"\ud800": 1.0})
    log(**{"any text / will do é": 1.0})
    assert points(journal) == [("any text / will do é", 0, 1.0)]


def test_threads_never_share_a_step(journal: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [plusone.log(loss=1.0) for _ in range(50)], range(8)))
    assert sorted(step for _, step, _ in points(journal)) == list(range(400))
