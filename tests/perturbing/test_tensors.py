from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import ndimage

from plusone.base.errors import UsageError
from plusone.check import perturb
from plusone.data.tables import to_arrow

GENERATOR = np.random.default_rng(0)
GREY = GENERATOR.integers(0, 256, (3, 8, 8)).astype(np.uint8)
COLOUR = GENERATOR.random((2, 5, 7, 3)).astype(np.float32)


def apply(change: Any, images: Any) -> Any:
    return change({"image": images})["image"]


def test_flips():
    np.testing.assert_array_equal(apply(perturb.flip("image"), GREY), GREY[:, :, ::-1])
    np.testing.assert_array_equal(apply(perturb.flip("image", axis="up-down"), COLOUR), COLOUR[:, ::-1])
    first = np.moveaxis(COLOUR, -1, 1)
    np.testing.assert_array_equal(apply(perturb.flip("image"), first), first[:, :, :, ::-1])


@pytest.mark.parametrize("quarters", [1, 2, 3, 4])
def test_quarter_turns_are_exact(quarters: int):
    turned = apply(perturb.rotation("image", 90 * quarters), GREY)
    np.testing.assert_array_equal(turned, np.rot90(GREY, quarters, axes=(1, 2)))
    assert turned.dtype == np.uint8


@pytest.mark.parametrize("degrees", [5, -20, 33.3])
def test_any_turn_is_scipys(degrees: float):
    images = np.pad(GENERATOR.random((2, 9, 9)), ((0, 0), (4, 4), (4, 4)))
    expected = ndimage.rotate(images, degrees, axes=(1, 2), reshape=False, order=1)
    np.testing.assert_allclose(apply(perturb.rotation("image", degrees), images), expected, atol=1e-9)


def test_shifts_leave_nothing_behind():
    moved = apply(perturb.shift("image", right=2, down=-1), GREY)
    np.testing.assert_array_equal(moved[:, :-1, 2:], GREY[:, 1:, :-2])
    assert not moved[:, -1].any()
    assert not moved[:, :, :2].any()
    assert not apply(perturb.shift("image", right=100), GREY).any()


def test_brightness_stays_in_range():
    np.testing.assert_array_equal(apply(perturb.brightness("image", 2), GREY), np.minimum(GREY.astype(int) * 2, 255))
    np.testing.assert_allclose(apply(perturb.brightness("image", 0.5), COLOUR), COLOUR / 2)


def test_sounds():
    sound = GENERATOR.standard_normal((2, 100)).astype(np.float32)
    np.testing.assert_allclose(apply(perturb.gain("image", 20), sound), sound * 10, rtol=1e-6)
    later = apply(perturb.delay("image", 7), sound)
    np.testing.assert_array_equal(later[:, 7:], sound[:, :-7])
    assert not later[:, :7].any()
    np.testing.assert_array_equal(apply(perturb.delay("image", -7), sound)[:, :-7], sound[:, 7:])


@pytest.mark.parametrize("kind", ["arrays", "arrow", "polars", "rows"])
def test_every_form_of_a_tensor_is_changed_alike(kind: str):
    forms: dict[str, Any] = {
        "arrays": {"image": GREY},
        "arrow": to_arrow({"image": GREY}),
        "polars": pl.DataFrame({"image": GREY}),
        "rows": [{"image": one.tolist()} for one in GREY],
    }
    changed = perturb.rotation("image", 90)(forms[kind])
    assert type(changed) is type(forms[kind])
    arrow = changed if kind == "arrow" else to_arrow(changed)
    if kind in ("arrays", "arrow"):
        assert arrow.schema == forms["arrow"].schema
    expected = np.rot90(GREY, 1, axes=(1, 2))
    assert np.array(arrow.column("image").to_pylist()).reshape(expected.shape).tolist() == expected.tolist()


def test_what_is_no_picture_is_refused():
    with pytest.raises(UsageError, match=r"for pictures, and a value has the shape \[5\]"):
        apply(perturb.rotation("image", 3), np.zeros((2, 5)))
