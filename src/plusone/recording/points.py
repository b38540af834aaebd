"""The points of a series as columns: from a journal's records, into a chunk of the store and back, and its summary.

A journal holds two kinds of records: a point, of 28 bytes (the number of its series, step, value, time), and a series'
name, which stands in the same segment as its points. A chunk holds the points of one series in the order in which they
were logged; they come back to the bit, NaNs and repeated steps included.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from ..base.errors import StoreError
from ..base.records import Latest, as_number
from ..journal.log import HEAD_BYTES
from ..journal.reading import Block
from .layout import POINT_BYTES, SERIES, SERIES_MARK

__all__ = [
    "BLOCK_POINTS",
    "CODEC",
    "Columns",
    "Summary",
    "decode_chunk",
    "encode_chunk",
    "gather",
    "join",
    "later",
    "latest_of",
    "read_summary",
    "summarise",
]

CODEC = "planes"
"""The codec that chunks are written with: decision 0012."""
BLOCK_POINTS = 1024
"""How many points one line of a summary is about."""

_RECORD = np.dtype([("series", "<u4"), ("step", "<i8"), ("value", "<f8"), ("at", "<f8")])
_SUMMARY = np.dtype(
    [
        ("count", "<u4"),
        ("nans", "<u4"),
        ("first_step", "<i8"),
        ("last_step", "<i8"),
        ("least_step", "<i8"),
        ("most_step", "<i8"),
        ("low", "<f8"),
        ("low_step", "<i8"),
        ("low_at", "<f8"),
        ("high", "<f8"),
        ("high_step", "<i8"),
        ("high_at", "<f8"),
    ]
)
_SAMPLE_BYTES = 4096
_PAYS = 0.9
_LEVEL = 1

Summary = npt.NDArray[Any]
"""One line for each 1,024 points: count, NaNs, steps, and the smallest and largest value with step and time."""


class Columns(NamedTuple):
    """Points of one series in the order of logging: three arrays of one length."""

    steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    times: npt.NDArray[np.float64]
    """Unix time in seconds."""

    def pick(self, where: Any) -> Columns:
        """Return the points at these places: an index of numpy, a slice or a mask."""
        return Columns(self.steps[where], self.values[where], self.times[where])


def join(parts: Sequence[Columns]) -> Columns:
    """Return the points of all parts, one behind the other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Columns(np.empty(0, np.int64), np.empty(0), np.empty(0))
    return Columns(
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.times for part in parts]),
    )


# ---------------------------------------------------------------------------------------------- from the journal


class Gathered(NamedTuple):
    """The points that records hold, by series, and the bytes of records that are none of ours."""

    series: dict[str, Columns]
    foreign_bytes: int


def gather(blocks: Iterable[Block], names: dict[int, str], *, begin: int = 0) -> Gathered:
    """Return the points in these records, by series; `names` is read and filled with what they say of series.

    Args:
        begin: the place from which on points are returned; of those before it only the names are taken.
    """
    parts: dict[str, list[Columns]] = {}
    foreign = 0
    for block in blocks:
        rows = block.rows
        if rows.shape[1] != POINT_BYTES:
            foreign += _take_names(rows, names)
            continue
        points = np.ascontiguousarray(rows).view(_RECORD)[:, 0]
        named = points["series"] == SERIES_MARK
        skip = max(0, begin - block.place) // (POINT_BYTES + HEAD_BYTES)
        if named.any():  # a name can be as long as a point
            foreign += _take_names(rows[named], names)
            points = points[skip:][~named[skip:]]
        else:
            points = points[skip:]
        foreign += _split(points, names, parts)
    return Gathered({key: join(columns) for key, columns in parts.items()}, foreign)


def _take_names(rows: npt.NDArray[np.uint8], names: dict[int, str]) -> int:
    foreign = 0
    for row in rows:
        record = row.tobytes()
        try:
            mark, number = SERIES.unpack_from(record)
            if mark != SERIES_MARK:
                raise ValueError
            names[number] = record[SERIES.size :].decode()
        except (struct.error, ValueError):
            foreign += len(record)
    return foreign


def _split(points: npt.NDArray[Any], names: dict[int, str], parts: dict[str, list[Columns]]) -> int:
    """Put the points of each series where it belongs, in order; return the bytes of points of unknown series."""
    if not len(points):
        return 0
    numbers = points["series"]
    if (numbers == numbers[0]).all():
        groups = [points]
    else:
        order = np.argsort(numbers, kind="stable")
        points = points[order]
        groups = np.split(points, np.flatnonzero(np.diff(points["series"])) + 1)
    foreign = 0
    for group in groups:
        key = names.get(int(group["series"][0]))
        if key is None:
            foreign += group.nbytes
            continue
        columns = Columns(group["step"].astype(np.int64), group["value"].astype("f8"), group["at"].astype("f8"))
        parts.setdefault(key, []).append(columns)
    return foreign


# ---------------------------------------------------------------------------------------------- chunks

_Plane = int | bytes


class _Packed(msgspec.Struct, array_like=True):
    """One column: the first number, and the eight bytes of each number of the rest, plane by plane.

    A plane that is one byte over and over is that byte; another is its bytes, or fewer: then compressed by zlib.
    """

    is_delta: bool
    first: int
    planes: list[_Plane]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Packed])
_old_decoder = msgspec.msgpack.Decoder(list[tuple[int, float, float]])


def encode_chunk(columns: Columns) -> bytes:
    """Return the points as the bytes of a chunk, of the codec `CODEC`."""
    return _encoder.encode(
        [
            _pack(columns.steps.view(np.uint64), is_delta=True),
            _pack(columns.values.view(np.uint64), is_delta=False),
            # The bits of times that grow are integers that grow.
            _pack(columns.times.view(np.uint64), is_delta=True),
        ]
    )


def decode_chunk(codec: str, count: int, data: bytes) -> Columns:
    """Return the points of a chunk of the store, of this or an older codec.

    Raises:
        StoreError: when the bytes are no chunk of `count` points, or the codec is not known.
    """
    try:
        if codec == "msgpack":
            rows = _old_decoder.decode(data)
            steps, values, times = zip(*rows, strict=True) if rows else ((), (), ())
            columns = Columns(np.array(steps, np.int64), np.array(values, "f8"), np.array(times, "f8"))
        elif codec == CODEC:
            steps, values, times = (_unpack(column, count) for column in _decoder.decode(data))
            columns = Columns(steps.view(np.int64), values.view(np.float64), times.view(np.float64))
        else:
            raise StoreError(
                f"A chunk of a series is written in {codec!r}, which this plusone does not read.",
                mend="pip install --upgrade plusone",
            )
    except (msgspec.DecodeError, zlib.error, ValueError, OverflowError) as error:
        raise StoreError(f"A chunk of a series is damaged: {error}.", mend="restore the store from a backup") from error
    if len(columns.steps) != count:
        raise StoreError(f"A chunk of a series holds {len(columns.steps)} points, expected {count}.")
    return columns


def _pack(numbers: npt.NDArray[np.uint64], *, is_delta: bool) -> _Packed:
    if not len(numbers):
        return _Packed(is_delta, 0, [])
    first = int(numbers[0])
    if is_delta:
        moves = np.diff(numbers.view(np.int64))  # modulo 2^64: it comes back whatever the numbers are
        numbers = ((moves << 1) ^ (moves >> 63)).view(np.uint64)  # small ones are small, whichever their sign
    planes = np.ascontiguousarray(numbers.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8).T)
    return _Packed(is_delta, first, [_pack_plane(plane) for plane in planes])


def _pack_plane(plane: npt.NDArray[np.uint8]) -> _Plane:
    if not len(plane):
        return 0
    if (plane == plane[0]).all():
        return int(plane[0])
    data = plane.tobytes()
    # Noise, as the low bytes of most values are, is seen by a sample of it and not tried whole.
    sample = data[:_SAMPLE_BYTES]
    if len(zlib.compress(sample, _LEVEL)) > _PAYS * len(sample):
        return data
    short = zlib.compress(data, _LEVEL)
    return short if len(short) < len(data) else data


def _unpack(column: _Packed, count: int) -> npt.NDArray[np.uint64]:
    if not column.planes:
        return np.empty(0, np.uint64)
    rest = count - 1 if column.is_delta else count
    if len(column.planes) != 8 or rest < 0:
        raise ValueError(f"{len(column.planes)} planes for {count} numbers, expected 8")
    planes = np.empty((rest, 8), np.uint8)
    for place, plane in enumerate(column.planes):
        if isinstance(plane, int):
            planes[:, place] = plane
        else:
            planes[:, place] = np.frombuffer(_unpack_plane(plane, rest), np.uint8)
    numbers = planes.view("<u8")[:, 0].astype(np.uint64, copy=False)
    if not column.is_delta:
        return numbers
    moves = ((numbers >> np.uint64(1)) ^ (np.uint64(0) - (numbers & np.uint64(1)))).view(np.uint64)
    found = np.empty(count, np.uint64)
    found[0] = column.first
    np.cumsum(moves, out=found[1:])
    found[1:] += found[0]
    return found


def _unpack_plane(plane: bytes, length: int) -> bytes:
    if len(plane) >= length:
        return plane
    # Never more than it should be, whatever the bytes say.
    data = zlib.decompressobj().decompress(plane, length + 1)
    if len(data) != length:
        raise ValueError(f"a plane of {len(data)} bytes, expected {length}")
    return data


# ---------------------------------------------------------------------------------------------- summaries


def summarise(columns: Columns) -> Summary:
    """Return the summary of these points: one line for each 1,024 of them."""
    steps, values, times = columns
    count = len(steps)
    begins = np.arange(0, count, BLOCK_POINTS)
    lines = np.zeros(len(begins), _SUMMARY)
    if not count:
        return lines
    ends = np.minimum(begins + BLOCK_POINTS, count)
    is_nan = np.isnan(values)
    lines["count"] = ends - begins
    lines["nans"] = np.add.reduceat(is_nan, begins, dtype=np.uint32)
    lines["first_step"], lines["last_step"] = steps[begins], steps[ends - 1]
    lines["least_step"], lines["most_step"] = np.minimum.reduceat(steps, begins), np.maximum.reduceat(steps, begins)
    for name, nothing, pick in (("low", np.inf, np.argmin), ("high", -np.inf, np.argmax)):
        wide = np.full(len(begins) * BLOCK_POINTS, nothing)
        np.copyto(wide[:count], values, where=~is_nan)
        places = begins + pick(wide.reshape(-1, BLOCK_POINTS), axis=1)
        for line in np.flatnonzero((places >= ends) | (is_nan[np.minimum(places, count - 1)])):
            # All that are no NaN are the infinity that stands for NaN here, or there are none.
            places[line] = begins[line] + np.argmin(is_nan[begins[line] : ends[line]])
        lines[name], lines[f"{name}_step"], lines[f"{name}_at"] = values[places], steps[places], times[places]
    return lines


def read_summary(data: bytes) -> Summary:
    """Return the summary that the store holds as bytes.

    Raises:
        StoreError: when it is none.
    """
    if len(data) % _SUMMARY.itemsize:
        raise StoreError(
            f"The summary of a chunk is damaged: {len(data)} bytes, expected lines of {_SUMMARY.itemsize}."
        )
    return np.frombuffer(data, _SUMMARY)


# ---------------------------------------------------------------------------------------------- the latest point


def latest_of(columns: Columns) -> Latest:
    """Return the latest point: of those with the largest step, the last in time, and of those the largest.

    There must be one.
    """
    places = np.flatnonzero(columns.steps == columns.steps.max())
    if len(places) > 1:
        values = np.nan_to_num(columns.values[places], nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        places = places[np.lexsort((values, columns.times[places]))]
    at = float(columns.times[places[-1]])
    return Latest(value=as_number(float(columns.values[places[-1]])), step=int(columns.steps[places[-1]]), at=at)


def later(one: Latest, other: Latest) -> Latest:
    """Return which of two latest points is the latest, by the same order."""
    return max(one, other, key=_order)


def _order(point: Latest) -> tuple[int, float, float]:
    value = float(point.value)
    return point.step, point.at, -math.inf if math.isnan(value) else value
