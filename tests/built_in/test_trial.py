from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plusone.base.errors import NotFound
from plusone.built_in.trial import Trial, sampled, which_are_taken
from plusone.data.tables import to_arrow
from plusone.measuring.outcomes import NotApplicable
from tests.built_in.given import given
from tests.check.people import GOOD, NUMBER, people
from tests.checks.models import rows as real_rows

NOW = {"train_set": people(400, 1), "holdout": people(300, 2)}
BEFORE = {"train_set": people(400, 3), "holdout": people(300, 4)}


def test_a_table_is_thinned_in_its_order_and_the_same_way_every_time():
    table = to_arrow(pd.DataFrame({"a": np.arange(1000)}))
    found = sampled(table, 100)["a"].to_pylist()
    assert found == sorted(found) == sampled(table, 100)["a"].to_pylist()
    assert len(set(found)) == 100
    assert sampled(table, 1000) is table


def test_losses_by_hand():
    trial = Trial(given(GOOD, NOW, live=GOOD, before=BEFORE), "holdout")
    holdout = NOW["holdout"]
    chance = GOOD.run(GOOD.columns(holdout)).probabilities[:, 1]
    assert trial.ours == pytest.approx((chance - holdout["late"]) ** 2)
    assert trial.theirs == pytest.approx(trial.ours)
    share = holdout["late"].mean()
    assert trial.constant.mean() == pytest.approx(share * (1 - share))
    learned = NOW["train_set"]["late"].mean()
    assert trial.simple["constant"] == pytest.approx((learned - holdout["late"]) ** 2)
    assert trial.simple["linear"].mean() == pytest.approx(trial.ours.mean(), abs=0.03)


def test_what_is_not_there_is_not_applicable():
    with pytest.raises(NotApplicable, match="no release is live"):
        _ = Trial(given(GOOD, NOW), "holdout").theirs
    with pytest.raises(NotApplicable, match="made without holdout"):
        Trial(given(GOOD, NOW, live=GOOD), "holdout").earlier()
    with pytest.raises(NotApplicable, match="no column 'late'"):
        _ = Trial(given(GOOD, {"train_set": NOW["train_set"].drop(columns="late")}), "train_set").ours
    with pytest.raises(NotApplicable, match="is True in all 300 rows"):
        _ = Trial(given(GOOD, {"holdout": NOW["holdout"].assign(late=True)}), "holdout").ours
    with pytest.raises(NotApplicable, match="answers number"):
        _ = Trial(given(GOOD, NOW, live=NUMBER), "holdout").theirs


def test_a_table_of_live_that_is_gone_is_not_applicable():
    def gone(name: str) -> object:
        raise NotFound(f"the blob of {name} is gone")

    session = given(GOOD, NOW, live=GOOD, before=BEFORE)
    session.table_before = gone
    with pytest.raises(NotApplicable, match="is gone"):
        Trial(session, "holdout").earlier()


def test_rows_that_a_packaged_model_refuses_are_told_apart(packages):
    from pathlib import Path

    from plusone.predictor import load

    model = load(Path(packages["good"].folder), packages["good"].package)
    frame = real_rows(5, 40).astype({"hour": "float64"})
    frame.loc[3, "hour"] = np.nan
    assert which_are_taken(model, to_arrow(real_rows(5, 40))).all()
    assert np.flatnonzero(~which_are_taken(model, to_arrow(frame))).tolist() == [3]
