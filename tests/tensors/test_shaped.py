"""Tensors with several values for each row, as the Open Inference Protocol has them: every form, and what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from plusone import Image, packaging
from plusone.base.errors import InvalidInput
from plusone.base.records import Field
from plusone.data.tensors import to_table
from plusone.predictor import Predictor, load
from plusone.protocols.descriptions import config, model_metadata
from plusone.protocols.inference import read_infer
from plusone.protocols.messages import message
from plusone.protocols.remote import read_call
from plusone.protocols.served import Served
from plusone.tensors.shaped import read_shaped
from plusone.tensors.values import DTYPES

WIRE = {"float32": "FP32", "float64": "FP64", "uint8": "UINT8", "int64": "INT64"}


DIGITS: Any = load_digits()


def images(dtype: str) -> Any:
    return DIGITS.images[:200].astype(dtype)


@pytest.fixture(scope="session", params=list(WIRE))
def digits(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model of images of one dtype."""
    found = images(request.param)
    model = RandomForestClassifier(5, random_state=0).fit(found.reshape(-1, 64), DIGITS.target[:200])
    folder: Path = tmp_path_factory.mktemp("package") / "digits"
    _, digest = packaging.pack(
        model,
        name="digits",
        target="digit",
        features=["image"],
        train=to_table({"image": found, "digit": DIGITS.target[:200]}),
        flavour="numpy",
        environment="none==0\n",
        folder=folder,
        media={"image": Image(height=8, width=8, mode="L")},
    )
    return load(folder, digest)


def binary(found: Any, datatype: str) -> tuple[bytes, int]:
    data = found.astype(DTYPES[datatype]).tobytes()
    said = {"name": "image", "shape": list(found.shape), "datatype": datatype}
    text = json.dumps({"inputs": [said | {"parameters": {"binary_data_size": len(data)}}]}).encode()
    return text + data, len(text)


def same(predictor: Predictor, columns: Any, found: Any) -> None:
    (feed,) = columns.feeds.values()
    assert (feed.dtype, feed.shape) == (predictor.signature.fields[0].dtype, found.shape)
    assert np.array_equal(feed, found)
    assert np.array_equal(predictor.run(columns).labels, predictor.predict({"image": found}))


@pytest.mark.parametrize("rows", [1, 3, 200])
def test_every_form_of_a_tensor_is_read(digits: Predictor, rows: int):
    dtype = digits.signature.fields[0].dtype
    found = images(dtype)[:rows]
    body, length = binary(found, WIRE[dtype])
    for _ in range(3):  # what its JSON says is remembered
        same(digits, read_infer(digits, body, length).columns, found)
    same(digits, read_infer(digits, found.tobytes(), 0).columns, found)
    for data in (found.tolist(), found.ravel().tolist()):
        asked = {"inputs": [{"name": "image", "shape": list(found.shape), "datatype": WIRE[dtype], "data": data}]}
        same(digits, read_infer(digits, json.dumps(asked).encode(), None).columns, found)
    for other in ("INT8", "UINT16", "FP64", "FP16"):
        same(digits, read_infer(digits, *binary(found, other)).columns, found)


def test_calls_bring_them_raw_and_typed(digits: Predictor):
    dtype = digits.signature.fields[0].dtype
    found = images(dtype)[:3]
    tensor = {"name": "image", "shape": list(found.shape), "datatype": WIRE[dtype]}
    kind = {"FP32": "fp32_contents", "FP64": "fp64_contents", "UINT8": "uint_contents", "INT64": "int64_contents"}
    request = message("ModelInferRequest")
    raw = request(inputs=[tensor], raw_input_contents=[found.tobytes()])
    typed = request(inputs=[tensor | {"contents": {kind[WIRE[dtype]]: found.ravel().tolist()}}])
    for call in (raw, typed):
        same(digits, read_call(digits, call).read.columns, found)


def test_metadata_says_the_shape_and_what_files_are_taken(digits: Predictor):
    (said,) = model_metadata(Served("digits", 1, digits), [1])["inputs"]
    assert (said["shape"], said["datatype"]) == ([-1, 8, 8], WIRE[digits.signature.fields[0].dtype])
    assert json.loads(said["parameters"]["media"])["height"] == 8
    assert config(Served("digits", 1, digits))["input"][0]["dims"] == [-1, 8, 8]


def refused(predictor: Predictor, shape: list[int], data: Any, datatype: str, words: str) -> None:
    asked = {"inputs": [{"name": "image", "shape": shape, "datatype": datatype, "data": data}]}
    with pytest.raises(InvalidInput, match=words):
        read_infer(predictor, json.dumps(asked).encode(), None)


def test_what_does_not_fit_is_named_with_its_place(digits: Predictor):
    flat = [0] * 128
    for shape in ([2, 64], [2, 8, 8, 1], [2, 4, 16], [-2, 8, 8], [128]):
        refused(digits, shape, flat, "UINT8", r"has the shape .*: expected \[rows, 8, 8\]")
    refused(digits, [0, 8, 8], [], "UINT8", "has no rows")
    refused(digits, [3, 8, 8], flat, "UINT8", r"128 values: expected 192")
    refused(digits, [2, 8, 8], [*flat[:-1], "x"], "UINT8", r"at \[1, 7, 7\]: 'x'")
    refused(digits, [2, 8, 8], [*flat[:70], True, *flat[71:]], "UINT8", r"at \[1, 0, 6\]: true")
    refused(digits, [2, 8, 8], [*flat[:-1], 256], "UINT8", r"at \[1, 7, 7\]: 256")
    refused(digits, [2, 8, 8], [*flat[:-1], 0.5], "UINT8", r"at \[1, 7, 7\]: 0.5")
    refused(digits, [2, 8, 8], [*flat[:-1], 1e300], "FP32", r"at \[1, 7, 7\]: 1e\+300")
    refused(digits, [2, 8, 8], [*flat[:-1], 2**70], "INT64", r"at \[1, 7, 7\]")
    refused(digits, [2, 8, 8], [*flat[:-1], float("nan")], "FP32", r"at \[1, 7, 7\]: null")
    nested: Any = np.zeros((2, 8, 8)).tolist()
    nested[1][3] = [0.0] * 7
    refused(digits, [2, 8, 8], nested, "FP32", "a list of 7 does not fit: expected a list of 8")
    refused(digits, [2, 8, 8], ["a"] * 128, "BYTES", "BYTES")
    body, length = binary(np.zeros((2, 8, 8), dtype=np.uint8), "UINT8")
    with pytest.raises(InvalidInput, match="binary_data_size"):
        read_infer(digits, body[:-1], length)
    wrong = np.zeros((2, 8, 8))
    wrong[1, 2, 3] = np.nan
    for _ in range(3):
        with pytest.raises(InvalidInput, match=r"at \[1, 2, 3\]: nan"):
            read_infer(digits, *binary(wrong, "FP64"))


@given(
    st.sampled_from([*DTYPES]).filter(lambda name: name != "BOOL"),
    st.sampled_from(list(WIRE)),
    st.lists(st.floats() | st.integers(-(2**66), 2**66) | st.integers(0, 255) | st.none() | st.booleans(), max_size=8),
)
def test_lists_are_a_tensor_or_an_error(datatype: str, dtype: Any, data: list[Any]):
    field = Field(name="x", dtype=dtype, shape=(2, 2))
    try:
        found = read_shaped("x", datatype, data, 2, field)
    except InvalidInput:
        return
    assert (found.shape, found.dtype) == ((2, 2, 2), dtype)
    assert np.isfinite(found).all()
    if found.dtype.kind in "iu":
        assert found.ravel().tolist() == data
