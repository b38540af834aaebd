"""What must be true of the clips before a network learns from them. These run before training."""

from collections import Counter

import numpy as np


def test_every_voice_says_every_word_at_every_speed(clips):
    """A program that fails for a voice may say nothing, or say it in another one."""
    counts = Counter(zip(clips["voice"], clips["word"], strict=True))
    voices, words = set(clips["voice"]), set(clips["word"])
    assert len(words) == 10
    assert set(counts) == {(voice, word) for voice in voices for word in words}
    assert len(set(counts.values())) == 1


def test_no_clip_is_silent_or_cut_at_once(clips):
    """Loud enough to hear, and quieter at its end than in the middle: the word fits into the clip."""
    loudness = np.sqrt((clips["sound"] ** 2).mean(axis=1))
    assert loudness.min() > 0.005
    assert np.abs(clips["sound"]).max() <= 1.0
    end = np.sqrt((clips["sound"][:, -400:] ** 2).mean(axis=1))
    assert (end < loudness).mean() > 0.9


def test_no_two_clips_are_the_same(clips):
    """A voice that is not known is spoken by the usual one, and says so nowhere."""
    different = {sound.tobytes() for sound in clips["sound"]}
    assert len(different) > 0.95 * len(clips["sound"])


def test_the_model_is_tested_on_voices_that_it_did_not_learn_from(train_set, holdout):
    assert not set(train_set["voice"]) & set(holdout["voice"])
    assert set(train_set["word"]) == set(holdout["word"])
    assert len(train_set["word"]) > 2 * len(holdout["word"])
