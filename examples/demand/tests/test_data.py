"""Tests on the data: they run before anything is trained."""


def test_every_airport_has_every_hour_of_every_day(departures):
    sizes = departures.groupby("origin").size()
    assert set(sizes.index) == {"EWR", "JFK", "LGA"}
    assert sizes.nunique() == 1
    assert not departures.duplicated(["origin", "day", "hour"]).any()


def test_a_day_has_as_many_departures_as_an_airport_can_handle(departures):
    daily = departures.groupby(["origin", "day"])["departures"].sum()
    assert daily.min() > 50
    assert daily.max() < 500
    assert departures["departures"].between(0, 60).all()


def test_weekdays_are_right(departures):
    # The first Saturday of 2013 was the fifth of January; fewer people fly on Saturdays.
    assert (departures.loc[departures["day"] == 4, "weekday"] == 5).all()
    daily = departures.groupby(["day", "weekday"])["departures"].sum()
    assert daily.xs(5, level="weekday").mean() < daily.mean()


def test_holdout_comes_later(train_set, holdout):
    assert holdout["day"].min() > train_set["day"].max()
