"""Text vectorisers of scikit-learn: the terms are counted before the graph (`graphs/texts.py`), the rest is in it.

What they answer is sparse and stays so until something asks for a column of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.errors import Incompatible
from ..graphs.graph import Graph, View

__all__ = ["OneText", "counts", "hashes", "reads_text", "reduced", "selected", "tfidf", "tfidf_counts"]

_MODULE = "sklearn.feature_extraction.text"


class OneText:
    """A model that takes one text for each row and no table, asked with a table of one column."""

    n_features_in_ = 1

    def __init__(self, model: Any) -> None:
        self.asked_for = model
        self.predict = lambda frame: model.predict(_only(frame))
        if hasattr(model, "classes_"):
            self.classes_ = model.classes_
        if hasattr(model, "predict_proba"):
            self.predict_proba = lambda frame: model.predict_proba(_only(frame))


def _only(frame: Any) -> list[Any]:
    return np.asarray(frame)[:, 0].tolist()


def reads_text(model: Any) -> bool:
    """Whether the first thing that a model does is to take a text apart."""
    if hasattr(model, "best_estimator_"):
        return reads_text(model.best_estimator_)
    steps = getattr(model, "steps", None) or getattr(model, "transformer_list", None)
    if steps:
        return reads_text(steps[0][1])
    inner = getattr(model, "calibrated_classifiers_", None)
    if inner:
        return reads_text(inner[0].estimator)
    return type(model).__module__ == _MODULE and hasattr(model, "build_analyzer")


def counts(graph: Graph, part: Any, view: View, path: str) -> View:
    """CountVectorizer."""
    terms = sorted(part.vocabulary_, key=part.vocabulary_.__getitem__)
    return _counted(graph, part, view, path, vocabulary=tuple(terms))


def hashes(graph: Graph, part: Any, view: View, path: str) -> View:
    """HashingVectorizer."""
    found = _counted(graph, part, view, path, hashed=int(part.n_features), signed=bool(part.alternate_sign))
    return _normed(graph, found, part.norm)


def tfidf(graph: Graph, part: Any, view: View, path: str) -> View:
    """TfidfVectorizer: counts, weighted."""
    return tfidf_counts(graph, part._tfidf, counts(graph, part, view, path), path)


def tfidf_counts(graph: Graph, part: Any, view: View, path: str) -> View:
    """TfidfTransformer."""
    parts = graph.parts_of(view)
    if parts is None:
        raise Incompatible(
            f"The {type(part).__name__} at {path} gets something else than the counts of a vectoriser.",
            mend="use TfidfVectorizer",
            path=path,
        )
    places, values, width = parts
    if part.sublinear_tf:
        none = graph.add("Equal", values, graph.constant(0.0))
        log = graph.add(
            "Add", graph.add("Log", graph.add("Where", none, graph.constant(1.0), values)), graph.constant(1.0)
        )
        values = graph.add("Where", none, graph.constant(0.0), log)
    if part.use_idf:
        table = graph.constant(np.append(np.asarray(part.idf_, dtype=np.float64), 0.0))
        values = graph.add("Mul", values, graph.add("Gather", table, places, axis=0))
    return _normed(graph, graph.sparse(places, values, width), part.norm)


def reduced(graph: Graph, part: Any, view: View, path: str) -> View:
    """TruncatedSVD."""
    return graph.whole(graph.product(view, np.asarray(part.components_, dtype=np.float64).T), len(part.components_))


def selected(graph: Graph, part: Any, view: View, path: str) -> View:
    """Whatever selects some of its columns; those of a sparse view stay one."""
    kept = np.flatnonzero(part.get_support())
    parts = graph.parts_of(view)
    if parts is None:
        return [view[int(place)] for place in kept]
    places, values, width = parts
    table = np.full(width + 1, len(kept), dtype=np.int64)
    table[kept] = np.arange(len(kept))
    moved = graph.add("Gather", graph.constant(table, np.int64), places, axis=0)
    gone = graph.add("Equal", moved, graph.constant(len(kept), np.int64))
    return graph.sparse(moved, graph.add("Where", gone, graph.constant(0.0), values), len(kept))


def _normed(graph: Graph, view: View, norm: str | None) -> View:
    parts = graph.parts_of(view)
    if norm is None or parts is None:
        return view
    places, values, width = parts
    axis = graph.constant([1], np.int64)
    if norm == "l2":
        size = graph.add("Sqrt", graph.add("ReduceSum", graph.add("Mul", values, values), axis, keepdims=1))
    else:
        size = graph.add("ReduceSum", graph.add("Abs", values), axis, keepdims=1)
    empty = graph.add("Equal", size, graph.constant(0.0))
    size = graph.add("Where", empty, graph.constant(1.0), size)
    return graph.sparse(places, graph.add("Div", values, size), width)


def _counted(graph: Graph, part: Any, view: View, path: str, **terms: Any) -> View:
    name = type(part).__name__
    if len(view) != 1 or view[0].kind != "string" or view[0].source is None:
        raise Incompatible(
            f"The {name} at {path} gets something else than one field of text as a request carries it.",
            mend="give it the field itself: make_column_transformer((TfidfVectorizer(), 'text'))",
            path=path,
        )
    own = {one: getattr(part, one) for one in ("preprocessor", "tokenizer", "analyzer", "strip_accents")}
    for what, value in own.items():
        if callable(value):
            raise Incompatible(
                f"The {name} at {path} has a {what} of its own, a Python function, which can't be compiled.",
                mend="use token_pattern, lowercase, strip_accents, stop_words and ngram_range",
                path=path,
            )
    if part.input != "content":
        raise Incompatible(
            f"The {name} at {path} reads files (input={part.input!r}).", mend="leave out input=", path=path
        )
    words = part.analyzer == "word"
    return graph.text(
        view[0],
        kind=part.analyzer,
        lowercase=bool(part.lowercase),
        accents=part.strip_accents or None,
        pattern=part.token_pattern if words else "",
        stop=tuple(sorted(part.get_stop_words() or ())) if words else (),
        ngrams=tuple(part.ngram_range),
        binary=bool(part.binary),
        **terms,
    )
