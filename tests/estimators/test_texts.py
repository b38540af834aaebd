"""Models of text against their compiled selves, on mails, on hostile strings and beside other fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from plusone.base.errors import Incompatible
from plusone.predictor import Predictor

Package = Callable[..., Predictor]
hashing: Any = HashingVectorizer
counting: Any = CountVectorizer
weighting: Any = TfidfTransformer

SPAM = ["win", "free", "cash", "prize", "click", "ÉTÉ", "straße", "İstanbul", "now!!!", "100%"]
HAM = ["meeting", "tomorrow", "lunch", "report", "the", "and", "naïve", "ﬁle", "東京", "thanks"]
HOSTILE = [
    "",
    " ",
    "\x00",
    "win\x00free",
    "STRASSE straẞe",
    "e\u0301te\u0301",
    "🙂 win 🙂",
    "a" * 5000,
    "\u2028win\u2028",
    "\u0130 \u0131 i I",
]


def mails(rows: int = 240) -> pd.DataFrame:
    """Made-up mails with a target, and a field of another kind beside the text."""
    random = np.random.default_rng(0)
    spam = random.random(rows) < 0.4
    words = [random.choice([*SPAM, *HAM, *(SPAM if bad else HAM)], random.integers(0, 25)) for bad in spam]
    text = [" ".join(one.tolist()) for one in words]
    text[: len(HOSTILE)] = HOSTILE
    return pd.DataFrame(
        {
            "text": text,
            "lines": random.integers(1, 50, rows),
            "sender": random.choice(["known", "new", "list"], rows),
            "target": np.where(spam, "spam", "ham"),
        }
    )


ALONE: dict[str, Any] = {
    "counts": make_pipeline(CountVectorizer(), LogisticRegression()),
    "counts, there or not": make_pipeline(CountVectorizer(binary=True, min_df=3), BernoulliNB()),
    "weighted": make_pipeline(TfidfVectorizer(strip_accents="unicode", stop_words="english"), LogisticRegression()),
    "weighted, pairs": make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), MultinomialNB()),
    "weighted, l1": make_pipeline(TfidfVectorizer(norm="l1", use_idf=False), ComplementNB()),
    "weighted afterwards": make_pipeline(CountVectorizer(), weighting(norm=None), LinearSVC()),
    "hashed": make_pipeline(HashingVectorizer(), SGDClassifier(loss="log_loss", random_state=0)),
    "hashed, few": make_pipeline(hashing(n_features=64, norm=None), SGDClassifier(loss="modified_huber")),
    "characters": make_pipeline(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)), LogisticRegression()),
    "selected": make_pipeline(TfidfVectorizer(), SelectKBest(k=8), LogisticRegression()),
    "varied": make_pipeline(CountVectorizer(), VarianceThreshold(0.1), MaxAbsScaler(), MultinomialNB()),
    "reduced": make_pipeline(
        TfidfVectorizer(), TruncatedSVD(5, random_state=0), StandardScaler(), LogisticRegression()
    ),
    "tree": make_pipeline(TfidfVectorizer(), DecisionTreeClassifier(random_state=0)),
    "united": make_pipeline(
        FeatureUnion([("words", TfidfVectorizer()), ("letters", CountVectorizer(analyzer="char", ngram_range=(2, 2)))]),
        LogisticRegression(max_iter=1000),
    ),
    "searched": GridSearchCV(
        make_pipeline(TfidfVectorizer(), LogisticRegression()), {"tfidfvectorizer__min_df": [1, 3]}, cv=2
    ),
    "calibrated": CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), LinearSVC()), cv=2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ALONE)
def test_text_alone(name: str, package: Package) -> None:
    data = mails()
    model = ALONE[name].fit(data["text"], data["target"])
    predictor = package(model, data, features=["text"])
    assert predictor.predict(data).tolist() == model.predict(data["text"]).tolist()
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(predictor.predict_proba(data), model.predict_proba(data["text"]), atol=1e-9)
    assert predictor.package.options["precision"] == "float64"


def test_text_beside_other_fields(package: Package) -> None:
    """The strings that are looked up become codes, the text stays text; each row as one of many and alone."""
    data = mails()
    prepare = make_column_transformer(
        (TfidfVectorizer(), "text"),
        (OneHotEncoder(handle_unknown="ignore"), ["sender"]),
        (CountVectorizer(analyzer="char"), "text"),
        remainder="passthrough",
    )
    features = data.drop(columns="target")
    for last in (LogisticRegression(max_iter=5000), HistGradientBoostingClassifier(max_iter=5)):
        dense = FunctionTransformer() if isinstance(last, LogisticRegression) else TruncatedSVD(4, random_state=0)
        model = make_pipeline(prepare, dense, last).fit(features, data["target"])
        predictor = package(model, data)
        blocks = {block["name"]: block for block in predictor.package.options["blocks"]}
        assert blocks["strings"]["fields"] == ["text"]
        assert list(blocks["numbers"]["codes"]) == ["sender"]
        expected = model.predict_proba(features)
        np.testing.assert_allclose(predictor.predict_proba(data), expected, atol=1e-9)
        alone = np.concatenate([predictor.predict_proba(data.iloc[[row]]) for row in range(30)])
        np.testing.assert_allclose(alone, expected[:30], atol=1e-9)


def test_a_request_carries_text(package: Package) -> None:
    data = mails()
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(data["text"], data["target"])
    predictor = package(model, data, features=["text"])
    found = predictor.predict_proba(pd.DataFrame({"text": HOSTILE}))
    np.testing.assert_allclose(found, model.predict_proba(HOSTILE), atol=1e-12)


def test_a_number_from_text(package: Package) -> None:
    data = mails().assign(target=lambda frame: frame["text"].str.len() / 7)
    model = make_pipeline(TfidfVectorizer(), Ridge()).fit(data["text"], data["target"])
    np.testing.assert_allclose(
        package(model, data, features=["text"]).predict(data), model.predict(data["text"]), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (counting(tokenizer=str.split, token_pattern=None), "has a tokenizer of its own"),
        (CountVectorizer(preprocessor=str.upper), "has a preprocessor of its own"),
        (counting(analyzer=str.split), "has a analyzer of its own"),
        (CountVectorizer(strip_accents=str.upper), "has a strip_accents of its own"),
    ],
)
def test_functions_of_ones_own_are_named(part: Any, message: str, package: Package) -> None:
    data = mails(60)
    model = make_pipeline(part, MultinomialNB()).fit(data["text"], data["target"])
    with pytest.raises(Incompatible, match=message):
        package(model, data, features=["text"])


@pytest.mark.slow
def test_too_many_terms_to_write_out_are_named(package: Package) -> None:
    data = mails(60)
    model = make_pipeline(HashingVectorizer(), DecisionTreeClassifier()).fit(data["text"], data["target"])
    with pytest.raises(Incompatible, match="1048576 terms are too many"):
        package(model, data, features=["text"])
