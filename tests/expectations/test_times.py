"""Times: stale data, holes, days that came half, rows that are gone, times that moved against each other."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from plusone.data.tensors import compute
from plusone.data.views import DAY
from plusone.expectations.comparing import pair_of
from plusone.expectations.times import day_text, fell_by_half, gaps, longest_gap, rows
from tests.expectations.made import FIRST, change, clean, pick

BEFORE, NOW = clean(90), clean(120)


def told(find, now, before=BEFORE) -> list[str]:
    return [one.message for one in find(pair_of(now, before)) if one.level == "fail"]


def days(table: pa.Table) -> np.ndarray:
    return (table["date"].to_numpy() - np.datetime64(FIRST)).astype("timedelta64[D]").astype(int)


@pytest.mark.parametrize("find", [gaps, rows])
def test_a_month_more_fails_nothing(find):
    assert told(find, NOW) == []


def test_data_that_is_older_than_the_live_release():
    assert told(gaps, clean(85)) == ["the newest is 2013-03-26, older than the live release's 2013-03-31"]


def test_one_day_that_is_missing():
    found = told(gaps, NOW.filter(pa.array(days(NOW) != 100)))
    assert found == ["nothing is from between 2013-04-10 and 2013-04-12; the longest gap was 24 hours"]


def test_weekends_are_no_gap():
    before, now = (table.filter(pa.array(days(table) % 7 < 5)) for table in (BEFORE, NOW))
    assert told(gaps, now, before) == []


def test_a_day_of_the_past_that_came_half():
    lost = (days(NOW) == 40) & pick(NOW, 0.8)
    assert told(rows, NOW.filter(pa.array(~lost))) == [
        "days that both cover have lost more than half of their rows: 2013-02-10"
    ]


def test_new_days_with_half_the_rows():
    thin = (days(NOW) >= 90) & pick(NOW, 0.7)
    assert told(rows, NOW.filter(pa.array(~thin)))[0].startswith("the median day has 3")


def test_four_rows_a_day_in_place_of_three_are_no_news():
    before, now = ((days(table) * 7 + np.arange(table.num_rows)) % 100 for table in (BEFORE, NOW))
    few, more = BEFORE.filter(pa.array(before < 3)), NOW.filter(pa.array((now < 3) | ((days(NOW) >= 90) & (now < 4))))
    assert [one.message for one in rows(pair_of(more, few))] == []
    assert "the median day has 40 rows; it had 30" in " ".join(
        one.message for one in rows(pair_of(NOW.filter(pa.array(now < 40)), BEFORE.filter(pa.array(before < 30))))
    )


def test_the_newest_row_of_a_sample_that_is_drawn_anew_is_another_one():
    def sample(seed: int, until: int = 10**6) -> pa.Table:
        minutes = np.random.default_rng(seed).integers(0, until, 400)
        return pa.table({"seen_at": minutes.astype("datetime64[m]").astype("datetime64[us]"), "x": minutes % 977})

    for seed in range(10):
        assert told(gaps, sample(seed), sample(seed + 100)) == []
    assert "older than the live release's" in told(gaps, sample(1, 9 * 10**5), sample(2))[0]
    # The same rows without the newest three are stale.
    rows = sample(3).sort_by("seen_at")
    assert "older than the live release's" in told(gaps, rows.slice(0, 397), rows)[0]


def test_a_sample_that_is_drawn_anew_has_other_counts():
    samples = [table.filter(pa.array(pick(table, 0.5, seed))) for table, seed in ((BEFORE, 1), (NOW, 2))]
    assert [one.message for one in rows(pair_of(samples[1], samples[0]))] == []
    # Where the rows are those of before, as few that are gone are told.
    gone = NOW.filter(pa.array(~(pick(NOW, 0.01) & (days(NOW) < 90))))
    assert "(-1" in next(iter(rows(pair_of(gone, BEFORE)))).message


def test_rows_of_the_past_that_are_gone_or_there_twice():
    assert "they had" in told(rows, NOW.filter(pa.array(pick(NOW, 0.7))))[0]
    assert "(+100 %)" in told(rows, pa.concat_tables([NOW, BEFORE]))[0]


def test_an_inner_join_is_named():
    found = told(rows, NOW.filter(compute().invert(compute().is_null(NOW["temp"], nan_is_null=True))))
    assert len(found) == 1
    assert "rows of the past are gone, and with them all" in found[0]
    assert "did a join drop them?" in found[0]


def test_without_a_clock_only_the_number_of_rows_is_left():
    before = pa.table({"x": range(1000)})
    assert told(rows, pa.table({"x": range(400)}), before) == ["there are 400 rows; it was 1,000: fewer than half"]
    assert told(rows, pa.table({"x": range(5000)}), before) == []
    assert told(rows, pa.table({"x": pa.array([], pa.int64())}), before) == ["the table is empty; it had 1,000 rows"]


def test_two_times_that_moved_against_each_other():
    def with_report(table: pa.Table, hours: int) -> pa.Table:
        return table.append_column("report", compute().subtract(table["date"], pa.scalar(dt.timedelta(hours=hours))))

    before = with_report(BEFORE, 1)
    assert told(gaps, with_report(NOW, 1), before) == []
    assert told(gaps, with_report(NOW, 0), before) == ["is 0 hours after date in 100 % of the rows; it was -1 hours"]


def test_counts_that_fell_by_chance_and_those_that_did_not():
    assert not fell_by_half(30, 14)
    assert fell_by_half(30, 0)
    assert fell_by_half(200, 60)
    assert not fell_by_half(200, 110)
    assert not fell_by_half(30, 2)


def test_gaps_and_days_by_hand():
    assert longest_gap(np.array([0.0, 5.0, 1.0])) == (4.0, 1.0)
    assert longest_gap(np.array([])) == (0.0, 0.0)
    assert day_text(15 * DAY) == "1970-01-16"
    assert day_text(DAY / 2) == "1970-01-01 12:00"
    assert day_text(1e30).endswith("µs since 1970")


def test_a_clock_that_another_kind_of_column_replaced_is_no_trouble():
    assert told(gaps, change(NOW, "date", days(NOW))) == []


def test_days_that_come_in_fits_and_starts_are_no_fault():
    def rated(days: dict[int, int]) -> pa.Table:
        moments = [FIRST + dt.timedelta(days=day) for day, count in days.items() for _ in range(count)]
        return pa.table({"at": pa.array(moments, pa.timestamp("us")), "stars": pa.array([3] * len(moments))})

    was = {day: 30 if day // 20 % 2 else 6 for day in range(200)}
    quiet = was | dict.fromkeys(range(200, 220), 5)
    found = list(rows(pair_of(rated(quiet), rated(was))))
    assert not [one for one in found if one.level == "fail"]
    gone = was | dict.fromkeys(range(200, 220), 2)
    assert [one for one in rows(pair_of(rated(gone), rated(was))) if one.level == "fail"]


@pytest.mark.slow
@pytest.mark.parametrize("mean", [30, 100, 1000])
def test_counts_of_one_rate_hardly_ever_fall_and_the_exact_test_agrees(mean: int):
    """Given the sum of two Poisson counts of one rate the first is binomial with 1/2. Summed over what is likely."""
    likely = range(max(0, int(mean - 9 * mean**0.5)), int(mean + 9 * mean**0.5))
    fell = [(a, b) for a in likely for b in likely if fell_by_half(a, b)]
    chance = sum(stats.poisson.pmf(a, mean) * stats.poisson.pmf(b, mean) for a, b in fell)
    assert chance <= 1e-6
    assert all(
        stats.binomtest(b, a + b, 0.5, alternative="less").pvalue < 1e-5 for a, b in fell[:: len(fell) // 50 + 1]
    )
