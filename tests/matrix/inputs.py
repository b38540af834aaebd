"""Kinds of input: a small table of each, and rows of it as a request carries them."""

from __future__ import annotations

import base64
import importlib
import io
from collections.abc import Callable
from typing import Any, NamedTuple

ROWS = 120
ASKED = 5


class Data(NamedTuple):
    """Training data with its features, labels (`late`, `long`) and a number (`delay`), and rows to ask about."""

    table: Any
    """A `pyarrow.Table`."""
    features: list[str]
    rows: list[dict[str, Any]]
    """The first rows of the table, as JSON carries them."""
    media: dict[str, Any] | None = None
    """How bytes become the tensors of a feature, where a request carries bytes."""


class Input(NamedTuple):
    """One kind of input."""

    name: str
    example: str
    """What a request carries, for people."""
    make: Callable[[], Data]
    needs: tuple[str, ...] = ()
    """Modules without which it can't be: of plusone, or of others."""


def _random() -> Any:
    import numpy as np

    return np.random.default_rng(7)


def _data(columns: dict[str, Any], score: Any) -> Data:
    """Return a table of these columns, with a target that follows `score`."""
    import numpy as np
    import pyarrow as pa

    delay = np.asarray(score, dtype=np.float64)
    features = list(columns)
    table = pa.table(
        {**columns, "late": delay > np.median(delay), "long": delay > np.quantile(delay, 0.7), "delay": delay}
    )
    return Data(table, features, table.select(features).slice(0, ASKED).to_pylist())


def numbers() -> Data:
    """Floats, most of which 32 bits can't hold."""
    x, y = _random().normal(size=ROWS) * 100, _random().exponential(size=ROWS)
    return _data({"x": x, "y": y}, x / 100 + y)


def numbers_with_nulls() -> Data:
    """Floats, some of them missing."""
    import numpy as np
    import pyarrow as pa

    x, y = _random().normal(size=ROWS), _random().exponential(size=ROWS)
    missing = np.arange(ROWS) % 7 == 2
    return _data({"x": pa.array(x, mask=missing), "y": pa.array(y)}, np.where(missing, 1.0, x) + y)


def integers() -> Data:
    """Whole numbers."""
    n, m = _random().integers(-50, 50, ROWS), _random().integers(0, 9, ROWS)
    return _data({"n": n, "m": m}, n + 3.5 * m)


def integers_with_nulls() -> Data:
    """Whole numbers, some of them missing."""
    import numpy as np
    import pyarrow as pa

    n, m = _random().integers(-50, 50, ROWS), _random().integers(0, 9, ROWS)
    missing = np.arange(ROWS) % 5 == 1
    return _data({"n": pa.array(n, mask=missing), "m": pa.array(m)}, np.where(missing, 7, n) + 3.5 * m)


def booleans() -> Data:
    """True and false."""
    a, b = _random().random(ROWS) < 0.4, _random().random(ROWS) > 0.5
    return _data({"a": a, "b": ~a ^ b}, 1.0 * a + 0.5 * b + _random().random(ROWS) / 9)


def categories() -> Data:
    """Strings of a few values."""
    word, place = _random().choice(list("abcd"), ROWS), _random().choice(["JFK", "EWR", "LGA"], ROWS)
    return _data({"word": word, "place": place}, (word == "a") + 0.5 * (place == "JFK") + _random().random(ROWS) / 9)


def text() -> Data:
    """Sentences."""
    words = ["late", "early", "crew", "storm", "snow", "gate", "fog"]
    said = [" ".join(_random().permutation(words)[: 2 + place % 4].tolist()) for place in range(ROWS)]
    said = [f"{one} {words[place % 7]}" for place, one in enumerate(said)]
    return _data({"said": said}, [one.count("o") + one.count("storm") + place / 999 for place, one in enumerate(said)])


def tensor() -> Data:
    """Arrays of 4 x 4 numbers of 32 bits."""
    import numpy as np
    import pyarrow as pa

    values = _random().normal(size=(ROWS, 4, 4)).astype(np.float32)
    data = _data({"grid": pa.FixedShapeTensorArray.from_numpy_ndarray(values)}, values.sum(axis=(1, 2)))
    return data._replace(rows=[{"grid": one.tolist()} for one in values[:ASKED]])


def image() -> Data:
    """PNG files of 8 x 8 grey dots, sent as base64."""
    import numpy as np
    import pyarrow as pa
    from PIL import Image as Files

    media: Any = importlib.import_module("plusone.media")

    values = _random().integers(0, 256, size=(ROWS, 8, 8), dtype=np.uint8)
    data = _data({"pixels": pa.FixedShapeTensorArray.from_numpy_ndarray(values)}, values.mean(axis=(1, 2)))
    rows: list[dict[str, Any]] = []
    for one in values[:ASKED]:
        file = io.BytesIO()
        Files.fromarray(one).save(file, "PNG")
        rows.append({"pixels": {"base64": base64.b64encode(file.getvalue()).decode()}})
    return data._replace(rows=rows, media={"pixels": media.Image(height=8, width=8, mode="L")})


def user() -> Data:
    """Who saw what: the id of a user, with the items that each saw."""
    import pyarrow as pa

    pairs = sorted({(f"user{place % 12}", f"item{(place * 5 + place // 12) % 17}") for place in range(ROWS)})
    table = pa.table({"user": [one for one, _ in pairs], "item": [one for _, one in pairs]})
    return Data(table, ["user"], [{"user": f"user{place}"} for place in range(ASKED)])


INPUTS = (
    Input("numbers", "`1.5`", numbers),
    Input("numbers with nulls", "`1.5`, `null`", numbers_with_nulls),
    Input("integers", "`3`", integers),
    Input("integers with nulls", "`3`, `null`", integers_with_nulls),
    Input("booleans", "`true`", booleans),
    Input("categories", '`"JFK"`', categories),
    Input("text", '`"late again"`', text),
    Input("tensor", "`[[0.1, 0.2], [0.3, 0.4]]`", tensor, ("plusone.data.tensors",)),
    Input("image", "a PNG or JPEG", image, ("plusone.media", "PIL")),
    Input("user", '`"user7"`', user),
)
