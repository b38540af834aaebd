"""What must be true of a model before it takes traffic. These run on the packaged model, as it will be served."""

import numpy as np

import plusone


def accuracy(model, image, digit):
    """The share of pictures whose likeliest digit is the right one."""
    return np.mean(model.predict_proba({"image": image}).argmax(axis=1) == digit)


def test_it_knows_digits_of_people_it_never_saw(model, holdout):
    """Nearest neighbours on the same split reach 0.96; a network that lost its weights 0.1."""
    plusone.check.at_least(model, holdout, metric="accuracy", value=0.9)


def test_no_worse_than_live(model, live, holdout):
    """The release that has the traffic answers the same pictures, which neither has seen."""
    plusone.check.no_worse(model, live, holdout, metric="accuracy", margin=0.01)


def test_it_knows_each_digit(model, holdout):
    """0.95 on average may hide one digit that is always taken for another."""
    for digit in range(10):
        ours = holdout["digit"] == digit
        assert accuracy(model, holdout["image"][ours], digit) > 0.7, digit


def test_a_paler_pen_is_read_as_well(model, holdout):
    """Other pens write paler: the same ink at three quarters."""
    paler = (holdout["image"] * 0.75).astype(np.uint8)
    assert accuracy(model, paler, holdout["digit"]) > accuracy(model, holdout["image"], holdout["digit"]) - 0.05


def test_some_noise_changes_little(model, holdout):
    """A camera adds some: up to 12 of 255 here."""
    noise = np.random.default_rng(0).integers(0, 13, holdout["image"].shape)
    noisy = np.clip(holdout["image"].astype(int) + noise, 0, 255).astype(np.uint8)
    assert accuracy(model, noisy, holdout["digit"]) > accuracy(model, holdout["image"], holdout["digit"]) - 0.05


def test_it_is_right_more_often_where_it_is_surer(model, holdout):
    """Otherwise nobody could say which pictures a person has to look at."""
    probabilities = model.predict_proba({"image": holdout["image"]})
    good = probabilities.argmax(axis=1) == holdout["digit"]
    surer = probabilities.max(axis=1) >= np.median(probabilities.max(axis=1))
    assert good[surer].mean() >= good[~surer].mean()
