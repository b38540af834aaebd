"""One table in every form that a change takes, and what comes back as plain rows."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa

FORMS = ("pandas", "polars", "pyarrow", "rows")


def form(rows: list[dict[str, Any]], kind: str) -> Any:
    table = pa.Table.from_pylist(rows)
    forms = {"pandas": pd.DataFrame(rows), "polars": pl.DataFrame(rows), "pyarrow": table, "rows": rows}
    return forms[kind]


def values(data: Any, column: str) -> list[Any]:
    if isinstance(data, pd.DataFrame):
        return [None if one is pd.NA or one != one else one for one in data[column].tolist()]
    if isinstance(data, pl.DataFrame):
        return data[column].to_list()
    if isinstance(data, pa.Table):
        return data.column(column).to_pylist()
    return [row[column] for row in data]
