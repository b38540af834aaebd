"""Writes real flights of later months as rows of requests: only what the caller knows, one JSON object a line.

python rows.py PROJECT OUT --after 2013-05 --until 2013-07 --count 6000
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    """Write `count` flights of the months behind `after`, in the order of their departures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("project", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--after", required=True, help="the last month that a release has learned from")
    parser.add_argument("--until", required=True)
    parser.add_argument("--count", type=int, required=True)
    given = parser.parse_args()
    sys.path.insert(0, str(given.project))
    pipeline = importlib.import_module("pipeline")  # the project's own

    flights = pipeline.flights(until=given.until)
    later = flights[flights["date"].dt.strftime("%Y-%m") > given.after]
    later = pipeline.flights_in_weather(later, pipeline.weather()).sort_values("departure_hour", kind="stable")
    chosen = later.iloc[:: max(1, len(later) // given.count)].head(given.count)
    rows = chosen[list(pipeline.FEATURES)].astype(object).where(chosen[list(pipeline.FEATURES)].notna(), None)
    lines = [json.dumps(row, default=lambda value: value.item()) for row in rows.to_dict("records")]
    given.out.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
