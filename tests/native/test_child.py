"""What a model's process makes of a request: the very dataframe that the trained object is asked with in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.records import Output, Signature
from plusone.graphs.layout import plan_blocks
from plusone.native import child
from plusone.native.wire import Frame
from plusone.packaging.natively import _frame
from plusone.proving.prove import Trained
from plusone.signatures.signature import make_fields
from plusone.signatures.tables import read_table

NAMES = ["whole", "real", "truth", "text", "kind"]


class Asked:
    """Keeps what it was asked with."""

    takes_frames = True

    def predict(self, frame: Any) -> Any:
        self.frame = frame
        return np.zeros(len(frame))


class Matrix(Asked):
    """Was fitted on a matrix: asked with one."""

    takes_frames: Any = property(lambda self: (_ for _ in ()).throw(AttributeError))


def _columns(data: st.DataObject, count: int, nulls: bool) -> dict[str, Any]:
    def some(values: st.SearchStrategy[Any]) -> list[Any]:
        one = st.none() | values if nulls else values
        return data.draw(st.lists(one, min_size=count, max_size=count))

    return {
        "whole": pa.array(some(st.integers(-(2**40), 2**40)), pa.int64()),
        "real": pa.array(some(st.floats(allow_nan=False, allow_infinity=False)), pa.float64()),
        "truth": pa.array(some(st.booleans()), pa.bool_()),
        "text": pa.array(some(st.text("abc\u00e9", max_size=3)), pa.string()),
        "kind": pa.array(some(st.sampled_from(["a", "b"])), pa.string()).dictionary_encode(),
    }


def _asked(train: pa.Table, table: pa.Table, flavour: str, model: Any) -> tuple[Any, Any]:
    """Return what the trained object is asked with for a table, and what the child makes of its columns."""
    trained = Trained(model, train.column_names, flavour)
    signature = Signature(
        fields=make_fields(train.column_names, train), output=Output(name="y", kind="number", width=1)
    )
    blocks = plan_blocks(signature.fields)
    columns, bad = read_table(table, signature.fields, blocks, {})
    assert not bad.any()
    options = {
        "blocks": [{"name": block.name, "dtype": block.dtype, "fields": list(block.fields)} for block in blocks],
        "output": "number",
        "frame": _frame(trained, signature, train),
    }
    other = Asked()
    child.Model(other, {"options": options, "classes": []}).answer(Frame({"rows": columns.rows}, columns.feeds))
    return trained.frame(table), other.frame


@pytest.mark.slow
@given(st.data(), st.booleans())
def test_pandas_and_polars_are_as_in_training(data: st.DataObject, nulls: bool):
    whole = pa.table(_columns(data, 6, nulls=False))
    train = pa.concat_tables([whole, pa.table(_columns(data, 3, nulls=True))]).unify_dictionaries() if nulls else whole
    table = train.slice(0, data.draw(st.integers(1, train.num_rows)))
    expected, found = _asked(train, table, "pandas", Asked())
    # A dataframe says of a categorical what its own values are; the child's are those of training.
    expected["kind"], found["kind"] = expected["kind"].astype("str"), found["kind"].astype("str")
    pd.testing.assert_frame_equal(found, expected)
    expected, found = _asked(train, table, "polars", Asked())
    assert found.with_columns(pl.col("kind").cast(pl.String)).equals(
        expected.with_columns(pl.col("kind").cast(pl.String))
    )
    assert found.schema == expected.schema


@pytest.mark.parametrize("names", [["real"], ["real", "whole"], ["whole"], ["truth"], ["truth", "real"]])
def test_a_matrix_has_the_type_that_it_had(names: list[str]):
    every = {
        "real": pa.array([0.5, -1.0, 2.0]),
        "whole": pa.array([1, 2, 3]),
        "truth": pa.array([True, False, True]),
    }
    table = pa.table({name: every[name] for name in names})
    expected, found = _asked(table, table, "pandas", Matrix())
    assert found.dtype == expected.dtype
    assert (found == expected).all()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (lambda frame: [1.0], "shape"),
        (lambda frame: np.zeros((2, 2)), "shape"),
        (lambda frame: None, "shape"),
        (lambda frame: ["a", "b"], "could not convert"),
    ],
)
def test_an_answer_that_does_not_fit_says_so(answers: Any, message: str):
    model = child.Model(answers, _meta("number"))
    with pytest.raises((ValueError, TypeError), match=message):
        model.answer(Frame({"rows": 2}, {"numbers": np.zeros((2, 1))}))


def test_a_label_that_is_no_class_is_named():
    model = child.Model(lambda frame: ["late", "never"], _meta("codes", ["early", "late"]))
    with pytest.raises(ValueError, match="'never', which is none of its classes"):
        model.answer(Frame({"rows": 2}, {"numbers": np.zeros((2, 1))}))
    with pytest.raises(ValueError, match="2 labels to 3 rows"):
        model.answer(Frame({"rows": 3}, {"numbers": np.zeros((3, 1))}))


def _meta(output: str, classes: list[Any] | None = None) -> dict[str, Any]:
    column = {"name": "x", "dtype": "float64", "as": "float64"}
    return {
        "options": {
            "blocks": [{"name": "numbers", "dtype": "float64", "fields": ["x"]}],
            "output": output,
            "frame": {"flavour": "matrix", "columns": [column]},
        },
        "classes": classes or [],
    }
