"""Big JSON bodies, a slice at a time: the same answers and the same errors as the predictor gives to the whole."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from plusone.aside import handlers
from plusone.aside.handlers import answer_json
from plusone.base.errors import InvalidInput
from plusone.predictor import Predictor

WORDS = ["a", "b", 'c"d', "e\\", "},{", "}, {", "é}\u2028,{", '"},{"', "[", "{", "}"]


@pytest.fixture
def predictor(package: Callable[..., Predictor]) -> Predictor:
    """Return a model of a text and a number."""
    generator = np.random.default_rng(1)
    text = np.array([*WORDS, "]"])[generator.integers(0, len(WORDS) + 1, 400)]
    frame = pd.DataFrame({"text": text, "x": generator.random(400)})
    frame["target"] = (frame["x"] + (frame["text"] == "},{")) > 0.5
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["text"]), remainder="passthrough")
    return package(make_pipeline(encode, LogisticRegression()).fit(frame[["text", "x"]], frame["target"]), frame)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut after some rows, as a big body is cut after some thousand."""
    monkeypatch.setattr(handlers, "_SLICE_BYTES", 100)
    monkeypatch.setattr(handlers, "_SLICE_ROWS", 7)


def answered(predictor: Predictor, body: bytes) -> tuple[int, Any]:
    """The number of rows and the predictions."""
    pieces = answer_json(predictor, memoryview(body), {})
    parts: list[bytes] = []
    while True:
        try:
            parts.append(next(pieces))
        except StopIteration as end:
            return end.value.rows, json.loads(b"".join(parts))


def expected(predictor: Predictor, body: bytes) -> tuple[int, Any]:
    answer = predictor.run(predictor.decode(body))
    return answer.rows, json.loads(json.dumps(predictor.predictions(answer)))


def texts(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The same rows, written in several ways."""
    yield json.dumps({"rows": rows})
    yield json.dumps({"rows": rows}, separators=(",", ":"), ensure_ascii=False)
    yield json.dumps({"rows": rows}, indent=3)
    yield ' \n{ "rows"\t:\r\n [' + " , ".join(json.dumps(row) for row in rows) + " ] }\n "
    yield json.dumps({"rows": rows}).replace('"rows"', '"r\\u006fws"')


@pytest.mark.slow
@pytest.mark.parametrize("words", [["a", "b"], WORDS, [*WORDS, "]", "]}", "}]}"]])
@pytest.mark.parametrize("count", [1, 2, 30, 200])
def test_the_answers_are_those_to_the_whole(predictor: Predictor, words: list[str], count: int) -> None:
    chance = random.Random(count)
    rows = [{"text": chance.choice(words), "x": chance.random()} for _ in range(count)]
    for text in texts(rows):
        body = text.encode()
        found, wanted = answered(predictor, body), expected(predictor, body)
        assert found[0] == wanted[0] == count
        for one, other in zip(found[1], wanted[1], strict=True):
            assert one["label"] == other["label"]
            assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        '{"text":"a"}',
        '{"text":"a","x":"1"}',
        '{"text":"a","x":null}',
        '{"text":"a","x":1e400}',
        '{"text":"a","x":1,"y":2}',
        "{}",
        "null",
        "3",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 29, 50, 59])
def test_a_wrong_row_is_named_as_in_the_whole(predictor: Predictor, wrong: str, place: int) -> None:
    rows = ['{"text":"},{","x":0.25}'] * 60
    rows[place] = wrong
    body = ('{"rows":[' + ",".join(rows) + "]}").encode()
    with pytest.raises(InvalidInput) as caught:
        answered(predictor, body)
    with pytest.raises(InvalidInput) as whole:
        predictor.decode(body)
    assert caught.value.as_dict() == whole.value.as_dict()
    assert caught.value.details["row"] == place


ROW = '{"text":"a","x":0.5}'
MANY = ",".join([ROW] * 40)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"rows":[]}',
        '{"rows":[' + MANY + ",]}",
        '{"rows":[,' + MANY + "]}",
        '{"rows":[' + MANY + "," + "," + MANY + "]}",
        '{"rows":[' + MANY + " " + MANY + "]}",
        '{"rows":[' + MANY + ']],"rows":[[' + MANY + "]}",
        '{"rows":[' + MANY + '],"more":[' + MANY + "]}",
        '{"rows":[' + MANY + "]",
        '{"rows":[' + MANY + "}",
        '{"rows":[' + MANY + "]}}",
        '{"rows":[' + MANY + "]}x",
        '{"rows":[' + MANY + ',{"text":"a' + MANY + "]}",
        '{"rows":[' + MANY + ',{"text":"},{"x":1},' + MANY + "]}",
        "\ufeff" + '{"rows":[' + MANY + "]}",
    ],
)
def test_what_is_no_list_of_rows_is_refused_as_the_whole_is(predictor: Predictor, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        answered(predictor, text.encode())
    with pytest.raises(InvalidInput) as whole:
        predictor.decode(text.encode())
    assert caught.value.as_dict() == whole.value.as_dict()


def test_rows_given_twice_are_what_the_predictor_makes_of_them(predictor: Predictor) -> None:
    body = ('{"rows":[' + MANY + '],"rows":[' + ROW + "]}").encode()
    outcomes: list[Any] = []
    for read in (answered, expected):
        try:
            outcomes.append(read(predictor, body))
        except InvalidInput as error:
            outcomes.append(error.as_dict())
    assert outcomes[0] == outcomes[1]


def test_bytes_that_were_changed_are_answered_or_refused_as_the_whole_is(predictor: Predictor) -> None:
    chance = random.Random(5)
    body = ('{"rows":[' + ",".join(f'{{"text":"{w}","x":0.5}}' for w in ["a", "},{", "é"] * 15) + "]}").encode()
    for _ in range(1500):
        data = bytearray(body)
        for _ in range(chance.choice([1, 1, 2, 5])):
            place = chance.randrange(len(data))
            change = chance.randrange(3)
            if change == 0:
                data[place] = chance.choice(b'{}[],:"\\ 0e\xff\xc3\x00a')
            elif change == 1:
                del data[place : place + chance.randrange(1, 30)]
            else:
                data[place:place] = chance.choice([b"},{", b'"', b"]", b"\\", b'"},{"', b'],"rows":['])
        outcomes: list[Any] = []
        for read in (expected, answered):
            try:
                outcomes.append(read(predictor, bytes(data))[0])
            except InvalidInput:
                outcomes.append(None)
        assert outcomes[0] == outcomes[1], bytes(data)
