"""A table as its checks look at it: each column as numbers, words or moments, whatever type it has, read once.

Nothing here raises for what a column may hold: what can't be looked at is of the kind `other`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .tensors import compute, rows_of, shape_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DAY", "HOUR", "ColumnView", "Floats", "Kind", "TableView", "words_of"]

Kind = Literal["number", "truth", "word", "moment", "other"]
Floats = NDArray[np.float64]

HOUR = 3_600_000_000
DAY = 24 * HOUR
"""In microseconds, which is what moments are counted in."""

_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_NULL = np.uint64(0x9E3779B97F4A7C15)
_FEW_ROWS = 20_000
_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls the numbers of its rows, which say nothing of the data."""


class ColumnView:
    """One column. `rows` counts all of its values, `nulls` those that are missing, NaN among them."""

    def __init__(self, name: str, column: pa.ChunkedArray) -> None:
        self.name = name
        self.rows = len(column)
        self.type = str(column.type)
        self._given = column
        self._column, self.kind = _plain(column)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Whether each row has a value, shape (rows,)."""
        if self.kind in ("number", "moment"):
            return ~np.isnan(self.numbers)
        return np.asarray(self._column.is_valid().combine_chunks())

    @cached_property
    def nulls(self) -> int:
        """How many values are missing."""
        return self.rows - int(self.present.sum())

    @cached_property
    def numbers(self) -> Floats:
        """The values as float64, shape (rows,): moments in microseconds since 1970; NaN where one is missing."""
        if self.kind not in ("number", "moment"):
            return np.full(self.rows, np.nan)
        return np.asarray(self._column.to_numpy(), dtype=np.float64)

    @cached_property
    def values(self) -> Floats:
        """The finite numbers, without what is missing."""
        return self.numbers[np.isfinite(self.numbers)]

    @cached_property
    def infinite(self) -> int:
        """How many numbers are infinite."""
        return self.rows - self.nulls - len(self.values)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How often each word is there, the most frequent first; empty for what is no word."""
        codes, words = self._coded
        count = np.bincount(codes[codes >= 0], minlength=len(words))
        order = np.argsort(-count, kind="stable")
        return {words[place]: int(count[place]) for place in order if count[place]}

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """The place of each row's word in `words`, -1 where it is missing."""
        return self._coded[0]

    @property
    def words(self) -> list[str]:
        """The distinct words."""
        return self._coded[1]

    @property
    def distinct(self) -> int:
        """How many different values there are, what is missing left out."""
        if self.kind in ("word", "truth"):
            return len(self.counts)
        if self.kind in ("number", "moment"):
            return len(self.heaps[0])
        return 0

    @cached_property
    def heaps(self) -> tuple[Floats, NDArray[np.int64]]:
        """The distinct finite numbers, ascending, and how often each is there."""
        return np.unique(self.values, return_counts=True)

    def quantiles(self, places: Floats) -> Floats:
        """Return the values below which these shares (0 to 1) of the numbers lie, each a value that is there."""
        values, counts = self.heaps
        ranks = np.searchsorted(np.cumsum(counts), places * counts.sum(), side="right")
        return values[np.minimum(ranks, len(values) - 1)]

    def within(self, low: float, high: float) -> float:
        """Return the share of the finite numbers from `low` to `high`, both included; 0 where there are none."""
        values, counts = self.heaps
        first, last = np.searchsorted(values, low, side="left"), np.searchsorted(values, high, side="right")
        return float(counts[first:last].sum() / max(1, len(self.values)))

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest finite number; of a column that has some."""
        return float(self.heaps[0][0]), float(self.heaps[0][-1])

    @cached_property
    def whole(self) -> bool:
        """Whether all numbers are integers; False where there are none."""
        values = self.heaps[0]
        return self.kind == "number" and len(values) > 0 and bool((values == np.rint(values)).all())

    @property
    def is_category(self) -> bool:
        """Whether the words are few enough to come again: at least 10 rows each on average, at most 10,000 of them."""
        there = self.rows - self.nulls
        return self.kind in ("word", "truth") and 0 < self.distinct <= 10_000 and there >= 10 * self.distinct

    @cached_property
    def hashes(self) -> NDArray[np.uint64] | None:
        """A number of 64 bits for each row's value, equal for equal values in any table; None where there is no way."""
        if self.kind in ("number", "moment"):
            # -0.0 is 0.0, and each NaN is the same.
            hashed = _mixed(np.where(self.present, self.numbers + 0.0, 0.0).view(np.uint64), self.present)
            lost = self._lost
            return hashed if lost is None else np.where(lost != 0, _mixed(hashed ^ lost), hashed)
        if self.kind in ("word", "truth"):
            codes, words = self._coded
            hashed = np.array([*(_hash(word) for word in words), 0], dtype=np.uint64)
            return _mixed(hashed[codes], self.present)
        return self._other_hashes()

    def take(self, rows: NDArray[np.bool_]) -> ColumnView:
        """Return the column with these rows alone."""
        import pyarrow as pa

        if rows.all():
            return self
        made = ColumnView.__new__(ColumnView)
        made.name, made.type, made.kind = self.name, self.type, self.kind
        made.rows = int(rows.sum())
        if self.kind == "other":
            made._column = self._column.filter(pa.array(rows))
        elif self.kind in ("number", "moment"):
            made.numbers = self.numbers[rows]
            made._lost = None if self._lost is None else self._lost[rows]
        else:
            made.present = self.present[rows]
            made._coded = (self._coded[0][rows], self._coded[1])
        return made

    @cached_property
    def _lost(self) -> NDArray[np.uint64] | None:
        """The bits of each integer that no float64 equals, 0 for all others; None where none is so large (2^53)."""
        with np.errstate(invalid="ignore"):
            if self.type not in ("int64", "uint64") or not (np.abs(self.numbers) > 2**53).any():
                return None
        exact = compute().fill_null(self._given, 0).to_numpy()
        below = self.numbers < (2.0**63 if self.type == "int64" else 2.0**64)
        kept = np.where(below, self.numbers, 0.0).astype(exact.dtype) == exact
        return np.where(kept | ~self.present, 0, exact).astype(exact.dtype).view(np.uint64)

    @cached_property
    def _coded(self) -> tuple[NDArray[np.int64], list[str]]:
        if self.kind not in ("word", "truth"):
            return np.full(self.rows, -1, dtype=np.int64), []
        encoded = self._column.combine_chunks().dictionary_encode()
        codes = np.asarray(compute().fill_null(encoded.indices, -1), dtype=np.int64)
        words = encoded.dictionary
        # By its bytes: what is no valid UTF-8 is shown as such.
        words = words if self.kind == "truth" else words.cast("large_binary")
        return codes, [words_of(value) for value in words.to_pylist()]

    def _other_hashes(self) -> NDArray[np.uint64] | None:
        shape = shape_of(self._column.type)
        if shape is not None and not self._column.null_count:
            flat = np.ascontiguousarray(rows_of(self._column).reshape(self.rows, -1), dtype=np.float64)
            bits = (flat + 0.0).view(np.uint64)
            odd = _mixed(np.arange(1, bits.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
            return _mixed((bits * odd).sum(axis=1, dtype=np.uint64))
        if self.rows > _FEW_ROWS:
            return None
        return np.array([_hash(_shown(value)) for value in self._column], dtype=np.uint64)


class TableView:
    """A table by its columns."""

    def __init__(self, table: pa.Table) -> None:
        self.rows = int(table.num_rows)
        self.columns = {
            name: ColumnView(name, table.column(place))
            for place, name in enumerate(table.column_names)
            if not _INDEX.fullmatch(name)
        }

    def __iter__(self) -> Iterator[ColumnView]:
        return iter(self.columns.values())

    def take(self, rows: NDArray[np.bool_]) -> TableView:
        """Return the table with these rows alone."""
        made = TableView.__new__(TableView)
        made.rows = int(rows.sum())
        made.columns = {name: column.take(rows) for name, column in self.columns.items()}
        return made

    @cached_property
    def clock(self) -> ColumnView | None:
        """The column that says when each row was: the first of dates or times that is always there and varies."""
        for column in self:
            if column.kind == "moment" and column.rows and column.nulls == 0 and column.distinct > 2:
                return column
        return None

    def hashes(self, names: list[str] | None = None) -> NDArray[np.uint64] | None:
        """Return a number for each row over the columns `names` (default: all); None where one can't be read."""
        mixed = np.zeros(self.rows, dtype=np.uint64)
        for place, name in enumerate(sorted(self.columns) if names is None else names):
            own = self.columns[name].hashes
            if own is None:
                return None
            mixed = _mixed(mixed ^ (own + np.full(1, place + 1, dtype=np.uint64) * _NULL))
        return mixed


def words_of(value: Any) -> str:
    """Return a word, a truth or what else is a category as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _plain(column: pa.ChunkedArray) -> tuple[Any, Kind]:
    """Return the column in the one type of its kind: float64, bool or text."""
    import pyarrow as pa

    pc, kind, t = compute(), column.type, pa.types
    try:
        if t.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = kind.value_type
        if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
            return column.cast(pa.float64(), safe=False), "number"
        if t.is_boolean(kind):
            return column, "truth"
        if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
            return column.cast(pa.large_string()), "word"
        if t.is_duration(kind):
            return pc.divide(column.cast(pa.int64()).cast(pa.float64(), safe=False), _per_microsecond(kind)), "number"
        if t.is_timestamp(kind):
            return pc.divide(column.cast(pa.int64()).cast(pa.float64(), safe=False), _per_microsecond(kind)), "moment"
        if t.is_date(kind):
            days = column.cast(pa.date32()).cast(pa.int32()).cast(pa.float64())
            return pc.multiply(days, float(DAY)), "moment"
        if t.is_time(kind):
            bits = pa.int32() if t.is_time32(kind) else pa.int64()
            return column.cast(bits).cast(pa.float64(), safe=False), "number"
        if t.is_null(kind):
            return column.cast(pa.float64()), "number"
    except (pa.ArrowException, ValueError):
        pass  # text that is no UTF-8, say
    return column, "other"


def _per_microsecond(kind: Any) -> float:
    return {"s": 1e-6, "ms": 1e-3, "us": 1.0, "ns": 1e3}[kind.unit]


def _mixed(bits: NDArray[np.uint64], present: NDArray[np.bool_] | None = None) -> NDArray[np.uint64]:
    """Return well mixed bits: the finaliser of splitmix64, Steele, Lea and Flood (2014)."""
    bits = bits if present is None else np.where(present, bits, _NULL)
    bits = (bits ^ (bits >> np.uint64(30))) * _MIX[0]
    bits = (bits ^ (bits >> np.uint64(27))) * _MIX[1]
    return bits ^ (bits >> np.uint64(31))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _shown(value: Any) -> str:
    try:
        return repr(value.as_py())
    except (ValueError, OverflowError):
        return str(value.cast("binary").as_py()) if hasattr(value, "cast") else ""
