"""Classifiers of several targets: compiled, proven label by label, and refused where they can't be."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier
from xgboost import XGBClassifier

from plusone.base.errors import Incompatible
from plusone.base.records import Output
from plusone.estimators.several import classes_of, has_probabilities
from plusone.labels.several import singles
from plusone.predictor import Predictor

Package = Callable[..., Predictor]
FEATURES = ["x", "y"]
TEXTS = ["late", "gate"]
COLUMNS = ["rain", "wind"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(150, 2)), columns=FEATURES)
    noise = generator.normal(size=150)
    frame["late"] = np.where(frame["x"] + noise > 0, "yes", "no")
    frame["gate"] = np.select([frame["y"] > 0.5, frame["x"] > 0], ["C", "A"], "B")
    frame["rain"] = (frame["x"] > 0.2).astype(int)
    frame["wind"] = (frame["y"] + noise > 0).astype(int)
    frame["class"] = np.clip(frame["x"].round(), -1, 1).astype(int)
    frame["text"] = np.where(frame["x"] > 0, "sun and sea", "rain and wind")
    return frame


def forest(kind: Any = RandomForestClassifier) -> Any:
    return kind(5, max_depth=4, random_state=0)


MODELS: dict[str, tuple[Any, list[str]]] = {
    "forest": (forest(), TEXTS),
    "extra trees": (forest(ExtraTreesClassifier), TEXTS),
    "tree": (DecisionTreeClassifier(max_depth=4), TEXTS),
    "random tree": (ExtraTreeClassifier(max_depth=4, random_state=0), TEXTS),
    "pipeline": (make_pipeline(StandardScaler(), forest()), TEXTS),
    "search": (GridSearchCV(forest(), {"max_depth": [3]}, cv=2, scoring=lambda model, x, y: 0.0), TEXTS),
    "columns": (forest(), COLUMNS),
    "of one label": (forest(), ["late", "always"]),
    "linear": (MultiOutputClassifier(LogisticRegression()), TEXTS),
    "boosted": (MultiOutputClassifier(HistGradientBoostingClassifier(max_iter=3)), TEXTS),
    "without probabilities": (MultiOutputClassifier(LinearSVC()), TEXTS),
    "chain": (ClassifierChain(LogisticRegression(), order=[1, 0]), COLUMNS),
    "chain of what is sure": (ClassifierChain(forest(), order=[1, 0], chain_method="predict_proba"), COLUMNS),
    "chain of three labels": (ClassifierChain(LogisticRegression(), order=[2, 0, 1]), [*COLUMNS, "class"]),
    "network": (MLPClassifier((6, 4), max_iter=60, random_state=0), COLUMNS),
    "network of one layer": (MLPClassifier((4,), activation="tanh", max_iter=60, random_state=0), [*COLUMNS, "snow"]),
    "ridge": (RidgeClassifier(), COLUMNS),
    "against the rest": (OneVsRestClassifier(LogisticRegression()), COLUMNS),
    "xgboost in a pipeline": (make_pipeline(StandardScaler(), XGBClassifier(n_estimators=5, max_depth=3)), COLUMNS),
}
SINGLE = {"xgboost in a pipeline"}
"""Whose trees compute in 32 bits."""


def packaged(package: Package, model: Any, data: pd.DataFrame, targets: list[str], **more: Any) -> Predictor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(data[FEATURES], data[targets])
        return package(model, data, target=tuple(targets), features=FEATURES, **more)


def expected(model: Any, data: pd.DataFrame, targets: int) -> tuple[Any, list[Any] | None]:
    """Return what scikit-learn answers: labels, shape (rows, targets), and the probabilities of each target."""
    labels = model.predict(data[FEATURES])
    if not hasattr(model, "predict_proba"):
        return labels, None
    try:
        found = model.predict_proba(data[FEATURES])
    except ValueError:  # a chain of more than two labels
        return labels, None
    if isinstance(found, list):
        return labels, found
    return labels, [np.stack([1 - found[:, place], found[:, place]], axis=1) for place in range(targets)]


@pytest.mark.parametrize("name", MODELS)
def test_labels_and_probabilities_are_those_of_the_model(name: str, data: pd.DataFrame, package: Package) -> None:
    model, targets = MODELS[name]
    data = data.assign(always="so", snow=(data["y"] < -0.3).astype(int))
    predictor = packaged(package, model, data, targets)
    output = predictor.signature.output
    labels, shares = expected(model, data, len(targets))
    if name == "chain of three labels":  # it has predict_proba, and answers those of the second label alone
        shares = None
    assert (output.kind, output.names, output.width) == ("labels", tuple(targets), len(targets))
    assert [set(one.classes) for one in singles(output)] == [set(data[target]) for target in targets]
    assert predictor.package.proof["precision"] == "float64"
    answer = predictor.run(predictor.columns(data))
    assert predictor.predict(data).tolist() == labels.tolist()
    assert output.probabilities == (answer.probabilities is not None) == (shares is not None)
    if shares is not None:
        apart = 1e-6 if name in SINGLE else 1e-12
        np.testing.assert_allclose(predictor.predict_proba(data), np.concatenate(shares, axis=1), atol=apart)
        for part, one, share in zip(answer.each(output.sizes), singles(output), shares, strict=True):
            assert part.labels.tolist() == [one.classes[code] for code in share.argmax(axis=1)]


def test_rows_at_thresholds_go_the_way_that_they_go_in_the_model(data: pd.DataFrame, package: Package) -> None:
    model = DecisionTreeClassifier(max_depth=4)
    predictor = packaged(package, model, data, TEXTS)
    tree = model.tree_
    splits = [(FEATURES[f], t) for f, t in zip(tree.feature, tree.threshold, strict=True) if f >= 0]
    rows = [
        {"x": 0.1, "y": 0.1, name: value}
        for name, threshold in splits
        for value in (threshold, np.nextafter(threshold, -9), np.nextafter(threshold, 9))
    ]
    edges = pd.DataFrame(rows)[FEATURES]
    assert predictor.predict(edges).tolist() == model.predict(edges).tolist()
    assert predictor.package.proof["edges"]["kinds"]["threshold"]["rows"] > 0
    assert predictor.package.proof["edges"]["differ"] == 0


def test_text_for_several_targets(data: pd.DataFrame, package: Package) -> None:
    model = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LogisticRegression()))
    model.fit(data["text"], data[COLUMNS])
    predictor = package(model, data, target=tuple(COLUMNS), features=["text"])
    assert predictor.signature.output.classes == (0, 1, 0, 1)
    assert predictor.predict(data).tolist() == model.predict(data["text"]).tolist()


def test_a_label_that_differs_for_one_target_is_found(
    data: pd.DataFrame, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MultiOutputClassifier(LinearSVC())
    predict = MultiOutputClassifier.predict

    def other(self: Any, features: Any) -> Any:
        found = predict(self, features)
        if len(found) > 100:
            found[7, 1] = "B" if found[7, 1] != "B" else "A"
        return found

    monkeypatch.setattr(MultiOutputClassifier, "predict", other)
    with pytest.raises(Incompatible, match="1 of 150 rows of training data differ") as caught:
        packaged(package, model, data, TEXTS)
    assert [row["row"] for row in caught.value.details["rows"]] == [7]


def test_a_probability_that_differs_for_one_target_is_found(
    data: pd.DataFrame, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = RandomForestClassifier.predict_proba

    def other(self: Any, features: Any) -> Any:
        found = ask(self, features)
        if len(features) > 100 and isinstance(found, list):
            found[1][3] = [0.2, 0.3, 0.5]
        return found

    monkeypatch.setattr(RandomForestClassifier, "predict_proba", other)
    with pytest.raises(Incompatible, match="1 of 150 rows of training data differ"):
        packaged(package, forest(), data, TEXTS)


def test_what_has_no_graph_is_named(data: pd.DataFrame, package: Package) -> None:
    for model, targets in (
        (KNeighborsClassifier(), TEXTS),
        (KNeighborsClassifier(), COLUMNS),
        (DummyClassifier(), TEXTS),
    ):
        with pytest.raises(Incompatible, match=f"{type(model).__name__} .*a label for each of several targets"):
            packaged(package, model, data, targets)
    with pytest.raises(Incompatible, match="chain_method='predict' or 'predict_proba'"):
        packaged(package, ClassifierChain(LinearSVC(), chain_method="decision_function"), data, COLUMNS)


def test_targets_that_are_not_as_many_as_the_labels_are_refused(data: pd.DataFrame, package: Package) -> None:
    model = forest().fit(data[FEATURES], data[TEXTS])
    for target in ("late", ("late", "gate", "rain"), None):
        with pytest.raises(Incompatible, match=r"answers 2 labels to each row, and the declared targets are"):
            package(model, data, target=target, features=FEATURES)
    single = MultiOutputClassifier(LogisticRegression()).fit(data[FEATURES], data[["late"]])
    with pytest.raises(Incompatible, match=r"answers 1 labels .*late\.\n.*fit the classifier on the one column"):
        package(single, data, target="late", features=FEATURES)


def test_the_signature_and_the_json_say_what_is_whose(data: pd.DataFrame, package: Package) -> None:
    predictor = packaged(package, forest(), data, TEXTS)
    assert predictor.signature.output == Output(
        name="late,gate",
        kind="labels",
        classes=("no", "yes", "A", "B", "C"),
        probabilities=True,
        names=("late", "gate"),
        width=2,
        sizes=(2, 3),
    )
    answer = predictor.run(predictor.columns(data.head(3)))
    first, *_ = rows = [msgspec.json.decode(row) for row in predictor.encode(answer)]
    assert list(first) == ["label", "probabilities"]
    assert list(first["label"]) == list(first["probabilities"]) == ["late", "gate"]
    assert list(first["probabilities"]["gate"]) == ["A", "B", "C"]
    assert rows == predictor.predictions(answer)


def test_classes_are_in_the_order_of_the_targets(data: pd.DataFrame) -> None:
    chain = ClassifierChain(LogisticRegression(), order=[1, 0]).fit(data[FEATURES], data[["class", "rain"]])
    assert [one.tolist() for one in classes_of(chain) or []] == [[-1, 0, 1], [0, 1]]
    assert not has_probabilities(chain, classes_of(chain) or [])
    assert classes_of(forest().fit(data[FEATURES], data["late"])) is None
