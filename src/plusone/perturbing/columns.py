"""Changes of a column of numbers, categories or lists: noise, another unit, another category, nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base.errors import UsageError
from .arguments import number, share_of
from .change import Change, Work, each, nested

__all__ = ["add", "constant", "irrelevant", "missing", "multiply", "noise", "reordered", "shuffled", "swap"]

_INTEGER = (-(2**63), 2**63 - 1)


def irrelevant(column: str = "irrelevant", *, seed: int = 0) -> Change:
    """Give each row a random number, 0 to 1, in a column that the model does not take; the table need not have it."""

    def work(values: Any, generator: np.random.Generator) -> Any:
        return generator.random(len(values))

    return Change("irrelevant", column, work, {"seed": seed}, seed=seed, added=True)


def constant(column: str, value: Any) -> Change:
    """Set a column to one value in each row; the table need not have it."""
    return Change("constant", column, lambda values, _: [value] * len(values), {"value": value}, added=True)


def missing(column: str, *, share: float = 1.0, seed: int = 0) -> Change:
    """Leave out the value of a share of the rows: null."""
    part = share_of("missing", "share", share)

    def work(values: Any, generator: np.random.Generator) -> list[Any]:
        gone = generator.random(len(values)) < part
        return [None if out else value for value, out in zip(values, gone, strict=True)]

    return Change("missing", column, work, {"share": share, "seed": seed}, seed=seed)


def shuffled(column: str, *, seed: int = 0) -> Change:
    """Give each row the value of another one, at random: the column says nothing of its row any more."""

    def work(values: Any, generator: np.random.Generator) -> list[Any]:
        return [values[place] for place in generator.permutation(len(values))]

    return Change("shuffled", column, work, {"seed": seed}, seed=seed)


def swap(column: str, among: Sequence[Any], *, seed: int = 0) -> Change:
    """Put another value of the set `among` for each value that is in it; others stay."""
    known = list(among) if isinstance(among, (list, tuple, set, frozenset, np.ndarray)) else []
    known = list(dict.fromkeys(sorted(known, key=str) if isinstance(among, (set, frozenset)) else nested(known)))
    if len(known) < 2:
        raise UsageError(
            f"swap({column!r}): among = {str(among)[:80]}: expected a list of two values or more.",
            mend=f"swap({column!r}, ['a', 'b'])",
        )

    def work(values: Any, generator: np.random.Generator) -> list[Any]:
        found: list[Any] = []
        for value in values:
            place = next((i for i, one in enumerate(known) if one == value and type(one) is type(value)), None)
            step = int(generator.integers(1, len(known)))
            found.append(value if place is None else known[(place + step) % len(known)])
        return found

    return Change("swap", column, work, {"among": known, "seed": seed}, seed=seed)


def reordered(column: str, *, seed: int = 0) -> Change:
    """Put the items of each list into another order, at random."""

    def change(value: Any, generator: np.random.Generator) -> Any:
        items = nested(value)
        return [items[place] for place in generator.permutation(len(items))]

    work = each(change, kind=(list, tuple, np.ndarray), what="lists")
    return Change("reordered", column, work, {"seed": seed}, seed=seed)


def add(column: str, by: float) -> Change:
    """Add a number to each, in the column's unit: `add("distance", 100)`. Images of 0 to 255 stay within."""
    amount = number("add", "by", by)
    return Change("add", column, numbers(lambda values, _: values + amount), {"by": by}, tensors=True)


def multiply(column: str, by: float) -> Change:
    """Multiply each number: `multiply("distance", 1.1)`. Whole numbers stay whole: they are rounded."""
    amount = number("multiply", "by", by)
    return Change("multiply", column, numbers(lambda values, _: values * amount), {"by": by}, tensors=True)


def noise(
    column: str,
    *,
    size: float | None = None,
    relative: float | None = None,
    snr_db: float | None = None,
    seed: int = 0,
) -> Change:
    """Add random noise to each number, or to each value of a tensor: normal, with the mean 0. Whole numbers stay whole.

    Args:
        size: its standard deviation, in the column's unit; or
        relative: its standard deviation as a share of each value; or
        snr_db: for tensors (sounds): the ratio of signal to noise in decibels, 10 log10 of the ratio of their mean
            squares; by hand: 20 dB of a sound with mean square 1 is noise with the standard deviation 0.1.
    """
    given = {"size": size, "relative": relative, "snr_db": snr_db}
    chosen = {name: number("noise", name, value) for name, value in given.items() if value is not None}
    if len(chosen) != 1:
        raise UsageError(f"noise({column!r}): expected one of size, relative and snr_db.", mend="noise('x', size=0.5)")
    if snr_db is None and next(iter(chosen.values())) <= 0:
        raise UsageError(
            f"noise({column!r}): {chosen}: expected a number above 0.", mend=f"noise({column!r}, size=0.5)"
        )

    def change(values: Any, generator: np.random.Generator) -> Any:
        drawn = generator.standard_normal(values.shape)
        if size is not None:
            return values + drawn * size
        if relative is not None:
            return values + drawn * np.abs(values) * relative
        if values.ndim < 2:
            raise TypeError("snr_db is for tensors, and each row has one number")
        axes = tuple(range(1, values.ndim))
        power = np.mean(np.square(values.astype(np.float64)), axis=axes, keepdims=True)
        return values + drawn * np.sqrt(power) * 10 ** (-chosen["snr_db"] / 20)

    return Change("noise", column, numbers(change), {**given, "seed": seed}, seed=seed, tensors=True)


def numbers(change: Any) -> Work:
    """Return what changes an array in double precision and gives it back in its own type, within that type's range."""

    def work(values: Any, generator: np.random.Generator) -> Any:
        kind = values.dtype
        if kind.kind not in "iuf":
            raise TypeError(f"it is for numbers, and they are of type {kind}")
        # Beyond the largest number there is infinity, as everywhere else; the model is asked with it.
        with np.errstate(over="ignore", invalid="ignore"):
            found = change(values.astype(np.float64), generator)
            if kind.kind == "f":
                return found.astype(kind)
        # A picture in the rows of a request is lists of whole numbers, and no type says that they end at 255.
        bytes_ = kind == np.uint8 or (values.ndim > 2 and values.size and values.min() >= 0 and values.max() <= 255)
        low, high = (0, 255) if bytes_ else _INTEGER
        # The largest integer of 64 bits has no double: one that is rounded up to it would wrap round.
        return np.clip(np.rint(found), low, high - (1024 if high > 2**53 else 0)).astype(kind)

    return work
