"""Settings of every kind that scripts have."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import UsageError
from plusone.scripts.values import plain_settings


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Options:
    rate: float
    layers: tuple[int, ...] = (8, 4)


def test_what_scripts_have_becomes_plain():
    given = {
        "rate": np.float32(0.5),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "where": Path("a/b"),
        "colour": Colour.RED,
        "options": Options(0.1),
        "more": OrderedDict(x={3, 1}),
        "nan": float("nan"),
        "inf": -float("inf"),
        "none": None,
    }
    assert plain_settings(given) == {
        "rate": 0.5,
        "count": 3,
        "flag": True,
        "where": "a/b",
        "colour": "red",
        "options": {"rate": 0.1, "layers": [8, 4]},
        "more": {"x": [1, 3]},
        "nan": "NaN",
        "inf": "-Infinity",
        "none": None,
    }
    assert plain_settings(Options(1.0)) == {"rate": 1.0, "layers": [8, 4]}
    assert plain_settings(argparse.Namespace(rate=2)) == {"rate": 2}


_circle: list[Any] = []
_circle.append(_circle)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "object"), (_circle, "nested"), ("\ud800", "Unicode"), (2**70, "64 bits"), (b"x", "bytes"),
        (1j, "complex"), ({1: 2}, "key"), ({"": 1}, "key"), (np.zeros(3), "ndarray"),
    ],
)  # fmt: skip
def test_what_can_not_be_kept_is_named(value: Any, said: str):
    with pytest.raises(UsageError, match=said):
        plain_settings({"x": value})


@pytest.mark.parametrize("value", [3, "text", [1], None, Options])
def test_settings_are_a_dict(value: Any):
    with pytest.raises(UsageError):
        plain_settings(value)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner),
    max_leaves=10,
)


@pytest.mark.slow
@given(settings=st.dictionaries(st.text(min_size=1), _json))
def test_json_is_kept_as_it_is_and_copied(settings: dict[str, Any]):
    try:
        found = plain_settings(settings)
    except UsageError:
        assert not _is_text(settings)
        return
    assert found == settings
    assert json.loads(json.dumps(found)) == found
    assert found is not settings


def _is_text(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
