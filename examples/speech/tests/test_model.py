"""What must be true of a model before it takes traffic. These run on the packaged model, as it will be served."""

import numpy as np

import plusone

WORDS = np.array(["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes"])


def right(model, sound, word):
    """Which clips were understood."""
    return WORDS[model.predict_proba({"sound": sound.astype(np.float32)}).argmax(axis=1)] == word


def test_it_understands_voices_it_never_heard(model, holdout):
    """0.1 is chance."""
    plusone.check.at_least(model, holdout, metric="accuracy", value=0.7)


def test_no_worse_than_live(model, live, holdout):
    """The release that has the traffic hears the same clips."""
    plusone.check.no_worse(model, live, holdout, metric="accuracy", margin=0.03)


def test_it_understands_each_word(model, holdout):
    """0.9 on average may hide one word that is always taken for another."""
    for word in WORDS:
        ours = holdout["word"] == word
        assert right(model, holdout["sound"][ours], word).mean() > 0.3, word


def test_who_speaks_softer_or_later_is_understood_as_well(model, holdout):
    before = right(model, holdout["sound"], holdout["word"]).mean()
    softer = right(model, holdout["sound"] * 0.4, holdout["word"]).mean()
    later = right(model, np.roll(holdout["sound"], 500, axis=1), holdout["word"]).mean()
    assert min(softer, later) > before - 0.15


def test_noise_as_of_a_microphone_changes_little(model, holdout):
    noise = np.random.default_rng(0).normal(0, 0.005, holdout["sound"].shape)
    before = right(model, holdout["sound"], holdout["word"]).mean()
    assert right(model, holdout["sound"] + noise, holdout["word"]).mean() > before - 0.15
