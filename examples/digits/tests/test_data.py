"""What must be true of the pictures before a network learns from them. These run before training."""

import numpy as np


def test_every_picture_has_its_digit(digits):
    assert digits["image"].shape == (len(digits["digit"]), 8, 8)
    assert set(digits["digit"]) == set(range(10))


def test_no_digit_is_rare(digits):
    """A file that came half has the first digits only."""
    counts = np.bincount(digits["digit"])
    assert counts.min() > 0.8 * counts.mean()


def test_the_pictures_are_white_ink_on_black(digits):
    """Turned round, or scaled to 0 to 16 or 0 to 1, they look alike to a person and not to a network."""
    image = digits["image"]
    assert image.dtype == np.uint8
    assert image.max() == 255
    assert (image[:, :, 0] == 0).mean() > 0.9  # the left edge holds no ink
    assert 60 < image.mean() < 100


def test_no_picture_is_in_both_sets(train_set, holdout):
    """A picture in both would be an exam with the answers known."""
    known = {picture.tobytes() for picture in train_set["image"]}
    assert not any(picture.tobytes() in known for picture in holdout["image"])
    assert not set(train_set["place"]) & set(holdout["place"])


def test_no_picture_is_empty_or_all_ink(digits):
    ink = (digits["image"] > 127).mean(axis=(1, 2))
    assert ink.min() > 0.1
    assert ink.max() < 0.7
