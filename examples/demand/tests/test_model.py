"""Tests on the packaged model, as it will be served: in a process of its own."""

import plusone


def error(answers, holdout):
    return abs(answers - holdout["departures"]).mean()


def test_better_than_the_mean_of_the_hour(model, train_set, holdout):
    usual = train_set.groupby(["origin", "hour"])["departures"].mean()
    naive = usual.loc[list(zip(holdout["origin"], holdout["hour"], strict=True))].to_numpy()
    ours = error(model.predict(holdout), holdout)
    plusone.log(mean_absolute_error=float(ours))
    assert ours < error(naive, holdout)
    assert ours < 3.0


def test_nobody_leaves_less_than_never(model, holdout):
    assert (model.predict(holdout) >= 0.0).all()


def test_an_hour_without_flights_is_foreseen(model):
    (night,) = model.predict([{"origin": "LGA", "day": 180, "weekday": 2, "hour": 23}])
    (morning,) = model.predict([{"origin": "LGA", "day": 180, "weekday": 2, "hour": 8}])
    assert night < 1.0 < morning


def test_no_worse_than_live(model, live, holdout):
    assert error(model.predict(holdout), holdout) <= 1.05 * error(live.predict(holdout), holdout)
