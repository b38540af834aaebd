"""Faults between training and serving: what the model learned from is not what a request carries."""

from __future__ import annotations

from .changing import FEATURES, Edit, Fault, after_joining, flights, learning, pair

__all__ = ["FAULTS"]

FAULTS: tuple[Fault, ...] = (
    *pair(
        "skew_scaled",
        (
            "Training makes minutes of the day of both times, and serving does not.",
            learning(
                'for name in ("sched_dep_time", "sched_arr_time"):\n'
                "    features[name] = features[name] // 100 * 60 + features[name] % 100"
            ),
        ),
        (
            "Training turns miles into kilometres, and serving does not.",
            learning('features["distance"] = features["distance"] * 1.609'),
        ),
    ),
    *pair(
        "skew_encoded",
        (
            "Training writes carrier, origin and dest in lower case, and serving does not: all are new to the model.",
            learning("features[PLANE] = features[PLANE].apply(lambda column: column.str.lower())"),
        ),
        (
            "Training writes carrier in lower case, and serving does not.",
            learning('features["carrier"] = features["carrier"].str.lower()'),
        ),
    ),
    *pair(
        "skew_standardised",
        (
            "Training takes mean and spread out of all weather, and serving does not.",
            learning("weather = features[WEATHER]\nfeatures[WEATHER] = (weather - weather.mean()) / weather.std()"),
        ),
        (
            "Training takes the mean out of temp and pressure, and serving does not.",
            learning('for name in ("temp", "pressure"):\n    features[name] = features[name] - features[name].mean()'),
        ),
    ),
    *pair(
        "skew_weekday",
        (
            "Training counts weekdays from Sunday, and a request from Monday: each day is taken for the next.",
            learning('features["day_of_week"] = features["day_of_week"] % 7 + 1'),
        ),
        (
            "Training counts weekdays from 0, and a request from 1.",
            learning('features["day_of_week"] = features["day_of_week"] - 1'),
        ),
    ),
    *pair(
        "skew_missing",
        (
            "Training fills missing weather with 0 and loses half of it at random; serving sends what it has.",
            learning(
                "import numpy as np\n\n"
                "lost = np.random.default_rng(0).random((len(features), len(WEATHER))) < 0.5\n"
                "features[WEATHER] = features[WEATHER].mask(lost, 0.0)"
            ),
        ),
        (
            "Training leaves out flights without all of their weather, a tenth: what to do with them it never learned.",
            learning("whole = features[WEATHER].notna().all(axis=1)\nfeatures, late = features[whole], late[whole]"),
        ),
    ),
    *pair(
        "columns_mixed_up",
        (
            "Training reads the columns of the weather one to the left: temp is dewp, dewp is humid, and so on.",
            learning("features[WEATHER] = features[[*WEATHER[1:], WEATHER[0]]].to_numpy()"),
        ),
        (
            "Training takes dewp for temp and temp for dewp.",
            learning('features[["temp", "dewp"]] = features[["dewp", "temp"]].to_numpy()'),
        ),
    ),
    *pair(
        "breaks_callers",
        (
            "A feature has a new name, `departs`: requests that were right yesterday are refused.",
            (
                after_joining('data["departs"] = data["sched_dep_time"]'),
                Edit(
                    FEATURES, 'FEATURES = [*PLANE, "departs", *SCHEDULE, *WEATHER]\nFEATURES.remove("sched_dep_time")\n'
                ),
            ),
        ),
        (
            "One more feature, `month`: requests of today do not carry it.",
            (
                after_joining('data["month"] = data["date"].dt.month'),
                Edit(FEATURES, FEATURES.replace("]", ', "month"]')),
            ),
        ),
    ),
    *pair(
        "future_column",
        (
            "A feature is the median delay of the airport on that day: known at night, and not in the morning.",
            (
                flights(
                    'data["gained"] = data.groupby(["date", "origin"])["arr_delay"].transform("median")',
                    also='"gained"',
                ),
                Edit(FEATURES, FEATURES.replace("]", ', "gained"]')),
            ),
        ),
        (
            "A feature is the delay of the plane's departure, rounded to half an hour, at an innocent name.",
            (
                flights('data["slot"] = (data["dep_delay"] / 30).round().clip(-1, 4)', also='"slot"'),
                Edit(FEATURES, FEATURES.replace("]", ', "slot"]')),
            ),
        ),
    ),
)
