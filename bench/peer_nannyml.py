"""NannyML's drift of columns, as its documentation has it: `UnivariateDriftCalculator` with its own chunks and bounds.

The table before is cut into ten chunks; an alert is a chunk of the table now whose Jensen-Shannon distance from all of
before lies more than three standard deviations of the ten above their mean. A column is called shifted when a chunk
of it alerts. Run in an environment of its own by `bench.drift`.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

# Before the imports, which warn too: what is printed here is read as JSON by the bench.
warnings.filterwarnings("ignore")

import nannyml  # noqa: E402
import pandas as pd  # noqa: E402

from bench import drift_tables as tables  # noqa: E402


def shifted(now: pd.DataFrame, before: pd.DataFrame) -> list[str]:
    """The columns of which NannyML alerts in some chunk."""
    names = [name for name in now.columns if now[name].dtype.kind != "M"]
    calculator = nannyml.UnivariateDriftCalculator(column_names=names, chunk_size=len(before) // 10)
    calculator.fit(before)
    found = calculator.calculate(now).filter(period="analysis").to_df()
    return [name for name in names if bool(found[(name, "jensen_shannon", "alert")].any())]


def frame(columns: dict[str, object]) -> pd.DataFrame:
    """A table whose words and truths are categories, as NannyML wants them."""
    made = pd.DataFrame(columns)
    return made.astype({name: "category" for name in made.columns if made[name].dtype.kind in "Ob"})


def main() -> None:
    """Print what was found and how long it took, as JSON."""
    times, runs, columns, *sizes = map(int, sys.argv[1:])
    now, before = (
        frame(one) for one in (tables.wide(tables.ROWS, 1, first=30, planted=True), tables.wide(tables.ROWS, 2))
    )
    taken: list[float] = []
    found: list[str] = []
    for _ in range(times):
        began = time.process_time()
        found = shifted(now, before)
        taken.append(time.process_time() - began)
    alarms = {
        rows: sum(bool(shifted(*(frame(one) for one in tables.alike(run, rows, columns)))) for run in range(runs))
        / runs
        for rows in sizes
    }
    print(json.dumps({"seconds": {"drift": taken}, "shifted": found, "false_alarms": alarms}))


if __name__ == "__main__":
    main()
