"""A graph that runs: the same answers for any number of rows, again and again, and from many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from plusone.base.errors import BrokenArtifact
from plusone.graphs.layout import Columns
from plusone.graphs.runner import OnnxRunner

DOUBLE, INT64, STRING = (int(kind) for kind in (TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING))


def graph(nodes: list[Any], inputs: dict[str, tuple[int, int]], kind: int, shape: list[Any]) -> bytes:
    """The bytes of a graph; by name, each input's type and width."""
    entering = [helper.make_tensor_value_info(name, *(of, [None, width])) for name, (of, width) in inputs.items()]
    made = helper.make_graph(nodes, "m", entering, [helper.make_tensor_value_info("answer", kind, shape)])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


def softmax() -> OnnxRunner:
    node = helper.make_node("Softmax", ["numbers"], ["answer"], axis=1)
    return OnnxRunner(graph([node], {"numbers": (DOUBLE, 3)}, DOUBLE, [None, 3]), "probabilities", ("a", "b", "c"))


def test_probabilities_for_few_rows_and_for_many() -> None:
    runner = softmax()
    numbers = np.random.default_rng(0).normal(size=(100, 3))
    expected = np.exp(numbers) / np.exp(numbers).sum(axis=1, keepdims=True)
    kept: list[Any] = []
    for _ in range(3):  # the second time the arrays are bound already
        for rows in (1, 2, 31, 32, 33, 100):
            answer = runner.run(Columns(rows, {"numbers": numbers[:rows]}))
            np.testing.assert_allclose(answer.probabilities, expected[:rows], rtol=1e-12)
            assert answer.codes.tolist() == expected[:rows].argmax(axis=1).tolist()
            assert answer.labels.tolist() == ["abc"[code] for code in answer.codes]
            kept.append((answer.probabilities, answer.probabilities.copy()))
    # What was answered stays, whatever was asked after it.
    for array, before in kept:
        np.testing.assert_array_equal(array, before)


def test_rows_that_lie_anywhere_in_memory() -> None:
    runner = softmax()
    numbers = np.asfortranarray(np.random.default_rng(0).normal(size=(10, 3)))
    whole = runner.run(Columns(10, {"numbers": numbers})).probabilities
    for _ in range(2):
        for start in range(9):
            part = runner.run(Columns(10, {"numbers": numbers}).take(start, start + 2)).probabilities
            np.testing.assert_allclose(part, whole[start : start + 2], rtol=1e-15)


def test_codes_numbers_and_several_inputs() -> None:
    chosen = helper.make_node("ArgMax", ["numbers"], ["answer"], axis=1, keepdims=0)
    codes = OnnxRunner(graph([chosen], {"numbers": (DOUBLE, 2)}, INT64, [None]), "codes", (False, True))
    nodes = [
        helper.make_node("Cast", ["integers"], ["cast"], to=DOUBLE),
        helper.make_node("Add", ["numbers", "cast"], ["sum"]),
        helper.make_node("ReduceSum", ["sum"], ["answer"], keepdims=0),
    ]
    inputs = {"numbers": (DOUBLE, 1), "integers": (INT64, 1)}
    nodes[2] = helper.make_node("Squeeze", ["sum", "one"], ["answer"])
    nodes.insert(0, helper.make_node("Constant", [], ["one"], value_ints=[1]))
    numbers = OnnxRunner(graph(nodes, inputs, DOUBLE, [None]), "number", ())
    for _ in range(2):
        assert codes.run(Columns(2, {"numbers": np.array([[1.0, 2.0], [2.0, 1.0]])})).labels.tolist() == [True, False]
        answer = numbers.run(Columns(2, {"numbers": np.array([[0.5], [1.5]]), "integers": np.array([[1], [2]])}))
        assert (answer.numbers.tolist(), answer.labels.tolist(), answer.codes) == ([1.5, 3.5], [1.5, 3.5], None)
        assert answer.take(1, 2).numbers.tolist() == [3.5]


def test_strings_enter_too() -> None:
    node = helper.make_node("Identity", ["strings"], ["answer"])
    runner = OnnxRunner(graph([node], {"strings": (STRING, 1)}, STRING, [None, 1]), "number", ())
    for _ in range(2):
        answer = runner.run(Columns(1, {"strings": np.array([["ä"]], dtype=object)}))
        assert answer.numbers.tolist() == [["ä"]]


def test_threads_share_a_runner_and_no_arrays() -> None:
    runner = softmax()
    expected = runner.run(Columns(1, {"numbers": np.eye(3)[:1]})).probabilities[0]

    def ask(place: int) -> bool:
        rows = 1 + place % 3
        found = runner.run(Columns(rows, {"numbers": np.roll(np.eye(3), place, axis=1)[:rows]})).probabilities
        return np.allclose(found, [np.roll(expected, row + place) for row in range(rows)], rtol=1e-12)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(2000)))


def test_bytes_that_are_no_graph() -> None:
    with pytest.raises(BrokenArtifact, match="can't load the compiled model"):
        OnnxRunner(b"no graph", "number", ())
