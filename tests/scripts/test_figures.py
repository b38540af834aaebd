"""Figures of every library that is known, read back by what others read them with."""

from __future__ import annotations

import io
import json
from typing import Any

import matplotlib as mpl
import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from matplotlib.figure import Figure
from PIL import Image

from plusone.base.errors import UsageError
from plusone.scripts.figures import encode_figure

mpl.use("Agg")


def figure() -> Figure:
    made = Figure()
    made.add_subplot().plot([1, 3, 2])
    return made


class Grid:
    """As seaborn's grids: no figure, but has one."""

    def __init__(self) -> None:
        self.figure = figure()


@pytest.mark.slow
def test_matplotlib_by_its_ending_and_equal_figures_are_equal_bytes():
    name, data = encode_figure(figure(), "loss v1.2")
    assert name == "loss v1.2.png"
    assert Image.open(io.BytesIO(data)).size[0] > 100
    assert encode_figure(figure(), "loss v1.2") == (name, data)
    assert b"<svg" in encode_figure(figure(), "a.svg")[1]
    assert encode_figure(figure(), "a.pdf")[1].startswith(b"%PDF")


def test_axes_and_what_has_a_figure_are_that_figure():
    assert encode_figure(figure().axes[0], "a")[1] == encode_figure(figure(), "a")[1]
    assert encode_figure(Grid(), "a")[1] == encode_figure(figure(), "a")[1]


def test_plotly_is_json_or_a_page_that_loads_nothing():
    made = go.Figure(go.Scatter(y=[1, 2]))
    name, data = encode_figure(made, "p")
    assert name == "p.json"
    assert json.loads(data)["data"][0]["type"] == "scatter"
    page = encode_figure(made, "p.html")[1].decode()
    assert '<script src="' not in page
    assert "Plotly.newPlot" in page


def test_pillow_by_its_ending():
    image = Image.new("RGB", (3, 2), (255, 0, 0))
    name, data = encode_figure(image, "i")
    assert (name, Image.open(io.BytesIO(data)).size) == ("i.png", (3, 2))
    assert Image.open(io.BytesIO(encode_figure(image, "i.jpg")[1])).format == "JPEG"
    with pytest.raises(UsageError, match="mode F"):
        encode_figure(Image.new("F", (3, 2)), "i.png")


_SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6)) | st.tuples(
    st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 4])
)


@given(array=npst.arrays(np.uint8, _SHAPES))
def test_an_array_comes_back_pixel_by_pixel(array: Any):
    name, data = encode_figure(array, "a")
    assert name == "a.png"
    found = np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(found.reshape(array.shape), array)


def test_floats_and_booleans_are_scaled():
    found = np.asarray(Image.open(io.BytesIO(encode_figure(np.array([[0.0, 0.5, 1.0]]), "a")[1])))
    assert found.tolist() == [[0, 128, 255]]
    found = np.asarray(Image.open(io.BytesIO(encode_figure(np.array([[True, False]]), "a")[1])))
    assert found.tolist() == [[255, 0]]


@pytest.mark.parametrize(
    ("thing", "name", "said"),
    [
        (object(), "a", "object is no figure"),
        ("a.png", "a", "builtins.str"),
        (np.zeros(3), "a", "shape"),
        (np.zeros((0, 3)), "a", "shape"),
        (np.zeros((2, 2, 5)), "a", "shape"),
        (np.array([[2.0]]), "a", r"0\.0 to 1\.0"),
        (np.array([[np.nan]]), "a", r"0\.0 to 1\.0"),
        (np.zeros((2, 2), dtype=np.int64), "a", "dtype"),
        (np.zeros((2, 2)), "a.html", "ending"),
        (go.Figure(), "a.png", "ending"),
        (Figure(), "a.json", "ending"),
    ],
)
def test_what_can_not_be_a_figure_is_refused(thing: Any, name: str, said: str):
    with pytest.raises(UsageError, match=said):
        encode_figure(thing, name)
