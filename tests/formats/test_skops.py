"""Models that skops wrote: what is made of them, and what needs a person."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from plusone.base.errors import UnsafeValue, UsageError
from plusone.formats.skops import load_skops


def _dumped(model: Any) -> bytes:
    import skops.io

    return skops.io.dumps(model)


def _load(data: bytes, *, trusted: bool = False) -> Any:
    return load_skops(data, path="model.skops", digest="d" * 64, trusted=trusted)


X = np.linspace(0, 1, 20).reshape(-1, 1)
Y = X[:, 0] > 0.5


@pytest.mark.slow
def test_a_model_of_safe_types_is_made_again():
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    assert (_load(_dumped(model)).predict_proba(X) == model.predict_proba(X)).all()


def test_types_that_are_not_known_to_be_safe_are_named_and_need_trust():
    data = _dumped(DecisionTreeClassifier().fit(X, Y))
    with pytest.raises(UnsafeValue, match=r"sklearn\.tree\._tree\.Tree") as refused:
        _load(data)
    assert refused.value.mend.endswith("--trust " + "d" * 64)
    assert (_load(data, trusted=True).predict(X) == Y).all()


def test_a_function_is_no_safe_type():
    with pytest.raises(UnsafeValue, match="print"):
        _load(_dumped(FunctionTransformer(print)))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x80\x04N.", b"x" * 1000])
@pytest.mark.parametrize("trusted", [True, False])
def test_what_is_no_skops_file_is_refused(data: bytes, trusted: bool):
    with pytest.raises(UsageError, match="can't be read by skops"):
        _load(data, trusted=trusted)


def test_any_damage_is_an_error_of_ours():
    data = bytearray(_dumped(LogisticRegression().fit(X, Y)))
    for place in range(0, len(data), 97):
        damaged = bytes(data[:place]) + bytes([data[place] ^ 0xFF]) + bytes(data[place + 1 :])
        try:
            _load(damaged)
        except (UsageError, UnsafeValue):
            continue
