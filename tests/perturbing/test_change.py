from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import PlusoneError, UsageError
from plusone.check import perturb
from plusone.data.tables import to_arrow
from tests.perturbing.tables import FORMS, form, values

ROWS: list[dict[str, Any]] = [
    {"text": "I do not like John, 12 times.", "many": 1, "much": 1.5, "kind": "a", "list": [1, 2, 3], "yes": True},
    {"text": None, "many": 2, "much": None, "kind": "b", "list": [4, 5], "yes": False},
    {"text": "hello world", "many": 3, "much": 2.0, "kind": "c", "list": [6], "yes": True},
]
CHANGES = [
    perturb.typos("text", share=0.2),
    perturb.case("text", to="random"),
    perturb.blanks("text"),
    perturb.punctuation("text", how="none"),
    perturb.contractions("text"),
    perturb.names("text"),
    perturb.numbers("text"),
    perturb.replaced("text", {"hello": "good day"}),
    perturb.added("text", after=" Thanks"),
    perturb.irrelevant(),
    perturb.constant("many", 7),
    perturb.missing("many", share=0.5),
    perturb.missing("yes"),
    perturb.shuffled("kind"),
    perturb.swap("kind", ["a", "b", "z"]),
    perturb.reordered("list"),
    perturb.add("many", 1.4),
    perturb.multiply("much", 2),
    perturb.noise("many", size=3),
    perturb.typos("text") | perturb.case("text", to="upper") | perturb.add("many", 1),
]


@pytest.mark.parametrize("change", CHANGES, ids=repr)
def test_a_change_is_the_same_in_every_form_and_leaves_the_table_as_it_was(change: perturb.Change):
    found: list[list[Any]] = []
    for kind in FORMS:
        data = form(copy.deepcopy(ROWS), kind)
        changed = change(data)
        assert type(changed) is type(data)
        # The table itself is as it was.
        assert to_arrow(data).to_pylist() == to_arrow(form(ROWS, kind)).to_pylist()
        found.append(values(changed, change.column))
        others = [name for name in ROWS[0] if name not in (change.column, "many")]
        assert all(values(changed, name) == values(data, name) for name in others)
        assert values(change(data), change.column) == found[-1]
    assert all(one == found[0] for one in found[1:])
    assert found[0] != [row.get(change.column) for row in ROWS]


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("change", [one for one in CHANGES if one.column in ("text", "many", "much", "list")], ids=repr)
def test_a_column_keeps_its_type_where_the_values_fit_it(change: perturb.Change, kind: str):
    data = form(ROWS, kind)
    before, after = (to_arrow(one).schema.field(change.column).type for one in (data, change(data)))
    assert before == after or pa.types.is_large_string(before)


def test_categories_stay_categories_and_take_new_ones():
    change = perturb.swap("kind", ["a", "b", "z"])
    frame = pd.DataFrame({"kind": pd.Categorical(["a", "b", "a"])})
    assert isinstance(change(frame)["kind"].dtype, pd.CategoricalDtype)
    assert change(frame)["kind"].tolist() == ["z", "a", "z"]
    assert change(pl.DataFrame({"kind": ["a", "b", "a"]}, schema={"kind": pl.Categorical}))["kind"].to_list() == [
        "z",
        "a",
        "z",
    ]
    enum = pl.DataFrame({"kind": ["a", "b", "a"]}, schema={"kind": pl.Enum(["a", "b"])})
    assert change(enum)["kind"].to_list() == ["z", "a", "z"]
    table = pa.table({"kind": pa.array(["a", "b", "a"]).dictionary_encode()})
    assert change(table).column("kind").to_pylist() == ["z", "a", "z"]


def test_an_index_of_pandas_is_kept():
    frame = pd.DataFrame({"text": ["one", "two"]}, index=[7, 3])
    changed = perturb.case("text")(frame)
    assert changed.index.tolist() == [7, 3]
    assert changed["text"].tolist() == ["ONE", "TWO"]


def test_one_row_of_a_request_and_a_dict_of_arrays():
    assert perturb.case("text")({"text": "hello"}) == {"text": "HELLO"}
    changed = perturb.add("x", 2)({"x": np.array([1, 2], np.int64), "t": np.array(["a", None], object)})
    assert changed["x"].dtype == np.int64
    assert changed["x"].tolist() == [3, 4]
    texts = perturb.case("t")({"t": np.array(["a", None], object)})["t"]
    assert texts.tolist() == ["A", None]


def test_it_reads_as_it_is_written():
    both = perturb.typos("text", share=0.1) | perturb.case("text", to="upper")
    assert repr(both) == "typos('text', share=0.1, seed=0) | case('text', to='upper')"
    assert repr(perturb.noise("x", relative=0.1, seed=3)) == "noise('x', relative=0.1, seed=3)"


def test_another_seed_is_another_change():
    data = [{"text": "several words that can be mistyped"}] * 5
    assert perturb.typos("text", seed=1)(data) != perturb.typos("text", seed=2)(data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: perturb.typos("text", share=0), "share = 0"),
        (lambda: perturb.typos("text", share=True), "share = True"),
        (lambda: perturb.typos(3), "column = "),  # pyright: ignore[reportArgumentType]  hostile
        (lambda: perturb.typos("text", seed=-1), "seed = -1"),
        (lambda: perturb.case("text", to="loud"), "'loud': expected one of 'upper'"),  # pyright: ignore[reportArgumentType]  hostile
        (lambda: perturb.contractions("text", to="x"), "expected one of 'short', 'long'"),  # pyright: ignore[reportArgumentType]  hostile
        (lambda: perturb.names("text", known="John"), "expected a list of words"),
        (lambda: perturb.replaced("text", {}), "expected a dict of words"),
        (lambda: perturb.replaced("text", {"a": 1}), "expected a dict of words"),  # pyright: ignore[reportArgumentType]  hostile
        (lambda: perturb.added("text"), "expected a text"),
        (lambda: perturb.numbers("text", by=7), "by = 7"),
        (lambda: perturb.swap("kind", ["a"]), "two values or more"),
        (lambda: perturb.swap("kind", "ab"), "two values or more"),
        (lambda: perturb.add("x", float("nan")), "by = nan"),
        (lambda: perturb.noise("x"), "one of size, relative and snr_db"),
        (lambda: perturb.noise("x", size=1, relative=1), "one of size, relative and snr_db"),
        (lambda: perturb.noise("x", size=-1), "above 0"),
        (lambda: perturb.missing("x", share=2), "share = 2"),
        (lambda: perturb.flip("x", axis="both"), "axis = 'both'"),  # pyright: ignore[reportArgumentType]  hostile
        (lambda: perturb.shift("x"), "right and down are 0"),
        (lambda: perturb.shift("x", down=0.5), "down = 0.5"),  # pyright: ignore[reportArgumentType]  hostile
        (lambda: perturb.brightness("x", -1), "by = -1"),
    ],
)
def test_what_is_no_change_is_refused(make: Any, message: str):
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "data", "message"),
    [
        (perturb.typos("nothing"), ROWS, "no column 'nothing'. Its columns: text, many"),
        (perturb.typos("many"), ROWS, "in row 0 is '1', and it is for texts"),
        (perturb.add("text", 1), ROWS, "is for numbers, and a value is 'I do not like"),
        (perturb.add("list", 1), ROWS, "not numbers of one shape"),
        (perturb.add("yes", 1), ROWS, "is for numbers"),
        (perturb.flip("many"), ROWS, "for pictures"),
        (perturb.delay("many", 3), ROWS, "for sounds"),
        (perturb.noise("many", snr_db=3), ROWS, "snr_db is for tensors"),
        (perturb.reordered("text"), ROWS, "it is for lists"),
        (perturb.typos("text"), "text", "was given a str"),
        (perturb.typos("text"), None, "was given a NoneType"),
        (perturb.typos("text"), [1, 2], "A row is a int"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(change: perturb.Change, data: Any, message: str):
    with pytest.raises(UsageError, match=message):
        change(data)


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(), max_size=3)
)


@given(st.lists(PLAIN, max_size=5), st.sampled_from([one for one in CHANGES if one.column != "irrelevant"]))
def test_whatever_is_in_a_column_is_changed_or_refused(cells: list[Any], change: perturb.Change):
    rows = [{change.column: cell, "many": 1} | {change.column: cell} for cell in cells]
    try:
        changed = change(rows)
    except PlusoneError:
        return
    assert len(changed) == len(rows)
