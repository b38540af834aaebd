"""Features that tell the target: found when they leak, at small sizes too, and left alone when they are good."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from plusone.base.config import Checks
from plusone.base.records import Learning
from plusone.data.views import TableView
from plusone.expectations.leaks import leakage, skills
from tests.expectations.made import clean

BEFORE, NOW = clean(90), clean(120)
LEARNING = Learning(targets=("late",), inputs=("t",))
RNG = np.random.default_rng(0)


def told(now: pa.Table, before: pa.Table | None = BEFORE, learning: Learning = LEARNING) -> list[tuple[str, str]]:
    old = TableView(before) if before is not None else None
    return [(one.level, one.column) for one in leakage(TableView(now), old, learning, Checks())]


def noisy(flipped: float) -> pa.Table:
    late = NOW["late"].to_numpy(zero_copy_only=False)
    return NOW.append_column("status", pa.array(np.where(RNG.random(len(late)) < flipped, ~late, late)))


def test_good_features_are_no_leak():
    assert told(NOW) == []
    assert told(NOW, None) == []


@pytest.mark.parametrize(("flipped", "alone"), [(0.0, "fail"), (0.005, "fail"), (0.05, "warn")])
def test_the_target_in_other_words(flipped: float, alone: str):
    assert told(noisy(flipped)) == [("fail", "status")]
    # Without a live release to compare with, a question may just be an easy one.
    assert told(noisy(flipped), None) == [(alone, "status")]


def test_a_quarter_wrong_is_still_far_better_than_any_feature_was():
    assert told(noisy(0.2)) == [("fail", "status")]
    assert told(noisy(0.2), None) == []


def test_a_delay_in_minutes_tells_whether_it_is_late():
    late = NOW["late"].to_numpy(zero_copy_only=False)
    assert told(NOW.append_column("delay", pa.array(RNG.normal(0, 5, len(late)) + 30 * late))) == [("fail", "delay")]


def test_what_told_it_in_the_live_release_too_only_warns():
    def with_status(table: pa.Table) -> pa.Table:
        return table.append_column("status", table["late"])

    assert told(with_status(NOW), with_status(BEFORE)) == [("warn", "status")]


def test_a_column_that_is_no_feature_may_tell_it():
    learning = Learning(targets=("late",), features=("carrier", "temp"))
    assert told(noisy(0.0), None, learning) == []


def test_a_number_is_told_by_its_share_of_the_variance():
    rng = np.random.default_rng(1)
    price = rng.normal(100, 20, 5000)
    gross, size = price * 1.2 + rng.normal(0, 1, 5000), price + rng.normal(0, 60, 5000)
    table = pa.table({"gross": gross, "size": size, "price": price})
    found = skills(TableView(table), Learning(targets=("price",)))
    assert [(one.feature, one.metric) for one in found] == [("gross", "r2"), ("size", "r2")]
    assert found[0].effect.low > 0.98
    assert found[1].effect.low < 0.2 < 0.3
    assert told(table, None, Learning(targets=("price",))) == [("fail", "gross")]


def test_one_class_of_many_that_is_told_is_enough():
    rng = np.random.default_rng(2)
    kind = rng.choice(["a", "b", "c", "d"], 4000)
    table = pa.table({"is_d": kind == "d", "x": rng.normal(size=4000), "kind": kind})
    assert told(table, None, Learning(targets=("kind",))) == [("fail", "is_d")]


def test_few_rows_tell_nothing():
    table = pa.table({"x": [True, False] * 20, "late": [True, False] * 20})
    assert told(table, None) == []
    assert told(pa.concat_tables([table] * 5), None) == [("warn", "x")]
