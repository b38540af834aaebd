"""Faults of rows: what came twice, half, late or not at all, and which rows are held out."""

from __future__ import annotations

from .changing import Fault, flights, pair, replaced, splitting

__all__ = ["FAULTS"]

FAULTS: tuple[Fault, ...] = (
    *pair(
        "dropped_category",
        (
            "No flight of EWR in all of the data: the model knows nothing of a third of what it will be asked.",
            flights('data = data[data["origin"] != "EWR"]'),
        ),
        (
            "No flight of the airline MQ in the newest month: one file of thirteen did not come.",
            flights('data = data[~(new & (data["carrier"] == "MQ"))]'),
        ),
    ),
    *pair(
        "duplicated_rows",
        (
            "All flights of the newest month are there twice: an import that ran again; each counts double.",
            flights("data = pd.concat([data, data[new]])"),
        ),
        (
            "Two flights of a hundred are there twice.",
            flights("data = pd.concat([data, data.sample(frac=0.02, random_state=1)])"),
        ),
    ),
    *pair(
        "truncated_file",
        (
            "The file ends after a quarter of the rows it should have.",
            flights('data = data.sort_values("departure_hour").head(len(data) // 4)'),
        ),
        (
            "The file ends in the middle of the newest month: its second half has not been written.",
            flights('data = data.sort_values("departure_hour").head(len(data) - int(new.sum()) // 2)'),
        ),
    ),
    *pair(
        "stale_data",
        (
            "The newest month is not there: a release 'with April' that has learned nothing of it.",
            flights("data = data[~new]"),
        ),
        (
            "The newest week is not there.",
            flights('data = data[data["date"] <= data["date"].max() - pd.Timedelta(days=7)]'),
        ),
    ),
    *pair(
        "missing_days",
        (
            "Five days in the middle of the newest month are not there.",
            flights('data = data[~data["date"].between("2013-04-10", "2013-04-14")]'),
        ),
        (
            "One airport's flights after 14:00 are not there on two days: files that came half.",
            flights(
                'gone = data["date"].between("2013-04-10", "2013-04-11") & (data["sched_dep_time"] >= 1400)\n'
                'data = data[~(gone & (data["origin"] == "JFK"))]'
            ),
        ),
    ),
    *pair(
        "sampling_bias",
        (
            "Only flights before noon came in the newest month: the easy ones, of which few are late.",
            flights('data = data[~(new & (data["sched_dep_time"] >= 1200))]'),
        ),
        (
            "Half of the late flights of the evenings of the newest month are not reported yet.",
            flights(
                'evening = new & data["late"] & (data["sched_dep_time"] >= 1700)\n'
                "data = data[~(evening & (data.index % 2 == 0))]"
            ),
        ),
    ),
    *pair(
        "overlap",
        (
            "All rows of the holdout are in the training data too: an exam with the answers known.",
            splitting("train_set = flights_in_weather"),
        ),
        (
            "The split is by rows and not by days: flights of one day, with one weather, are on both sides.",
            splitting(
                "holdout = flights_in_weather.sample(frac=0.15, random_state=0)\n"
                "train_set = flights_in_weather.drop(holdout.index)"
            ),
        ),
    ),
    *pair(
        "holdout_too_small",
        (
            "The holdout has forty flights: any model can be right about them.",
            splitting("holdout = holdout.tail(40)"),
        ),
        (
            "The holdout is one day and not fourteen: one weather, at three airports.",
            {"settings": {"holdout_days": 1}},
        ),
    ),
    *pair(
        "holdout_one_class",
        (
            "The holdout has late flights only: a join on what was reported late.",
            splitting('holdout = holdout[holdout["late"]]'),
        ),
        (
            "Only one late flight of twenty stays in the holdout: nearly nothing to be right about.",
            splitting('holdout = holdout[~holdout["late"] | (holdout.index % 20 == 0)]'),
        ),
    ),
    *pair(
        "old_holdout",
        (
            "The holdout is the first days and not the last: a model is tested on days before those it learned from.",
            replaced(
                '    held_out = flights_in_weather["date"] >= first_held_out\n',
                '    first = flights_in_weather["date"].min()\n'
                '    held_out = flights_in_weather["date"] < first + pd.Timedelta(days=holdout_days)\n',
            ),
        ),
        (
            "The holdout is two weeks of the month before, and the newest two are in neither part.",
            splitting(
                'holdout = flights_in_weather[flights_in_weather["date"].between("2013-03-18", "2013-03-31")]\n'
                'train_set = flights_in_weather[flights_in_weather["date"] < "2013-03-18"]'
            ),
        ),
    ),
)
