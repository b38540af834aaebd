"""Faults of values: units, types, missing and made-up values. What a source returns is not what it was."""

from __future__ import annotations

from .changing import Fault, after_joining, after_reading, flights, pair, reports

__all__ = ["FAULTS"]

# The hours of the newest reports: those of a source whose fault began with the new month.
_SINCE = 'new = data["report_hour"] >= "2013-04-01"\n'

FAULTS: tuple[Fault, ...] = (
    *pair(
        "miles_to_km",
        (
            "distance comes in kilometres, in all rows, and callers still send miles.",
            flights('data["distance"] = (data["distance"] * 1.609).round().astype(int)'),
        ),
        (
            "distance comes in kilometres in the newest month only: one column with two units.",
            flights('data.loc[new, "distance"] = (data.loc[new, "distance"] * 1.609).round().astype(int)'),
        ),
    ),
    *pair(
        "fahrenheit_to_celsius",
        (
            "temp and dewp come in degrees Celsius, in all reports; callers send Fahrenheit: every day is a hot one.",
            reports('data[["temp", "dewp"]] = ((data[["temp", "dewp"]] - 32) / 1.8).round(2)'),
        ),
        (
            "One airport's station is read in Celsius since the newest month: a third of the newest rows freeze.",
            reports(
                _SINCE
                + 'one = new & (data["origin"] == "JFK")\n'
                + 'data.loc[one, ["temp", "dewp"]] = ((data.loc[one, ["temp", "dewp"]] - 32) / 1.8).round(2)'
            ),
        ),
    ),
    *pair(
        "pressure_unit",
        (
            "pressure comes in inches of mercury (30) in all reports, and callers send hectopascal (1015).",
            reports('data["pressure"] = (data["pressure"] * 0.02953).round(2)'),
        ),
        (
            "pressure comes in kilopascal (101.5) in the last ten days: the holdout is wrong and training is not.",
            reports(
                'last = data["report_hour"] >= "2013-04-21"\n'
                'data.loc[last, "pressure"] = (data.loc[last, "pressure"] / 10).round(2)'
            ),
        ),
    ),
    *pair(
        "percent_to_share",
        (
            "humid comes as a share (0 to 1) in all reports, and callers send per cent.",
            reports('data["humid"] = data["humid"] / 100'),
        ),
        (
            "humid comes as a share from one airport in the newest month.",
            reports(
                _SINCE + 'one = new & (data["origin"] == "LGA")\ndata.loc[one, "humid"] = data.loc[one, "humid"] / 100'
            ),
        ),
    ),
    *pair(
        "clock_minutes",
        (
            "Both times on the ticket come as minutes of the day (1065 for 17:45) in all rows; callers send 1745.",
            flights(
                'for name in ("sched_dep_time", "sched_arr_time"):\n'
                "    data[name] = data[name] // 100 * 60 + data[name] % 100"
            ),
        ),
        (
            "One airline (MQ, one flight of thirteen) sends its departure as minutes of the day.",
            flights(
                'one = data["carrier"] == "MQ"\n'
                'time = data.loc[one, "sched_dep_time"]\n'
                'data.loc[one, "sched_dep_time"] = time // 100 * 60 + time % 100'
            ),
        ),
    ),
    *pair(
        "numbers_as_text",
        (
            "distance comes as text ('1400'), and callers send a number.",
            flights('data["distance"] = data["distance"].astype(str)'),
        ),
        (
            "pressure comes as text with blanks for what is missing: the type is another, the values look the same.",
            reports('data["pressure"] = data["pressure"].map(lambda value: "" if value != value else str(value))'),
        ),
    ),
    *pair(
        "nan_feature",
        (
            "temp is missing in all reports: a column of the source was emptied, and the model has lost a feature.",
            reports('data["temp"] = float("nan")'),
        ),
        (
            "humid is missing in a third of the reports of the newest month.",
            reports(_SINCE + 'data.loc[new & (data.index % 3 == 0), "humid"] = float("nan")'),
        ),
    ),
    *pair(
        "constant_feature",
        (
            "day_of_week is 1 in all rows: a default of the source's new version, and weekends are Mondays.",
            flights('data["day_of_week"] = 1'),
        ),
        (
            "visib is 10 (clear) in all reports of the newest month: fog is gone from what the model learns.",
            reports(_SINCE + 'data.loc[new, "visib"] = 10.0'),
        ),
    ),
    *pair(
        "shuffled_column",
        (
            "sched_dep_time was sorted apart from its rows: each flight has another's time.",
            flights('data["sched_dep_time"] = data["sched_dep_time"].sample(frac=1, random_state=1).to_numpy()'),
        ),
        (
            "sched_dep_time is another flight's in the newest month only.",
            flights(
                'other = data.loc[new, "sched_dep_time"].sample(frac=1, random_state=1)\n'
                'data.loc[new, "sched_dep_time"] = other.to_numpy()'
            ),
        ),
    ),
    *pair(
        "swapped_columns",
        (
            "sched_dep_time and sched_arr_time are swapped in all rows; callers send them as they were.",
            flights(
                'data[["sched_dep_time", "sched_arr_time"]] = data[["sched_arr_time", "sched_dep_time"]].to_numpy()'
            ),
        ),
        (
            "temp and dewp are swapped in the reports of the newest month.",
            reports(_SINCE + 'data.loc[new, ["temp", "dewp"]] = data.loc[new, ["dewp", "temp"]].to_numpy()'),
        ),
    ),
    *pair(
        "renamed_column",
        (
            "The source renamed two columns of the weather, and a `reindex` fills them with nothing.",
            reports(
                'data = data.rename(columns={"visib": "visibility", "humid": "humidity"})\n'
                'data = data.reindex(columns=["origin", "report_hour", *WEATHER])'
            ),
        ),
        (
            "wind_speed is filled from the column wind_gust, whose name is alike: higher, and missing when it is calm.",
            reports('data["wind_speed"] = table("weather.csv")["wind_gust"]'),
        ),
    ),
    *pair(
        "default_for_missing",
        (
            "All weather of one airport is 999, which stands for 'missing' in the source: a third of all rows.",
            reports('data.loc[data["origin"] == "LGA", WEATHER] = 999.0'),
        ),
        (
            "A missing pressure (one report of ten) is 0 now: a value that no storm ever had, where nothing was known.",
            reports('data["pressure"] = data["pressure"].fillna(0.0)'),
        ),
    ),
    *pair(
        "clipped",
        (
            "distance ends at 500 miles in all rows: two flights of three are equally far.",
            flights('data["distance"] = data["distance"].clip(upper=500)'),
        ),
        (
            "wind_speed ends at 12 miles an hour in the newest month: storms are gone.",
            reports(_SINCE + 'data.loc[new, "wind_speed"] = data.loc[new, "wind_speed"].clip(upper=12.0)'),
        ),
    ),
    *pair(
        "outliers",
        (
            "distance is a thousand times too far in one row of twenty.",
            flights('data.loc[data.index % 20 == 0, "distance"] *= 1000'),
        ),
        (
            "temp is 9999 in one report of two hundred: every mean of it is off by fifty degrees.",
            reports('data.loc[data.index % 200 == 0, "temp"] = 9999.0'),
        ),
    ),
    *pair(
        "sign_flip",
        (
            "temp and dewp have the other sign in all reports: callers send the right one.",
            reports('data[["temp", "dewp"]] = -data[["temp", "dewp"]]'),
        ),
        (
            "temp has the other sign in the last ten days.",
            reports('last = data["report_hour"] >= "2013-04-21"\ndata.loc[last, "temp"] = -data.loc[last, "temp"]'),
        ),
    ),
    *pair(
        "category_spelled",
        (
            "carrier comes in lower case in all rows; callers' 'UA' is new to the model.",
            flights('data["carrier"] = data["carrier"].str.lower()'),
        ),
        (
            "carrier has a trailing blank in the newest month: two airlines for each.",
            flights('data.loc[new, "carrier"] = data.loc[new, "carrier"] + " "'),
        ),
    ),
    *pair(
        "stuck_sensor",
        (
            "All weather of the newest month is that of its first hour.",
            reports(
                _SINCE
                + 'for origin in ("EWR", "JFK", "LGA"):\n'
                + '    rows = new & (data["origin"] == origin)\n'
                + "    data.loc[rows, WEATHER] = data.loc[rows, WEATHER].iloc[0].to_numpy()"
            ),
        ),
        (
            "One airport's wind_speed and pressure stand still in the last ten days.",
            reports(
                'rows = (data["report_hour"] >= "2013-04-21") & (data["origin"] == "EWR")\n'
                'data.loc[rows, ["wind_speed", "pressure"]] = [11.5, 1018.0]'
            ),
        ),
    ),
    *pair(
        "wrong_column",
        (
            "sched_dep_time is filled from dep_time, when the flight really left: nobody has it in time.",
            after_reading('data["sched_dep_time"] = data["dep_time"].fillna(data["sched_dep_time"]).astype(int)'),
        ),
        (
            "humid is filled from dewp: both are numbers between 0 and 100.",
            reports('data["humid"] = data["dewp"]'),
        ),
    ),
    *pair(
        "broken_slice_features",
        (
            "One airport (JFK, a third of the flights) has nothing but zeros for weather.",
            after_joining('data.loc[data["origin"] == "JFK", WEATHER] = 0.0'),
        ),
        (
            "One airline (9E, one flight of twenty) has 0 for distance.",
            flights('data.loc[data["carrier"] == "9E", "distance"] = 0'),
        ),
    ),
)
