"""What comes before the estimator: encoders, imputers, scalers, and the pipelines and the like that hold them.

Encoders are not re-implemented: each is asked for what it answers to every category it knows and to one it does not,
and the graph looks the answers up. Everything that is not here is left to skl2onnx, part by part.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base.errors import Incompatible, PlusoneError
from ..graphs.graph import ML, Column, Graph, View
from ..graphs.layout import MISSING
from ..graphs.trees import rounded_to_float32
from .bins import bins, quantiles
from .texts import counts, hashes, reduced, selected, tfidf, tfidf_counts

__all__ = ["class_of", "transform"]

Transform = Callable[[Graph, Any, View, str], View]


def class_of(part: Any) -> str:
    """Return the full name of a part's class."""
    return f"{type(part).__module__}.{type(part).__qualname__}"


def transform(graph: Graph, part: Any, view: View, path: str) -> View:
    """Write what the fitted transformer `part` does to `view`; return the columns that come out.

    Args:
        path: where in the model the part is, for errors.

    Raises:
        Incompatible: naming the part that can't be compiled.
    """
    if part is None or (isinstance(part, str) and part == "passthrough"):
        return view
    handler = _handlers().get(class_of(part))
    try:
        if handler is not None:
            return handler(graph, part, view, path)
        return _with_skl2onnx(graph, part, view, path)
    except PlusoneError:
        raise
    except Exception as error:
        raise Incompatible(
            f"{class_of(part)} ({path}) can't be compiled: {type(error).__name__}: {error}",
            mend="use another transformer there, or move that work into a step if the caller will have its result",
            part=class_of(part),
            path=path,
        ) from error


def _handlers() -> dict[str, Transform]:
    base = "sklearn.preprocessing."
    text = "sklearn.feature_extraction.text."
    return {
        "sklearn.pipeline.Pipeline": _pipeline,
        "sklearn.pipeline.FeatureUnion": _union,
        "sklearn.compose._column_transformer.ColumnTransformer": _columns,
        base + "_encoders.OneHotEncoder": _encoder,
        base + "_encoders.OrdinalEncoder": _encoder,
        base + "_target_encoder.TargetEncoder": _encoder,
        base + "_data.StandardScaler": _standard,
        base + "_data.MinMaxScaler": _min_max,
        base + "_data.MaxAbsScaler": _max_abs,
        base + "_data.RobustScaler": _robust,
        base + "_data.QuantileTransformer": quantiles,
        base + "_discretization.KBinsDiscretizer": bins,
        base + "_polynomial.PolynomialFeatures": _polynomial,
        base + "_function_transformer.FunctionTransformer": _function,
        "sklearn.impute._base.SimpleImputer": _imputer,
        "sklearn.decomposition._truncated_svd.TruncatedSVD": reduced,
        f"{text}CountVectorizer": counts,
        f"{text}TfidfVectorizer": tfidf,
        f"{text}TfidfTransformer": tfidf_counts,
        f"{text}HashingVectorizer": hashes,
        **{
            f"sklearn.feature_selection._{name}": selected
            for name in (
                *("univariate_selection.SelectKBest", "univariate_selection.SelectPercentile"),
                *("variance_threshold.VarianceThreshold", "from_model.SelectFromModel", "rfe.RFE", "rfe.RFECV"),
            )
        },
    }


def _pipeline(graph: Graph, part: Any, view: View, path: str) -> View:
    for name, step in part.steps:
        view = transform(graph, step, view, f"{path}.{name}")
    return view


def _union(graph: Graph, part: Any, view: View, path: str) -> View:
    out: View = []
    for name, step in part.transformer_list:
        if isinstance(step, str) and step == "drop":
            continue
        out += _weighted(graph, transform(graph, step, view, f"{path}.{name}"), part.transformer_weights, name)
    return out


def _columns(graph: Graph, part: Any, view: View, path: str) -> View:
    out: View = []
    for name, step, _ in part.transformers_:
        indices = part._transformer_to_input_indices.get(name, [])
        if len(indices) == 0 or (isinstance(step, str) and step == "drop"):
            continue
        chosen = [view[int(index)] for index in indices]
        result = transform(graph, step, chosen, f"{path}.{name}")
        out += _weighted(graph, result, part.transformer_weights, name)
    return out


def _weighted(graph: Graph, view: View, weights: Any, name: str) -> View:
    if not weights or name not in weights:
        return view
    return graph.whole(graph.add("Mul", graph.matrix(view), graph.constant(weights[name])), len(view))


def _function(graph: Graph, part: Any, view: View, path: str) -> View:
    """A FunctionTransformer without a function passes its columns on; so does the one inside HistGradientBoosting."""
    function = part.func
    inner = getattr(function, "func", function)
    if function is None or (
        getattr(inner, "__module__", "") == "sklearn.utils.validation" and inner.__name__ == "check_array"
    ):
        return view
    unary = {np.log: "Log", np.exp: "Exp", np.sqrt: "Sqrt", np.abs: "Abs", np.sin: "Sin", np.cos: "Cos"}
    if function in unary and not part.kw_args:
        return graph.whole(graph.add(unary[function], graph.matrix(view)), len(view))
    if function is np.log1p and not part.kw_args:
        shifted = graph.add("Add", graph.matrix(view), graph.constant(1.0))
        return graph.whole(graph.add("Log", shifted), len(view))
    called = getattr(function, "__name__", function)
    raise Incompatible(
        f"{class_of(part)} ({path}) calls {called!r}, a Python function, which can't be compiled.",
        mend="use a transformer of scikit-learn, or one of numpy's log, log1p, exp, sqrt, abs, sin, cos",
        part=class_of(part),
        path=path,
    )


# ---------------------------------------------------------------------------------------------- scalers


_OPERATORS = {"Sub": np.subtract, "Div": np.divide, "Mul": np.multiply, "Add": np.add}


def _affine(graph: Graph, part: Any, view: View, steps: list[tuple[str, Any]], clip: Any = None) -> View:
    """Write what a scaler does step by step, each with one constant for each column; `clip`: its ends, then."""
    name = graph.matrix(view)
    kept = bool(view) and all(column.tensor in graph.rounded for column in view)
    how = _rounding(part, len(view), steps, clip) if kept else ""
    for operator, constant in steps:
        constant = np.reshape(constant, (1, -1))
        if how == "operands":
            constant = np.asarray(constant, np.float32)
        name = graph.add(operator, name, graph.constant(np.asarray(constant, np.float64)))
        name = rounded_to_float32(graph, name) if how else name
    if clip is not None:
        low, high = (float(np.float32(end)) if how else end for end in clip)
        name = graph.add("Clip", name, graph.constant(low), graph.constant(high))
    if how:
        graph.rounded.add(name)
    return graph.whole(name, len(view))


def _rounding(part: Any, width: int, steps: list[tuple[str, Any]], clip: Any) -> str:
    """Return how a scaler rounds numbers of 32 bits: its `operands` and `results`, its `results` alone, or '' for not.

    It is asked: versions of scikit-learn differ in it, and so do scalers of one version.
    """
    rows = np.random.default_rng(0).normal(scale=100.0, size=(8, width)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = np.asarray(part.transform(rows.copy()))
    for how in ("operands", "results") if asked.dtype == np.float32 else ():
        found = rows
        for operator, constant in steps:
            other = np.asarray(constant, np.float32 if how == "operands" else np.float64).reshape(1, -1)
            found = _OPERATORS[operator](found.astype(np.float64), other.astype(np.float64)).astype(np.float32)
        if clip is not None:
            found = np.clip(found, np.float32(clip[0]), np.float32(clip[1]))
        if np.array_equal(found, asked):
            return how
    return ""


def _standard(graph: Graph, part: Any, view: View, path: str) -> View:
    steps = [("Sub", part.mean_)] if part.with_mean else []
    return _affine(graph, part, view, steps + ([("Div", part.scale_)] if part.scale_ is not None else []))


def _robust(graph: Graph, part: Any, view: View, path: str) -> View:
    steps = [("Sub", part.center_)] if part.with_centering else []
    return _affine(graph, part, view, steps + ([("Div", part.scale_)] if part.with_scaling else []))


def _max_abs(graph: Graph, part: Any, view: View, path: str) -> View:
    return _affine(graph, part, view, [("Div", part.scale_)], (-1.0, 1.0) if getattr(part, "clip", False) else None)


def _min_max(graph: Graph, part: Any, view: View, path: str) -> View:
    steps = [("Mul", part.scale_), ("Add", part.min_)]
    return _affine(graph, part, view, steps, part.feature_range if part.clip else None)


def _polynomial(graph: Graph, part: Any, view: View, path: str) -> View:
    """Each output is a product of columns, the missing factors being ones."""
    name = graph.matrix(view)
    one = graph.add("Add", graph.add("Mul", graph.pick_from(name, [0]), graph.constant(0.0)), graph.constant(1.0))
    extended = graph.add("Concat", name, one, axis=1)
    factors = [np.repeat(np.arange(len(view)), powers).tolist() for powers in part.powers_]
    degree = max(1, *(len(columns) for columns in factors))
    product = ""
    for step in range(degree):
        indices = [columns[step] if step < len(columns) else len(view) for columns in factors]
        chosen = graph.pick_from(extended, indices)
        product = graph.add("Mul", product, chosen) if product else chosen
    return graph.whole(product, len(factors))


# ---------------------------------------------------------------------------------------------- imputers


def _imputer(graph: Graph, part: Any, view: View, path: str) -> View:
    out: View = []
    for index, column in enumerate(view):
        value = part.statistics_[index]
        if _is_null(value) and not part.keep_empty_features:
            continue
        if column.kind == "string":
            name = graph.column(column)
            absent = graph.add("Equal", name, graph.constant([[_text(part.missing_values)]], object))
            filled = graph.add("Where", absent, graph.constant([[str(value)]], object), name)
            out.append(graph.whole(filled, 1, "string")[0])
        else:
            name = graph.matrix([column])
            filled = graph.add("Where", _is(graph, name, part.missing_values), graph.constant([[float(value)]]), name)
            out.append(graph.whole(filled, 1)[0]._replace(source=column.source))
    if part.add_indicator:
        for index in part.indicator_.features_:
            name = graph.matrix([view[int(index)]], view[int(index)].kind)
            if view[int(index)].kind == "string":
                absent = graph.add("Equal", name, graph.constant([[_text(part.missing_values)]], object))
            else:
                absent = _is(graph, name, part.missing_values)
            out += graph.whole(graph.cast(absent, graph.dtype), 1)
    return out


def _is(graph: Graph, name: str, value: Any) -> str:
    if _is_null(value):
        return graph.add("IsNaN", name)
    return graph.add("Equal", name, graph.constant([[float(value)]]))


def _text(value: Any) -> str:
    return MISSING if _is_null(value) else str(value)


def _is_null(value: Any) -> bool:
    """Whether a value is one of the many nulls: None, NaN, pandas.NA."""
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


# ---------------------------------------------------------------------------------------------- encoders


def _encoder(graph: Graph, part: Any, view: View, path: str) -> View:
    out: View = []
    for index, column in enumerate(view):
        categories = list(part.categories_[index])
        table = _answers(part, index)
        if column.source is not None and column.kind != "string" and _refuses(part):
            graph.known_values[column.source] = tuple(float(value) for value in categories if not _is_null(value))
        out += _looked_up(graph, column, categories, table, path)
    return out


def _looked_up(graph: Graph, column: Column, categories: list[Any], table: Any, path: str) -> View:
    """Return what the encoder answers: `table[1 + place among the categories]`, row 0 for unseen values."""
    if column.kind == "string":
        if others := [value for value in categories if not isinstance(value, str) and not _is_null(value)]:
            raise Incompatible(f"The encoder at {path} has the category {others[0]!r} in a column of strings.")
        keys: Any = {"keys_strings": [MISSING if _is_null(value) else value for value in categories]}
    elif column.kind == "number":
        keys = {
            "keys_tensor": graph.attribute([math.nan if _is_null(v) else float(v) for v in categories], graph.dtype)
        }
    else:
        code = _integer_code(graph, column, categories)
        return graph.whole(graph.add("Gather", graph.constant(table), code, axis=0), table.shape[1])
    if table.shape[1] == 1:
        values = {
            "values_tensor": graph.attribute(table[1:, 0], graph.dtype),
            "default_tensor": graph.attribute(table[:1, 0], graph.dtype),
        }
        return graph.whole(graph.add("LabelEncoder", graph.column(column), domain=ML, **keys, **values), 1)
    flat = graph.flat(column)
    if column.kind == "string":
        codes: Any = {"values_int64s": list(range(1, len(categories) + 1)), "default_int64": 0}
        code = graph.add("LabelEncoder", flat, domain=ML, **keys, **codes)
    else:
        codes = {
            "values_tensor": graph.attribute(np.arange(1, len(categories) + 1), graph.dtype),
            "default_tensor": graph.attribute([0], graph.dtype),
        }
        code = graph.cast(graph.add("LabelEncoder", flat, domain=ML, **keys, **codes), np.int64)
    return graph.whole(graph.add("Gather", graph.constant(table), code, axis=0), table.shape[1])


def _refuses(part: Any) -> bool:
    return getattr(part, "handle_unknown", "ignore") == "error"


def _answers(part: Any, index: int) -> Any:
    """Return what the encoder answers to column `index`, shape (1 + categories, outputs); row 0 is for unseen ones."""
    sizes = [len(categories) for categories in part.categories_]
    first = [categories[0] if len(categories) else None for categories in part.categories_]
    rows = [list(first) for _ in range(sizes[index])]
    for row, value in zip(rows, part.categories_[index], strict=True):
        row[index] = value
    known = _ask(part, rows)
    widths = _widths(part, known.shape[1])
    start = sum(widths[:index])
    table = np.zeros((1 + sizes[index], widths[index]))
    table[1:] = known[:, start : start + widths[index]]
    if not _refuses(part):
        unseen = list(first)
        unseen[index] = _unseen(part.categories_[index])
        table[0] = _ask(part, [unseen])[0, start : start + widths[index]]
    return table


def _ask(part: Any, rows: list[list[Any]]) -> Any:
    array = np.empty((len(rows), len(rows[0])), dtype=object)
    for index, row in enumerate(rows):
        array[index, :] = row
    kinds = {np.asarray(categories).dtype.kind for categories in part.categories_}
    if kinds <= set("iuf"):
        array = array.astype(np.float64 if "f" in kinds else np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = part.transform(array)
    return np.asarray(out.toarray() if hasattr(out, "toarray") else out, dtype=np.float64)


def _widths(part: Any, total: int) -> list[int]:
    count = len(part.categories_)
    if hasattr(part, "_n_features_outs"):
        return [int(width) for width in part._n_features_outs]
    return [total // count] * count


def _unseen(categories: Any) -> Any:
    """Return a value that is none of the categories, of their kind."""
    values = {value for value in categories if not _is_null(value)}
    if any(isinstance(value, str) for value in values):
        return "\ue000never seen"
    return next(number for number in itertools.count() if number not in values)


def _integer_code(graph: Graph, column: Column, categories: list[Any]) -> str:
    """Return, shape (rows,), 1 + the place of each integer among the categories; 0 when it is none of them."""
    keys = np.asarray([value for value in categories if not _is_null(value)], dtype=np.int64).reshape(1, -1)
    hits = graph.add("Equal", graph.column(column), graph.constant(keys, np.int64))
    places = graph.constant(np.arange(1, keys.shape[1] + 1).reshape(1, -1), np.int64)
    product = graph.add("Mul", graph.cast(hits, np.int64), places)
    return graph.add("ReduceSum", product, graph.constant([1], np.int64), keepdims=0)


# ---------------------------------------------------------------------------------------------- everything else


def _with_skl2onnx(graph: Graph, part: Any, view: View, path: str) -> View:
    from ..graphs.converter import convert

    kind = "string" if view and all(column.kind == "string" for column in view) else "number"
    output, width = convert(graph, part, graph.matrix(view, kind), len(view), kind, path)
    return graph.whole(output, width)
