"""Requests: what is taken, what is refused and how that is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from plusone import packaging
from plusone.base.errors import InvalidInput
from plusone.predictor import Predictor, load

GOOD = {"n": 3, "x": 1.5, "gap": None, "yes": True, "known": "a", "open text": "q"}
ORDER = ["n", "x", "gap", "yes", "known", "open text"]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """Return a model with a field of every kind."""
    random = np.random.default_rng(0)
    rows = 60
    data = pd.DataFrame(
        {
            "n": random.integers(0, 9, rows),
            "x": random.normal(size=rows),
            "gap": np.where(random.random(rows) < 0.3, np.nan, random.normal(size=rows)),
            "yes": random.random(rows) < 0.5,
            "known": random.choice(["a", "b"], rows),
            "open text": [[None, "p", "q"][place] for place in random.integers(0, 3, rows)],
            "target": random.random(rows) < 0.5,
        }
    )
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["known"]),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["open text"]),
        remainder="passthrough",
    )
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5))
    model.fit(data[ORDER], data["target"])
    folder: Path = tmp_path_factory.mktemp("model")
    table = pa.Table.from_pandas(data)
    _, digest = packaging.pack(
        model, name="m", target="target", features=ORDER, train=table, proof=[], environment="", folder=folder
    )
    return load(folder, digest)


def body(**changes: Any) -> bytes:
    """Return a request of two rows, the second changed; a change to `...` leaves the field out."""
    row = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    return json.dumps({"rows": [GOOD, row]}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"x": 4},
        {"n": 3.0},
        {"n": -(2**63)},
        {"gap": 0.1},
        {"open text": None},
        {"open text": "never seen"},
        {"yes": False},
    ],
    ids=str,
)
def test_taken(changes: dict[str, Any], predictor: Predictor) -> None:
    columns = predictor.decode(body(**changes))
    assert columns.rows == 2
    answer = predictor.run(columns)
    table = predictor.run(predictor.columns([GOOD, GOOD | changes]))
    np.testing.assert_array_equal(answer.probabilities, table.probabilities)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("n", 3.5, "an integer of 64 bits"),
        ("n", 2**63, "an integer of 64 bits"),
        ("n", True, "an integer of 64 bits"),
        ("n", None, "an integer of 64 bits"),
        ("n", "3", "an integer of 64 bits"),
        ("x", None, "a finite number"),
        ("x", False, "a finite number"),
        ("x", "1.5", "a finite number"),
        ("x", 10**400, "a finite number"),
        ("gap", "", "a finite number, or null"),
        ("gap", [1], "a finite number, or null"),
        ("yes", 1, "true or false"),
        ("known", "c", "one of 'a', 'b': the model does not answer to values it has not seen"),
        ("known", None, "one of 'a', 'b': the model does not answer to values it has not seen"),
        ("open text", 5, "a string, or null"),
        ("n", ..., "an integer of 64 bits"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_refused_by_name(field: str, value: Any, expected: str, predictor: Predictor) -> None:
    with pytest.raises(InvalidInput) as caught:
        predictor.decode(body(**{field: value}))
    details = caught.value.details
    assert (details["row"], details["field"], details["expected"]) == (1, field, expected)
    assert f"'{field}'" in caught.value.message
    json.dumps(caught.value.as_dict(), allow_nan=False).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not valid JSON"),
        (b'{"rows": [{"n": 1', "not valid JSON"),
        (b'{"rows": [{"n": NaN}]}', "NaN is no JSON value"),
        (b'{"rows": [{"n": -Infinity}]}', "Infinity is no JSON value"),
        (b'{"rows": [{"n": "\xff"}]}', "not UTF-8: byte 17 is 0xff"),
        (b"[]", "The body is a list"),
        (b"null", "The body is null"),
        (b"{}", "no 'rows'"),
        (b'{"rows": {}}', "'rows' is an object"),
        (b'{"rows": []}', "'rows' is empty"),
        (b'{"rows": [1]}', "Row 0 is 1"),
        (b'{"rows": [null]}', "Row 0 is null"),
        (b'{"rows": [{}], "more": 1}', "'more' beside 'rows'"),
        (b"[" * 100_000, "not valid JSON|nested too deeply"),
        (b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply|Row 0"),
    ],
)
def test_no_body_at_all(data: bytes, said: str, predictor: Predictor) -> None:
    with pytest.raises(InvalidInput, match=said):
        predictor.decode(data)


def test_numbers_beyond_any_float_and_unknown_fields(predictor: Predictor) -> None:
    with pytest.raises(InvalidInput) as caught:
        predictor.decode(body().replace(b"1.5", b"1e400"))
    assert (caught.value.details["row"], caught.value.details["field"]) == (0, "x")
    # Python itself refuses to read integers of more than 4,300 digits.
    with pytest.raises(InvalidInput, match="Row 0, field 'n'"):
        predictor.decode(body().replace(b"3", b"9" * 5000))
    with pytest.raises(InvalidInput, match="Row 1 has the field 'extra'") as caught:
        predictor.decode(body(extra=1))
    assert caught.value.details["field"] == "extra"


def test_the_first_of_several_wrong_rows_is_named(predictor: Predictor) -> None:
    rows = [GOOD] * 500 + [GOOD | {"x": "?"}] + [GOOD | {"n": "?"}]
    with pytest.raises(InvalidInput) as caught:
        predictor.decode(json.dumps({"rows": rows}).encode())
    assert (caught.value.details["row"], caught.value.details["field"], caught.value.details["value"]) == (
        500,
        "x",
        "?",
    )


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["a", "b"])
rows_like = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys([*ORDER, "extra"], plain))
    | st.fixed_dictionaries({name: st.just(value) | plain for name, value in GOOD.items()})
    | plain,
    max_size=4,
)
bodies = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda rows: json.dumps({"rows": rows}).encode(), rows_like),
    st.builds(
        lambda value: json.dumps(value).encode(),
        st.recursive(plain, lambda s: st.lists(s) | st.dictionaries(st.text(), s)),
    ),
    st.builds(lambda rows, cut: json.dumps({"rows": rows}).encode()[:cut], rows_like, st.integers(0, 200)),
)


@given(bodies)
@example(b'{"rows": [{"n": "\\ud800"}]}')
@example(b'{"rows": [{"known": "\\ud800"}]}')
@example(json.dumps({"rows": [GOOD | {"open text": "a\0b\ue000missing"}]}).encode())
@example(b'{"rows": [{"n": 1e999999999999}]}')
@example(b'{"rows": [{"n": ' + b"9" * 5000 + b"}]}")
def test_whatever_comes_is_refused_properly_or_runs(predictor: Predictor, data: bytes) -> None:
    try:
        columns = predictor.decode(data)
    except InvalidInput as error:
        json.dumps(error.as_dict(), allow_nan=False, ensure_ascii=False).encode()
        return
    answer = predictor.run(columns)
    assert np.isfinite(answer.probabilities).all()
    assert len(predictor.predictions(answer)) == columns.rows


@given(st.lists(st.fixed_dictionaries({n: st.just(v) | plain for n, v in GOOD.items()}), min_size=1, max_size=3))
def test_a_table_is_taken_as_the_same_json_is(predictor: Predictor, rows: list[dict[str, Any]]) -> None:
    """One rule for both doors, row by row; NaN and infinity are left out: JSON does not know them."""
    for row in rows:
        if any(isinstance(value, float) and not np.isfinite(value) for value in row.values()):
            continue
        if any(isinstance(value, str) and value.encode("utf-8", "replace").decode() != value for value in row.values()):
            continue
        outcomes: list[Any] = []
        for door in (lambda r: predictor.decode(json.dumps({"rows": [r]}).encode()), lambda r: predictor.columns([r])):
            try:
                outcomes.append(predictor.run(door(row)).probabilities.tolist())
            except InvalidInput as error:
                outcomes.append(error.details.get("field"))
        if outcomes[1] is not None:  # None: Arrow itself could not make a table of it
            assert outcomes[0] == outcomes[1]
