from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance

from plusone.statistics.similarity import chrf, cosine, rouge_l, token_f1

# What rouge-score 0.1.2 (rougeL, no stemmer) and sacrebleu 2.6.0 (CHRF, of sentences) say of them.
OTHERS_SAY = [
    ("the cat sat on the mat", "the cat is on the mat", 0.833333333, 0.645779421),
    ("police kill the gunman", "police killed the gunman", 0.75, 0.762403765),
    ("It is Paris.", "The capital of France is Paris.", 0.444444444, 0.273469842),
    ("one two three four five six", "six five four three two one", 0.166666667, 0.480673907),
    ("a", "a", 1.0, 1.0),
    ("abc", "xyz", 0.0, 0.0),
    (
        "The quick brown fox jumps over the lazy dog",
        "A quick brown dog jumps over the lazy fox, twice",
        0.631578947,
        0.642665008,
    ),
    ("ab", "ac", 0.0, 0.25),
    ("Total: 41.50 EUR", "Total: 45.10 EUR", 0.5, 0.542068117),
]
TEXTS = st.text(alphabet="ab c.", max_size=30)


@pytest.mark.parametrize(("answer", "reference", "rouge", "chr_f"), OTHERS_SAY)
def test_others_say_the_same(answer: str, reference: str, rouge: float, chr_f: float):
    assert rouge_l(answer, reference) == pytest.approx(rouge, abs=1e-8)
    assert chrf(answer, reference) == pytest.approx(chr_f, abs=1e-8)


def test_by_hand():
    assert token_f1("the red car", "a red car, red") == pytest.approx(4 / 7)
    assert token_f1("Red", "red!") == 1.0
    assert token_f1("", "") == chrf(" ", "") == rouge_l("...", "") == 1.0
    assert token_f1("word", "") == chrf("word", "") == 0.0
    assert cosine((1, 1), (1, 0)) == pytest.approx(1 / math.sqrt(2))
    assert cosine((0, 0), (1, 0)) == 0.0
    with pytest.raises(ValueError, match="zip"):
        cosine((1, 2), (1, 2, 3))


@given(TEXTS, TEXTS)
def test_each_is_a_share_and_one_of_a_text_and_itself(a: str, b: str):
    for measure in (token_f1, rouge_l, chrf):
        assert 0.0 <= measure(a, b) <= 1.0
        assert measure(a, a) == pytest.approx(1.0)
    assert token_f1(a, b) == pytest.approx(token_f1(b, a))


def table_of(a: list[str], b: list[str]) -> int:
    """The longest common subsequence as a textbook has it."""
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1, j + 1] = table[i, j] + 1 if x == y else max(table[i, j + 1], table[i + 1, j])
    return int(table[-1, -1])


@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=90),
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=90),
)
def test_the_longest_common_subsequence_is_that_of_the_textbook(a: list[str], b: list[str]):
    common = table_of(a, b)
    assert rouge_l(" ".join(a), " ".join(b)) == pytest.approx(2 * common / (len(a) + len(b)))


def test_a_cosine_of_vectors_of_any_size_is_that_of_scipy():
    for a, b in (
        ((3e200, 4e200), (1e200, -1e200)),
        ((1e-200, 2e-200), (2e-200, 4e-200)),
        ((1e300, 1.0), (1.0, 1e-300)),
    ):
        scaled = [np.array(one) / max(map(abs, one)) for one in (a, b)]
        assert cosine(a, b) == pytest.approx(1 - distance.cosine(*scaled))


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_vector_that_is_not_finite_is_like_none(odd: float):
    with pytest.raises(ValueError, match="finite"):
        cosine((1.0, odd), (1.0, 2.0))


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=3), st.lists(st.floats(-10, 10), min_size=3, max_size=3))
def test_the_cosine_is_that_of_scipy(a: list[float], b: list[float]):
    if min(max(map(abs, a)), max(map(abs, b))) < 1e-70:  # scipy's product of four such is 0
        return
    assert cosine(a, b) == pytest.approx(1 - distance.cosine(a, b), abs=1e-9)


@given(TEXTS, TEXTS)
def test_words_in_common_are_those_that_can_be_crossed_out(a: str, b: str):
    ours, left = re.findall(r"\w+", a), re.findall(r"\w+", b)
    theirs, common = len(left), 0
    for word in ours:
        if word in left:
            left.remove(word)
            common += 1
    expected = 2 * common / (len(ours) + theirs) if ours and theirs else float(not ours and not theirs)
    assert token_f1(a, b) == pytest.approx(expected)
