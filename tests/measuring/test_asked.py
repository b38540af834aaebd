"""Logged requests asked again: every protocol, what is refused by which field, and bytes that nobody sent."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import plusone
from plusone.base.errors import PlusoneError
from plusone.measuring.asked import Reply, ask, read_request
from plusone.predictor import Predictor, load
from tests.native.conftest import wild
from tests.packaged import package

__all__ = ["package", "wild"]

Package = Callable[..., Predictor]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    frame = pd.DataFrame({"distance": generator.normal(size=300), "hour": generator.integers(0, 24, size=300)})
    return frame.assign(target=frame["distance"] > 0)


@pytest.fixture
def model(package: Package, frame: pd.DataFrame) -> Predictor:
    return package(LogisticRegression().fit(frame[["distance", "hour"]], frame["target"]), frame)


def requests(*bodies: tuple[str, bytes | None]) -> pa.Table:
    return pa.table(
        {"kind": [kind for kind, _ in bodies], "request": pa.array([body for _, body in bodies], pa.binary())}
    )


def rows_body(*rows: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"rows": rows})


def arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def tensors(values: list[float], hours: list[int]) -> bytes:
    said = [
        {"name": "distance", "datatype": "FP64", "shape": [len(values), 1], "data": values},
        {"name": "hour", "datatype": "INT64", "shape": [len(hours), 1], "data": hours},
    ]
    return msgspec.json.encode({"inputs": said})


def grpc(values: list[float], hours: list[int]) -> bytes:
    from plusone.protocols.messages import message

    request = message("ModelInferRequest")(model_name="m")
    request.inputs.add(name="distance", datatype="FP64", shape=[len(values), 1], contents={"fp64_contents": values})
    request.inputs.add(name="hour", datatype="INT64", shape=[len(hours), 1], contents={"int64_contents": hours})
    return request.SerializeToString()


def test_requests_of_every_protocol_are_answered_in_their_order(model: Predictor):
    row = {"distance": 0.5, "hour": 3}
    found = ask(
        model,
        requests(
            ("json", rows_body(row, {"distance": -1.0, "hour": 4})),
            ("json", msgspec.json.encode({"columns": {"distance": [2.0], "hour": [5]}})),
            ("inference", tensors([3.0, -4.0], [6, 7])),
            ("arrow", arrow(pa.table({"distance": [0.25] * 200, "hour": [8] * 200}))),
            ("grpc", grpc([-5.0], [9])),
        ),
    )
    assert found.refusals == []
    assert found.rows.tolist() == [2, 1, 2, 200, 1]
    distance = [0.5, -1.0, 2.0, 3.0, -4.0, *[0.25] * 200, -5.0]
    hour = [3, 4, 5, 6, 7, *[8] * 200, 9]
    assert found.fields["distance"].tolist() == distance
    assert found.fields["hour"].tolist() == hour
    assert found.answer is not None
    wanted = model.predict(pd.DataFrame({"distance": distance, "hour": hour}))
    assert found.answer.labels.tolist() == wanted.tolist()


def test_what_is_refused_is_told_by_field(model: Predictor):
    found = ask(
        model,
        requests(
            ("json", rows_body({"distance": 1.0, "hour": 3})),
            ("json", rows_body({"dist": 1.0, "hour": 3})),
            ("json", rows_body({"distance": 1.0, "hour": "late"})),
            ("json", None),
            ("cap'n proto", b"x"),
            ("inference;abc", b"{}"),
        ),
    )
    assert found.rows.tolist() == [1, 0, 0, 0, 0, 0]
    said = {one.place: (one.field, one.message) for one in found.refusals}
    assert said[1][0] == "distance"
    assert said[2] == ("hour", "Row 0, field 'hour': 'late' does not fit: expected an integer of 64 bits.")
    assert "too big to be logged" in said[3][1]
    assert "cap'n proto" in said[4][1]
    assert set(said) == {1, 2, 3, 4, 5}


def test_strings_are_what_was_asked_also_where_the_model_sees_numbers(package: Package):
    frame = pd.DataFrame({"carrier": ["UA", "B6", None, "DL"] * 50, "target": [True, False, True, True] * 50})
    encoder = OneHotEncoder(handle_unknown="ignore")
    model = package(make_pipeline(encoder, LogisticRegression()).fit(frame[["carrier"]], frame["target"]), frame)
    found = ask(model, requests(*(("json", rows_body({"carrier": one})) for one in ("UA", None, "XX", "DL"))))
    assert found.fields["carrier"].tolist()[:2] == ["UA", ""]
    assert found.fields["carrier"].tolist()[2] in ("XX", "(other)")
    assert found.fields["carrier"].tolist()[3] == "DL"


class Breaking:
    """A predictor that can't compute some rows, and counts how often it is asked."""

    def __init__(self, model: Predictor, breaks: Callable[[np.ndarray[Any, Any]], bool]) -> None:
        self.calls = 0
        self._model = model
        self._breaks = breaks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def run(self, columns: Any) -> Any:
        self.calls += 1
        if self._breaks(columns.feeds["numbers"]):
            raise ZeroDivisionError("the model's own fault")
        return self._model.run(columns)


def test_only_the_requests_that_a_model_can_not_compute_are_refused(model: Predictor):
    breaking: Any = Breaking(model, lambda numbers: bool((numbers[:, 0] == 7.0).any()))
    bodies = [("json", rows_body({"distance": 7.0 if place in (3, 50) else 0.1, "hour": 1})) for place in range(100)]
    found = ask(breaking, requests(*bodies))
    assert [one.place for one in found.refusals] == [3, 50]
    assert found.refusals[0].reason == "ZeroDivisionError: the model's own fault"
    assert int(found.rows.sum()) == 98
    assert breaking.calls < 40


def test_a_model_that_computes_nothing_is_not_asked_for_ever(model: Predictor):
    breaking: Any = Breaking(model, lambda numbers: True)
    found = ask(breaking, requests(*[("json", rows_body({"distance": 0.1, "hour": 1}))] * 3000))
    assert len(found.refusals) == 3000
    assert found.answer is None
    assert breaking.calls < 1000


KINDS = ["json", "inference", "inference;0", "inference;5", "inference;99999", "arrow", "media;image/png", "grpc", ";"]
WORDS = st.sampled_from(["rows", "columns", "inputs", "distance", "hour"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
).map(msgspec.json.encode)
GOOD = [rows_body({"distance": 1.0, "hour": 2}), tensors([1.0], [2]), b'{"rows":[]}', b"[" * 5000]
BODIES = st.none() | st.binary(max_size=60) | st.sampled_from(GOOD) | ANY_JSON
LOGGED = st.tuples(st.sampled_from(KINDS) | st.text(max_size=8), BODIES)


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LOGGED, min_size=1, max_size=6))
def test_whatever_was_logged_is_answered_or_refused(model: Predictor, bodies: list[tuple[str, bytes | None]]):
    found: Reply = ask(model, requests(*bodies))
    assert [one.place for one in found.refusals] == np.flatnonzero(found.rows == 0).tolist()
    assert (0 if found.answer is None else found.answer.rows) == int(found.rows.sum())
    assert all(len(values) == int(found.rows.sum()) for values in found.fields.values())


def test_a_kind_that_is_not_known_is_refused(model: Predictor):
    with pytest.raises(PlusoneError, match="does not read it"):
        read_request(model, "xml", b"<rows/>")


def test_images_are_asked_again_from_their_files_and_in_json(package: Package):
    pixels = np.random.default_rng(1).integers(0, 255, size=(60, 4, 4), dtype=np.uint8)
    target = np.arange(60) % 2
    model = package(
        LogisticRegression(max_iter=5000).fit(pixels.reshape(60, 16), target),
        {"image": pixels, "target": target},
        media={"image": plusone.Image(height=4, width=4, mode="L")},
    )
    files = []
    for one in pixels[:3]:
        sink = io.BytesIO()
        Image.fromarray(one).save(sink, "PNG")
        files.append(sink.getvalue())
    encoded = rows_body({"image": {"base64": base64.b64encode(files[2]).decode()}}, {"image": pixels[3].tolist()})
    found = ask(
        model,
        requests(*(("media;image/png", one) for one in files), ("json", encoded), ("media;image/png", b"no picture")),
    )
    assert found.rows.tolist() == [1, 1, 1, 2, 0]
    assert found.fields == {}
    assert found.answer is not None
    wanted = model.predict({"image": pixels[[0, 1, 2, 2, 3]]})
    assert found.answer.labels.tolist() == wanted.tolist()
    assert "image" in found.refusals[0].message


@pytest.mark.slow
def test_a_model_in_a_process_of_its_own_is_asked_and_what_it_raises_for_is_refused(wild: Path):
    """One of them raises, the last kills its process."""
    native = load(wild, python=Path(sys.executable), log=lambda *_, **__: None)
    try:
        values = [1.0, 905.0, 2.0, 3.0]
        found = ask(native, requests(*(("json", rows_body({"x": one, "z": 0.5})) for one in values)))
        died = ask(native, requests(("json", rows_body({"x": 901.0, "z": 0.5}))))
    finally:
        native.close()
    assert [one.place for one in found.refusals] == [1]
    assert [one.place for one in died.refusals] == [0]
    assert "died" in died.refusals[0].message
    assert found.answer is not None
    assert found.answer.numbers.tolist() == [2.5, 3.5, 4.5]
