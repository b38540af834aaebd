from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.check import perturb


def test_noise_is_as_large_as_it_says():
    many = {"x": np.full(20_000, 50.0)}
    assert np.std(perturb.noise("x", size=2)(many)["x"]) == pytest.approx(2, rel=0.05)
    assert np.std(perturb.noise("x", relative=0.1)(many)["x"]) == pytest.approx(5, rel=0.05)
    assert np.mean(perturb.noise("x", size=2)(many)["x"]) == pytest.approx(50, abs=0.1)


def test_noise_of_a_sound_is_as_loud_as_it_says():
    sound = np.sin(np.arange(4 * 8000) / 10).reshape(4, 8000) * np.array([[1.0], [2.0], [4.0], [0.0]])
    noise = perturb.noise("x", snr_db=20)({"x": sound})["x"] - sound
    ratio = np.mean(sound[:3] ** 2, axis=1) / np.mean(noise[:3] ** 2, axis=1)
    np.testing.assert_allclose(10 * np.log10(ratio), 20, atol=0.5)
    assert not noise[3].any()


def test_whole_numbers_stay_whole_and_within_their_range():
    x = np.array([0, 250, 255], np.uint8)
    assert perturb.add("x", 10)({"x": x})["x"].dtype == np.int64  # a column of small integers is one of integers
    pictures = np.array([[[0, 250], [255, 9]]], np.uint8)
    for data in ({"x": pictures}, [{"x": pictures[0].tolist()}]):
        changed = perturb.add("x", 10)(data)
        found = changed["x"][0].tolist() if isinstance(changed, dict) else changed[0]["x"]
        assert found == [[10, 255], [255, 19]]
    assert perturb.multiply("x", 1.26)([{"x": 10}]) == [{"x": 13}]
    assert perturb.multiply("x", 1e30)([{"x": 10}])[0]["x"] > 2**62


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=6), st.floats(-1e18, 1e18))
def test_integers_never_wrap_round(cells: list[int | None], by: float):
    found = perturb.add("x", by)([{"x": cell} for cell in cells])
    for cell, row in zip(cells, found, strict=True):
        if cell is None:
            assert row["x"] is None
        else:
            assert row["x"] == pytest.approx(max(-(2**63), min(cell + by, 2**63 - 1)), rel=1e-6, abs=600)


@given(st.lists(st.sampled_from(["a", "b", "c", "other", None]), min_size=1, max_size=20), st.integers(0, 3))
def test_a_swap_stays_in_the_set_and_always_changes(cells: list[str | None], seed: int):
    changed = perturb.swap("x", ["a", "b", "c"], seed=seed)([{"x": cell} for cell in cells])
    for cell, row in zip(cells, changed, strict=True):
        if cell in ("a", "b", "c"):
            assert row["x"] in {"a", "b", "c"} - {cell}
        else:
            assert row["x"] == cell


def test_a_swap_tells_true_from_one():
    assert perturb.swap("x", [1, 2])([{"x": True}, {"x": 1}]) == [{"x": True}, {"x": 2}]


def test_missing_leaves_out_its_share():
    rows = [{"x": place} for place in range(2000)]
    assert sum(row["x"] is None for row in perturb.missing("x", share=0.3)(rows)) == pytest.approx(600, abs=80)
    assert all(row["x"] is None for row in perturb.missing("x")(rows))


def test_shuffled_and_reordered_keep_what_there_is():
    rows = [{"x": place, "l": [1, 2, 3, 4]} for place in range(50)]
    shuffled = [row["x"] for row in perturb.shuffled("x")(rows)]
    assert sorted(shuffled) == list(range(50)) != shuffled
    lists = [row["l"] for row in perturb.reordered("l")(rows)]
    assert all(sorted(one) == [1, 2, 3, 4] for one in lists)
    assert len({tuple(one) for one in lists}) > 5


def test_an_irrelevant_column_is_new_or_replaced():
    assert 0 <= perturb.irrelevant()([{"x": 1}])[0]["irrelevant"] <= 1
    assert perturb.irrelevant("x")([{"x": "a"}])[0]["x"] != "a"
