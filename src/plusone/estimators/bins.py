"""Transformers of scikit-learn that put a number among others, as a graph: quantiles and bins."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graphs.graph import Graph, View
from ..graphs.steps import before, interpolate, place_among

__all__ = ["bins", "quantiles"]

_BOUNDS = 1e-7  # BOUNDS_THRESHOLD of scikit-learn: so close to the smallest or largest quantile a number is that one

# The normal quantile to 16 digits: Wichura (1988), algorithm AS 241, PPND16; coefficients from the constant upwards.
# What it does for probabilities below 1e-10 is left out: they are cut at 1e-7.
_MIDDLE = (
    (3.3871328727963666080e0, 1.0),
    (1.3314166789178437745e2, 4.2313330701600911252e1),
    (1.9715909503065514427e3, 6.8718700749205790830e2),
    (1.3731693765509461125e4, 5.3941960214247511077e3),
    (4.5921953931549871457e4, 2.1213794301586595867e4),
    (6.7265770927008700853e4, 3.9307895800092710610e4),
    (3.3430575583588128105e4, 2.8729085735721942674e4),
    (2.5090809287301226727e3, 5.2264952788528545610e3),
)
_TAIL = (
    (1.42343711074968357734e0, 1.0),
    (4.63033784615654529590e0, 2.05319162663775882187e0),
    (5.76949722146069140550e0, 1.67638483018380384940e0),
    (3.64784832476320460504e0, 6.89767334985100004550e-1),
    (1.27045825245236838258e0, 1.48103976427480074590e-1),
    (2.41780725177450611770e-1, 1.51986665636164571966e-2),
    (2.27238449892691845833e-2, 5.47593808499534494600e-4),
    (7.74545014278341407640e-4, 1.05075007164441684324e-9),
)


def quantiles(graph: Graph, part: Any, view: View, path: str) -> View:
    """QuantileTransformer: lines between its quantiles, and the normal quantile of that."""
    known = [(part.quantiles_[:, column], part.references_) for column in range(len(view))]
    matrix = graph.matrix(view)
    share = interpolate(graph, matrix, known)
    low, high = (graph.constant(part.quantiles_[[row], :]) for row in (0, -1))
    normal = part.output_distribution == "normal"
    if normal:
        step = graph.constant(_BOUNDS)
        above = graph.add("Greater", graph.add("Add", matrix, step), high)
        below = graph.add("Less", graph.add("Sub", matrix, step), low)
    else:
        above, below = graph.add("Equal", matrix, high), graph.add("Equal", matrix, low)
    share = graph.add("Where", above, graph.constant(1.0), share)
    share = graph.add("Where", below, graph.constant(0.0), share)
    if normal:
        end = _BOUNDS - np.spacing(1)
        share = _normal(graph, graph.add("Clip", share, graph.constant(end), graph.constant(1 - end)))
    return graph.whole(share, len(view))


def _normal(graph: Graph, share: str) -> str:
    """Return the normal quantile of shares between 1e-10 and 1 - 1e-10."""
    from_half = graph.add("Sub", share, graph.constant(0.5))
    room = graph.add("Sub", graph.constant(0.180625), graph.add("Mul", from_half, from_half))
    middle = graph.add("Mul", from_half, _fraction(graph, room, _MIDDLE))
    rest = graph.add("Min", share, graph.add("Sub", graph.constant(1.0), share))
    root = graph.add("Sqrt", graph.add("Neg", graph.add("Log", rest)))
    tail = _fraction(graph, graph.add("Sub", root, graph.constant(1.6)), _TAIL)
    tail = graph.add("Mul", tail, graph.add("Sign", from_half))
    near = graph.add("LessOrEqual", graph.add("Abs", from_half), graph.constant(0.425))
    return graph.add("Where", near, middle, tail)


def _fraction(graph: Graph, name: str, coefficients: Any) -> str:
    """Return one polynomial of each number divided by another, by Horner's rule for both at once."""
    pairs = np.array(coefficients)
    wide = graph.add("Unsqueeze", name, graph.constant([-1], np.int64))
    total = graph.constant(pairs[-1])
    for pair in pairs[-2::-1]:
        total = graph.add("Add", graph.add("Mul", total, wide), graph.constant(pair))
    above, below = (graph.add("Gather", total, graph.constant(place, np.int64), axis=-1) for place in (0, 1))
    return graph.add("Div", above, below)


def bins(graph: Graph, part: Any, view: View, path: str) -> View:
    """KBinsDiscretizer: how many of the inner edges are not above a number, as such or one column for each bin."""
    # An edge that is not above a number is one whose neighbour below is less than it.
    places = place_among(graph, graph.matrix(view), [before(edges[1:-1]) for edges in part.bin_edges_])
    if part.encode == "ordinal":
        return graph.whole(graph.cast(places, graph.dtype), len(view))
    out: View = []
    for column, count in enumerate(part.n_bins_):
        own = graph.pick_from(places, [column])
        hit = graph.add("Equal", own, graph.constant([list(range(int(count)))], np.int64))
        out += graph.whole(graph.cast(hit, graph.dtype), int(count))
    return out
