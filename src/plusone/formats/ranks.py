"""The parts of a recommender as arrays, and the graph that they become.

The graph knows one user more than there are: that one stands for all who are not known. And one item more: it stands
where a history is shorter than the longest of the batch, and is never recommended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.errors import UsageError
from ..base.records import Field
from ..graphs.graph import ML, Graph
from ..graphs.layout import Block

if TYPE_CHECKING:
    from .recommenders import Recommender

__all__ = ["Histories", "Neighbours", "rows_at_once", "write_ranks"]

_CELLS = 4_000_000
"""How many numbers of 8 bytes a graph may hold at once for its rows."""
_MOST_NEIGHBOURS = 50_000_000


class Histories(NamedTuple):
    """What each user saw, one after the other.

    Attributes:
        starts: shape (users,), where each user's items begin.
        lengths: shape (users,).
        items: shape (seen,), their places; int32.
        weights: shape (seen,).
    """

    starts: Any
    lengths: Any
    items: Any
    weights: Any

    @staticmethod
    def read(seen: Any, users: int, items: int) -> Histories:
        """Return the histories of a sparse matrix or an array, shape (users, items); of None, empty ones.

        Raises:
            UsageError: when it has another shape, or numbers that are not finite.
        """
        starts, places, weights = _rows_of("seen", seen, (users, items))
        return Histories(starts[:-1], np.diff(starts), places, weights)

    def counts(self, items: int) -> Any:
        """Return how many users saw each item, shape (items,)."""
        return np.bincount(self.items, minlength=items).astype(np.float64)

    def one(self, place: int) -> tuple[Any, Any]:
        """Return the items of one user, and their weights."""
        cut = slice(int(self.starts[place]), int(self.starts[place] + self.lengths[place]))
        return self.items[cut], self.weights[cut]

    def of(self, places: Any) -> tuple[Any, Any]:
        """Return all that some users saw: the row of each, and the item. Who is not known saw nothing."""
        known = np.flatnonzero(places < len(self.starts))
        found = [self.one(place)[0] for place in places[known].tolist()]
        rows = np.repeat(known, [len(part) for part in found])
        return rows, np.concatenate(found) if found else np.empty(0, dtype=np.int64)


class Neighbours(NamedTuple):
    """The neighbours of each item, shape (items, most neighbours); the rest is the place len(items), and 0."""

    places: Any
    similarity: Any

    @staticmethod
    def read(similarity: Any, items: int) -> Neighbours:
        """Return the neighbours in a sparse matrix or an array of shape (items, items).

        Raises:
            UsageError: when it has another shape, numbers that are not finite, or too many.
        """
        starts, places, values = _rows_of("similarity", similarity, (items, items))
        most = max(1, int(np.diff(starts).max(initial=0)))
        if items * most > _MOST_NEIGHBOURS:
            raise UsageError(
                f"An item has {most:,} neighbours, and there are {items:,} items: expected at most "
                f"{_MOST_NEIGHBOURS // items:,} neighbours for each.",
                mend="keep the nearest of each item only, for example 50",
            )
        rows = np.repeat(np.arange(items), np.diff(starts))
        columns = np.arange(len(places)) - np.repeat(starts[:-1], np.diff(starts))
        found = Neighbours(np.full((items, most), items, dtype=np.int32), np.zeros((items, most)))
        found.places[rows, columns] = places
        found.similarity[rows, columns] = values
        return found

    def add_to(self, scores: Any, items: Any, weights: Any) -> None:
        """Add to the score of each item, shape (items,), what those that were seen say for it."""
        wide = np.zeros(len(scores) + 1)
        np.add.at(wide, self.places[items], self.similarity[items] * weights[:, None])
        scores += wide[:-1]


def rows_at_once(items: int, seen: Histories, neighbours: Neighbours | None) -> int:
    """Return for how many users the items can be scored at once within 32 MB."""
    longest = int(seen.lengths.max(initial=0)) + 1
    wide = 1 if neighbours is None else neighbours.places.shape[1]
    return max(1, _CELLS // (3 * (items + 1) + longest * (2 + 2 * wide)))


def _rows_of(what: str, value: Any, shape: tuple[int, int]) -> tuple[Any, Any, Any]:
    """Return a matrix row after row: where each begins and the last ends, the columns that are not 0, their values."""
    if value is None:
        return np.zeros(shape[0] + 1, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0)
    if hasattr(value, "tocsr"):
        matrix = value.tocsr(copy=True)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        found, parts = matrix.shape, (matrix.indptr, matrix.indices, matrix.data)
    else:
        array = np.asarray(value)
        rows, columns = np.nonzero(array) if array.ndim == 2 else (np.empty(0, dtype=np.int64),) * 2
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(array)))])
        found, parts = array.shape, (starts, columns, array[rows, columns] if array.ndim == 2 else rows)
    if tuple(found) != shape:
        raise UsageError(f"{what} has the shape {tuple(found)}: expected {shape}.")
    values = np.asarray(parts[2], dtype=np.float64)
    if not np.isfinite(values).all():
        raise UsageError(f"{what} has a number that is not finite.")
    return np.asarray(parts[0], dtype=np.int64), np.asarray(parts[1], dtype=np.int32), values


# ---------------------------------------------------------------------------------------------- the graph


def write_ranks(model: Recommender, field: Field, blocks: Sequence[Block], dtype: Any) -> bytes:
    """Return the graph of a recommender, computed in `dtype`."""
    graph = Graph(blocks)
    user = _user(graph, model, field)
    history = _History(graph, model.seen, len(model.items), user)
    scores = _products(graph, model, user, dtype) if model.neighbours is None else _sums(graph, model, user, history)
    count = len(model.items)
    none = graph.constant(np.array([[-np.inf]]), dtype)
    seen = graph.add("ScatterElements", scores, history.items, graph.add("Expand", none, history.shape), axis=1)
    values, places = graph.add_all("TopK", seen, graph.constant([min(model.k, count)], np.int64), count=2, axis=1)
    absent = graph.add("IsInf", values)
    codes = graph.add("Where", absent, graph.constant(-1, np.int64), places)
    found = graph.add("Where", absent, graph.constant(np.nan, dtype), values)
    return graph.finish_ranking(codes, found, dtype, rows_at_once(count, model.seen, model.neighbours))


def _user(graph: Graph, model: Recommender, field: Field) -> str:
    """Return the place of each row's user, shape (rows,)."""
    column = graph.view([field.name])[0]
    flat = graph.flat(column)
    none = len(model.users)
    places = model.places(model.users).tolist()
    if column.kind == "number":
        return graph.cast(
            graph.add(
                "LabelEncoder",
                flat,
                domain=ML,
                keys_tensor=graph.attribute([float(user) for user in model.users], np.float64),
                values_tensor=graph.attribute(places, np.float64),
                default_tensor=graph.attribute([none], np.float64),
            ),
            np.int64,
        )
    keys = {"keys_strings" if column.kind == "string" else "keys_int64s": list(model.users)}
    return graph.add("LabelEncoder", flat, domain=ML, values_int64s=places, default_int64=none, **keys)


class _History:
    """What the users of a batch saw, in the graph.

    Attributes:
        items: shape (rows, the longest history and one more); beyond a user's own the item that there is not.
        weights: the same shape; 0 there.
        shape: that shape.
    """

    def __init__(self, graph: Graph, seen: Histories, count: int, user: str) -> None:
        nobody = np.zeros(1, dtype=np.int64)
        starts = graph.constant(np.concatenate([seen.starts, nobody]), np.int64)
        lengths = graph.constant(np.concatenate([seen.lengths, nobody]), np.int64)
        axis = graph.constant([1], np.int64)
        start = graph.add("Unsqueeze", graph.add("Gather", starts, user), axis)
        length = graph.add("Gather", lengths, user)
        one = graph.constant(1, np.int64)
        longest = graph.add("Add", graph.add("ReduceMax", length, keepdims=0), one)
        steps = graph.add("Range", graph.constant(0, np.int64), longest, one)
        there = graph.add("Less", steps, graph.add("Unsqueeze", length, axis))
        at = graph.add("Where", there, graph.add("Add", start, steps), graph.constant(0, np.int64))
        items = np.append(seen.items, np.int32(count))
        found = graph.cast(graph.add("Gather", graph.constant(items, np.int32), at), np.int64)
        self.items = graph.add("Where", there, found, graph.constant(count, np.int64))
        self.shape = graph.add("Shape", self.items)
        self._graph, self._seen, self._at, self._there = graph, seen, at, there

    @property
    def weights(self) -> str:
        graph = self._graph
        weights = graph.constant(np.append(self._seen.weights, 0.0), np.float64)
        return graph.add("Where", self._there, graph.add("Gather", weights, self._at), graph.constant(0.0))


def _products(graph: Graph, model: Recommender, user: str, dtype: Any) -> str:
    """Return the scores of a factorisation, shape (rows, items and one): popularity is a factor of the unknown user."""
    users, items = np.asarray(model.user_factors), np.asarray(model.item_factors)
    mine = np.zeros((len(users) + 1, users.shape[1] + 1), dtype)
    mine[:-1, :-1] = users
    mine[-1, -1] = 1.0
    theirs = np.zeros((users.shape[1] + 1, len(items) + 1), dtype)
    theirs[:-1, :-1] = items.T
    theirs[-1, :-1] = model.popularity
    return graph.add("MatMul", graph.add("Gather", graph.constant(mine, dtype), user), graph.constant(theirs, dtype))


def _sums(graph: Graph, model: Recommender, user: str, history: _History) -> str:
    """Return the scores by neighbours, shape (rows, items and one), minus infinity where nothing speaks for an item."""
    near = model.neighbours
    if near is None:
        raise TypeError("a recommender by neighbours has neighbours")
    count, width = near.places.shape
    places = np.concatenate([near.places, np.full((1, width), count, dtype=np.int32)])
    values = np.concatenate([near.similarity, np.zeros((1, width))])
    flat = graph.constant([0, -1], np.int64)
    found = graph.cast(graph.add("Gather", graph.constant(places, np.int32), history.items), np.int64)
    weight = graph.add("Unsqueeze", history.weights, graph.constant([2], np.int64))
    said = graph.add("Mul", graph.add("Gather", graph.constant(values), history.items), weight)
    begin = np.zeros((2, count + 1))
    begin[1, :-1] = model.popularity
    cold = graph.cast(graph.add("Equal", user, graph.constant(len(model.users), np.int64)), np.int64)
    scores = graph.add(
        "ScatterElements",
        graph.add("Gather", graph.constant(begin), cold),
        graph.add("Reshape", found, flat),
        graph.add("Reshape", said, flat),
        axis=1,
        reduction="add",
    )
    nothing = graph.add("Equal", scores, graph.constant(0.0))
    return graph.add("Where", nothing, graph.constant(-np.inf), scores)
