from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plusone.base.config import Checks
from plusone.built_in.features import features
from plusone.built_in.trial import Trial
from plusone.measuring.outcomes import CheckFailed, NotApplicable, recording
from tests.built_in.given import given
from tests.check.models import classes
from tests.check.people import right

BOTH = classes(lambda f: right(f.assign(x=f["x"] + 0.8 * (f["origin"] == "JFK"))))
X_ALONE = classes(lambda f: right(f) * 0.96 + 0.03)


def frame(seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    found = pd.DataFrame({"x": generator.normal(size=3000), "origin": generator.choice(["EWR", "JFK"], 3000)})
    odds = right(found.assign(x=found["x"] + 0.8 * (found["origin"] == "JFK")))
    return found.assign(late=generator.random(3000) < odds)


NOW, BEFORE = ({"train_set": frame(seed), "holdout": frame(seed + 1)} for seed in (1, 3))


def trial(model, live, feature_loss: float = 0.8) -> Trial:
    return Trial(given(model, NOW, live=live, before=BEFORE, settings=Checks(feature_loss=feature_loss)), "holdout")


def test_a_field_that_matters_to_live_and_not_to_the_candidate_fails():
    with recording() as measured, pytest.raises(CheckFailed, match="goes no longer by 'origin'"):
        features(trial(X_ALONE, BOTH))
    assert measured[0]["unused"] == ["origin"]
    assert measured[0]["figure"]["names"] == ["x", "origin"]
    assert measured[1]["warning"].startswith("no loss changes with origin")


def test_what_the_candidate_has_learned_anew_is_fine():
    with recording() as measured:
        features(trial(BOTH, X_ALONE))
        features(trial(BOTH, BOTH))
    assert not [one for one in measured if "warning" in one]


def test_how_much_may_be_lost_is_a_setting():
    some = classes(lambda f: right(f.assign(x=f["x"] + 0.3 * (f["origin"] == "JFK"))))
    features(trial(some, BOTH))
    with pytest.raises(CheckFailed, match="less than 100% of that"):
        features(trial(some, BOTH, feature_loss=0.0))


def test_without_live_fields_that_do_nothing_are_a_warning():
    with recording() as measured, pytest.raises(NotApplicable):
        features(trial(X_ALONE, None))
    assert measured[1]["warning"] == "no loss changes with 'origin'"


def test_a_field_that_is_not_taken_any_more_is_a_warning():
    narrow = classes(right, fields=("x",))
    with recording() as measured:
        features(trial(narrow, BOTH))
    assert measured[1]["warning"] == "the live release takes origin, and the candidate does not"
