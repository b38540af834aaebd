"""Where trees turn: found exactly, through whatever lies before them, and only where a row comes along."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from sklearn.preprocessing import StandardScaler

from plusone.graphs import splits
from plusone.graphs.graph import Graph
from plusone.graphs.layout import Block, Columns
from plusone.graphs.splits import Turn, _ordered, _unordered, find_turns
from plusone.graphs.trees import Forest, Node, rounded_to_float32

BLOCKS = (Block("numbers", "float64", ("x", "y")),)
ROWS = Columns(3, {"numbers": np.array([[0.0, 0.0], [5.0, 1.0], [math.nan, 1.0]])})
RANGES = {"x": (0.0, 10.0), "y": (0.0, 1.0)}


def write(*trees: list[Node], entry: Any = None, blocks: Any = BLOCKS) -> bytes:
    """A graph of these trees over x and y."""
    graph = Graph(blocks)
    forest = Forest([0.0])
    for nodes in trees:
        forest.add(nodes, 0)
    name = graph.matrix(graph.view(["x", "y"]))
    return graph.finish(forest.write(graph, name if entry is None else entry(graph, name)), np.float64, flat=True)


def split(feature: int, threshold: float, left: int = 1, right: int = 2) -> Node:
    """A node that sends x <= threshold left."""
    return Node(feature, threshold, False, left, right, 0.0)


def leaf(value: float) -> Node:
    """A node without children."""
    return Node(0, 0.0, False, -1, -1, value)


def test_both_neighbours_of_a_threshold_in_double_precision() -> None:
    (turn,) = find_turns(write([split(0, 0.1), leaf(1), leaf(2)]), BLOCKS, ROWS, RANGES, 10)
    assert turn == Turn(0, "x", 0.1, 0.1, math.nextafter(0.1, 1))


def test_a_row_that_was_rounded_to_single_precision_turns_later() -> None:
    graph = write([split(0, 0.1), leaf(1), leaf(2)], entry=rounded_to_float32)
    (turn,) = find_turns(graph, BLOCKS, ROWS, RANGES, 10)
    assert float(np.float32(turn.below)) <= 0.1 < float(np.float32(turn.above))
    assert turn.above == math.nextafter(turn.below, 1)


def test_a_scaler_before_the_trees_is_undone_by_asking() -> None:
    scaler: Any = StandardScaler().fit([[0.0, 0.0], [10.0, 3.0]])

    def scaled(graph: Graph, name: str) -> str:
        name = graph.add("Sub", name, graph.constant(scaler.mean_.reshape(1, -1)))
        return graph.add("Div", name, graph.constant(scaler.scale_.reshape(1, -1)))

    graph = write([split(0, 0.3), leaf(1), leaf(2)], entry=scaled)
    (turn,) = find_turns(graph, BLOCKS, ROWS, RANGES, 10)
    for value, side in ((turn.below, True), (turn.above, False)):
        assert (scaler.transform([[value, 0.0]])[0, 0] <= 0.3) == side


def test_splits_that_no_row_reaches_are_left_out() -> None:
    # Below the root: a split on y for rows with x <= 1, and one on x for rows with x > 7, of which there are none.
    tree = [split(0, 1.0, 1, 2), split(1, 0.5, 3, 4), split(0, 7.0, 5, 6), *map(leaf, range(4))]
    turns = find_turns(write(tree), BLOCKS, Columns(1, {"numbers": np.array([[0.5, 0.0]])}), RANGES, 10)
    assert [(turn.field, turn.threshold) for turn in turns] == [("x", 1.0), ("y", 0.5)]


def test_at_most_so_many_of_each_field_evenly_chosen() -> None:
    trees = [[split(0, value / 10), leaf(1), leaf(2)] for value in range(1, 100)]
    turns = find_turns(write(*trees), BLOCKS, ROWS, RANGES, 5)
    assert len(turns) == 5
    assert turns[0].threshold < 1
    assert turns[-1].threshold > 9


def test_sets_of_codes_are_walked_and_turn_at_no_value() -> None:
    member = Node(0, 0.0, False, 1, 2, 0.0, (5.0, 7.0))
    tree = [member, split(1, 0.25, 3, 4), leaf(1), leaf(2), leaf(3)]
    turns = find_turns(write(tree), BLOCKS, ROWS, RANGES, 10)
    assert [(turn.row, turn.field, turn.threshold) for turn in turns] == [(1, "y", 0.25)]


def test_integers_turn_between_two_integers() -> None:
    blocks = (Block("numbers", "float64", ("y",)), Block("integers", "int64", ("x",)))
    rows = Columns(1, {"numbers": np.array([[0.0]]), "integers": np.array([[3]])})
    graph = write([split(0, 2.0**53 + 4), leaf(1), leaf(2)], blocks=blocks)
    (turn,) = find_turns(graph, blocks, rows, {"x": (0.0, 2.0**60)}, 10)
    assert isinstance(turn.below, int)
    assert turn.above == turn.below + 1
    assert float(turn.below) <= 2.0**53 + 4 < float(turn.above)


@pytest.mark.parametrize("mode", ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"])
def test_the_older_operator_with_each_comparison_and_nothing_before_it(mode: str) -> None:
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["numbers"],
        ["answer"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0, 1],
        nodes_nodeids=[0, 1, 2, 0],
        nodes_featureids=[1, 0, 0, 0],
        nodes_modes=[mode, "LEAF", "LEAF", "LEAF"],
        nodes_values=[0.5, 0.0, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0, 0],
        nodes_falsenodeids=[2, 0, 0, 0],
        target_treeids=[0, 0, 1],
        target_nodeids=[1, 2, 0],
        target_ids=[0, 0, 0],
        target_weights=[1.0, 2.0, 0.0],
    )
    numbers = helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [None, 2])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None, 1])
    versions = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(helper.make_graph([node], "m", [numbers], [answer]), opset_imports=versions)
    rows = Columns(1, {"numbers": np.array([[0.0, 0.0]], dtype=np.float32)})
    (turn,) = find_turns(model.SerializeToString(), BLOCKS, rows, RANGES, 10)
    assert turn.field == "y"
    assert turn.below == pytest.approx(0.5, abs=1e-7)  # what is fed is rounded to single precision
    assert turn.above == math.nextafter(turn.below, 1)


TENSOR = (Block("grid", "float32", ("grid",), shape=(2, 3)),)


def tensors(block: Block, rows: int = 1) -> Columns:
    """Rows of a tensor of zeros."""
    return Columns(rows, {block.name: np.zeros((rows, *(block.shape or ())), block.dtype)})


def compare(*trees: list[Node], blocks: tuple[Block, ...] = TENSOR, entry: Any = None) -> list[Turn]:
    """Where trees over the values of a tensor turn, between 0 and 10."""
    graph = Graph(blocks)
    forest = Forest([0.0])
    for nodes in trees:
        forest.add(nodes, 0)
    name = graph.matrix(graph.view(["grid"]))
    out = forest.write(graph, name if entry is None else entry(graph, name))
    return find_turns(graph.finish(out, np.float64, flat=True), blocks, tensors(blocks[0]), {"grid": (0.0, 10.0)}, 10)


def test_a_value_of_a_tensor_turns_between_two_numbers_of_its_dtype() -> None:
    (turn,) = compare([split(4, 0.1), leaf(1), leaf(2)])
    assert (turn.row, turn.field, turn.threshold, turn.place) == (0, "grid", 0.1, 4)
    assert turn.below < 0.1 < turn.above
    assert turn.above == np.nextafter(np.float32(turn.below), np.float32(1))


@pytest.mark.parametrize(("dtype", "kind"), [("uint8", int), ("int64", int), ("float64", float)])
def test_of_each_dtype_its_own_neighbours(dtype: Any, kind: type) -> None:
    (turn,) = compare([split(5, 2.5), leaf(1), leaf(2)], blocks=(Block("grid", dtype, ("grid",), shape=(2, 3)),))
    assert turn.place == 5
    assert (type(turn.below), type(turn.above)) == (kind, kind)
    expected = (2, 3) if kind is int else (2.5, math.nextafter(2.5, 3))
    assert (turn.below, turn.above) == expected


@pytest.mark.parametrize("place", range(6))
def test_the_value_that_a_split_compares_is_found_wherever_it_is_put(place: int) -> None:
    """Behind a permutation of the values and a scaler."""
    order = [3, 1, 5, 0, 2, 4]

    def shuffled(graph: Graph, name: str) -> str:
        return graph.add("Mul", graph.pick_from(name, order), graph.constant(4.0))

    (turn,) = compare([split(place, 6.0), leaf(1), leaf(2)], entry=shuffled)
    assert (turn.place, turn.below) == (order[place], 1.5)


def test_a_split_on_what_two_values_make_turns_at_the_one_that_moves_it_more() -> None:
    def contrast(graph: Graph, name: str) -> str:
        return graph.add("MatMul", name, graph.constant([[1.0], [0], [0], [0], [-3.0], [0]]))

    (turn,) = compare([split(0, -6.0), leaf(1), leaf(2)], entry=contrast)
    assert (turn.place, turn.above) == (4, 2.0 if turn.below < 2 else np.nextafter(np.float32(2), np.float32(3)))


def test_a_split_on_a_plain_field_is_none_of_the_tensor() -> None:
    blocks = (*TENSOR, Block("numbers", "float64", ("x",)))
    graph = Graph(blocks)
    forest = Forest([0.0])
    forest.add([split(6, 0.5), leaf(1), leaf(2)], 0)
    forest.add([split(2, 0.25), leaf(1), leaf(2)], 0)
    made = graph.finish(forest.write(graph, graph.matrix(graph.view(["grid", "x"]))), np.float64, flat=True)
    rows = Columns(2, {"grid": np.zeros((2, 2, 3), np.float32), "numbers": np.array([[math.nan], [0.0]])})
    turns = find_turns(made, blocks, rows, {"grid": (0.0, 10.0), "x": (0.0, 1.0)}, 10)
    assert [(turn.row, turn.field, turn.place, turn.below) for turn in turns] == [
        (0, "grid", 2, 0.25),
        (1, "x", None, 0.5),
    ]


def test_values_that_turn_alike_are_all_found_and_evenly_chosen() -> None:
    trees = [[split(place, 5.0), leaf(1), leaf(2)] for place in range(6)]
    assert [turn.place for turn in compare(*trees)] == [0, 1, 2, 3, 4, 5]


def test_in_large_tensors_as_many_are_looked_for_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = [[split(place, 5.0), leaf(1), leaf(2)] for place in range(6)]
    monkeypatch.setattr(splits, "_AT_ONCE", 6)  # one after the other
    assert len(compare(*trees)) == 6
    monkeypatch.setattr(splits, "_CELLS", 12)
    assert [turn.place for turn in compare(*trees)] == [0, 5]


def test_a_graph_without_trees_turns_nowhere() -> None:
    graph = Graph(BLOCKS)
    data = graph.finish(graph.add("Sigmoid", graph.matrix(graph.view(["x"]))), np.float64, flat=True)
    assert find_turns(data, BLOCKS, ROWS, RANGES, 10) == []


NUMBERS = [
    *((st.floats(allow_nan=False, width=size), np.dtype(f"f{size // 8}")) for size in (32, 64)),
    (st.integers(0, 255), np.dtype("u1")),
    (st.integers(-(2**63), 2**63 - 2), np.dtype("i8")),
]


@pytest.mark.parametrize(("numbers", "kind"), NUMBERS, ids=[str(kind) for _, kind in NUMBERS])
@given(data=st.data())
def test_the_order_of_numbers_is_that_of_their_codes_and_back(numbers: Any, kind: Any, data: st.DataObject) -> None:
    left, right = data.draw(numbers), data.draw(numbers)
    codes = _ordered(np.array([left, right], kind), kind)
    assert (codes[0] < codes[1]) == (left < right)
    assert _unordered(codes, kind).tolist() == [left, right]
    after = _unordered(codes[:1] + 1, kind)[0]
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            assert after == np.nextafter(kind.type(left), kind.type(np.inf)) or math.isinf(left)
    else:
        assert after == left + 1
