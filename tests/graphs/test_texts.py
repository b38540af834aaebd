"""Texts taken apart here and by scikit-learn: the same terms, counted alike, whatever the text is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.utils.murmurhash import murmurhash3_32

from plusone.graphs.graph import Graph
from plusone.graphs.layout import Block, Columns
from plusone.graphs.runner import OnnxRunner
from plusone.graphs.texts import Text, _murmur, read_texts, write_texts

DEFAULTS: dict[str, Any] = {
    "input": "text_1",
    "block": "strings",
    "column": 0,
    "kind": "word",
    "lowercase": True,
    "accents": None,
    "pattern": r"(?u)\b\w\w+\b",
    "stop": (),
    "ngrams": (1, 1),
    "binary": False,
}
# Letters whose small form is longer, or depends on what is around them; joined and half characters; digits of other
# scripts; combining marks; what a C string or a line ends with.
ODD = "İıßẞΣσςﬁǅŉ ́̈é e\u0301ñ中文한국 ٣੪²½ⅷ_'-\u2019\u200d\u200b\u00ad🙂👩\u200d👧 \x00\t\n\r\u2028\ud800 aB1 the AND"
TEXTS = st.text(alphabet=st.one_of(st.sampled_from(ODD), st.characters()), max_size=40)

WAYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "case kept": {"lowercase": False},
    "accents by unicode": {"strip_accents": "unicode"},
    "accents by ascii": {"strip_accents": "ascii"},
    "stop words": {"stop_words": "english"},
    "stop words and pairs": {"stop_words": ["the", "and"], "ngram_range": (1, 2)},
    "pairs alone": {"ngram_range": (2, 3)},
    "a pattern of one's own": {"token_pattern": r"(?u)#?(\w+)"},
    "any character": {"token_pattern": r"\S"},
    "characters": {"analyzer": "char", "ngram_range": (1, 3)},
    "characters, longer": {"analyzer": "char", "ngram_range": (2, 5), "strip_accents": "unicode"},
    "inside words": {"analyzer": "char_wb", "ngram_range": (1, 4)},
    "inside words, longer": {"analyzer": "char_wb", "ngram_range": (3, 5), "lowercase": False},
}


def text(part: Any, **more: Any) -> Text:
    """How a vectoriser takes a text apart."""
    own: dict[str, Any] = {
        "kind": part.analyzer,
        "lowercase": part.lowercase,
        "accents": part.strip_accents,
        "pattern": part.token_pattern,
        "stop": tuple(part.get_stop_words() or ()) if part.analyzer == "word" else (),
        "ngrams": tuple(part.ngram_range),
    }
    return Text(**{**DEFAULTS, **own, **more})


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_terms_are_those_of_scikit_learn(way: str) -> None:
    part = CountVectorizer(**WAYS[way])
    theirs, ours = part.build_analyzer(), text(part)

    @settings(max_examples=300, deadline=None)
    @given(TEXTS)
    @example("")
    @example("  ")
    @example(ODD)
    @example("a\u0301 caf\u00e9 CAFE\u0301 The the")
    def alike(value: str) -> None:
        assert ours.terms(value) == list(theirs(value))

    alike()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40))
def test_the_hash_is_murmur(data: bytes) -> None:
    assert _murmur(data) == murmurhash3_32(data, seed=0, positive=True)


@pytest.mark.slow
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("width", [1, 7, 2**20])
def test_hashed_counts(signed: bool, binary: bool, width: int) -> None:
    hashing: Any = HashingVectorizer
    part = hashing(n_features=width, alternate_sign=signed, norm=None, binary=binary, ngram_range=(1, 2))
    ours = text(part, hashed=width, signed=signed, binary=binary)

    @settings(max_examples=100, deadline=None)
    @given(TEXTS.filter(lambda value: value.isprintable()))
    @example("one two two one one two")
    def alike(value: str) -> None:
        row = part.transform([value]).tocoo()
        assert ours.count(value) == dict(zip(row.col.tolist(), row.data.tolist(), strict=True))

    alike()


def test_counts_are_filled_up_with_a_term_that_is_none() -> None:
    one = Text(**DEFAULTS, vocabulary=("bb", "aa"))
    fed = one.feed(["aa bb aa", "", "zz", "bb"])
    assert fed["text_1.terms"].tolist() == [[1, 0], [2, 2], [2, 2], [0, 2]]
    assert fed["text_1.counts"].tolist() == [[2.0, 1.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]
    assert {name: array.shape for name, array in one.feed([]).items()} == {
        "text_1.terms": (0, 1),
        "text_1.counts": (0, 1),
    }
    assert fed["text_1.terms"].dtype == np.int64


def test_what_is_written_comes_back() -> None:
    fields: dict[str, Any] = {**DEFAULTS, "stop": ("ü", "\x00"), "pattern": "[\ud800\n]"}
    one = Text(**fields, vocabulary=("\ud800", "é", '"'))
    data = write_texts([one])
    assert data.isascii()
    assert read_texts(data) == (one,)


def test_many_rows_are_answered_in_parts() -> None:
    """One long text among many short ones takes no more room than a few rows of its length."""
    graph = Graph([Block("strings", "string", ("t",))])
    how = {key: value for key, value in DEFAULTS.items() if key not in ("input", "block", "column")}
    view = graph.text(graph.view(["t"])[0], **how, vocabulary=("aa", "bb"))
    total = graph.product(view, np.array([[1.0], [10.0]]))
    runner = OnnxRunner(graph.finish(total, np.float64, flat=True), "number", ())
    texts = [" ".join(["aa"] * (row % 3) + ["bb"] * (row % 2)) for row in range(300)]
    found = runner.run(Columns(300, {"strings": np.array(texts, dtype=object).reshape(-1, 1)}))
    assert found.numbers.tolist() == [row % 3 + 10.0 * (row % 2) for row in range(300)]
    assert len(runner.run(Columns(0, {"strings": np.empty((0, 1), dtype=object)})).numbers) == 0
