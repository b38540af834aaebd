"""The tables that drift is looked for in: numpy alone, so that every side makes the same ones from the same seeds."""

from __future__ import annotations

from typing import Any

import numpy as np

ROWS, COLUMNS = 100_000, 50
WORDS = np.array(["".join(chr(97 + (n // 26**place) % 26) for place in range(3)) for n in range(300)])
PLANTED = {
    "number_4": "0.5 standard deviations higher",
    "number_5": "0.1 standard deviations higher",
    "number_7": "every twentieth value is -1",
    "number_8": "1.609 times as large: kilometres for miles",
    "text_3": "a tenth of the rows has one word more often",
    "text_8": "a fiftieth of the rows has one word more often",
    "truth_2": "0.35 in place of 0.30",
}
"""What is done to the columns of `wide` when it is asked for."""


def wide(rows: int, seed: int, *, first: int = 0, planted: bool = False) -> dict[str, Any]:
    """50 columns: 25 numbers, 15 of text, 6 truths, 4 times; a tenth of the numbers has nulls."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    days = np.sort(rng.integers(first, first + 90, rows))
    for place in range(4):
        columns[f"time_{place}"] = np.datetime64("2024-01-01", "us") + (days * 24 + place).astype("timedelta64[h]")
    for place in range(25):
        values = rng.normal(size=rows) if place % 3 else rng.integers(0, 5000, rows)
        columns[f"number_{place}"] = np.where(rng.random(rows) < 0.01, np.nan, values) if place % 10 == 1 else values
    for place in range(15):
        columns[f"text_{place}"] = WORDS[np.minimum(rng.geometric(0.02, rows), 299)]
    for place in range(6):
        columns[f"truth_{place}"] = rng.random(rows) < 0.3
    return _with_shifts(columns, rng, rows) if planted else columns


def _with_shifts(columns: dict[str, Any], rng: np.random.Generator, rows: int) -> dict[str, Any]:
    drawn = rng.random(rows)
    changed = {
        "number_4": columns["number_4"] + 0.5,
        "number_5": columns["number_5"] + 0.1,
        "number_7": np.where(drawn < 0.05, -1.0, columns["number_7"]),
        "number_8": columns["number_8"] * 1.609,
        "text_3": np.where(drawn < 0.1, WORDS[1], columns["text_3"]),
        "text_8": np.where(drawn < 0.02, WORDS[1], columns["text_8"]),
        "truth_2": drawn < 0.35,
    }
    return {name: changed.get(name, values) for name, values in columns.items()}


def alike(run: int, rows: int, columns: int) -> list[dict[str, Any]]:
    """Two tables of one distribution: half numbers, half words of which there are 12."""
    rng = np.random.default_rng([7, run])
    return [
        {f"n{place}": rng.normal(size=rows) for place in range(columns // 2)}
        | {f"w{place}": rng.choice(WORDS[:12], rows) for place in range(columns - columns // 2)}
        for _ in range(2)
    ]
