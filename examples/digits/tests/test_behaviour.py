"""What a person takes for granted: small changes of a picture change nothing. These run on the packaged model."""

import plusone
from plusone.check import perturb


def test_a_paler_or_a_darker_pen_is_the_same_digit(model, holdout):
    plusone.check.invariant(model, holdout, perturb.brightness("image", 0.85), at_most=0.1)


def test_a_camera_adds_some_noise(model, holdout):
    plusone.check.invariant(model, holdout, perturb.noise("image", size=8), at_most=0.1)


def test_nobody_holds_the_paper_quite_straight(model, holdout):
    """A few degrees: on 8 by 8 points that is half a point at the edge."""
    plusone.check.invariant(model, holdout, perturb.rotation("image", 4), at_most=0.15)


def test_a_mirrored_digit_is_another_one(model, holdout):
    """A network that does not care has learned how much ink there is, and nothing of its place."""
    both = holdout["digit"] == 7
    sevens = {name: part[both] for name, part in holdout.items()}
    plusone.check.directional(model, sevens, perturb.flip("image"), "down", of=7, at_least=0.5)
