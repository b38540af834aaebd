"""Ranges, nulls and categories: what is wrong is found at small sizes, and what only grew is not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from plusone.expectations.comparing import pair_of
from plusone.expectations.values import categories, nulls, ranges
from tests.expectations.made import change, clean, pick

BEFORE, NOW = clean(90), clean(120)


def told(find, now, before=BEFORE) -> dict[str, str]:
    """The columns of the failures, with what is said."""
    found: dict[str, str] = {}
    for one in find(pair_of(now, before)):
        if one.level == "fail":
            found[one.column] = f"{found.get(one.column, '')} {one.message}"
    return found


def column(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy(zero_copy_only=False).copy()


def spoiled(name: str, share: float, value, table: pa.Table = NOW) -> pa.Table:
    values = column(table, name)
    values = values.astype(np.float64) if isinstance(value, float) else values.astype(object)
    values[pick(table, share)] = value
    return change(table, name, values)


@pytest.mark.parametrize("find", [ranges, nulls, categories])
def test_a_month_more_fails_nothing(find):
    assert told(find, NOW) == {}


@pytest.mark.parametrize(
    ("value", "share", "said"),
    [
        (-999.0, 0.01, "-999"),
        (9999.0, 0.01, "9,999"),
        (1e7, 0.01, "far outside"),
        (np.inf, 0.01, "infinite numbers in"),
        (-0.5, 0.02, "outside of what was there"),
    ],
)
def test_numbers_that_were_never_there(value: float, share: float, said: str):
    assert said in told(ranges, spoiled("distance", share, value))["distance"]


def test_a_sentinel_in_the_new_rows_alone_is_found():
    values = column(NOW, "distance").astype(np.float64)
    values[(np.arange(len(values)) >= BEFORE.num_rows) & pick(NOW, 0.02)] = -1.0
    assert "-1; it was 0 %: does it stand" in told(ranges, change(NOW, "distance", values))["distance"]


def test_negative_where_none_was_below_zero():
    before = pa.table({"x": np.arange(0.0, 1000.0)})
    now = pa.table({"x": np.concatenate([np.arange(0.0, 999.0), [-0.25]])})
    assert "below 0" in told(ranges, now, before)["x"]


def test_a_range_that_grew_somewhat_warns_and_is_no_failure():
    before = pa.table({"x": np.arange(100.0, 200.0)})
    found = list(ranges(pair_of(pa.table({"x": np.arange(100.0, 240.0)}), before)))
    assert [one.level for one in found] == ["warn"]
    assert "it has 100 to 239, and had 100 to 199" in found[0].message


def test_the_ends_of_few_rows_that_are_drawn_anew_are_no_news():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        now, before = (
            pa.table({"seen_at": np.sort(rng.integers(0, 10**6, 280)).astype("datetime64[m]").astype("datetime64[us]")})
            for _ in range(2)
        )
        for name in "abcdefghij":
            now, before = (table.append_column(name, pa.array(rng.normal(size=280))) for table in (now, before))
        assert list(ranges(pair_of(now, before))) == []


def test_a_row_at_a_round_number_of_a_small_table_stands_for_itself():
    rng = np.random.default_rng(3)
    before, now = (pa.table({"magnesium": np.round(rng.normal(99.5, 14, 106))}) for _ in range(2))
    kept = before["magnesium"].to_numpy()
    before = pa.table({"magnesium": np.where(np.abs(kept - 99) <= 2, 95.0, kept)})
    assert (now["magnesium"].to_numpy() == 99).sum() > 0
    assert told(ranges, now, before) == {}
    heap = now["magnesium"].to_numpy().copy()
    heap[:20] = -9
    assert "-9; it was 0 %" in told(ranges, pa.table({"magnesium": heap}), before)["magnesium"]


def test_rows_of_new_times_may_reach_a_little_further_and_not_far():
    new = np.arange(NOW.num_rows) >= BEFORE.num_rows
    values = column(NOW, "distance").astype(np.float64)
    wide = np.ptp(column(BEFORE, "distance"))
    values[new & pick(NOW, 0.01)] += wide / 2
    assert list(ranges(pair_of(change(NOW, "distance", values), BEFORE))) == []
    values[-1] = 3 * wide
    found = list(ranges(pair_of(change(NOW, "distance", values), BEFORE)))
    assert [one.level for one in found] == ["warn"]
    assert "0.00833 % of the values lie far outside of what was there" in found[0].message


def test_a_count_that_reaches_0_in_a_row_or_two_stands_for_itself():
    before, now = (pa.table({"tickets": [1, 2, 3, 4, 5] * 30}), pa.table({"tickets": [0, 0, *[1, 2, 3, 4, 5] * 29]}))
    assert told(ranges, now, before) == {}
    many = pa.table({"tickets": [0] * 20 + [1, 2, 3, 4, 5] * 29})
    assert "does it stand for a missing value?" in told(ranges, many, before)["tickets"]


def test_nulls_from_none_to_two_percent_fail():
    found = told(nulls, spoiled("distance", 0.02, float("nan")))
    assert "of the values are missing; it was 0 %" in found["distance"]


def test_a_column_that_is_missing_more_often_is_named_once():
    found = list(nulls(pair_of(spoiled("temp", 0.5, float("nan")), BEFORE)))
    assert [one.column for one in found] == ["temp"]
    assert found[0].measured["missing"] == pytest.approx(0.5, abs=0.02)


def test_a_column_that_is_missing_somewhat_more_often_is_told_once():
    values = column(NOW, "temp")
    values[(np.arange(NOW.num_rows) >= BEFORE.num_rows) & pick(NOW, 0.05)] = np.nan
    found = list(nulls(pair_of(change(NOW, "temp", values), BEFORE)))
    assert [one.level for one in found] == ["warn"]
    assert "among rows that are new are missing" in found[0].message


def test_few_rows_tell_nothing_of_nulls():
    before = pa.table({"x": np.arange(20.0)})
    assert told(nulls, pa.table({"x": np.append(np.arange(19.0), np.nan)}), before) == {}


@pytest.mark.parametrize(
    ("spell", "said"),
    [(str.lower, "was written"), (lambda word: word + " ", "was written"), (lambda _: "ZZZ", "not there")],
)
def test_words_written_otherwise_and_new_ones(spell, said: str):
    values = column(NOW, "carrier")
    chosen = pick(NOW, 0.2)
    values[chosen] = [spell(word) for word in values[chosen]]
    assert said in told(categories, change(NOW, "carrier", values))["carrier"]


def test_three_percent_written_otherwise_are_found():
    values = column(NOW, "carrier")
    values[pick(NOW, 0.03)] = "ua"
    assert "'ua' in" in told(categories, change(NOW, "carrier", values))["carrier"]


def test_a_small_category_that_is_gone_is_found():
    kept = NOW.filter(pa.array(column(NOW, "carrier") != "F9"))
    assert "'F9'" in told(categories, kept)["carrier"]


def test_a_category_that_lost_its_past_is_found():
    lost = (column(NOW, "carrier") == "F9") & (np.arange(NOW.num_rows) < BEFORE.num_rows) & pick(NOW, 0.7)
    assert "rows of the same times are gone: 'F9'" in told(categories, NOW.filter(pa.array(~lost)))["carrier"]


def test_rows_drawn_anew_are_no_loss():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        now, before = (table.take(rng.integers(0, table.num_rows, table.num_rows)) for table in (NOW, BEFORE))
        assert told(categories, now, before) == {}


def test_a_new_word_in_few_rows_only_warns():
    values = column(NOW, "carrier")
    values[:30] = "XX"
    found = list(categories(pair_of(change(NOW, "carrier", values), BEFORE)))
    assert [(one.level, one.column) for one in found] == [("warn", "carrier")]


def test_a_new_word_in_hardly_a_row_is_no_news():
    values = column(NOW, "carrier")
    values[:12] = "XX"
    assert list(categories(pair_of(change(NOW, "carrier", values), BEFORE))) == []
    few = pa.table({"ward": ["north", "south"] * 200})
    assert list(categories(pair_of(pa.table({"ward": ["north", "south"] * 199 + ["east"] * 2}), few))) == []


def named(table: pa.Table, share: float, first: int = 0) -> pa.Table:
    """Each day has two articles of its own from day `first` on, in that share of its rows."""
    days = np.arange(table.num_rows) // 100
    rows = np.arange(table.num_rows) % 100
    words = [
        f"article {day}-{row % 2}" if row < 100 * share and day >= first else f"old {row % 5}"
        for day, row in zip(days, rows, strict=True)
    ]
    return change(table, "carrier", words)


def test_where_things_get_names_the_newest_rows_have_new_ones():
    assert list(categories(pair_of(named(NOW, 0.3), named(BEFORE, 0.3)))) == []
    # Where there were none of their own before, some of the new rows are news, and most of them are another source.
    for share, level in ((0.3, "warn"), (0.7, "fail")):
        found = list(categories(pair_of(named(NOW, share, first=90), named(BEFORE, share, first=90))))
        assert [one.level for one in found] == [level]
        assert "have values that were not there: 'article" in found[0].message


def test_where_words_come_once_new_ones_come_as_well():
    rng = np.random.default_rng(0)
    before, now = (pa.table({"zip": [f"z{int(one)}" for one in rng.pareto(0.8, 4000) * 5]}) for _ in range(2))
    assert list(categories(pair_of(now, before))) == []


def test_codes_that_are_counted_from_elsewhere():
    found = told(categories, change(NOW, "day_of_week", column(NOW, "day_of_week") - 1))
    assert "has 0, which were not there, and no longer 7" in found["day_of_week"]


def seasonal(days: range) -> pa.Table:
    """Flights of so many days; until day 60 some go to the snow."""
    table = clean(len(days))
    day = np.arange(table.num_rows) // 100
    return table.append_column("dest", pa.array(np.where((day < 60) & pick(table, 0.005), "EGE", "ORD")))


def test_a_word_that_ends_with_its_season_is_told_once():
    found = list(categories(pair_of(seasonal(range(130)), seasonal(range(60)))))
    assert [one.message for one in found] == ["no row among rows that are new has 'EGE' any more"]
    assert list(categories(pair_of(seasonal(range(200)), seasonal(range(120))))) == []


def test_ids_are_no_categories():
    before = pa.table({"id": [f"a{n}" for n in range(2000)]})
    assert told(categories, pa.table({"id": [f"b{n}" for n in range(2000)]}), before) == {}
