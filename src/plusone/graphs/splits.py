"""Where the trees of a graph turn: rows that reach a split, and the two neighbouring values between which it turns.

Found by asking the graph itself up to where its trees begin, so that whatever lies before them (scalers, imputers,
rounding) is heeded. Of a tensor each value is a number of its own. This module knows ONNX and arrays. It knows no
trained model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .layout import Block, Columns
from .texts import TEXTS, read_texts

__all__ = ["Turn", "find_turns"]

_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
_MEMBER = 6
_VISITS = 400_000
"""Rows times trees that are walked at most."""
_CELLS = 8_000_000
"""How many values of tensors are fed at most: rows that are walked, or splits that are looked at, times their size."""
_AT_ONCE = 1_000_000
_SIGN = np.int64(-(2**63))


class Turn(NamedTuple):
    """One comparison of a tree, and a row that reaches it."""

    row: int
    field: str
    threshold: float
    """As the tree has it: of the field itself, or of what the graph made of it."""
    below: float
    """With this value of the field, and all of the row beside it, the comparison goes one way."""
    above: float
    """With this one, the next number up, it goes the other way."""
    place: int | None = None
    """Of a field that holds tensors: which of the row's values it is, laid out flat."""


class _Place(NamedTuple):
    """Where a field enters a graph: a column of a block, or of a tensor the whole block of so many values (`width`)."""

    block: str
    column: int
    width: int = 0


class _Trees(NamedTuple):
    """The nodes of one tree operator, shape (nodes,). `true` and `false` are places of nodes; -1 is a leaf."""

    source: str
    feature: Any
    threshold: Any
    mode: Any
    missing: Any
    true: Any
    false: Any
    roots: Any
    members: dict[int, Any]


def find_turns(
    graph: bytes, blocks: Sequence[Block], columns: Columns, ranges: Mapping[str, tuple[float, float]], most: int
) -> list[Turn]:
    """Return up to `most` turns of each field, evenly chosen by threshold among those that the rows reach.

    Args:
        columns: real rows, as they enter the graph.
        ranges: by field of numbers or tensors, from where to where its turns are looked for.
    """
    from onnx import load_from_string

    model = load_from_string(graph)
    columns = _with_texts(model, columns)
    found: list[Turn] = []
    for trees in _trees_of(model):
        found += _turns(model, trees, blocks, columns, ranges, most)
    chosen: list[Turn] = []
    for name in ranges:
        own = sorted({(turn.below, turn.above, turn.place or 0): turn for turn in found if turn.field == name}.items())
        chosen += [own[place][1] for place in _evenly(len(own), most)]
    return chosen


def _with_texts(model: Any, columns: Columns) -> Columns:
    """Return the columns with the counts of terms that a graph takes of its texts."""
    said = {one.key: one.value for one in model.metadata_props}
    feeds = dict(columns.feeds)
    for text in read_texts(said.get(TEXTS, "[]")):
        feeds |= text.feed(columns.feeds[text.block][:, text.column])
    return Columns(columns.rows, feeds)


def _evenly(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return np.unique(np.linspace(0, count - 1, most).astype(np.int64)).tolist() if most else []


def _turns(
    model: Any,
    trees: _Trees,
    blocks: Sequence[Block],
    columns: Columns,
    ranges: Mapping[str, tuple[float, float]],
    most: int,
) -> list[Turn]:
    width = sum(math.prod(block.shape) for block in blocks if block.shape is not None)
    rows = max(1, min(columns.rows, _VISITS // max(1, len(trees.roots)), _CELLS // max(1, width)))
    columns = columns.take(0, rows)
    before = _Before(model, trees.source, blocks)
    values = before.run(columns.feeds)
    if values.ndim != 2 or len(values) != rows:
        return []
    reached_rows, reached_nodes = _walk(trees, values)
    found: list[Turn] = []
    for name, (low, high) in ranges.items():
        place = before.places.get(name)
        if place is None or not low < high:
            continue
        moved = [before.run(_with(columns.feeds, place, value)) for value in (low, high)]
        changed = moved[0] != moved[1]
        if place.width:  # what compares two of its values changes where not all are equal
            changed |= (moved[0] != values) & ~np.isnan(values)
        mine = np.isin(trees.feature[reached_nodes], np.flatnonzero(changed.any(axis=0)))
        if not place.width:
            mine &= ~np.isnan(columns.feeds[place.block][reached_rows, place.column])
        nodes, first = np.unique(reached_nodes[mine], return_index=True)
        by_value = np.argsort(trees.threshold[nodes], kind="stable")
        limit = min(2 * most, max(1, _CELLS // place.width)) if place.width else 2 * most
        chosen = by_value[_evenly(len(nodes), limit)]
        step = max(1, _AT_ONCE // place.width) if place.width else len(nodes) or 1
        for start in range(0, len(chosen), step):
            some = chosen[start : start + step]
            found += _search(before, trees, columns, name, (low, high), nodes[some], reached_rows[mine][first[some]])
    return found


def _search(
    before: _Before,
    trees: _Trees,
    columns: Columns,
    name: str,
    ends: tuple[float, float],
    nodes: Any,
    rows: Any,
) -> list[Turn]:
    """Return the turn of each node for its row: by halving, over all numbers between the ends of its field."""
    place = before.places[name]
    feeds = {key: array[rows].copy() for key, array in columns.feeds.items()}
    flat = feeds[place.block].reshape(len(nodes), -1)
    every = np.arange(len(nodes))
    # A plain number of a request has 64 bits, whatever the graph takes; a value of a tensor is of the tensor's dtype.
    kind = flat.dtype if place.width or flat.dtype == np.int64 else np.dtype(np.float64)

    def reached() -> Any:
        return before.run(feeds)[every, trees.feature[nodes]]

    spots = _moving(reached, flat, ends) if place.width else np.full(len(nodes), place.column)

    def side(values: Any) -> Any:
        flat[every, spots] = values
        return _goes_true(trees, nodes, reached())

    low, high = (_ordered(np.full(len(nodes), end), kind) for end in ends)
    at_low, at_high = (side(_unordered(end, kind)) for end in (low, high))
    turning = at_low != at_high
    for _ in range(65):
        middle = (low & high) + ((low ^ high) >> 1)  # the mean, without an overflow
        if (middle == low).all():
            break
        left = side(_unordered(middle, kind)) == at_low
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    below, above = _unordered(low, kind), _unordered(high, kind)
    return [
        Turn(
            int(rows[at]),
            name,
            float(trees.threshold[nodes[at]]),
            below[at].item(),
            above[at].item(),
            int(spots[at]) if place.width else None,
        )
        for at in np.flatnonzero(turning)
    ]


def _moving(reached: Callable[[], Any], flat: Any, ends: tuple[float, float]) -> Any:
    """Return for each row the place in its tensor that moves most what `reached` gives, found by halving.

    Each half is set to one end and to the other, and the one that moves it more is halved again: where trees compare
    the values of the tensor themselves, scaled or not, that is the one value which is compared.

    Args:
        flat: the rows' tensors, as they are fed; they are as before afterwards.
    """
    before, spots = flat.copy(), np.arange(flat.shape[1])
    start, stop = np.zeros(len(flat), np.int64), np.full(len(flat), flat.shape[1])
    while (stop - start > 1).any():
        middle = (start + stop + 1) // 2
        moved: list[Any] = []
        for first, last in ((start, middle), (middle, stop)):
            inside = (spots >= first[:, None]) & (spots < last[:, None])
            found: list[Any] = []
            for end in ends:
                flat[:] = np.where(inside, np.asarray(end, flat.dtype), before)
                found.append(reached())
            moved.append(np.abs(found[0] - found[1]))
        left = ~(moved[1] > moved[0])
        start, stop = np.where(left, start, middle), np.where(left, middle, stop)
    flat[:] = before
    return start


def _ordered(values: Any, kind: Any) -> Any:
    """Return integers in the order of these numbers of a dtype, such that neighbours are neighbours."""
    if kind.kind != "f":
        return values.astype(np.int64)
    bits = (np.asarray(values, dtype=kind) + kind.type(0)).view(f"i{kind.itemsize}").astype(np.int64)  # -0.0 is 0.0
    return np.where(bits < 0, _sign(kind) - bits, bits)


def _unordered(codes: Any, kind: Any) -> Any:
    if kind.kind != "f":
        return codes
    return np.where(codes < 0, _sign(kind) - codes, codes).astype(f"i{kind.itemsize}").view(kind)


def _sign(kind: Any) -> Any:
    return _SIGN if kind.itemsize == 8 else np.int64(np.iinfo(f"i{kind.itemsize}").min)


def _with(feeds: Mapping[str, Any], place: _Place, value: float) -> dict[str, Any]:
    changed = dict(feeds)
    changed[place.block] = changed[place.block].copy()
    changed[place.block][:, slice(None) if place.width else place.column] = value
    return changed


class _Before:
    """The part of a graph before its trees.

    Attributes:
        places: by field of numbers or tensors, its block and its column there.
    """

    def __init__(self, model: Any, output: str, blocks: Sequence[Block]) -> None:
        import onnxruntime as ort

        self.places = {
            name: _Place(block.name, index, math.prod(block.shape) if block.shape is not None else 0)
            for block in blocks
            if block.dtype != "string"
            for index, name in enumerate(block.fields)
            if name not in block.codes
        }
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        # What comes out must be what the trees get, rounding included.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        cut = _cut(model, output)
        self._session = ort.InferenceSession(cut.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._inputs = [one.name for one in self._session.get_inputs()]
        self._output = self._session.get_outputs()[0].name

    def run(self, feeds: Mapping[str, Any]) -> Any:
        """Return what the trees get, shape (rows, columns)."""
        out: Any = self._session.run([self._output], {name: feeds[name] for name in self._inputs})[0]
        return out


def _cut(model: Any, output: str) -> Any:
    """Return the model with nothing but what makes the tensor `output`."""
    from onnx import ValueInfoProto

    cut = type(model)()
    cut.CopyFrom(model)
    needed = {output}
    kept: list[Any] = []
    for node in reversed(model.graph.node):
        bodies = any(attribute.HasField("g") for attribute in node.attribute)
        if bodies:  # a loop's body may read any tensor that was made before it
            needed.update(name for other in model.graph.node for name in other.output)
        if needed & set(node.output):
            kept.insert(0, node)
            needed.update(node.input)
    del cut.graph.node[:], cut.graph.output[:], cut.graph.input[:]
    cut.graph.node.extend(kept)
    cut.graph.input.extend(one for one in model.graph.input if one.name in needed)
    given = next((one for one in model.graph.input if one.name == output), None)
    if given is not None:  # nothing lies before the trees
        from onnx import helper

        cut.graph.node.append(helper.make_node("Identity", [output], ["plusone/input"]))
        cut.graph.output.append(ValueInfoProto(name="plusone/input"))
        return cut
    cut.graph.output.append(ValueInfoProto(name=output))
    return cut


# ---------------------------------------------------------------------------------------------- the trees


def _walk(trees: _Trees, values: Any) -> tuple[Any, Any]:
    """Return the pairs of rows and nodes that meet, roots first."""
    count = len(trees.roots)
    rows = np.repeat(np.arange(len(values)), count)
    nodes = np.tile(trees.roots, len(values))
    met: list[tuple[Any, Any]] = []
    while len(rows):
        met.append((rows, nodes))
        went = _goes_true(trees, nodes, values[rows, trees.feature[nodes]])
        nodes = np.where(went, trees.true[nodes], trees.false[nodes])
        going = nodes >= 0
        rows, nodes = rows[going], nodes[going]
    return np.concatenate([pair[0] for pair in met]), np.concatenate([pair[1] for pair in met])


def _goes_true(trees: _Trees, nodes: Any, values: Any) -> Any:
    limits, modes = trees.threshold[nodes], trees.mode[nodes]
    with np.errstate(invalid="ignore"):
        choices = (
            values <= limits,
            values < limits,
            values >= limits,
            values > limits,
            values == limits,
            values != limits,
        )
    went = np.select([modes == mode for mode in range(_MEMBER)], choices, False)
    for node in np.unique(nodes[modes == _MEMBER]).tolist():
        here = nodes == node
        went[here] = np.isin(values[here], trees.members[node])
    return np.where(np.isnan(values), trees.missing[nodes], went)


def _trees_of(model: Any) -> Iterator[_Trees]:
    from onnx import helper

    for node in model.graph.node:
        said = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "TreeEnsemble":
            yield _new_trees(node.input[0], said)
        elif node.op_type in ("TreeEnsembleClassifier", "TreeEnsembleRegressor"):
            yield _old_trees(node.input[0], said)


def _new_trees(source: str, said: dict[str, Any]) -> _Trees:
    from onnx import numpy_helper

    thresholds: Any = numpy_helper.to_array(said["nodes_splits"])
    mode = numpy_helper.to_array(said["nodes_modes"]).astype(np.int64)
    members: dict[int, Any] = {}
    if "membership_values" in said:
        listed: Any = numpy_helper.to_array(said["membership_values"])
        groups = np.split(listed, np.flatnonzero(np.isnan(listed)) + 1)
        members = {int(node): group for node, group in zip(np.flatnonzero(mode == _MEMBER), groups, strict=False)}
    sides = [
        np.where(np.asarray(said[f"nodes_{side}leafs"]) != 0, -1, np.asarray(said[f"nodes_{side}nodeids"]))
        for side in ("true", "false")
    ]
    missing = said.get("nodes_missing_value_tracks_true") or [0] * len(mode)
    return _Trees(
        source=source,
        feature=np.asarray(said["nodes_featureids"], dtype=np.int64),
        threshold=thresholds.astype(np.float64),
        mode=mode,
        missing=np.asarray(missing) != 0,
        true=sides[0],
        false=sides[1],
        roots=np.asarray(said["tree_roots"], dtype=np.int64),
        members=members,
    )


def _old_trees(source: str, said: dict[str, Any]) -> _Trees:
    from onnx import numpy_helper

    exact = said.get("nodes_values_as_tensor")
    thresholds: Any = np.asarray(said["nodes_values"]) if exact is None else numpy_helper.to_array(exact)
    tree, number = np.asarray(said["nodes_treeids"]), np.asarray(said["nodes_nodeids"])
    places = {pair: place for place, pair in enumerate(zip(tree.tolist(), number.tolist(), strict=True))}
    modes = [mode.decode() for mode in said["nodes_modes"]]
    leaf = np.array([mode == "LEAF" for mode in modes])
    # A child that is a leaf ends the walk, and a tree that is nothing but a leaf has no root.
    ends = [-1 if leaf[place] else place for place in range(len(modes))]
    sides = [
        np.array(
            [
                -1 if over else ends[places[one, child]]
                for one, child, over in zip(tree.tolist(), said[f"nodes_{side}nodeids"], leaf.tolist(), strict=True)
            ],
            dtype=np.int64,
        )
        for side in ("true", "false")
    ]
    inner = set(np.concatenate(sides).tolist())
    missing = said.get("nodes_missing_value_tracks_true") or [0] * len(modes)
    return _Trees(
        source=source,
        feature=np.asarray(said["nodes_featureids"], dtype=np.int64),
        threshold=thresholds.astype(np.float64),
        mode=np.array([_MODES.index(mode) if mode in _MODES else 0 for mode in modes]),
        missing=np.asarray(missing) != 0,
        true=sides[0],
        false=sides[1],
        roots=np.array([place for place in range(len(modes)) if not leaf[place] and place not in inner], dtype=int),
        members={},
    )
