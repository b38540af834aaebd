"""Recommenders to graphs: the best items for a user, without those that the user has seen.

`Recommender` is what any trainer can fill: the factors of a factorisation, or the similarities of items to each other.
Fitted objects of the package `implicit` know neither the users' ids nor what they saw: `Recommender.of` joins the two.
The graph looks the user up, scores every item, takes the seen ones out and keeps the best (`ranks.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from ..base.errors import Incompatible, InvalidInput, UsageError
from ..base.records import Field, Output
from ..graphs.layout import Block
from . import Compiled, Opened
from .ranks import Histories, Neighbours, rows_at_once, write_ranks

__all__ = ["Recommender", "open_model"]

_LIMIT = 2**63
_EXACT = 2**53


class Recommender:
    """Items for a user, best first. A score is the product of the user's factors and the item's.

    Args:
        users: the ids, integers or text, in the order of the rows of `user_factors` and `seen`.
        items: likewise, in the order of `item_factors` and of the columns of `seen`.
        user_factors: shape (users, factors).
        item_factors: shape (items, factors).
        seen: what each user has seen, shape (users, items): a sparse matrix of scipy, or an array; whatever is not 0 is
            left out of the user's recommendations. None: nothing.
        k: how many items to recommend. Where there are fewer, fewer are.
        unknown: of a user who is none of `users`: `popular` recommends what most users saw, with how many they are as
            the score; `refuse` answers 422.
        popularity: the scores that an unknown user gets instead, shape (items,).

    Raises:
        UsageError: when the parts do not fit together.
    """

    n_features_in_ = 1

    def __init__(
        self,
        users: Sequence[Any],
        items: Sequence[Any],
        user_factors: Any,
        item_factors: Any,
        seen: Any = None,
        *,
        k: int = 10,
        unknown: Literal["popular", "refuse"] = "popular",
        popularity: Any = None,
    ) -> None:
        self._begin(users, items, seen, k, unknown, popularity)
        self.user_factors = _matrix("user_factors", user_factors, len(self.users))
        self.item_factors = _matrix("item_factors", item_factors, len(self.items))
        if self.user_factors.shape[1] != self.item_factors.shape[1]:
            raise UsageError(
                f"user_factors have {self.user_factors.shape[1]} columns, item_factors {self.item_factors.shape[1]}: "
                "expected as many factors in both."
            )
        if self.user_factors.dtype != self.item_factors.dtype:
            self.user_factors = self.user_factors.astype(np.float64)
            self.item_factors = self.item_factors.astype(np.float64)

    @classmethod
    def of_neighbours(
        cls,
        users: Sequence[Any],
        items: Sequence[Any],
        similarity: Any,
        seen: Any,
        *,
        k: int = 10,
        unknown: Literal["popular", "refuse"] = "popular",
        popularity: Any = None,
    ) -> Recommender:
        """Return a recommender of items that are near those that the user saw.

        A score is the sum, over the items that the user saw, of how much (`seen`) times the similarity. Items that
        nothing speaks for are left out. A user who has seen nothing is answered as one who is not known.

        Args:
            similarity: shape (items, items), a sparse matrix of scipy or an array; a row holds an item's neighbours.
        """
        made = cls.__new__(cls)
        made._begin(users, items, seen, k, unknown, popularity)
        made.neighbours = Neighbours.read(similarity, len(made.items))
        if unknown == "popular":
            none = np.flatnonzero(made.seen.lengths == 0).tolist()
            made._places.update({made.users[place]: len(made.users) for place in none})
        return made

    @classmethod
    def of(cls, model: Any, users: Sequence[Any], items: Sequence[Any], seen: Any, **more: Any) -> Recommender:
        """Return the recommender that a fitted object of the package `implicit` is, with ids and with what was seen.

        Args:
            model: one with factors (AlternatingLeastSquares, BayesianPersonalizedRanking, LogisticMatrixFactorization)
                or one of neighbours (ItemItemRecommender, CosineRecommender, TFIDFRecommender, BM25Recommender).
            seen: the matrix that it was fitted on, of users and items.
            more: `k`, `unknown` and `popularity`, as for the class.

        Raises:
            UsageError: when it is something else, or not fitted.
        """
        factors: list[Any] = [getattr(model, name, None) for name in ("user_factors", "item_factors")]
        if all(one is not None for one in factors):
            # On a GPU they are matrices of the package's own.
            mine, theirs = (one.to_numpy() if hasattr(one, "to_numpy") else one for one in factors)
            return cls(users, items, mine, theirs, seen, **more)
        if getattr(model, "similarity", None) is not None:
            return cls.of_neighbours(users, items, model.similarity, seen, **more)
        raise UsageError(
            f"A {type(model).__module__}.{type(model).__qualname__} has neither factors nor similarities.",
            mend="fit it first; it must be a model of the package implicit, or give the factors to Recommender",
        )

    def recommend(self, user: Any) -> list[tuple[Any, float]]:
        """Return the best items for a user, each with its score, best first.

        Raises:
            InvalidInput: when the user is not known, and `unknown` is 'refuse'.
        """
        codes, scores = self.rank([[user]])
        both = zip(codes[0].tolist(), scores[0].tolist(), strict=True)
        return [(self.items[code], score) for code, score in both if code >= 0]

    def predict(self, frame: Any) -> Any:
        """Return the best items for the user of each row, shape (rows, k), as objects; None where there are fewer."""
        codes, _ = self.rank(frame)
        found = np.array([*self.items, None], dtype=object)
        return found[codes]

    def rank(self, frame: Any) -> tuple[Any, Any]:
        """Return the places of the best items among `items`, shape (rows, k), -1 for none, and their scores, or NaN.

        Args:
            frame: a dataframe or an array with one column, the users' ids.

        Raises:
            InvalidInput: when a user is not known, and `unknown` is 'refuse'.
        """
        places = self.places(np.asarray(frame, dtype=object).reshape(-1).tolist())
        step = rows_at_once(len(self.items), self.seen, self.neighbours)
        parts = [self._rank(places[start : start + step]) for start in range(0, max(1, len(places)), step)]
        codes, scores = (np.concatenate(each) for each in zip(*parts, strict=True))
        return codes, scores

    def places(self, users: Sequence[Any]) -> Any:
        """Return where each user stands among `users`, shape (rows,); len(users) for one who is answered as unknown."""
        none = len(self.users)
        found = [self._places.get(_whole(user), none) for user in users]
        if self.unknown == "refuse" and none in found:
            user = users[found.index(none)]
            raise InvalidInput(f"The user {user!r} is not known to the recommender.", value=repr(user)[:200])
        return np.array(found, dtype=np.int64)

    def _begin(
        self, users: Sequence[Any], items: Sequence[Any], seen: Any, k: Any, unknown: str, popularity: Any
    ) -> None:
        self.users = _ids("users", users)
        self.items = _ids("items", items)
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= 1000:
            raise UsageError(f"k is {k!r}: expected an integer from 1 to 1,000, how many items to recommend.")
        if unknown not in ("popular", "refuse"):
            raise UsageError(f"unknown is {unknown!r}: expected 'popular' or 'refuse'.")
        self.k = min(k, len(self.items))
        self.unknown = unknown
        self.seen = Histories.read(seen, len(self.users), len(self.items))
        self.neighbours: Neighbours | None = None
        self.user_factors: Any = None
        self.item_factors: Any = None
        counts = self.seen.counts(len(self.items)) if popularity is None else popularity
        self.popularity = np.asarray(counts, dtype=np.float64)
        if self.popularity.shape != (len(self.items),) or not np.isfinite(self.popularity).all():
            raise UsageError(
                f"popularity has the shape {self.popularity.shape}: expected a finite number for each item."
            )
        self._places = {user: place for place, user in enumerate(self.users)}

    def _rank(self, places: Any) -> tuple[Any, Any]:
        scores = self._scores(places)
        rows, items = self.seen.of(places)
        scores[rows, items] = -np.inf
        best = _best(-scores, self.k)
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        codes = np.take_along_axis(best, order, axis=1)
        found = np.take_along_axis(scores, codes, axis=1)
        none = np.isneginf(found)
        return np.where(none, -1, codes), np.where(none, np.nan, found)

    def _scores(self, places: Any) -> Any:
        """Return the score of each item for each user, shape (rows, items)."""
        cold = places == len(self.users)
        known = np.where(cold, 0, places)
        if self.neighbours is None:
            scores = self.user_factors[known] @ self.item_factors.T
            scores[cold] = self.popularity
            return scores
        scores = np.zeros((len(places), len(self.items)))
        for row, place in enumerate(places.tolist()):
            if place < len(self.users):
                items, weights = self.seen.one(place)
                self.neighbours.add_to(scores[row], items, weights)
            else:
                scores[row] = self.popularity
        scores[scores == 0] = -np.inf
        return scores


def open_model(model: Any, labels: Sequence[Any]) -> Opened | None:
    """Return a recommender and the way to compile it; None when the object is none.

    Raises:
        Incompatible: for a fitted object of `implicit` alone, which knows no ids.
    """
    if isinstance(model, Recommender):
        output = Output(name="", kind="ranking", classes=model.items, width=model.k)
        return Opened(trained=model, compile=functools.partial(_attempts, model), output=output)
    if type(model).__module__.partition(".")[0] == "implicit":
        raise Incompatible(
            f"A {type(model).__module__}.{type(model).__qualname__} knows users and items by their places alone, and "
            "not what was seen.",
            mend="return plusone.Recommender.of(model, users, items, seen)",
        )
    return None


def _attempts(model: Recommender, fields: Sequence[Field], blocks: Sequence[Block]) -> Iterator[Compiled]:
    field = fields[0]
    wanted = "string" if isinstance(model.users[0], str) else "int64"
    if field.dtype != wanted:
        raise Incompatible(
            f"The field {field.name!r} holds {field.dtype}, and the users of the recommender are {wanted}.",
            mend="give Recommender the ids as the training data has them",
        )
    _check_large(model, field, blocks)
    dtype = np.dtype(np.float64) if model.neighbours is not None else model.user_factors.dtype
    try:
        graph = write_ranks(model, field, blocks, dtype)
    except Incompatible:
        raise
    except Exception as error:
        raise Incompatible(
            f"The graph of this recommender is not valid ONNX: {type(error).__name__}: {str(error)[:300]}",
            mend="give it fewer items or factors: a graph holds less than 2 GB",
        ) from error
    known: dict[str, tuple[float, ...]] = {}
    if model.unknown == "refuse" and wanted == "int64":
        known = {field.name: tuple(sorted(float(user) for user in model.users))}
    yield Compiled(graph=graph, output="ranking", precision=dtype.name, known_values=known)


def _check_large(model: Recommender, field: Field, blocks: Sequence[Block]) -> None:
    """Refuse integers that a float64 can't hold where one has to."""
    if isinstance(model.users[0], str) or max(abs(user) for user in model.users) < _EXACT:
        return
    floats = any(field.name in block.fields and block.dtype == "float64" for block in blocks)
    if floats or model.unknown == "refuse":
        raise Incompatible(
            f"The users of the recommender are integers of 2**53 or more, and {field.name!r} enters the graph as "
            f"{'float64' if floats else 'one of a list of float64'}, which does not tell them apart.",
            mend="give the ids as text, in the training data and to Recommender",
        )


def _best(losses: Any, count: int) -> Any:
    """Return the places of the `count` smallest of each row, in order; of equal ones the first, as the graph does."""
    last = np.partition(losses, count - 1, axis=1)[:, count - 1 : count]
    better, tied = losses < last, losses == last
    kept = better | (tied & (np.cumsum(tied, axis=1) <= count - better.sum(axis=1, keepdims=True)))
    return np.nonzero(kept)[1].reshape(len(losses), count)


def _ids(what: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Return ids as plain integers or text."""
    found = tuple(value.item() if hasattr(value, "item") else value for value in values)
    if not found:
        raise UsageError(f"There are no {what}: expected at least one.")
    kinds = {type(value) for value in found}
    if kinds not in ({int}, {str}):
        raise UsageError(
            f"The {what} are of the types {', '.join(sorted(kind.__name__ for kind in kinds))}: expected integers, or "
            "text, for all of them."
        )
    wrong = [value for value in found if not _fits(value)]
    if wrong:
        raise UsageError(f"The {what} hold {wrong[0]!r}: expected integers of 64 bits, or text.")
    if len(set(found)) < len(found):
        twice = next(value for value in found if found.count(value) > 1)
        raise UsageError(f"The {what} hold {twice!r} twice: expected each once.")
    return found


def _fits(value: Any) -> bool:
    if isinstance(value, int):
        return -_LIMIT <= value < _LIMIT
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True


def _matrix(what: str, value: Any, rows: int) -> Any:
    found = np.ascontiguousarray(value)
    if found.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        found = found.astype(np.float64)
    if found.ndim != 2 or found.shape[0] != rows or not found.shape[1]:
        raise UsageError(f"{what} has the shape {found.shape}: expected ({rows}, factors).")
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise UsageError(f"{what} has a number that is not finite, in row {row}.")
    return found


def _whole(user: Any) -> Any:
    """Return an id as a dict finds it: a column of integers with nulls holds floats."""
    value = user.item() if hasattr(user, "item") else user
    return int(value) if isinstance(value, float) and value.is_integer() else value
