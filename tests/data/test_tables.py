"""Every dataframe that can be stored comes back as it was; every other one is refused."""

from __future__ import annotations

import datetime as dt
import decimal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from plusone.base.errors import UnsafeValue
from plusone.data import tables
from plusone.data.datasets import flavour_of, from_arrow, load, load_table, save, to_arrow
from plusone.store import Blobs

NUMBERS = [
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
    "bool",
]

PANDAS: dict[str, Callable[[], pd.DataFrame]] = {
    "numbers": lambda: pd.DataFrame({kind: np.array([1, 0, 1], kind) for kind in NUMBERS}),
    "nan and inf": lambda: pd.DataFrame({"x": [np.nan, np.inf, -np.inf, -0.0]}),
    "extremes": lambda: pd.DataFrame({"i": [2**63 - 1, -(2**63)], "u": np.array([2**64 - 1, 0], "uint64")}),
    "nullable": lambda: pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int8"),
            "f": pd.array([1.5, None], dtype="Float32"),
            "b": pd.array([True, None], dtype="boolean"),
            "s": pd.array(["a", None], dtype="string"),
        }
    ),
    "text with None": lambda: pd.DataFrame({"s": ["a", None, "", "\0", "\U0001f600"]}),
    "categories": lambda: pd.DataFrame({"c": pd.Categorical(["b", None], categories=["z", "b", "a"], ordered=True)}),
    "integer categories": lambda: pd.DataFrame({"c": pd.Categorical([3, None], categories=[9, 3, 1])}),
    "float categories": lambda: pd.DataFrame({"c": pd.Categorical([1.5], categories=[9.5, 1.5])}),
    "boolean categories": lambda: pd.DataFrame({"c": pd.Categorical([True, False])}),
    "date categories": lambda: pd.DataFrame({"c": pd.Categorical(pd.to_datetime(["2021-01-01", "2020-01-01"]))}),
    "categories of nothing": lambda: pd.DataFrame({"c": pd.Categorical([None, None], categories=["x", "y"])}),
    "categories of no rows": lambda: pd.DataFrame({"c": pd.Categorical([], categories=["x", "y"]), "i": []}),
    "many categories": lambda: pd.DataFrame(
        {"c": pd.Categorical.from_codes([0, 1, 2], categories=[f"{'long' * 20}{n:07}" for n in range(20_000, 0, -1)])}
    ),
    "times": lambda: pd.DataFrame(
        {kind: np.array(["5", "NaT"], kind) for kind in (f"{a}8[{b}]" for a in "Mm" for b in ("s", "ms", "us", "ns"))}
    ),
    "time zones": lambda: pd.DataFrame(
        {
            "b": pd.to_datetime(["2020-03-29T01:30:00", None]).tz_localize("Europe/Berlin"),
            "o": pd.to_datetime(["2020-01-01T00:00:00+05:30", None]),
        }
    ),
    "objects of one type": lambda: pd.DataFrame(
        {
            "dec": [decimal.Decimal("1.50"), None],
            "day": [dt.date(2020, 1, 1), None],
            "time": [dt.time(1, 2), None],
            "raw": [b"a\x00", None],
            "yes": pd.Series([True, None], dtype=object),
        }
    ),
    "periods and intervals": lambda: pd.DataFrame(
        {"p": pd.period_range("2020-01", periods=2, freq="M"), "i": pd.interval_range(0, 2)}
    ),
    "all None": lambda: pd.DataFrame({"x": [None, None]}),
    "named index": lambda: pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="k")),
    "index of the name of a column": lambda: pd.DataFrame({"a": [1, 2]}, index=pd.Index([5, 7], name="a")),
    "two indexes": lambda: pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([("a", 1)], names=["q", None])),
    "range index": lambda: pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(2, 6, 2)),
    "numbered columns": lambda: pd.DataFrame([[1, 2]], columns=[0, 7]),
    "levelled columns": lambda: pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
    "no rows": lambda: pd.DataFrame({"a": pd.Series([], dtype="int8"), "s": pd.Series([], dtype="str")}),
    "no columns": lambda: pd.DataFrame(index=range(3)),
    "nothing": lambda: pd.DataFrame(),
}  # fmt: skip

POLARS: dict[str, Callable[[], pl.DataFrame]] = {
    "plain": lambda: pl.DataFrame({"i": [1, None], "s": ["a", None], "f": [1.5, float("nan")], "b": [True, None]}),
    "numbers": lambda: pl.DataFrame({"a": pl.Series([1], dtype=pl.Int8), "b": pl.Series([2**64 - 1], dtype=pl.UInt64)}),
    "categories": lambda: pl.DataFrame({"c": pl.Series(["b", None, "a"], dtype=pl.Categorical)}),
    "enum": lambda: pl.DataFrame({"c": pl.Series(["b", "a"], dtype=pl.Enum(["z", "b", "a"]))}),
    "times": lambda: pl.DataFrame(
        {"t": [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)], "d": [dt.date(2020, 1, 1)], "x": [dt.timedelta(1)]}
    ),
    "nested": lambda: pl.DataFrame({"l": [[1, 2], None], "s": [{"a": 1}, {"a": None}], "b": [b"x", b""]}),
    "decimals": lambda: pl.DataFrame({"l": [decimal.Decimal("1.5")], "n": [None]}),
    "no rows": lambda: pl.DataFrame(schema={"a": pl.Int8, "c": pl.Categorical, "e": pl.Enum(["x"]), "s": pl.String}),
    "nothing": pl.DataFrame,
}  # fmt: skip

ARROW: dict[str, Callable[[], pa.Table]] = {
    "plain": lambda: pa.table({"a": pa.array([1, None], pa.int8()), "s": ["x", None]}),
    "dictionaries": lambda: pa.table(
        {
            "n": pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array([10, 20, 30])),
            "s": pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int8()), pa.array(["x", "y", "unused"])),
        }
    ),
    "seconds": lambda: pa.table(
        {str(kind): pa.array([1], kind) for kind in (pa.timestamp("s"), pa.duration("s"), pa.time32("s"), pa.date32())}
    ),
    "rare types": lambda: pa.table(
        {
            "h": pa.array([np.float16(1)], pa.float16()),
            "v": pa.array(["x"], pa.string_view()),
            "i": pa.array([pa.MonthDayNano([1, 2, 3])]),
            "m": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
            "r": pa.RunEndEncodedArray.from_arrays([1], [5]),
        }
    ),
    "chunks with dictionaries of their own": lambda: pa.concat_tables(
        [pa.table({"c": pa.array([word]).dictionary_encode()}) for word in ("x", "y")]
    ),
    "nothing": lambda: pa.table({}),
    "metadata": lambda: pa.table({"a": [1]}).replace_schema_metadata({"unit": "m"}),
}  # fmt: skip


@pytest.mark.parametrize("name", PANDAS)
def test_a_pandas_frame_comes_back_equal(blobs: Blobs, name: str) -> None:
    frame = PANDAS[name]()
    found = load(save(frame, blobs), blobs)
    assert_frame_equal(found, frame, check_freq=False)
    if name != "many categories":
        assert save(found, blobs).digest == save(frame, blobs).digest


@pytest.mark.parametrize("name", POLARS)
def test_a_polars_frame_comes_back_equal(blobs: Blobs, name: str) -> None:
    frame = POLARS[name]()
    found = load(save(frame, blobs), blobs)
    assert isinstance(found, pl.DataFrame)
    assert found.schema == frame.schema
    assert found.equals(frame)


@pytest.mark.parametrize("name", ARROW)
def test_an_arrow_table_comes_back_equal(blobs: Blobs, name: str) -> None:
    table = ARROW[name]()
    dataset = save(table, blobs)
    found = load(dataset, blobs)
    assert found.schema.equals(table.schema, check_metadata=True)
    assert found.to_pylist() == table.to_pylist()
    assert dataset.rows == table.num_rows
    assert load_table(dataset, blobs).equals(found)


def test_objects_of_one_type_come_back_as_that_type(blobs: Blobs) -> None:
    frame = pd.DataFrame({"s": pd.Series(["a", None], dtype=object), "n": pd.Series([1, 2], dtype=object)})
    found = load(save(frame, blobs), blobs)
    assert found["s"].tolist()[0] == "a"
    assert found["s"].isna().tolist() == [False, True]
    assert found["n"].tolist() == [1, 2]


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "mixed": (lambda: pd.DataFrame({"s": [1, "a"]}), "s with type object"),
    "mixed floats": (lambda: pd.DataFrame({"s": [1.5, "a"]}), "s with type object"),
    "objects": (lambda: pd.DataFrame({"s": [object()]}), "did not recognize"),
    "sets": (lambda: pd.DataFrame({"s": [{1}, None]}), "'s' holds sets"),
    "dicts": (lambda: pd.DataFrame({"s": [{"a": 1}, {"b": 2}]}), "'s' holds dicts with different keys"),
    "huge integers": (lambda: pd.DataFrame({"s": [2**70, 1]}), "too large"),
    "complex": (lambda: pd.DataFrame({"c": [1j]}), "complex128"),
    "sparse": (lambda: pd.DataFrame({"p": pd.arrays.SparseArray([0, 1])}), "Sparse"),
    "one name twice": (lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns named 'a'"),
    "one name twice in Arrow": (lambda: pa.table([[1], [2]], names=["a", "a"]), "two columns named 'a'"),
    "names of two types": (lambda: pd.DataFrame([[1, 2]], columns=[0, "a"]), "names of several types"),
    "polars objects": (lambda: pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)}), "'o' holds Python objects"),
    "lazy": (lambda: pl.DataFrame({"a": [1]}).lazy(), r"value\.collect\(\)"),
    "polars series": (lambda: pl.Series([1]), r"value\.to_frame\(\)"),
    "pandas series": (lambda: pd.Series([1]), r"value\.to_frame\(\)"),
    "record batch": (lambda: pa.record_batch({"a": [1]}), "a dataframe"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_table_that_would_change_is_refused(blobs: Blobs, name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(UnsafeValue, match=message):
        save(make(), blobs)
    assert not blobs.folder.exists(), "nothing is stored of what is refused"


def test_a_list_of_dicts_is_a_table_only_when_asked(blobs: Blobs) -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert to_arrow(rows).to_pylist() == rows
    assert save(rows, blobs).kind == "json"
    for wrong in ([{"a": 1}, {"a": "x"}], [1, 2], "text", None, 5, {"a": [1]}):
        with pytest.raises(UnsafeValue):
            to_arrow(wrong)


@pytest.mark.parametrize("flavour", ["pandas", "polars", "pyarrow"])
def test_from_arrow_gives_the_flavour_that_was_asked_for(flavour: str) -> None:
    frame = from_arrow(pa.table({"a": [1, 2]}), flavour)
    assert flavour_of(frame) == flavour
    assert to_arrow(frame).to_pydict() == {"a": [1, 2]}


def test_a_class_that_only_looks_like_a_table_is_none() -> None:
    class DataFrame:
        pass

    assert flavour_of(DataFrame()) == flavour_of(pd.Series([1])) == flavour_of(pd) == flavour_of(None) == ""


def test_reading_a_parquet_file_imports_no_pandas(tmp_path: Path):
    """Whoever reads step outputs as Arrow tables pays for pandas in each process, if reading them imports it."""
    (tmp_path / "t").write_bytes(tables.encode(pa.table({"x": [1.0, 2.0], "s": ["a", "b"]})))
    program = (
        "import sys\nfrom pathlib import Path\nfrom plusone.data.tables import decode\n"
        "assert decode(Path(sys.argv[1])).num_rows == 2\nsys.exit('pandas' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path / "t")], check=False).returncode == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([{"a": 1}, 2], r"Item 1 of the list is of type int: expected a dict for each row.\n  to mend it: \[\{"),
        (pl.LazyFrame({"a": [1]}), r"(?s)A LazyFrame is no table: .*to mend it: table\.collect\(\)"),
    ],
)
def test_what_is_no_table_says_what_would_be(value, said):
    with pytest.raises(UnsafeValue, match=said):
        to_arrow(value)
