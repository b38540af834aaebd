from __future__ import annotations

import numpy as np
import pyarrow as pa

from plusone.measuring.searching import FOUND, crossed_all, halves, search
from plusone.measuring.slicing import sliced

RANDOM = np.random.default_rng(1)
TABLE = pa.table(
    {"a": RANDOM.choice(["x", "y", "z"], 2000), "b": RANDOM.choice(["p", "q"], 2000), "n": RANDOM.normal(size=2000)}
)
SLICINGS = [sliced(TABLE, name) for name in TABLE.column_names]
NOISE = 0.1 * RANDOM.normal(size=2000)


def found(values: np.ndarray, few: int = 20) -> list[str]:
    return [one.label for one in search(SLICINGS, values, halves(2000, 0), 0.0, few)]


def test_halves_are_half_of_the_rows_and_the_same_every_time():
    assert halves(2001, 3).sum() == 1000
    assert (halves(2001, 3) == halves(2001, 3)).all()
    assert (halves(2001, 3) != halves(2001, 4)).any()


def test_the_worst_slice_comes_first():
    bad = np.asarray(TABLE["a"]) == "y"
    assert found(NOISE - bad)[0] == "a = 'y'"
    both = bad & (np.asarray(TABLE["b"]) == "q")
    assert found(NOISE - both)[0] == "a = 'y', b = 'q'"


def test_only_the_rows_looked_at_are_read():
    values = np.where(halves(2000, 0), NOISE, np.nan)
    assert len(found(values)) <= FOUND


def test_nothing_is_found_where_nothing_differs_or_is_bad():
    assert found(np.zeros(2000)) == []
    assert found(NOISE + 5) == []
    assert found(NOISE - 5, few=2001) == []


def test_several_columns_are_crossed():
    assert len(crossed_all(SLICINGS).labels) == 3 * 2 * 4
