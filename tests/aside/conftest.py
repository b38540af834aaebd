"""A small packaged model, and bodies of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from plusone import packaging
from tests.packaged import one_thread, package

__all__ = ["one_thread", "package"]


class Packed(NamedTuple):
    """A package: its digest and its folder. The model answers x + z for x and z of 0 to 1, and takes a text, too."""

    digest: str
    folder: Path


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """Return a packaged model of two numbers."""
    folder = tmp_path_factory.mktemp("package") / "sum"
    x = np.linspace(0.0, 1.0, 20)
    frame = pd.DataFrame({"x": x, "z": x**2})
    train = pa.table({"x": x, "z": x**2, "y": x + x**2})
    _, digest = packaging.pack(
        LinearRegression().fit(frame, x + x**2),
        name="sum",
        target="y",
        features=["x", "z"],
        train=train,
        environment="none==0\n",
        folder=folder,
    )
    return Packed(digest, folder)


def body_of(count: int, *, pad: int = 0) -> bytes:
    """Return a body of `count` rows, each with `pad` spaces more than it needs; row i has x = i / count and z = 0.5."""
    row = '{{"x":{:.9f},"z":0.5{}}}'
    return ('{"rows":[' + ",".join(row.format(i / count, " " * pad) for i in range(count)) + "]}").encode()


def pieces(body: bytes, size: int = 65536) -> list[bytes]:
    """Return a body as it comes from a socket."""
    return [body[place : place + size] for place in range(0, len(body), size)]


def check_answer(parts: list[bytes], count: int) -> None:
    """Fail unless these are the answers to `body_of(count)`, each in its place."""
    answers = np.array(json.loads(b"".join(parts)))
    np.testing.assert_allclose(answers, np.arange(count) / count + 0.5, atol=1e-6)
