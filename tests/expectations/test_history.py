"""The past: a column that tells it anew is found, at small sizes too; rows drawn anew are no matter."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from plusone.expectations.comparing import pair_of
from plusone.expectations.history import history, links
from tests.expectations.made import change, clean, pick

BEFORE, NOW = clean(90, a_day=300), clean(120, a_day=300)
NAMES = ["carrier", "distance", "sched_dep_time", "temp", "late"]


def told(find, now, before=BEFORE) -> list[str]:
    return [one.column for one in find(pair_of(now, before)) if one.level == "fail"]


def shuffled(table: pa.Table, name: str, share: float, seed: int = 1) -> pa.Table:
    values = table[name].to_numpy(zero_copy_only=False).copy()
    chosen = np.flatnonzero(pick(table, share, seed))
    values[chosen] = values[np.random.default_rng(seed).permutation(chosen)]
    return change(table, name, values)


@pytest.mark.parametrize("find", [history, links])
def test_a_month_more_fails_nothing(find):
    assert list(find(pair_of(NOW, BEFORE))) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_shuffled_column_is_the_one_that_is_named(name: str):
    assert told(history, shuffled(NOW, name, 1.0)) == [name]


@pytest.mark.parametrize("name", ["carrier", "distance", "temp"])
def test_a_fifth_of_it_is_enough(name: str):
    assert told(history, shuffled(NOW, name, 0.2)) == [name]


def test_a_correction_of_few_values_only_warns():
    values = NOW["temp"].to_numpy().copy()
    values[pick(NOW, 0.01)] += 1
    found = list(history(pair_of(change(NOW, "temp", values), BEFORE)))
    assert [(one.level, one.column) for one in found] == [("warn", "temp")]
    assert found[0].measured["changed"] == pytest.approx(0.01, abs=0.003)


def test_a_join_that_is_a_row_off_is_found():
    values = NOW["temp"].to_numpy()
    assert told(history, change(NOW, "temp", np.roll(values, 1))) == ["temp"]


def test_rows_drawn_anew_have_no_past():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        now = NOW.take(rng.integers(0, NOW.num_rows, NOW.num_rows))
        assert told(history, now) == []
        assert told(links, now) == []


def test_without_a_common_past_a_column_that_lost_its_link_is_named():
    rng = np.random.default_rng(0)
    tables = []
    for _ in range(2):
        x = rng.normal(size=5000)
        tables.append(pa.table({"x": x, "twice": 2 * x + rng.normal(0, 0.3, 5000), "noise": rng.normal(size=5000)}))
    now, before = tables
    assert told(links, now, before) == []
    assert told(links, shuffled(now, "twice", 1.0), before) == ["x", "twice"]
