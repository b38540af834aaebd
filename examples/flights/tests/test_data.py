"""What must be true of the data before a model learns from it. These run before training."""

import pandas as pd

SCHEDULE = ["carrier", "origin", "dest", "distance", "day_of_week", "sched_dep_time", "sched_arr_time"]


def test_no_day_and_no_airport_is_missing(flights):
    """A file that came half is the usual fault: whole days are gone, and nothing else looks wrong."""
    days = pd.date_range(flights["date"].min(), flights["date"].max())
    found = set(flights[["date", "origin"]].drop_duplicates().itertuples(index=False, name=None))
    missing = [(day.date(), origin) for day in days for origin in ("EWR", "JFK", "LGA") if (day, origin) not in found]
    assert not missing


def test_the_newest_month_is_whole(flights):
    """The other half of that fault: the file of a month that was not over, or not written to its end."""
    assert flights["date"].max().is_month_end


def test_share_of_late_flights_is_a_likely_one(flights):
    """By month it was between 13 % and 31 % in 2013. Near 0 or 1, or a jump, means that `late` is computed wrongly."""
    share = flights.groupby(flights["date"].dt.strftime("%Y-%m"))["late"].mean()
    assert share.between(0.08, 0.45).all(), share.to_dict()


def test_clock_times_are_times_on_a_clock(flights):
    """1745 is 17:45. 1065 (minutes of the day) and 17.75 (hours) are what others may send for it."""
    for name in ("sched_dep_time", "sched_arr_time"):
        hour, minute = flights[name] // 100, flights[name] % 100
        assert hour.between(0, 24).all(), name
        assert minute.between(0, 59).all(), name
        assert hour.nunique() > 12, name


def test_the_schedule_is_filled_in(flights):
    """Airlines and airports publish it: a hole in it is ours. Only the weather may be missing."""
    assert not flights[SCHEDULE].isna().any().any()
    assert flights["day_of_week"].between(1, 7).all()
    assert flights["distance"].between(10, 6000).all()


def test_the_join_keeps_every_flight_once(flights, flights_in_weather):
    """Two reports for one hour would count the flights of that hour twice; an inner join would lose some."""
    assert len(flights_in_weather) == len(flights)
    assert flights_in_weather["late"].sum() == flights["late"].sum()


def test_nearly_every_flight_has_its_weather(flights_in_weather):
    """A station is silent for an hour now and then. A wrong time zone loses many hours, in every month."""
    by_month = flights_in_weather["visib"].notna().groupby(flights_in_weather["date"].dt.month).mean()
    assert by_month.min() > 0.95, by_month.to_dict()


def test_the_weather_was_known_before_departure(flights_in_weather):
    """No report from the hour of departure or later: the caller can't have it when the question is asked."""
    with_report = flights_in_weather[flights_in_weather["report_hour"].notna()]
    assert (with_report["report_hour"] < with_report["departure_hour"]).all()


def test_nothing_known_only_after_departure_is_a_feature(train_set):
    """These columns answer the question nearly alone, and nobody has them in time."""
    after = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"}
    assert not after & set(train_set.columns)


def test_the_model_is_tested_on_later_days_than_it_learned_from(train_set, holdout):
    """Flights of one day share its weather: a day in both would be an exam with the answers known."""
    assert train_set["date"].max() < holdout["date"].min()
    assert len(train_set) > 2 * len(holdout) > 2000
