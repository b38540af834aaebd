"""Kinds of models, each with what it takes: one entry a kind, and every kind of input is in it, or why it can't be.

To add a format, write its factory and its entry in `FORMATS`: the tests and docs/reference/formats.md follow from that.
Modules are imported where they are used: the documentation is written from this list where none of them is installed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .inputs import INPUTS, Data

COMPILED = "compiled"
NATIVE = "native"

LABEL, LABELS, NUMBER = "late", ("late", "long"), "delay"


class Format(NamedTuple):
    """One kind of model."""

    name: str
    needs: tuple[str, ...]
    """Modules without which it can't be: of plusone, or of others."""
    answers: str
    """What it answers, for people."""
    target: str | tuple[str, ...] | None
    fit: Callable[[Data, str], Any]
    """Returns a model that is fitted on the data of an input, which is named."""
    takes: Mapping[str, str]
    """By input: `compiled`, `native`, or why it takes none such; all inputs are here."""
    flavour: str = "pandas"
    packs: Callable[[], dict[str, Any]] = dict
    """Gives what `packaging.pack` has to be told beside the usual."""
    expects: Callable[[Any, Data], list[Any]] | None = None
    """Returns what a model answers to the rows that are asked, where asking it like an estimator would not tell."""


def every(way: str, **others: str) -> dict[str, str]:
    """Return `way` for each table of plain fields, and what is said of the others."""
    plain = ("numbers", "numbers with nulls", "integers", "integers with nulls", "booleans", "categories")
    found = dict.fromkeys(plain, way)
    found |= {"text": way, "tensor": TABLES, "image": TABLES, "user": RANKS_NOTHING}
    found |= {name.replace("_", " "): way for name, way in others.items()}
    assert set(found) == {one.name for one in INPUTS}, sorted(found)
    return found


TABLES = (
    "fitted on columns of single values here; scikit-learn's take tensors laid out flat, too (docs/tasks/tensors.md)"
)
RANKS_NOTHING = "a user's id is a category: no ranking comes of it"
NO_STRINGS = "takes numbers alone"


def frame_of(data: Data, rows: int | None = None) -> Any:
    """The features as a dataframe, as a train function gets them; a tensor as an array. Of the first rows, or all."""
    from plusone.data import tensors

    table = data.table.select(data.features).slice(0, rows)
    if any(tensors.shape_of(field.type) is not None for field in table.schema):
        return tensors.to_arrays(table)[data.features[0]]
    return table.to_pandas()


def target_of(data: Data, target: str | tuple[str, ...]) -> Any:
    """The target, or the targets, as numpy or pandas has them."""
    return data.table.select([target] if isinstance(target, str) else list(target)).to_pandas().squeeze(axis=1)


# ---------------------------------------------------------------------------------------------- scikit-learn


def _prepared(estimator: Any, data: Data, kind: str, *, imputes: bool) -> Any:
    """Return the estimator behind what turns this kind of input into numbers."""
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    if kind == "categories":
        dense = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        return make_pipeline(make_column_transformer((dense, data.features)), estimator)
    if kind == "text":
        words = make_column_transformer((TfidfVectorizer(), data.features[0]), sparse_threshold=0)
        return make_pipeline(words, estimator)
    if kind.endswith("nulls") and not imputes:
        return make_pipeline(SimpleImputer(), StandardScaler(), estimator)
    return estimator


def sklearn_model(make: Callable[[], Any], target: str | tuple[str, ...], *, imputes: bool = False) -> Any:
    """Return what fits an estimator of scikit-learn on any table.

    Args:
        imputes: whether it takes missing values itself.
    """

    def fit(data: Data, kind: str) -> Any:
        model = _prepared(make(), data, kind, imputes=imputes)
        return model.fit(frame_of(data), target_of(data, target))

    return fit


def _tree() -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(random_state=0)


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(10, random_state=0)


def _one_each() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier

    return MultiOutputClassifier(LogisticRegression(max_iter=2000))


def _extra() -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(10, random_state=0)


def _boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=5, random_state=0)


def _older_boosting() -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(n_estimators=10, random_state=0)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000)


def _linear() -> Any:
    from sklearn.linear_model import Ridge

    return Ridge()


def _network() -> Any:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=500, solver="lbfgs", random_state=0))


# ---------------------------------------------------------------------------------------------- ONNX files


def onnx_file(data: Data, kind: str) -> Any:
    """Return an ONNX file as something that predicts, made by skl2onnx."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    from plusone.formats.onnx import OnnxModel

    strings = kind == "categories"
    model = _prepared(_logistic(), data, kind, imputes=False)
    table = frame_of(data)
    table = table if strings else table.to_numpy().astype("float32")
    model.fit(table, target_of(data, LABEL).astype(int))
    width = len(data.features)
    inputs = [(name, StringTensorType([None, 1])) for name in data.features]
    proto: Any = convert_sklearn(
        model,
        initial_types=inputs if strings else [("x", FloatTensorType([None, width]))],
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    return OnnxModel(proto.SerializeToString(), beside=lambda _: None)


# ---------------------------------------------------------------------------------------------- LightGBM, XGBoost


def _as_categories(data: Data, kind: str) -> Any:
    table = frame_of(data)
    return table.astype("category") if kind == "categories" else table


def lightgbm_estimator(data: Data, kind: str) -> Any:
    """Return LightGBM's estimator, strings as its own categories."""
    import lightgbm

    model = lightgbm.LGBMClassifier(n_estimators=10, min_child_samples=5, verbose=-1, n_jobs=1)
    return model.fit(_as_categories(data, kind), target_of(data, LABEL).astype(int))


def lightgbm_booster(data: Data, kind: str) -> Any:
    """Return LightGBM's own booster."""
    import lightgbm

    made = lightgbm.Dataset(_as_categories(data, kind), target_of(data, NUMBER))
    settings = {"objective": "regression", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
    return lightgbm.train(settings, made, num_boost_round=10)


def xgboost_estimator(data: Data, kind: str) -> Any:
    """Return XGBoost's estimator, strings as its own categories."""
    import xgboost

    model = xgboost.XGBClassifier(n_estimators=10, n_jobs=1, enable_categorical=True)
    return model.fit(_as_categories(data, kind), target_of(data, LABEL).astype(int))


def xgboost_booster(data: Data, kind: str) -> Any:
    """Return XGBoost's own booster."""
    import xgboost

    made = xgboost.DMatrix(_as_categories(data, kind), target_of(data, NUMBER), enable_categorical=True)
    return xgboost.train({"nthread": 1, "max_depth": 3}, made, num_boost_round=10)


# ---------------------------------------------------------------------------------------------- PyTorch


def torch_module(data: Data, kind: str) -> Any:
    """Return a module of two layers; weights as they come, from a fixed seed."""
    torch: Any = importlib.import_module("torch")
    torch.manual_seed(0)
    width = 16 if kind == "tensor" else 64 if kind == "image" else len(data.features)

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(width, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))

        def forward(self, x: Any) -> Any:
            return self.layers(x.flatten(1).float() / 255 if kind == "image" else x.flatten(1).float())

    return Flat().eval()


# ---------------------------------------------------------------------------------------------- recommenders


def recommender(data: Data, kind: str) -> Any:
    """Return the factors of users and items, random ones, with what each user has seen."""
    import numpy as np

    recommenders: Any = importlib.import_module("plusone.formats.recommenders")
    users = sorted(set(data.table.column("user").to_pylist()))
    items = sorted(set(data.table.column("item").to_pylist()))
    seen: Any = np.zeros((len(users), len(items)))
    for user, item in zip(*(data.table.column(name).to_pylist() for name in ("user", "item")), strict=True):
        seen[users.index(user), items.index(item)] = 1
    random = np.random.default_rng(0)
    factors = random.normal(size=(len(users), 4)), random.normal(size=(len(items), 4))
    return recommenders.Recommender(users, items, *factors, seen, k=3)


def recommended(model: Any, data: Data) -> list[Any]:
    """Return what it recommends to the users that are asked for."""
    found = [model.recommend(row["user"]) for row in data.rows]
    return [[{"item": item, "score": score} for item, score in one] for one in found]


# ---------------------------------------------------------------------------------------------- plain Python, skops


def plain_function(data: Data, kind: str) -> Any:
    """Return a function of the project that answers a number."""
    return _project_module().count_what_is_there


def plain_object(data: Data, kind: str) -> Any:
    """Return an object of a class of the project that answers a label."""
    return _project_module().MoreThanUsual().fit(frame_of(data))


def plain_ranker(data: Data, kind: str) -> Any:
    """Return an object of a class of the project that ranks."""
    return _project_module().Ranks(2)


def ranked_by_the_project(model: Any, data: Data) -> list[Any]:
    """Return what it ranks for the rows that are asked for."""
    found = model.rank(frame_of(data, len(data.rows)))
    return [[{"item": item, "score": score} for item, score in one] for one in found]


def neighbours(data: Data, kind: str) -> Any:
    """Return nearest neighbours of scikit-learn, which no graph answers alike."""
    from sklearn.neighbors import KNeighborsClassifier

    return sklearn_model(lambda: KNeighborsClassifier(3, metric="canberra"), LABEL)(data, kind)


def _neighbours() -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(3)


_FOLDER = Path(__file__).parent / "project"


def _project() -> dict[str, Any]:
    return {"root": _FOLDER}


def _project_module() -> Any:
    """Return the project's module, imported as a project's own process finds it: from its folder."""
    if str(_FOLDER) not in sys.path:
        sys.path.append(str(_FOLDER))
    return importlib.import_module("matrix_models")


# ---------------------------------------------------------------------------------------------- the list

_SKLEARN = ("sklearn", "skl2onnx", "plusone.formats.sklearn")
_BOOSTED = "strings of a text are no categories: put a vectoriser of scikit-learn before the estimator"
_NETS = "takes numbers alone: encode strings in a step"
_IDS = "takes the id of a user alone"
_NAN = "a missing number makes every number of a network missing"


def _sklearn(name: str, make: Callable[[], Any], target: str | tuple[str, ...], *, imputes: bool = False) -> Format:
    answers = "number" if target == NUMBER else "label" if target == LABEL else "labels"
    fit = sklearn_model(make, target, imputes=imputes)
    return Format(f"scikit-learn: {name}", _SKLEARN, answers, target, fit, every(COMPILED))


def _booster(name: str, module: str, answers: str, target: str, fit: Callable[[Data, str], Any]) -> Format:
    return Format(name, (module, f"plusone.formats.{module}"), answers, target, fit, every(COMPILED, text=_BOOSTED))


_PLAIN = every(NATIVE, tensor=NATIVE, image=NATIVE)

FORMATS = (
    _sklearn("a tree", _tree, LABEL, imputes=True),
    _sklearn("a forest", _forest, LABEL, imputes=True),
    _sklearn("a forest of several labels", _forest, LABELS, imputes=True),
    _sklearn("a classifier for each label", _one_each, LABELS),
    _sklearn("extremely random trees", _extra, NUMBER),
    _sklearn("histogram boosting", _boosting, LABEL, imputes=True),
    _sklearn("gradient boosting", _older_boosting, NUMBER),
    _sklearn("logistic regression", _logistic, LABEL),
    _sklearn("linear regression", _linear, NUMBER),
    _sklearn("a network", _network, LABEL),
    Format(
        "ONNX file",
        ("onnx", "skl2onnx", "plusone.formats.onnx"),
        "label",
        LABEL,
        onnx_file,
        every(COMPILED, text="a vectoriser in a file needs operators that serving does not know"),
    ),
    _booster("LightGBM: estimator", "lightgbm", "label", LABEL, lightgbm_estimator),
    _booster("LightGBM: booster", "lightgbm", "number", NUMBER, lightgbm_booster),
    _booster("XGBoost: estimator", "xgboost", "label", LABEL, xgboost_estimator),
    _booster("XGBoost: booster", "xgboost", "number", NUMBER, xgboost_booster),
    Format(
        "PyTorch module",
        ("torch", "onnx", "plusone.formats.torch"),
        "label",
        LABEL,
        torch_module,
        every(
            COMPILED,
            numbers_with_nulls=_NAN,
            integers_with_nulls=_NAN,
            categories=_NETS,
            text=_NETS,
            tensor=COMPILED,
            image=COMPILED,
        ),
        flavour="numpy",
    ),
    Format(
        "Recommender: factors",
        ("plusone.formats.recommenders", "onnx"),
        "ranking",
        None,
        recommender,
        every(_IDS, text=_IDS, tensor=_IDS, image=_IDS, user=COMPILED),
        expects=recommended,
    ),
    Format(
        "scikit-learn: nearest neighbours",
        ("sklearn", "skops", "plusone.native"),
        "label",
        LABEL,
        neighbours,
        every(NATIVE),
        packs=_project,
    ),
    Format(
        "scikit-learn: nearest neighbours of several labels",
        ("sklearn", "skops", "plusone.native"),
        "labels",
        LABELS,
        sklearn_model(_neighbours, LABELS),
        every(NATIVE),
        packs=_project,
    ),
    Format("Python function", ("plusone.native",), "number", NUMBER, plain_function, _PLAIN, packs=_project),
    Format("Python object", ("plusone.native",), "label", LABEL, plain_object, _PLAIN, packs=_project),
    Format(
        "Python ranker",
        ("plusone.native",),
        "ranking",
        None,
        plain_ranker,
        every(NATIVE, tensor=NATIVE, image=NATIVE, user=NATIVE),
        packs=_project,
        expects=ranked_by_the_project,
    ),
)
