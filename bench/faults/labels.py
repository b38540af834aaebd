"""Faults of labels: the answer among the features, and answers that are not those to the question."""

from __future__ import annotations

from .changing import FEATURES, Edit, Fault, after_reading, flights, learning, pair, replaced

__all__ = ["FAULTS"]

_LATE = 'data["arr_delay"] > 15\n'


def _feature(name: str, code: str) -> tuple[Edit, Edit]:
    """Return the changes that compute one more column and make it a feature."""
    return flights(code, also=f'"{name}"'), Edit(FEATURES, FEATURES.replace("]", f', "{name}"]'))


FAULTS: tuple[Fault, ...] = (
    *pair(
        "leak_direct",
        (
            "A feature `status` is the answer under another name.",
            _feature("status", 'data["status"] = data["late"].astype(int)'),
        ),
        (
            "A feature `priority` is the answer, wrong in one row of five: too good, and unknown in time.",
            _feature("priority", 'data["priority"] = (data["late"] ^ (data.index % 5 == 0)).astype(int)'),
        ),
    ),
    *pair(
        "leak_by_proxy",
        (
            "dep_delay is a feature: known only after departure, and nearly the answer.",
            _feature("dep_delay", ""),
        ),
        (
            "A feature `ground_minutes` is dep_delay under another name, cut at 0 and 30.",
            _feature("ground_minutes", 'data["ground_minutes"] = data["dep_delay"].clip(0, 30)'),
        ),
    ),
    *pair(
        "leak_by_encoding",
        (
            "A feature is the share of late flights to that airport on that day, the flight itself among them.",
            _feature("risk", 'data["risk"] = data.groupby(["date", "dest"])["late"].transform("mean")'),
        ),
        (
            "A feature is the share of late flights of that airport on that day: known at midnight, not before.",
            _feature("busy", 'data["busy"] = data.groupby(["date", "origin"])["late"].transform("mean")'),
        ),
    ),
    *pair(
        "label_flipped",
        (
            "The answer is wrong for three flights of ten, at random.",
            flights(
                "wrong = data.sample(frac=0.3, random_state=1).index\n"
                'data.loc[wrong, "late"] = ~data.loc[wrong, "late"]'
            ),
        ),
        (
            "The answer is wrong for one flight of ten in the newest month.",
            flights(
                "wrong = data[new].sample(frac=0.1, random_state=1).index\n"
                'data.loc[wrong, "late"] = ~data.loc[wrong, "late"]'
            ),
        ),
    ),
    *pair(
        "label_inverted",
        (
            "`late` says 'on time' in all rows: a comparison that was turned round.",
            replaced(_LATE, 'data["arr_delay"] <= 15\n'),
        ),
        (
            "`late` says 'on time' for one airline (MQ) in the newest month.",
            flights('one = new & (data["carrier"] == "MQ")\ndata.loc[one, "late"] = ~data.loc[one, "late"]'),
        ),
    ),
    *pair(
        "label_definition",
        (
            "Late is over 60 minutes: another question than callers ask.",
            replaced(_LATE, 'data["arr_delay"] > 60\n'),
        ),
        (
            "Late is over 30 minutes in the newest month only: two questions in one column.",
            flights('data.loc[new, "late"] = data.loc[new, "arr_delay"] > 30'),
        ),
    ),
    *pair(
        "label_of_something_else",
        (
            "The model learns whether a flight leaves after noon, and not whether it is late.",
            learning('late = features["sched_dep_time"] > 1200'),
        ),
        (
            "`late` is computed from the delay at departure and not at arrival.",
            replaced(_LATE, 'data["dep_delay"] > 15\n'),
        ),
    ),
    *pair(
        "missing_is_no",
        (
            "Flights without a report of their arrival, half of the newest month, stay in and are 'not late'.",
            (
                after_reading(
                    'lost = (data["month"] == 4) & (data["flight"] % 2 == 0)\n'
                    'data.loc[lost, "arr_delay"] = float("nan")'
                ),
                Edit('    data = data[data["arr_delay"].notna()]', "    pass"),
            ),
        ),
        (
            "Cancelled flights (one of forty) stay in and are 'not late': on the worst days the most.",
            Edit('    data = data[data["arr_delay"].notna()]', "    pass"),
        ),
    ),
    *pair(
        "broken_slice_labels",
        (
            "No flight of LGA is late: its answers did not come, and were filled with 'no'.",
            flights('data.loc[data["origin"] == "LGA", "late"] = False'),
        ),
        (
            "No flight of the airline EV is late in the newest month.",
            flights('data.loc[new & (data["carrier"] == "EV"), "late"] = False'),
        ),
    ),
)
