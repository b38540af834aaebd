"""Graphs whose strings are looked up before them: they answer the same, and hold no strings where they can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from plusone.graphs.layout import MISSING, Block, Code, Columns
from plusone.graphs.runner import OnnxRunner
from plusone.predictor import Predictor
from plusone.proving.codes import strings_to_codes

Package = Callable[..., Predictor]
BLOCKS = (Block("numbers", "float64", ("x", "y")), Block("strings", "string", ("s", "t")))


def encoder(source: str, place: int, output: str, **changes: Any) -> list[Any]:
    """Two nodes: a column of strings is picked and looked up."""
    table: dict[str, Any] = {"keys_strings": ["a", "b", MISSING], "domain": "ai.onnx.ml"} | changes
    if "values_int64s" not in table:
        values = numpy_helper.from_array(np.array([1.0, np.nan, 3.0]), "v")
        table |= {"values_tensor": values, "default_tensor": numpy_helper.from_array(np.array([-1.0]), "d")}
    return [
        helper.make_node("Gather", [source, f"place{place}"], [f"{output}_picked"], axis=1),
        helper.make_node("LabelEncoder", [f"{output}_picked"], [output], **table),
    ]


def model(nodes: list[Any], width: int = 4, names: tuple[str, ...] = ("numbers", "strings")) -> bytes:
    """A graph of x and y, numbers, and of s and t, strings."""
    places = [numpy_helper.from_array(np.array([place]), f"place{place}") for place in range(2)]
    scalars = [numpy_helper.from_array(np.array(place), f"scalar{place}") for place in range(2)]
    kinds = {"numbers": TensorProto.DOUBLE, "strings": TensorProto.STRING}
    inputs = [helper.make_tensor_value_info(name, kinds[name], [None, 2]) for name in names]
    answer = helper.make_tensor_value_info("answer", TensorProto.DOUBLE, [None, width])
    graph = helper.make_graph(nodes, "m", inputs, [answer], places + scalars)
    versions = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 4)]
    return helper.make_model(graph, opset_imports=versions, ir_version=9).SerializeToString()


def ops(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(graph).graph.node]


def answers(graph: bytes, blocks: Any) -> Any:
    """What a graph answers to five rows, however they enter it."""
    values = {
        "x": [0.5, 1.5, 2.5, 3.5, 4.5],
        "y": [5, None, 7, 8, 9],
        "s": ["a", "b", None, "never seen", "b"],
        "t": ["b", "b", "a", None, "a"],
    }
    feeds = {block.name: block.join(5, [values[name] for name in block.fields]) for block in blocks}
    return OnnxRunner(graph, "number", ()).run(Columns(5, feeds)).numbers


def test_columns_that_are_only_moved_are_put_in_their_place() -> None:
    concat = helper.make_node("Concat", ["t_code", "numbers", "s_code"], ["all"], axis=1)
    nodes = [*encoder("strings", 0, "s_code"), *encoder("strings", 1, "t_code"), concat]
    before = model([*nodes, helper.make_node("Neg", ["all"], ["answer"])])
    after, blocks = strings_to_codes(before, BLOCKS)
    assert ops(after) == ["Neg"]
    code = Code({"a": 1.0, "b": None, MISSING: 3.0}, -1.0)
    assert blocks == (Block("numbers", "float64", ("t", "x", "y", "s"), {"s": code, "t": code}),)
    np.testing.assert_array_equal(answers(after, blocks), answers(before, BLOCKS))


def test_types_and_shapes_are_kept() -> None:
    flat = encoder("strings", 0, "s_code", values_int64s=[2, 1, 0], default_int64=1)
    flat[0].input[1] = "scalar0"
    table = numpy_helper.from_array(np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]))
    nodes = [
        *flat,
        helper.make_node("Constant", [], ["table"], value=table),
        helper.make_node("Gather", ["table", "s_code"], ["looked_up"], axis=0),
        helper.make_node("Gather", ["numbers", "place1"], ["y"], axis=1),
        helper.make_node("Cast", ["y"], ["y_single"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["y_single"], ["y_double"], to=TensorProto.DOUBLE),
        helper.make_node("Concat", ["looked_up", "y_double"], ["answer"], axis=1),
    ]
    before = model(nodes, 3)
    after, blocks = strings_to_codes(before, BLOCKS)
    assert blocks[0].fields == ("x", "y", "s", "t")
    assert blocks[0].codes["t"] == Code({}, 0.0)  # the graph does not use it
    assert "LabelEncoder" not in ops(after)
    np.testing.assert_array_equal(answers(after, blocks), answers(before, BLOCKS))


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("StringNormalizer", ["strings"], ["other"]), *encoder("other", 0, "code")],
        [*encoder("strings", 0, "code"), *encoder("strings", 0, "second", keys_strings=["b", "a", "c"])],
        encoder("strings", 0, "code", keys_strings=["a", "a", "b"]),
        encoder("strings", 0, "code", values_int64s=[1, 2, 2**60]),
    ],
    ids=["another use", "two tables", "one key twice", "beyond what a double holds"],
)
def test_a_graph_that_does_more_is_left_as_it_is(nodes: list[Any]) -> None:
    before = model([*nodes, helper.make_node("Neg", ["numbers"], ["answer"])], 2)
    assert strings_to_codes(before, BLOCKS) == (before, BLOCKS)


def test_a_graph_without_strings_is_left_as_it_is() -> None:
    before = model([helper.make_node("Neg", ["numbers"], ["answer"])], 2, ("numbers",))
    assert strings_to_codes(before, BLOCKS[:1]) == (before, BLOCKS[:1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "encode",
    [
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=-2),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=30, sparse_output=False),
        TargetEncoder(cv=2),
    ],
    ids=str,
)
def test_trained_models_enter_without_strings(encode: Any, flights: pd.DataFrame, package: Package) -> None:
    words = make_column_transformer((encode, ["carrier", "tailnum", "dest"]), remainder="passthrough")
    fitted = make_pipeline(words, HistGradientBoostingClassifier(max_iter=3))
    features = flights.drop(columns=["target", "origin"])
    predictor = package(fitted.fit(features, flights["target"]), flights.drop(columns="origin"))
    assert [block["dtype"] for block in predictor.package.options["blocks"]] == ["float64"]
    np.testing.assert_allclose(predictor.predict_proba(flights), fitted.predict_proba(features), rtol=0, atol=1e-12)
