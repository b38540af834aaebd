"""Targets within categories: labels of one airline that moved as those of no other did."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from plusone.base.config import Checks
from plusone.base.records import Learning
from plusone.expectations.comparing import COMPARISONS, pair_of
from plusone.expectations.parts import label_parts
from tests.expectations.made import change, clean, month

BEFORE, NOW = clean(90), clean(150)
NEW = np.arange(NOW.num_rows) >= BEFORE.num_rows


def told(now: pa.Table, before: pa.Table = BEFORE, *, target: str = "late", **options: Any) -> list[tuple[str, str]]:
    pair = pair_of(now, before, learning=Learning(targets=(target,)), **options)
    return [(one.level, one.measured["slice"]) for one in label_parts(pair)]


def of(table: pa.Table, carrier: str) -> np.ndarray:
    return np.array(table.column("carrier").to_pylist()) == carrier


def late(table: pa.Table) -> np.ndarray:
    return np.array(table.column("late").to_pylist())


def test_labels_that_were_turned_round_for_one_airline_are_named():
    now = change(NOW, "late", late(NOW) ^ (of(NOW, "B6") & NEW))
    assert told(now) == [("fail", "carrier = B6")]
    (found,) = label_parts(pair_of(now, BEFORE, learning=Learning(targets=("late",))))
    assert found.column == "late"
    assert found.measured["share"] == pytest.approx(1 - found.measured["before"], abs=0.06)
    assert "are the labels there others?" in found.message
    # It is one of the two that `label` is.
    pair = pair_of(now, BEFORE, learning=Learning(targets=("late",)))
    assert ("fail", "late") in [(one.level, one.column) for one in COMPARISONS["label"](pair)]


def test_the_bound_is_that_of_labels_and_half_of_it_warns():
    now = change(NOW, "late", late(NOW) ^ (of(NOW, "B6") & NEW))
    assert told(now, bounds=Checks(label_shift=0.6)) == [("warn", "carrier = B6")]


def test_what_moves_all_of_them_is_a_season():
    rng = np.random.default_rng(3)
    now = change(NOW, "late", late(NOW) | (NEW & (rng.random(NOW.num_rows) < 0.5)))
    assert told(now) == []
    assert told(NOW) == []
    assert told(month(2), month(1)) == []


def test_without_a_clock_all_rows_are_looked_at():
    drop = [table.drop_columns(["date"]) for table in (change(NOW, "late", late(NOW) ^ of(NOW, "B6")), BEFORE)]
    assert told(*drop) == [("fail", "carrier = B6")]


def test_several_labels_are_told_apart():
    def words(table: pa.Table, other: np.ndarray) -> pa.Table:
        names = np.where(late(table), "late", np.where(np.arange(table.num_rows) % 5 == 0, "early", "on time"))
        return change(table, "late", np.where(other & (names == "on time"), "early", names))

    now, before = words(NOW, of(NOW, "DL") & NEW), words(BEFORE, np.zeros(BEFORE.num_rows, dtype=bool))
    assert told(now, before) == [("fail", "carrier = DL")]
    assert told(words(NOW, NEW & ~NEW), before) == []


def test_labels_that_are_missing_are_no_labels():
    values = [None if one and gone else one for one, gone in zip(late(NOW).tolist(), of(NOW, "B6") & NEW, strict=True)]
    # The late ones are gone: of those that are there none is late, where one of four was.
    assert told(change(NOW, "late", values)) == [("warn", "carrier = B6")]
    assert told(change(NOW, "late", values), bounds=Checks(label_shift=0.1)) == [("fail", "carrier = B6")]


def test_few_rows_numbers_and_no_targets_say_nothing():
    small = change(NOW, "late", late(NOW) ^ (of(NOW, "F9") & NEW))  # 3 % of 6,000 rows
    assert told(small) == []
    assert told(NOW, target="temp") == []
    assert told(NOW, target="nothing") == []
    empty = BEFORE.slice(0, 0)
    assert told(NOW, empty) == told(empty) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_resamples_raise_no_alarm(seed: int):
    assert told(clean(120, seed=seed), clean(90, seed=seed)) == []
    assert told(clean(120, seed=seed), clean(90, seed=100 + seed)) == []
