"""Requests: what is taken, what is refused and how that is said."""

from __future__ import annotations

import json
import random
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
from plusone.predictor.decode import Decoder

from .layouts import Layout, Row, layouts_and_rows

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


def test_rows_of_many_requests_are_joined(predictor: Predictor) -> None:
    rows = [GOOD | {"n": place, "open text": "pq"[place % 2]} for place in range(9)]
    bodies = [json.dumps({"rows": rows[start : start + 2]}).encode() for start in range(0, 9, 2)]
    joined = [row for body in bodies for row in predictor.decode_rows(body)]
    assert len(joined) == 9
    order = [name for block in predictor.package.options["blocks"] for name in block["fields"]]
    assert [dict(zip(order, row, strict=True)) for row in joined] == rows
    answer = predictor.run(predictor.gather(joined))
    parts = [predictor.run(predictor.decode(body)) for body in bodies]
    np.testing.assert_array_equal(answer.probabilities, np.concatenate([part.probabilities for part in parts]))
    encoded = predictor.encode(answer)
    assert encoded == [row for part in parts for row in predictor.encode(part)]
    assert [json.loads(row) for row in encoded] == predictor.predictions(answer)


def test_columns_are_rows(predictor: Predictor) -> None:
    rows = [GOOD, GOOD | {"gap": 0.5, "open text": None}, GOOD | {"x": 7}]
    columns = {name: [row[name] for row in rows] for name in reversed(ORDER)}
    body = json.dumps({"columns": columns}).encode()
    assert predictor.decode_rows(body) == predictor.decode_rows(json.dumps({"rows": rows}).encode())
    columns["n"] = [3.0, 3, 3]
    assert predictor.decode_rows(json.dumps({"columns": columns}).encode()) == predictor.decode_rows(body)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b'"columns": {', b'"rows": [], "columns": {', "'columns' beside 'rows'"),
        (b'"columns": {', b'"rows": null, "columns": {', "'columns' beside 'rows'"),
        (b'"x": [1.5]', b'"x": [1.5, 2.5]', "The column 'x' has 2 values, the column 'n' has 1"),
        (b'"x": [1.5]', b'"x": [[1.5]]', "Row 0, field 'x'"),
        (b'"x": [1.5]', b'"x": 1.5', "The column 'x' is a number"),
        (b'"x": [1.5], ', b"", "'columns' has no field 'x'"),
        (b'"x": [1.5]', b'"x": [1.5], "z": [1]', "'columns' has the field 'z'"),
        (b'"known": ["a"]', b'"known": ["c"]', "Row 0, field 'known'"),
    ],
)
def test_columns_that_do_not_fit(before: bytes, after: bytes, said: str, predictor: Predictor) -> None:
    body = json.dumps({"columns": {name: [value] for name, value in GOOD.items()}}).encode()
    assert body.count(before) == 1
    with pytest.raises(InvalidInput, match=said):
        predictor.decode_rows(body.replace(before, after))


def test_a_key_that_is_there_twice_counts_the_last_time(predictor: Predictor) -> None:
    good = json.dumps({"rows": [GOOD]}).encode()
    for first in (b"1.25", b'"wrong"', b"null"):
        twice = good.replace(b'"x": 1.5', b'"x": %b, "x": 1.5' % first)
        assert predictor.decode_rows(twice) == predictor.decode_rows(good)
    with pytest.raises(InvalidInput, match="Row 0, field 'x'"):
        predictor.decode_rows(good.replace(b'"x": 1.5', b'"x": 1.5, "x": "wrong"'))
    assert predictor.decode_rows(b'{"rows": [], ' + good[1:]) == predictor.decode_rows(good)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b'"\\ud800"', "Row 0, field 'open text'"),
        (b'"\xff"', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"a', "not valid JSON"),
        (b'"\x01"', "not valid JSON"),
        (b"[" * 5000, "not valid JSON|nested too deeply"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "Row 0, field 'open text'|nested too deeply"),
        (b"1" * 100_000, "Row 0, field 'open text'"),
        (b"1e" + b"9" * 100_000, "Row 0, field 'open text'"),
        (b"0." + b"1" * 100_000, "Row 0, field 'open text'"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_values_that_no_reader_likes(value: bytes, said: str, predictor: Predictor) -> None:
    for form in (b'{"rows": [%b]}', b'{"columns": %b}'):
        row = {name: [value] if form.startswith(b'{"c') else value for name, value in GOOD.items()}
        body = form % json.dumps(row).encode().replace(b'"q"', value)
        with pytest.raises(InvalidInput, match=said) as caught:
            predictor.decode_rows(body)
        assert len(json.dumps(caught.value.as_dict(), allow_nan=False, ensure_ascii=False).encode()) < 2000


def test_bytes_that_were_changed_are_rows_or_refused(predictor: Predictor) -> None:
    """Seeded, so that it is the same each time."""
    drawn = random.Random(0)
    good = [json.dumps({"rows": [GOOD, GOOD | {"gap": 1e-5, "open text": 'ä\\"'}]}, ensure_ascii=False).encode()]
    good.append(json.dumps({"columns": {name: [value, value] for name, value in GOOD.items()}}).encode())
    pieces = [
        b"null",
        b"true",
        b"1e400",
        b"-",
        b"0",
        b"\xff",
        b'"',
        b"\\u",
        b"\\ud800",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b"",
    ]
    outcomes = {"rows": 0, "refused": 0}
    for _ in range(6000):
        body = bytearray(drawn.choice(good))
        for _ in range(drawn.choice((1, 1, 2, 3))):
            place = drawn.randrange(len(body))
            body[place : place + drawn.randrange(3)] = drawn.choice([*pieces, bytes([drawn.randrange(256)])])
        try:
            rows = predictor.decode_rows(bytes(body))
        except InvalidInput as error:
            json.dumps(error.as_dict(), allow_nan=False, ensure_ascii=False).encode()
            outcomes["refused"] += 1
        else:
            assert predictor.gather(rows).rows == len(rows) > 0
            outcomes["rows"] += 1
    assert min(outcomes.values()) > 100, outcomes


@pytest.mark.slow
@given(layouts_and_rows(tensors=True), st.data())
def test_one_value_that_does_not_fit_is_named_for_any_signature(
    drawn: tuple[Layout, list[Row]], data: st.DataObject
) -> None:
    layout, rows = drawn
    fields, blocks, known = layout
    decode = Decoder(fields, blocks, known).rows
    field = data.draw(st.sampled_from(fields))
    place = data.draw(st.integers(0, len(rows) - 1))
    wrong: Any = {"int64": 0.5, "float64": "1", "bool": 1, "string": 5, "float32": 1e39, "uint8": 256}[field.dtype]
    at = [data.draw(st.integers(0, size - 1)) for size in field.shape or ()]
    rows[place] = rows[place] | {field.name: changed(rows[place][field.name], at, wrong)}
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for body in ({"rows": rows}, {"columns": columns}):
        with pytest.raises(InvalidInput) as caught:
            decode(json.dumps(body).encode())
        assert (caught.value.details["row"], caught.value.details["field"]) == (place, field.name)
        assert caught.value.details.get("place", []) == at
        # Of a big body no object is made: what the fast way says is enough.
        with pytest.raises(InvalidInput) as caught:
            decode(json.dumps(body).encode() + b" " * (5 << 20))
        assert (caught.value.details["row"], caught.value.details["field"]) == (place, field.name)
        assert f"at {at}" in caught.value.message or not at


def changed(value: Any, at: list[int], wrong: Any) -> Any:
    """Nested lists with another value at one place."""
    if not at:
        return wrong
    return [changed(one, at[1:], wrong) if place == at[0] else one for place, one in enumerate(value)]
