"""Fields of tensors: found in training data, their values checked, models over them packaged and proven."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from plusone import Audio, Image, packaging
from plusone.base.errors import InvalidInput, UsageError
from plusone.base.records import Field
from plusone.data.tensors import to_table
from plusone.predictor import Predictor, load
from plusone.signatures.shapes import EXAMPLE_VALUES, find_wrong, settle

Pack = Callable[..., Predictor]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Return a function that packages a model fitted on arrays, and loads the package."""

    def run(model: Any, arrays: dict[str, Any], target: str = "digit", **more: Any) -> Predictor:
        folder = tmp_path / f"package{len(list(tmp_path.iterdir()))}"
        table = to_table(arrays)
        features = [name for name in arrays if name != target]
        more.setdefault("flavour", "numpy")
        _, digest = packaging.pack(
            model, name="m", target=target, features=features, train=table, environment="a==1\n", folder=folder, **more
        )
        predictor = load(folder, digest)
        predictor.warm_up()
        return predictor

    return run


def digits(dtype: Any = np.float32) -> dict[str, Any]:
    found: Any = load_digits()
    return {"image": found.images[:600].astype(dtype), "digit": found.target[:600]}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64])
@pytest.mark.parametrize(
    "model",
    [
        MLPClassifier((8,), max_iter=5, random_state=0),
        RandomForestClassifier(5, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=50)),
    ],
    ids=["mlp", "forest", "pipeline"],
)
@pytest.mark.filterwarnings("ignore:.*(Optimizer|converge|lbfgs)")
def test_a_model_of_a_matrix_takes_images(pack: Pack, model: Any, dtype: Any):
    arrays = digits(dtype)
    model.fit(arrays["image"].reshape(-1, 64), arrays["digit"])
    predictor = pack(model, arrays)
    (field,) = predictor.signature.fields
    assert (field.shape, field.dtype, field.nullable) == ((8, 8), np.dtype(dtype).name, False)
    assert (field.minimum, field.maximum) == (0.0, 16.0)
    assert np.array_equal(field.example, arrays["image"][0])
    wanted = model.predict_proba(arrays["image"].reshape(-1, 64))
    assert np.allclose(predictor.predict_proba(arrays), wanted, atol=1e-5)


def test_tensors_and_numbers_stand_side_by_side(pack: Pack):
    rng = np.random.default_rng(0)
    arrays = {"a": rng.normal(size=200), "x": rng.normal(size=(200, 3)), "b": rng.integers(0, 5, 200)}
    arrays["y"] = arrays["a"] + arrays["x"].sum(axis=1)
    matrix = np.column_stack([arrays["a"], arrays["x"], arrays["b"]])
    model = HistGradientBoostingRegressor(max_iter=5).fit(matrix, arrays["y"])
    predictor = pack(model, arrays, target="y")
    assert np.allclose(predictor.predict(arrays), model.predict(matrix))
    assert [block.name for block in predictor.blocks] == ["numbers", "tensor_0"]


def test_strings_are_looked_up_before_a_graph_with_tensors(pack: Pack):
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {"c": rng.choice(["a", "b"], 100), "x": rng.normal(size=(100, 2))}
    arrays["y"] = arrays["x"][:, 0] + (arrays["c"] == "a")
    matrix = np.concatenate([arrays["c"].astype(object).reshape(-1, 1), arrays["x"].astype(object)], axis=1)
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), [0]), remainder="passthrough")
    model = make_pipeline(encoder, HistGradientBoostingRegressor(max_iter=5)).fit(matrix, arrays["y"])
    predictor = pack(model, arrays, target="y")
    assert {block.dtype for block in predictor.blocks} == {"float64"}
    assert np.allclose(predictor.predict(arrays), model.predict(matrix))


def test_rows_that_are_not_finite_are_left_out_and_refused(pack: Pack):
    arrays = digits(np.float64)
    arrays["image"][0, 3, 4] = np.nan
    arrays["image"][1, 0, 0] = np.inf
    model = RandomForestClassifier(3, random_state=0).fit(arrays["image"][2:].reshape(-1, 64), arrays["digit"][2:])
    predictor = pack(model, arrays)
    assert predictor.package.proof["refused_rows"] == 2
    with pytest.raises(InvalidInput, match=r"Row 0, field 'image', at \[3, 4\]: nan"):
        predictor.columns(arrays)
    assert predictor.columns({"image": arrays["image"][2:5]}).rows == 3
    with pytest.raises(UsageError, match="NaN or an infinity in every row"):
        pack(model, {**arrays, "image": np.full((600, 8, 8), np.nan)})


def test_a_large_tensor_has_no_example_and_a_model_of_another_width_is_refused(pack: Pack):
    arrays = {"x": np.random.default_rng(0).normal(size=(20, EXAMPLE_VALUES + 1)), "y": np.arange(20) % 2}
    predictor = pack(RandomForestClassifier(2, random_state=0).fit(arrays["x"], arrays["y"]), arrays, target="y")
    assert predictor.signature.fields[0].example is None
    with pytest.raises(UsageError, match=r"fitted on 3 columns.*4097 values in each row"):
        pack(RandomForestClassifier(2).fit(arrays["x"][:, :3], arrays["y"]), arrays, target="y")


def test_media_must_make_what_the_training_data_has(pack: Pack):
    arrays = digits(np.uint8)
    model = RandomForestClassifier(2, random_state=0).fit(arrays["image"].reshape(-1, 64), arrays["digit"])
    for media, said in (
        ({"image": Image(height=9, width=8, mode="L")}, "uint8 of shape .9, 8."),
        ({"image": Image(height=8, width=8, mode="L", scale=1 / 255)}, "float32 of shape .8, 8."),
        ({"digit": Image(height=8, width=8)}, "not among the features"),
        ({"image": Audio(sample_rate_hz=8000, seconds=1.0)}, "float32 of shape .8000."),
    ):
        with pytest.raises(UsageError, match=said):
            pack(model, arrays, media=media)
    media = pack(model, arrays, media={"image": Image(height=8, width=8, mode="L")}).signature.fields[0].media
    assert media is not None
    assert (media["kind"], media["resize"]) == ("image", "bilinear")


@given(
    hnp.arrays(st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u1", "u8", "?"]), hnp.array_shapes(max_dims=2)),
    st.sampled_from(["float32", "float64", "uint8", "int64"]),
)
def test_numbers_in_a_dtype_are_those_that_it_holds(array: Any, dtype: Any):
    values, wrong = settle(array, dtype)
    assert values.dtype == dtype
    field = Field(name="x", dtype=dtype, shape=())
    plain = [
        find_wrong(int(value) if array.dtype == bool else value, field) is None for value in array.ravel().tolist()
    ]
    fits = np.array(plain, dtype=bool).reshape(array.shape)
    assert np.array_equal(np.zeros(array.shape, dtype=bool) if wrong is None else wrong, ~fits)
    if dtype in ("uint8", "int64"):
        assert all(int(a) == int(b) for a, b in zip(values[fits].ravel(), array[fits].ravel(), strict=True))


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([[1, 2], [3, 4]], None),
        ([[1.0, 2], [3, 255]], None),
        ([[1, 2], [3, 256]], (1, 1)),
        ([[1, 2], [3, 1.5]], (1, 1)),
        ([[1, 2], [True, 4]], (1, 0)),
        ([[1, 2], [3]], (1,)),
        ([[1, 2], [3, [4]]], (1, 1)),
        ([[1, 2]], ()),
        ("ab", ()),
        (None, ()),
        ({"base64": "x"}, ()),
    ],
)
def test_the_place_in_a_tensor_is_named(value: Any, place: Any):
    found = find_wrong(value, Field(name="x", dtype="uint8", shape=(2, 2)))
    assert (found if found is None else found[0]) == place
