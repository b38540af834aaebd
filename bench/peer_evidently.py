"""Evidently's drift of columns, as its documentation has it: `DataDriftPreset` with its own choice of tests and bounds.

Up to 1,000 rows that is a p-value below 0.05 for each column (Kolmogorov-Smirnov, chi-square), above that a distance of
0.1 or more (Wasserstein in standard deviations, Jensen-Shannon). Run in an environment of its own by `bench.drift`.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

# Before the imports, which warn too: what is printed here is read as JSON by the bench.
warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
from evidently import DataDefinition, Dataset, Report  # noqa: E402
from evidently.presets import DataDriftPreset, DataSummaryPreset  # noqa: E402

from bench import drift_tables as tables  # noqa: E402


def shifted(now: pd.DataFrame, before: pd.DataFrame, *presets: Any) -> list[str]:
    """The columns that Evidently says have drifted."""
    datasets = [Dataset.from_pandas(one, DataDefinition()) for one in (now, before)]
    found = Report([DataDriftPreset(), *presets]).run(*datasets).dict()["metrics"]
    names: list[str] = []
    for metric in found:
        config = metric["config"]
        if config["type"].endswith(":ValueDrift"):
            small = metric["value"] < config["threshold"]
            if small if "p_value" in config["method"] else not small:
                names.append(config["column"])
    return names


def main() -> None:
    """Print what was found and how long it took, as JSON."""
    times, runs, columns, *sizes = map(int, sys.argv[1:])
    now, before = (
        pd.DataFrame(one) for one in (tables.wide(tables.ROWS, 1, first=30, planted=True), tables.wide(tables.ROWS, 2))
    )
    seconds: dict[str, list[float]] = {"drift": [], "drift and summary": []}
    found: list[str] = []
    for _ in range(times):
        for name, presets in (("drift", ()), ("drift and summary", (DataSummaryPreset(),))):
            began = time.process_time()
            found = shifted(now, before, *presets)
            seconds[name].append(time.process_time() - began)
    alarms = {
        rows: sum(
            bool(shifted(*(pd.DataFrame(one) for one in tables.alike(run, rows, columns)))) for run in range(runs)
        )
        / runs
        for rows in sizes
    }
    print(json.dumps({"seconds": seconds, "shifted": found, "false_alarms": alarms}))


if __name__ == "__main__":
    main()
