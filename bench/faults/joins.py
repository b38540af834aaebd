"""Faults of joins and of time: the right values, at the wrong rows."""

from __future__ import annotations

from .changing import Edit, Fault, after_joining, flights, pair, replaced, reports

__all__ = ["FAULTS"]

_REPORT = 'data["report_hour"] = pd.to_datetime(data["time_hour"], utc=True)'
_KEYS = 'on=["origin", "departure_hour"], how="left", validate="many_to_one"'
_MERGE = "    return flights.merge(last_report, " + _KEYS + ")\n"
_SHIFT = "pd.Timedelta(hours=1)"

FAULTS: tuple[Fault, ...] = (
    *pair(
        "weather_of_later",
        (
            "Each flight has the weather of three hours after it was to leave: nobody has it in time.",
            replaced(_SHIFT, "pd.Timedelta(hours=-3)"),
        ),
        (
            "The reports' hours are their beginnings and not their ends: each is an hour too new, and looks right.",
            Edit(_REPORT, _REPORT + " - pd.Timedelta(hours=1)"),
        ),
    ),
    *pair(
        "time_zone",
        (
            "The reports' hours are local time and are read as UTC: each flight has the weather of four hours before.",
            Edit(_REPORT, _REPORT + " - pd.Timedelta(hours=4)"),
        ),
        (
            "Summer time is forgotten: since 10 March each report is an hour off, and stands at the wrong flights.",
            reports(
                'summer = data["report_hour"] >= "2013-03-10 07:00"\n'
                'data.loc[summer, "report_hour"] += pd.Timedelta(hours=1)'
            ),
        ),
    ),
    *pair(
        "many_to_many",
        (
            "Each report is there twice and nothing says that it may not: every flight counts double.",
            (
                Edit(_MERGE, _MERGE.replace(', validate="many_to_one"', "").replace("last_report", "twice", 1)),
                Edit(_SHIFT + ")\n", _SHIFT + ")\n    twice = pd.concat([last_report, last_report])\n"),
            ),
        ),
        (
            "The reports of one day are there twice: the flights of that day count double.",
            (
                Edit(_MERGE, _MERGE.replace(', validate="many_to_one"', "").replace("last_report", "twice", 1)),
                Edit(
                    _SHIFT + ")\n",
                    _SHIFT
                    + ")\n"
                    + '    day = last_report["departure_hour"].dt.strftime("%Y-%m-%d") == "2013-04-12"\n'
                    + "    twice = pd.concat([last_report, last_report[day]])\n",
                ),
            ),
        ),
    ),
    *pair(
        "inner_join",
        (
            "An inner join, with the reports of one station gone since the newest month: its flights go with them.",
            (
                Edit('how="left"', 'how="inner"'),
                reports('data = data[~((data["report_hour"] >= "2013-04-01") & (data["origin"] == "LGA"))]'),
            ),
        ),
        (
            "An inner join: the few flights without a report (one of two hundred) are lost.",
            Edit('how="left"', 'how="inner"'),
        ),
    ),
    *pair(
        "wrong_key",
        (
            "The join forgets the airport: all flights have the weather of JFK.",
            Edit(
                _MERGE,
                '    jfk = last_report[last_report["origin"] == "JFK"].drop(columns="origin")\n'
                '    return flights.merge(jfk, on="departure_hour", how="left")\n',
            ),
        ),
        (
            "Two stations are mixed up in the newest month: LGA has the weather of EWR, and EWR that of LGA.",
            reports(
                'new = data["report_hour"] >= "2013-04-01"\n'
                'data.loc[new, "origin"] = data.loc[new, "origin"].replace({"LGA": "EWR", "EWR": "LGA"})'
            ),
        ),
    ),
    *pair(
        "target_of_next_row",
        (
            "Each flight has the answer of the row after it: a shift in a column, and all summaries are equal.",
            flights('data["late"] = data["late"].shift(-1, fill_value=False)'),
        ),
        (
            "Each flight of the newest month has the answer of the row after it.",
            flights('data.loc[new, "late"] = data.loc[new, "late"].shift(-1, fill_value=False)'),
        ),
    ),
    *pair(
        "old_weather",
        (
            "Each flight has the weather of the same hour two days before: a cache that is not emptied.",
            replaced(_SHIFT, "pd.Timedelta(hours=49)"),
        ),
        (
            "The weather of the last ten days is that of the ten days before.",
            reports(
                'late = data["report_hour"].between("2013-04-21", "2013-05-02")\n'
                'before = data["report_hour"].between("2013-04-11", "2013-04-20 23:00")\n'
                'again = data[before].assign(report_hour=data["report_hour"] + pd.Timedelta(days=10))\n'
                "data = pd.concat([data[~late], again])"
            ),
        ),
    ),
    *pair(
        "wrong_weekday",
        (
            "day_of_week begins on Sunday with 1, in all rows; callers say 1 for Monday.",
            flights('data["day_of_week"] = (data["date"].dt.day_of_week + 1) % 7 + 1'),
        ),
        (
            "day_of_week is that of the day after in the newest month: a date that was made UTC.",
            flights('data.loc[new, "day_of_week"] = data.loc[new, "day_of_week"] % 7 + 1'),
        ),
    ),
    *pair(
        "half_a_join",
        (
            "Half of the flights have no weather, at random: keys that agree only where a format did.",
            after_joining(
                "lost = data.index % 2 == 0\n"
                'data.loc[lost, "report_hour"] = pd.NaT\n'
                'data.loc[lost, WEATHER] = float("nan")'
            ),
        ),
        (
            "One flight of ten has no weather in the newest month, all of one hour of the day.",
            after_joining('gone = new & (data["sched_dep_time"] // 100 == 17)\ndata.loc[gone, WEATHER] = float("nan")'),
        ),
    ),
)
