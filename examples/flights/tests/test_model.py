"""What must be true of a model before it takes traffic. These run on the packaged model, as it will be served."""

import numpy as np

import plusone

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]


def late(model, flights):
    """The probability of being late, for each flight."""
    return model.predict_proba(flights)[:, 1]


def test_it_ranks_flights_better_than_chance(model, holdout):
    """0.5 is chance, and 0.8 out of reach: no plane's delay at noon is in the data. By month it was 0.60 to 0.77."""
    plusone.check.at_least(model, holdout, metric="roc_auc", value=0.57)


def test_no_worse_than_live(model, live, holdout):
    """The release that has the traffic answers the same flights, which neither has seen.

    By a month more of data it moves by 0.01 either way: 12,000 flights are enough to tell twice that.
    """
    plusone.check.no_worse(model, live, holdout, metric="roc_auc", margin=0.02)


def test_probabilities_mean_what_they_say(model, holdout):
    """Of the flights it calls riskiest (the top tenth), far more are late than of those it calls safest."""
    risk = late(model, holdout)
    top, bottom = holdout[risk >= np.quantile(risk, 0.9)], holdout[risk <= np.quantile(risk, 0.1)]
    assert top["late"].mean() > 2 * bottom["late"].mean()


def test_an_evening_flight_is_riskier_than_the_same_in_the_morning(model, holdout):
    """Delays add up over the day: the one fact about flights that everybody knows."""
    some = holdout.sample(2000, random_state=0)  # the first ones are of two days, and one of them may be stormy
    morning = some.assign(sched_dep_time=700, sched_arr_time=1000)
    evening = some.assign(sched_dep_time=1900, sched_arr_time=2200)
    assert late(model, evening).mean() > late(model, morning).mean() + 0.02


def test_it_answers_for_an_airport_and_an_airline_it_never_saw(model, holdout):
    """New routes open while a release is live."""
    risk = late(model, holdout.head(200).assign(dest="ZZZ", carrier="ZZ"))
    assert ((risk > 0) & (risk < 1)).all()


def test_it_answers_when_the_weather_is_missing(model, holdout):
    """The weather station is silent now and then: worse answers then, but answers, and better than chance."""
    dry = holdout.copy()
    dry[WEATHER] = np.nan
    plusone.check.at_least(model, dry, metric="roc_auc", value=0.5)


def test_it_does_not_answer_the_same_to_all(model, holdout):
    """A model that lost its features answers the average: each answer alone looks right."""
    risk = late(model, holdout)
    assert len(np.unique(risk.round(4))) > 100
    assert risk.std() > 0.03
