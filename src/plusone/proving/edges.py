"""Rows at the edges of what a model takes: real rows with one field changed, and how the compiled model answers them.

Where a tree turns, both neighbours of its threshold are asked, in 64 and in 32 bits; beside those, zeros, the ends of
each field's range, numbers that 32 bits can't hold, tensors of one value, ids that nobody has, and strings as nobody
wrote them in training. A compiled model in double precision must answer them as the trained one does; one in single
precision may turn elsewhere, and the record says on how many rows it does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.errors import Incompatible
from ..base.records import Field, Signature
from ..data.tensors import rows_of, to_table
from ..graphs.layout import Block
from ..graphs.runner import OnnxRunner
from ..graphs.splits import find_turns
from ..signatures.tables import Known, compute, read_table
from .prove import Case, Trained, _compare

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["prove_edges"]

MAX_ROWS = 4_000
"""How many rows are made at most, for all fields together."""
_CELLS = 8_000_000
"""How many values of tensors these rows hold at most."""
_LEAST = 32
"""For how many rows of each field there is room all the same."""
_BASES = 256
"""How many real rows are changed, evenly chosen."""
_NAMED = 5
_FAR = 100.0
"""By how many times the tolerance answers may differ at thresholds and roundings before that closes packaging: where a
model is steep (an isotonic calibrator between two points) the last bits of a sum are more than the tolerance. A row
that went the other way at a split differs by far more.
"""
_LARGEST = float(np.finfo(np.float64).max)
_SINGLE = float(np.finfo(np.float32).max)
_TRIES = 200
_TEXTS = (" ", "\u00e9", "e\u0301", "\u65e5\u672c", "\U0001f600")
_FRACTIONS = (0.1, 0.3, 0.7)

_EXACT = ("value", "text")
"""Edges that single precision holds: they close packaging at any precision."""
_ROUNDED = ("threshold", "rounding")
"""Edges that single precision does not hold: they close packaging where the graph computes in double precision."""
_CLOSING: dict[str, tuple[str, ...]] = {"float64": (*_EXACT, *_ROUNDED), "float32": _EXACT, "int8": ()}


class _Edge(NamedTuple):
    row: int
    field: str
    kind: str
    """`value`, `text`, `threshold`, `rounding`, or `extreme`: numbers that no data holds, which are reported alone."""
    value: Any
    place: int | None = None
    """Of a tensor: which of its values is this one, laid out flat; None: `value` is the tensor."""


def prove_edges(
    trained: Trained,
    cases: Sequence[Case],
    graph: bytes | None,
    runner: OnnxRunner,
    signature: Signature,
    blocks: Sequence[Block],
    known: Known,
    tolerance: float,
    precision: str,
) -> dict[str, Any]:
    """Return the record of the edges: rows asked, thresholds met, rows that differ, the largest difference, examples.

    Args:
        graph: the compiled graph, whose trees say where they turn; None for none.
        blocks: how rows enter that graph and the runner's.

    Raises:
        Incompatible: when the compiled model differs where its precision says that it must not.
    """
    base = next((case.table for case in cases if case.table.num_rows), None)
    if base is None:
        return {"rows": 0}
    ranges = _ranges(base, signature.fields)
    base = _widened(base.take(_evenly(base.num_rows, _BASES)), signature.fields)
    edges = _make(base, graph, signature, blocks, known, ranges)
    table = _table(base, edges, signature.fields)
    _, bad = read_table(table, signature.fields, blocks, known)
    asked = np.flatnonzero(~bad)
    found = _ask(trained, table, _parts(edges, asked))
    record: dict[str, Any] = {
        "rows": sum(len(rows) for rows, _ in found),
        "refused_rows": int(bad.sum()),
        "unanswered_rows": len(asked) - sum(len(rows) for rows, _ in found),
        "thresholds": len({(edge.field, edge.place, edge.value) for edge in edges if edge.kind == "threshold"}),
        "differ": 0,
        "max_difference": 0.0,
        "kinds": {},
        "examples": [],
    }
    for rows, case in found:
        if len(rows):
            columns, _ = read_table(case.table, signature.fields, blocks, known)
            answer = runner.run(columns)
            differences, wrong, _ = _compare(case, answer, signature, tolerance)
            _, far, _ = _compare(case, answer, signature, _FAR * tolerance)
            _count(record, [edges[row] for row in rows.tolist()], case, answer, differences, wrong, far)
    closing = _CLOSING.get(precision, _EXACT)
    if any(
        record["kinds"][kind]["far" if kind in _ROUNDED else "differ"] for kind in closing if kind in record["kinds"]
    ):
        raise _differs(record, closing, precision, tolerance)
    return record


def _count(
    record: dict[str, Any], edges: list[_Edge], case: Case, answer: Any, differences: Any, wrong: Any, far: Any
) -> None:
    """Add to the record what a part of the rows was answered."""
    for place, edge in enumerate(edges):
        kind = record["kinds"].setdefault(edge.kind, {"rows": 0, "differ": 0, "far": 0})
        kind["rows"] += 1
        kind["far"] += int(far[place])
        if edge.kind != "extreme":
            record["max_difference"] = max(record["max_difference"], float(differences[place]))
        if wrong[place]:
            kind["differ"] += 1
            record["differ"] += 1
            if kind["differ"] <= _NAMED:
                record["examples"].append(_example(edge, case, answer, place, float(differences[place])))


# ---------------------------------------------------------------------------------------------- the rows


def _make(
    base: pa.Table,
    graph: bytes | None,
    signature: Signature,
    blocks: Sequence[Block],
    known: Known,
    ranges: dict[str, tuple[float, float]],
) -> list[_Edge]:
    """Return the edges of all fields, at most `MAX_ROWS`, the same for the same data and graph."""
    fields = signature.fields
    values = sum(math.prod(field.shape) for field in fields if field.shape is not None)
    most = MAX_ROWS if not values else min(MAX_ROWS, max(_LEAST * len(fields), _CELLS // values))
    budget = max(1, most // len(fields))
    turning = _turns_of(base, graph, signature.fields, blocks, known, ranges, budget)
    edges: list[_Edge] = []
    for field in fields:
        plain = _plain_edges(field, base, budget)
        edges += [edge for edge in (plain + turning[field.name]) if _exists(edge, field)]
    return [edges[place] for place in _evenly(len(edges), most)]


def _ranges(table: pa.Table, fields: Sequence[Field]) -> dict[str, tuple[float, float]]:
    """Return by field of numbers from where to where its values lie; of a tensor, all of its values."""
    found: dict[str, tuple[float, float]] = {}
    for field in fields:
        if field.shape is not None:
            values = rows_of(table.column(field.name))
            found[field.name] = (0, 255) if values.dtype == np.uint8 else (values.min().item(), values.max().item())
        elif field.dtype in ("float64", "int64") and field.minimum is not None and field.maximum is not None:
            found[field.name] = (field.minimum, field.maximum)
    return found


def _turns_of(
    base: pa.Table,
    graph: bytes | None,
    fields: Sequence[Field],
    blocks: Sequence[Block],
    known: Known,
    ranges: dict[str, tuple[float, float]],
    budget: int,
) -> dict[str, list[_Edge]]:
    """Return by field the edges at the thresholds of the graph's trees; `fields`: all of the blocks' fields."""
    found: dict[str, list[_Edge]] = {field.name: [] for field in fields}
    if graph is None or not ranges:
        return found
    dtypes = {field.name: field.dtype for field in fields}
    columns, _ = read_table(base, fields, blocks, known)
    for turn in find_turns(graph, blocks, columns, ranges, max(1, budget // 6)):
        values = _around(turn.below, turn.above, turn.threshold, dtypes[turn.field])
        found[turn.field] += [_Edge(turn.row, turn.field, "threshold", value, turn.place) for value in values]
    return found


def _around(below: float, above: float, threshold: float, dtype: str) -> list[Any]:
    """Return the values to ask beside a turn: both sides, and of 64 bits their neighbours in single precision."""
    if dtype in ("int64", "uint8"):
        return sorted({math.floor(below), math.ceil(above)})
    if dtype == "float32":
        return [below, above]
    single = _single(below)
    values = {below, above, float(single)}
    values |= {float(np.nextafter(single, np.float32(end))) for end in (-np.inf, np.inf)}
    if abs(threshold - below) <= 1e-6 * max(1.0, abs(below)):  # the tree's own value, of a field that enters as it is
        values |= {threshold, float(np.nextafter(threshold, np.inf)), float(np.nextafter(threshold, -np.inf))}
    return sorted(value for value in values if math.isfinite(value))


def _plain_edges(field: Field, base: pa.Table, budget: int) -> list[_Edge]:
    """Return the edges that a field has whatever the model is, each on up to four real rows."""
    values = list(_values(field, base))
    times = max(1, min(4, budget // (2 * max(1, len(values)))))
    return [
        _Edge((place * times + turn) * 7 % base.num_rows, field.name, kind, value)
        for place, (kind, value) in enumerate(values)
        for turn in range(times)
    ]


def _values(field: Field, base: pa.Table) -> Iterator[tuple[str, Any]]:
    if field.shape is not None:
        yield from _tensors(field, base)
    elif field.dtype == "bool":
        yield from (("value", False), ("value", True))
    elif field.dtype == "string":
        seen = (field.categories or ("a",))[0]
        for text in ("", f"{seen} ", seen.swapcase(), *_TEXTS, "x" * 10_000):
            yield "text", text
    elif field.dtype == "int64":
        ends = [int(end) for end in (field.minimum, field.maximum) if end is not None]
        for end in ends:
            yield from (("value", end), ("value", end - 1), ("value", end + 1))
        yield from (("value", 0), ("value", 1), ("value", -1))
        for power in (24, 53):
            kind = "extreme" if power == 53 and max(map(abs, ends), default=0) < 2**53 else "rounding"
            yield from ((kind, 2**power + 1), (kind, -(2**power) - 1))
        yield from (("extreme", 2**63 - 1), ("extreme", -(2**63)))
    elif field.dtype == "float64":
        yield from _floats(field, base)


def _tensors(field: Field, base: pa.Table) -> Iterator[tuple[str, Any]]:
    """Give tensors of one value in every place, and real ones with an extreme value in the first."""
    values = rows_of(base.column(field.name))
    yield "value", np.zeros(values.shape[1:], values.dtype)
    ends = (0, 255) if values.dtype == np.uint8 else (values.min(), values.max())
    yield from (("rounding", np.full(values.shape[1:], end, values.dtype)) for end in ends)
    if values.dtype.kind == "f":
        largest = float(np.finfo(values.dtype).max)
        far: tuple[Any, ...] = (1e30, -1e30, largest, -largest)
    else:
        far = (2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)) if values.dtype == np.int64 else ()
    for size in far:
        tensor = values[0].copy()
        tensor.reshape(-1)[0] = size
        yield "extreme", tensor


def _floats(field: Field, base: pa.Table) -> Iterator[tuple[str, float]]:
    yield from (("value", 0.0), ("value", -0.0), ("value", 1.0), ("value", -1.0))
    if field.minimum is not None and field.maximum is not None:
        low, high = field.minimum, field.maximum
        yield from (("value", low), ("value", high))
        yield from (("rounding", math.nextafter(low, -math.inf)), ("rounding", math.nextafter(high, math.inf)))
        seen = sorted({value for value in base.column(field.name).to_pylist() if value is not None})
        inexact = [value for value in seen if float(_single(value)) != value]
        inexact = [inexact[place] for place in _evenly(len(inexact), 3)]
        for value in inexact or [low + (high - low) * part for part in _FRACTIONS]:
            single = _single(value)
            others = [float(np.nextafter(single, np.float32(end))) for end in (-np.inf, np.inf)]
            yield from (("rounding", one) for one in (value, float(single), *others))
    for size in (1e30, _SINGLE, 1e39, _LARGEST, 5e-324):
        yield from (("extreme", size), ("extreme", -size))


def _single(value: float) -> Any:
    """Return the number in 32 bits, infinite where it is too large for them."""
    with np.errstate(over="ignore"):
        return np.float32(value)


def _exists(edge: _Edge, field: Field) -> bool:
    if field.shape is not None:
        return True
    if isinstance(edge.value, float):
        return math.isfinite(edge.value)
    return field.dtype != "int64" or -(2**63) <= edge.value < 2**63


def _evenly(count: int, most: int) -> Any:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64)) if count else np.empty(0, np.int64)


def _widened(table: pa.Table, fields: Sequence[Field]) -> pa.Table:
    """Return the table with every number in 64 bits, as a request carries it."""
    import pyarrow as pa

    kinds = {"int64": pa.int64(), "float64": pa.float64()}
    for field in fields:
        column = table.column(field.name)
        if pa.types.is_dictionary(column.type) and field.dtype != "string":
            column = column.cast(column.type.value_type)
        wanted = kinds.get(field.dtype) if field.shape is None else None
        if wanted is not None and pa.types.is_floating(column.type):
            wanted = pa.float64()  # integers with nulls, as dataframes write them
        table = table.set_column(
            table.column_names.index(field.name), field.name, column if wanted is None else column.cast(wanted)
        )
    return table


def _table(base: pa.Table, edges: Sequence[_Edge], fields: Sequence[Field]) -> pa.Table:
    """Return one row for each edge."""
    import pyarrow as pa

    table = base.take(np.array([edge.row for edge in edges], dtype=np.int64))
    for field in fields:
        own = [place for place, edge in enumerate(edges) if edge.field == field.name]
        if not own:
            continue
        place = table.column_names.index(field.name)
        if field.shape is not None:
            rows = rows_of(table.column(place)).copy()
            for one in own:
                spot = edges[one].place
                if spot is None:
                    rows[one] = edges[one].value
                else:
                    rows[one].reshape(-1)[spot] = edges[one].value
            table = table.set_column(place, field.name, to_table({field.name: rows}).column(0))
            continue
        column = table.column(place).combine_chunks()
        mask = np.zeros(len(edges), dtype=bool)
        mask[own] = True
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
        values = pa.array([edges[one].value for one in own]).cast(column.type)
        column = compute().replace_with_mask(column, pa.array(mask), values)
        table = table.set_column(
            place, field.name, column.dictionary_encode() if pa.types.is_dictionary(kind) else column
        )
    return table


# ---------------------------------------------------------------------------------------------- the answers


def _parts(edges: Sequence[_Edge], rows: Any) -> list[Any]:
    """Return the rows in two parts: the numbers that no data holds, the largest last, and all others."""
    far = [row for row in rows.tolist() if edges[row].kind == "extreme"]
    far.sort(key=lambda row: np.max(np.abs(np.asarray(edges[row].value, dtype=np.float64))))
    near = [row for row in rows.tolist() if edges[row].kind != "extreme"]
    return [np.array(part, dtype=np.int64) for part in (far, near) if part]


def _ask(trained: Trained, table: pa.Table, waiting: list[Any]) -> list[tuple[Any, Case]]:
    """Return what the trained model answers to these rows, in parts: without those to which it answers nothing.

    A model that raises for one row of a table answers none of them: such parts are halved, up to `_TRIES` times.
    """
    found: list[tuple[Any, Case]] = []
    for _ in range(_TRIES):
        if not waiting:
            break
        part = waiting.pop()
        try:
            found.append((part, _answered(trained, table.take(part))))
        except Exception:  # whatever it raises, it does not answer
            half = len(part) // 2
            waiting += [part[half:], part[:half]] if half else []
    return [_finite(part, case) for part, case in found]


def _answered(trained: Trained, part: pa.Table) -> Case:
    with np.errstate(all="ignore"):
        ranking = trained.ranking(part)
        if ranking is not None:
            return Case("edges", part, ranking[0], None, 0, ranking[1])
        return Case("edges", part, trained.answers(part), trained.probabilities(part), 0)


def _finite(rows: Any, case: Case) -> tuple[Any, Case]:
    """Leave out the rows to which the trained model answers no number."""
    whole = np.ones(len(rows), dtype=bool)
    for array in (case.answers, case.probabilities):
        if array is not None and array.dtype.kind == "f":
            whole &= np.isfinite(array).reshape(len(rows), -1).all(axis=1)
    if whole.all():
        return rows, case
    probabilities = None if case.probabilities is None else case.probabilities[whole]
    return rows[whole], case._replace(
        table=case.table.filter(whole), answers=case.answers[whole], probabilities=probabilities
    )


def _example(edge: _Edge, case: Case, answer: Any, place: int, difference: float) -> dict[str, Any]:
    fields: dict[str, Any] = case.table.slice(place, 1).to_pylist()[0]
    trained = case.answers[place] if case.probabilities is None else case.probabilities[place]
    compiled = answer.labels[place] if answer.probabilities is None else answer.probabilities[place]
    if answer.scores is not None:
        compiled = answer.codes[place]
    found: dict[str, Any] = {"kind": edge.kind, "field": edge.field}
    if edge.place is not None:  # a tensor may be too long to be shown
        shape = rows_of(case.table.column(edge.field)).shape[1:]
        found |= {"place": [int(at) for at in np.unravel_index(edge.place, shape)], "value": edge.value}
    return {
        **found,
        "fields": {name: _short(value) for name, value in fields.items()},
        "trained": np.asarray(trained).tolist(),
        "compiled": np.asarray(compiled).tolist(),
        "difference": difference,
    }


def _short(value: Any) -> Any:
    if isinstance(value, list) and len(value) > 10:  # a tensor, laid out flat
        return [*value[:10], f"... ({len(value)} values)"]
    return f"{value[:40]}... ({len(value)} characters)" if isinstance(value, str) and len(value) > 60 else value


def _name(example: dict[str, Any]) -> str:
    if "place" not in example:
        return repr(example["field"])
    return f"{example['field']!r} with {example['value']!r} at {example['place']}"


def _differs(record: dict[str, Any], closing: Sequence[str], precision: str, tolerance: float) -> Incompatible:
    named = [one for one in record["examples"] if one["kind"] in closing]
    counts = ", ".join(
        f"{kind['differ']} of {kind['rows']} at edges of kind {name!r}"
        for name, kind in record["kinds"].items()
        if name in closing and kind["differ"]
    )
    lines = [
        f"  {_name(one)} of {one['fields']}: trained {one['trained']}, compiled {one['compiled']}, "
        f"difference {one['difference']:.3g}"
        for one in named
    ]
    return Incompatible(
        f"The compiled model ({precision}) does not answer as the trained one at the edges of its fields: {counts} "
        f"differ by more than {tolerance:g} or in their label, the first of them:\n" + "\n".join(lines),
        mend="use another estimator, or a larger tolerance if such differences do not matter",
        rows=named,
        edges={name: dict(kind) for name, kind in record["kinds"].items()},
        tolerance=tolerance,
    )
