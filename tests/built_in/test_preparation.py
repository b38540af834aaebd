"""Whether a candidate learned from its rows as requests carry them: by the mean answer, and by slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from plusone.base.config import Checks
from plusone.built_in.preparation import skew
from plusone.built_in.trial import Trial
from plusone.checks.built_in import BuiltIn
from tests.built_in.given import given, outcomes
from tests.check.models import classes, number, ranking
from tests.check.people import GOOD, NUMBER, people, right

BEFORE = {"train_set": people(9000, 4)}
NOW = {"train_set": people(9000, 2)}


def said(model: Any, now: dict[str, Any] = NOW, **options: Any) -> str:
    options = {"live": GOOD, "before": BEFORE, **options}
    trial = Trial(given(model, now, **options), "train_set")
    return outcomes([BuiltIn("skew", lambda: skew(trial))])["skew"]


def at(origins: dict[str, float]) -> Any:
    """A model whose answers lie that far off at some airports."""
    return classes(lambda f: np.clip(right(f) + f["origin"].map(origins.get).fillna(0.0).to_numpy(), 0, 1))


def test_a_slice_that_is_off_is_named_though_the_mean_is_right():
    apart = at({"JFK": 0.15, "EWR": -0.15})
    text = said(apart)
    assert text.startswith("failed")
    assert "where origin = " in text
    assert "prepared in training as they are in requests" in text
    assert said(apart, settings=Checks(bias=0.2)).startswith("warned")
    # Both answer so: it is how such models fit, and no skew.
    assert said(apart, live=apart) == "passed"


def test_a_unit_that_is_another_in_training_shows_in_the_quarters_of_its_field():
    shrunk = said(classes(lambda f: right(f.assign(x=0.3 * f["x"]))))
    assert shrunk.startswith("failed")
    assert "where x " in shrunk
    numbers: dict[str, Any] = {"live": NUMBER, "targets": ("delay",)}
    assert "where x " in said(number(lambda f: 1.5 * f["x"]), **numbers)
    assert said(NUMBER, **numbers) == "passed"


def test_a_mean_that_is_off_fails_by_the_bound_and_warns_from_a_fifth_of_it():
    assert said(at({"JFK": 0.1, "EWR": 0.1, "LGA": 0.1})).startswith("failed")
    assert said(at({"JFK": 0.035, "EWR": 0.035, "LGA": 0.035})).startswith("warned")
    alone = said(at({"JFK": 0.1, "EWR": 0.1, "LGA": 0.1}), live=None, before=None)
    assert alone.startswith("warned: the answers to train_set lie 0.")


def test_small_slices_and_new_fields_are_held_against_nothing():
    few = {
        name: frame.assign(origin=np.where(np.arange(9000) < 150, "HPN", frame["origin"]))
        for name, frame in NOW.items()
    }
    assert said(at({"HPN": 0.4}), few) == "passed"
    old = {"train_set": BEFORE["train_set"].drop(columns="origin")}
    plain = classes(right, fields=("x",))
    assert said(at({"JFK": 0.1, "EWR": -0.1}), live=plain, before=old) == "passed"


def test_rankings_have_no_mean():
    films = ranking(lambda f: np.where(f["x"] > 0, 0, 1)[:, None], ("p", "q"), 1)
    now, before = (
        {name: frame.assign(film=np.where(frame["x"] > 0, "p", "q")) for name, frame in tables.items()}
        for tables in (NOW, BEFORE)
    )
    found = said(films, now, before=before, live=films, targets=("film",))
    assert found.startswith("not applicable: the model answers neither probabilities nor numbers")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_resamples_of_one_distribution_raise_no_alarm(seed: int):
    now, before = ({"train_set": people(2000, start + seed)} for start in (100, 300))
    level = 0.02 * np.cos(seed)
    near = classes(lambda f: 1 / (1 + np.exp(-2 * f["x"].to_numpy() - level)))
    assert not said(near, now, before=before).startswith("failed")


def test_it_looks_at_more_rows_than_the_other_checks():
    """What it looks for is small: 25,000 rows tell what 10,000 do not."""
    many = {"train_set": pd.concat([people(1000, seed) for seed in range(25)], ignore_index=True)}
    looked = Trial(given(GOOD, many, live=GOOD, before=many), "train_set", most=40_000)
    assert len(looked.ours) == len(looked.earlier().theirs) == 25_000
    assert len(Trial(given(GOOD, many, live=GOOD, before=many), "train_set").ours) == 10_000
