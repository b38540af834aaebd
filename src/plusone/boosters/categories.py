"""The categories of a booster: what enters its trees are codes, the places of values in a table that the model holds.

A request carries the values. In the graph they are looked up; a dataframe gets a column of categories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base.errors import Incompatible
from ..graphs.graph import ML, Column, Graph, View

__all__ = ["Tables", "coded", "is_text", "to_pandas"]

Tables = Mapping[int, Sequence[Any]]
"""By the place of a column: its categories in the order of their codes."""


def coded(graph: Graph, view: View, tables: Tables, path: str) -> View:
    """Return the columns with the code in place of each category; NaN for what is in no table.

    Raises:
        Incompatible: when a column holds text and the model has no table for it, or text is looked for among numbers.
    """
    out: View = []
    for place, column in enumerate(view):
        if place in tables:
            out += graph.whole(_looked_up(graph, column, tables[place], path), 1)
        elif column.kind == "string":
            raise Incompatible(
                f"Column {place} ({column.source or 'made in the model'}) of {path} is text, and the model has no "
                "categories for it.",
                mend="fit it on a column of pandas' type 'category'",
                path=path,
            )
        else:
            out.append(column)
    return out


def _looked_up(graph: Graph, column: Column, table: Sequence[Any], path: str) -> str:
    text = column.kind == "string"
    if any(isinstance(value, str) != text for value in table):
        raise Incompatible(
            f"Field {column.source!r} of {path} is {'text' if text else 'a number'}, and its categories in the model "
            f"are {table[0]!r} and the like.",
            mend="give the step that makes the column the type that the model was fitted on",
            path=path,
        )
    values = {
        "values_tensor": graph.attribute(np.arange(len(table)), graph.dtype),
        "default_tensor": graph.attribute([np.nan], graph.dtype),
    }
    if text:
        return graph.add("LabelEncoder", graph.column(column), domain=ML, keys_strings=list(table), **values)
    keys = graph.attribute([float(value) for value in table], graph.dtype)
    return graph.add("LabelEncoder", graph.matrix([column]), domain=ML, keys_tensor=keys, **values)


def to_pandas(frame: Any) -> Any:
    """Return a dataframe of pandas for one of polars; what else there is as it is."""
    return frame.to_pandas() if hasattr(frame, "to_pandas") else frame


def is_text(series: Any) -> bool:
    """Whether a column of a dataframe of pandas holds text or categories."""
    return series.dtype.kind == "O" or type(series.dtype).__name__ in ("CategoricalDtype", "StringDtype")
