"""Arrays as requests: the types that are taken, and what is said of the others."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from plusone.base.errors import InvalidInput
from plusone.base.records import Field
from plusone.graphs.layout import MISSING, Columns, plan_blocks
from plusone.predictor.arrays import read_arrays

FIELDS = (
    Field(name="n", dtype="int64"),
    Field(name="x", dtype="float64"),
    Field(name="gap", dtype="float64", nullable=True),
    Field(name="yes", dtype="bool"),
    Field(name="known", dtype="string"),
    Field(name="open", dtype="string", nullable=True),
    Field(name="big", dtype="int64", maximum=2.0**60),
    Field(name="few", dtype="int64"),
)
KNOWN = {"known": frozenset(["a", "b"]), "few": frozenset([1.0, 2.0])}
GOOD: dict[str, Any] = {
    "n": np.array([1, 2, 3]),
    "x": np.array([0.5, 1.5, 2.5]),
    "gap": np.array([0.5, np.nan, 2.5]),
    "yes": np.array([True, False, True]),
    "known": np.array(["a", "b", "a"]),
    "open": np.array(["p", None, "q"], dtype=object),
    "big": np.array([1, 2**62 + 1, -5]),
    "few": np.array([1, 2, 1], dtype=np.int8),
}


def read(**changes: Any) -> Columns:
    """Read the good arrays, some of them changed; a change to `...` leaves the array out."""
    arrays = {name: array for name, array in (GOOD | changes).items() if array is not ...}
    return read_arrays(arrays, FIELDS, plan_blocks(FIELDS), KNOWN)


def test_columns_of_arrays() -> None:
    found = read()
    assert found.rows == 3
    assert found.feeds["strings"].tolist() == [["a", "p"], ["b", MISSING], ["a", "q"]]
    assert found.feeds["integers"].tolist() == [[1], [2**62 + 1], [-5]]
    np.testing.assert_array_equal(
        found.feeds["numbers"], [[1, 0.5, 0.5, 1, 1], [2, 1.5, np.nan, 0, 2], [3, 2.5, 2.5, 1, 1]]
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"n": np.array([1.0, 2.0, 3.0], dtype=np.float32)},
        {"n": np.array([1, 2, 3], dtype=np.uint64)},
        {"n": np.array([1, np.int8(2), 3.0], dtype=object)},
        {"x": np.array([0.5, 1.5, 2.5], dtype=np.float16)},
        {"gap": np.array([0.5, None, np.float32(2.5)], dtype=object)},
        {"yes": np.array([True, np.False_, True], dtype=object)},
        {"known": np.array([b"a", b"b", b"a"])},
        {"known": np.array([b"a", "b", np.str_("a")], dtype=object)},
        {"open": np.array(["p", np.nan, b"q"], dtype=object)},
    ],
    ids=str,
)
def test_other_types_of_the_same_values(changes: dict[str, Any]) -> None:
    expected, found = read(), read(**changes)
    for name, array in expected.feeds.items():
        assert found.feeds[name].dtype == array.dtype
        np.testing.assert_array_equal(found.feeds[name], array)


@pytest.mark.parametrize(
    ("field", "array", "row", "value"),
    [
        ("n", np.array([1, 2.5, 3]), 1, 2.5),
        ("n", np.array([True, False, True]), 0, True),
        ("n", np.array([1, 2, 2**64 - 1], dtype=np.uint64), 2, str(2**64 - 1)),
        ("n", np.array([1, 2**63, 3], dtype=np.float64), 1, 2.0**63),
        ("n", np.array(["1", "2", "3"]), 0, "1"),
        ("n", np.array([1, np.nan, 3]), 1, None),
        ("x", np.array([1, np.inf, 3]), 1, "inf"),
        ("x", np.array([1, 1j, 3]), 0, "(1+0j)"),
        ("x", np.array([1, 10**400, 3], dtype=object), 1, None),
        ("x", np.array(["2020-01-01"] * 3, dtype="datetime64[D]"), 0, None),
        ("gap", np.array([1, -np.inf, 3]), 1, "-inf"),
        ("yes", np.array([1, 0, 1]), 0, 1),
        ("known", np.array(["a", "c", "a"]), 1, "c"),
        ("known", np.array(["a", None, "a"], dtype=object), 1, None),
        ("open", np.array(["a", b"\xff", "a"], dtype=object), 1, None),
        ("open", np.array(["a", "b", "\ud800"], dtype=object), 2, "?"),
        ("open", np.array([1, 2, 3]), 0, 1),
        ("few", np.array([1, 3, 1]), 1, 3),
        ("big", np.array([0.5, 1.0, 1.0]), 0, 0.5),
    ],
    ids=lambda value: str(value)[:30],
)
def test_the_first_value_that_does_not_fit_is_named(field: str, array: Any, row: int, value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"Row {row}, field '{field}'") as caught:
        read(**{field: array})
    details = caught.value.details
    assert (details["row"], details["field"]) == (row, field)
    if value is not None:
        assert details["value"] == value


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n": ...}, "There is no array 'n': expected an integer of 64 bits"),
        ({"more": np.zeros(3)}, "The request has the field 'more'"),
        ({"x": np.zeros((3, 1))}, r"The array 'x' has the shape \[3, 1\]: expected the shape \[3\], as 'n' has"),
        ({"n": np.array(1)}, r"The array 'n' has the shape \[\]: expected one dimension"),
        ({"x": np.zeros(2)}, r"The array 'x' has the shape \[2\]"),
        ({name: array[:0] for name, array in GOOD.items()}, "There are no rows"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_arrays_of_other_shapes_and_names(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read(**changes)


@given(
    st.sampled_from(list(GOOD)),
    arrays_of.arrays(
        st.one_of(arrays_of.scalar_dtypes(), arrays_of.unicode_string_dtypes(), arrays_of.byte_string_dtypes()), 3
    ),
)
def test_whatever_comes_is_read_or_refused(field: str, array: Any) -> None:
    try:
        found = read(**{field: array})
    except InvalidInput as error:
        refused = error.details["field"]
    else:
        refused = ""
        assert found.rows == 3
        assert not np.isinf(found.feeds["numbers"]).any()
    assert refused in ("", field)


def test_no_table_library_is_loaded() -> None:
    code = (
        "import sys, numpy as np; from plusone.predictor import arrays; from plusone.base.records import Field;"
        "from plusone.graphs.layout import plan_blocks; fields = [Field(name='x', dtype='float64')];"
        "arrays.read_arrays({'x': np.ones(2)}, fields, plan_blocks(fields), {});"
        "print([m for m in sys.modules if m.split('.')[0] in ('pyarrow', 'pandas', 'narwhals', 'onnxruntime')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
