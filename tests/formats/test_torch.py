"""PyTorch modules: packaged, they answer as the module itself, and what can't be exported says where and why.

`make torch` runs these in the environment that has PyTorch; elsewhere they are no tests of that run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plusone
from plusone.base.errors import Incompatible, UsageError
from plusone.base.records import Field
from plusone.formats.torch import open_model
from plusone.graphs.layout import Columns, plan_blocks
from plusone.graphs.runner import OnnxRunner
from plusone.predictor import Predictor

torch: Any = pytest.importorskip("torch", reason="`make torch` runs the tests that need PyTorch")

Package = Callable[..., Predictor]
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RNG.normal(size=300), "b": RNG.normal(size=300), "n": RNG.integers(0, 5, 300)})
NUMBER = FRAME.assign(target=FRAME["a"] * 1.5 - FRAME["b"])
KINDS = FRAME.assign(target=np.where(FRAME["a"] > 0.5, "high", np.where(FRAME["a"] < -0.5, "low", "mid")))
TRUTH = FRAME.assign(target=FRAME["a"] > FRAME["b"])


@pytest.fixture(autouse=True)
def same_start() -> None:
    """Let every module begin with the same numbers."""
    torch.manual_seed(1)


def net(width: int, takes: int = 3, *last: Any) -> Any:
    return torch.nn.Sequential(
        torch.nn.Linear(takes, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(8, width),
        *last,
    )


def asked(module: Any, frame: pd.DataFrame) -> Any:
    with torch.no_grad():
        return module(torch.tensor(frame[["a", "b", "n"]].to_numpy(), dtype=torch.float32)).numpy()


@pytest.mark.parametrize("last", [(), (torch.nn.Flatten(0),)])
def test_one_number_is_a_number(package: Package, last: Any):
    module = net(1, 3, *last)
    predictor = package(module, NUMBER)
    assert predictor.package.signature.output.kind == "number"
    assert predictor.package.trained == "torch.nn.modules.container.Sequential"
    found = np.array(predictor.predict(NUMBER.head(20).to_dict("records")))
    assert not module.training
    np.testing.assert_allclose(found, asked(module, NUMBER.head(20)).ravel(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("last", [(), (torch.nn.Softmax(1),)])
def test_as_many_numbers_as_labels_are_classes(package: Package, last: Any):
    module = net(3, 3, *last)
    predictor = package(module, KINDS)
    assert predictor.package.signature.output.classes == ("high", "low", "mid")
    probabilities = np.asarray(predictor.predict_proba(KINDS.to_dict("records")))
    numbers = asked(module, KINDS)
    expected = numbers if last else torch.softmax(torch.from_numpy(numbers), 1).numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


@pytest.mark.parametrize("last", [(), (torch.nn.Sigmoid(),)])
def test_one_number_for_two_labels_is_the_second_ones(package: Package, last: Any):
    module = net(1, 3, *last)
    predictor = package(module, TRUTH)
    assert predictor.package.signature.output.classes == (False, True)
    probabilities = np.asarray(predictor.predict_proba(TRUTH.to_dict("records")))
    numbers = asked(module, TRUTH)
    expected = numbers if last else torch.sigmoid(torch.from_numpy(numbers)).numpy()
    np.testing.assert_allclose(probabilities[:, 1], expected[:, 0], atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)


def test_labels_below_the_width_that_are_not_in_the_data_are_classes_all_the_same(package: Package):
    data = FRAME.assign(target=np.where(FRAME["n"] == 3, 1, FRAME["n"]))
    assert package(net(5), data).package.signature.output.classes == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("data", "width", "words"),
    [(KINDS, 4, "4 numbers to each row, and the target .* 3 labels"), (KINDS, 1, "1 number to each row")],
)
def test_what_can_not_be_told_is_asked_for(package: Package, data: pd.DataFrame, width: int, words: str):
    with pytest.raises(Incompatible, match=words) as caught:
        package(net(width), data)
    assert "plusone.torch_model(module, answers=" in str(caught.value.mend)


def test_what_the_person_says_counts(package: Package):
    logits = package(plusone.torch_model(net(2), classes=["yes", "no"]), TRUTH)
    assert logits.package.signature.output.classes == ("yes", "no")
    number = package(plusone.torch_model(net(1), answers="number"), TRUTH)
    assert number.package.signature.output.kind == "number"
    within = net(1, 3, torch.nn.Sigmoid())
    twice = package(plusone.torch_model(within, answers="logits"), TRUTH)
    probabilities = np.asarray(twice.predict_proba(TRUTH.to_dict("records")))[:, 1]
    expected = torch.sigmoid(torch.from_numpy(asked(within, TRUTH))).numpy()[:, 0]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"answers": "label"}, "expected one of"),
        ({"classes": ["a"]}, "two or more"),
        ({"classes": ["a", "a"]}, "each one once"),
        ({"classes": "ab"}, "expected a list"),
        ({"classes": ["a", 1]}, "all bool, int or str"),
        ({"classes": ["a", "b"], "answers": "number"}, "has no classes"),
        ({"names": ["a"], "answers": "logits"}, "has no names"),
        ({"names": [1]}, "expected texts"),
    ],
)
def test_what_is_said_wrongly_is_refused(said: dict[str, Any], words: str):
    with pytest.raises(UsageError, match=words):
        plusone.torch_model(net(2), **said)


def test_what_is_said_must_fit(package: Package):
    with pytest.raises(Incompatible, match="3 numbers to each row, and was said to answer one"):
        package(plusone.torch_model(net(3), answers="number"), KINDS)
    with pytest.raises(Incompatible, match="there are 2 classes"):
        package(plusone.torch_model(net(3), classes=["a", "b"]), KINDS)
    with pytest.raises(UsageError, match=r"torch\.nn\.Module"):
        plusone.torch_model("net")


class Recommender(torch.nn.Module):
    """Takes its fields one by one: whole numbers as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.items = torch.nn.Embedding(5, 4)
        self.last = torch.nn.Linear(6, 1)

    def forward(self, a: Any, b: Any, n: Any) -> Any:
        assert n.dtype == torch.int64
        return self.last(torch.cat([a[:, None], b[:, None], self.items(n)], dim=1)).squeeze(1)


def test_a_forward_with_an_argument_for_each_field_gets_them_by_place(package: Package):
    module = Recommender()
    predictor = package(module, NUMBER)
    rows = NUMBER.head(30)
    with torch.no_grad():
        expected = module(
            torch.tensor(rows["a"].to_numpy()).float(),
            torch.tensor(rows["b"].to_numpy()).float(),
            torch.tensor(rows["n"].to_numpy()),
        )
    np.testing.assert_allclose(np.array(predictor.predict(rows.to_dict("records"))), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions(package: Package, dtype: str):
    module = net(3).to(getattr(torch, dtype))
    predictor = package(module, KINDS)
    assert predictor.package.options["precision"] == ("float64" if dtype == "float64" else "float32")
    assert predictor.package.proof["max_difference"] < 1e-6


class Branches(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def forward(self, x):  # TorchScript takes what has no type for a tensor
        if bool((x[:, 0] > 1000.0).any()):
            return self.layer(-x)
        return self.layer(x)


class Opaque(Branches):
    def forward(self, x: Any) -> Any:
        if float(x.sum()) > 0:
            return self.layer(x) * len({"a": 1}.keys() | {"b"})  # what TorchScript does not know
        return self.layer(x) * 2


def test_a_branch_is_kept_where_it_can_be_and_named_where_not(package: Package):
    module = Branches().eval()
    predictor = package(module, NUMBER)
    large = {"a": 2000.0, "b": 0.0, "n": 1}
    expected = module(torch.tensor([[2000.0, 0.0, 1.0]])).item()
    assert float(predictor.predict([large])[0]) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(Incompatible, match=r"test_torch\.py:\d+: if float") as caught:
        package(Opaque(), NUMBER)
    assert "torch.where" in str(caught.value.mend)
    assert len(str(caught.value)) < 1000


def test_a_scripted_module_is_exported(package: Package):
    with pytest.deprecated_call():
        module = torch.jit.script(net(1).eval())
    predictor = package(module, NUMBER)
    found = np.array(predictor.predict(NUMBER.head(5).to_dict("records")))
    np.testing.assert_allclose(found, asked(module, NUMBER.head(5))[:, 0], atol=1e-5)


class Answers(torch.nn.Module):
    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self.make = make

    def forward(self, x: Any) -> Any:
        return self.make(x)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: (x, x), r"a tuple of 2 \(Tensor, Tensor\)"),
        (lambda x: {"logits": x}, "a dict with 'logits'"),
        (lambda x: x.sum(), r"shape \(\) to 256 rows"),
        (lambda x: x.flatten(), r"shape \(768,\) to 256 rows"),
        (lambda x: x[:, None], r"shape \(rows, 1, 3\)"),
        (lambda x: x.argmax(1), "answers numbers of type int64"),
        (lambda x: x.to(torch.complex64), "complex"),
        (lambda x: x[:, :1] * float("nan"), "NaN or infinity to every row"),
        (lambda x: x @ torch.zeros(4, 1), "does not answer to rows of its own training data: RuntimeError"),
        (lambda x: None, "a NoneType"),
    ],
)
def test_answers_that_are_none_are_named(package: Package, make: Callable[[Any], Any], words: str):
    with pytest.raises(Incompatible, match=words) as caught:
        package(Answers(make), TRUTH)
    assert caught.value.mend


def test_inputs_that_do_not_fit_are_named(package: Package):
    with pytest.raises(Incompatible, match="takes numbers, and 'c' hold text"):
        package(net(1, 4), NUMBER.assign(c="x"))
    with pytest.raises(Incompatible, match="takes 3 arguments, and the model has 2 features"):
        package(Recommender(), NUMBER.drop(columns="n"))


def test_a_fixed_number_of_rows_is_refused(package: Package):
    with pytest.raises(Incompatible):
        package(Answers(lambda x: x.reshape(256, 3)[:, 0] if len(x) == 256 else x.reshape(3, 3)[:, 0]), NUMBER)


def test_wrappers_are_looked_into(package: Package):
    module = net(1)
    assert package(torch.nn.DataParallel(module), NUMBER).package.signature.output.kind == "number"
    assert package(torch.compile(module, backend="eager"), NUMBER).package.signature.output.kind == "number"


def test_a_package_holds_no_path_and_is_the_same_again(package: Package):
    module = net(2)
    digests: set[str] = set()
    for _ in range(2):
        predictor = package(module, TRUTH)
        digests |= {file.digest for file in predictor.package.files if file.path.endswith(".onnx")}
    assert len(digests) == 1


def test_missing_numbers_are_the_modules_own_matter(package: Package):
    data = NUMBER.assign(a=NUMBER["a"].where(NUMBER.index % 7 > 0))
    module = Answers(lambda x: torch.nan_to_num(x, nan=0.5).sum(1))
    predictor = package(module, data)
    assert predictor.package.signature.fields[0].nullable
    assert float(predictor.predict([{"a": None, "b": 1.0, "n": 2}])[0]) == pytest.approx(3.5)
    assert not package(net(1), data).package.signature.fields[0].nullable


# ---------------------------------------------------------------------------------------------- tensors and vectors

PICTURES = {"image": RNG.integers(0, 256, (40, 5, 4)).astype(np.uint8), "target": np.arange(40) % 2 > 0}


class Grey(torch.nn.Module):
    """Takes bytes as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.nn.Linear(20, 2)

    def forward(self, image):
        assert image.dtype == torch.uint8
        return self.last((image.float() / 255).flatten(1))


def test_a_picture_is_an_argument_of_its_shape(package: Package):
    module = Grey()
    predictor = package(module, PICTURES)
    with torch.no_grad():
        expected = torch.softmax(module(torch.from_numpy(PICTURES["image"])), 1).numpy()
    found = np.asarray(predictor.predict_proba({"image": PICTURES["image"]}))
    np.testing.assert_allclose(found, expected, atol=1e-6)


class Both(torch.nn.Module):
    def forward(self, sound, age, image):
        assert (sound.dtype, age.dtype, image.shape[1:]) == (torch.float32, torch.int64, (5, 4))
        return sound.mean(1) * age + image.float().amax(dim=(1, 2))


def test_tensors_and_single_values_are_arguments_in_the_order_of_the_features(package: Package):
    data = {
        "image": PICTURES["image"],
        "age": np.arange(40),
        "sound": RNG.random((40, 7)),  # in 64 bits; the module computes in 32
        "target": RNG.random(40),
    }
    predictor = package(Both(), data, features=["sound", "age", "image"])
    expected = data["sound"].mean(axis=1) * data["age"] + data["image"].max(axis=(1, 2))
    found = np.asarray(predictor.predict({name: data[name] for name in ("image", "age", "sound")}))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises(Incompatible, match="takes 3 arguments, and the model has 2 features: expected one for each"):
        package(Both(), data, features=["sound", "image"])


@pytest.mark.parametrize("said", [None, {"answers": "vector", "names": ["x", "y", "z", "u"]}])
def test_an_embedding_is_a_vector(said: dict[str, Any] | None):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh())
    fields = [Field(name=name, dtype="float64") for name in ("a", "b", "n")]
    frame = FRAME.to_numpy()
    opened = open_model(module if said is None else plusone.torch_model(module, **said), () if said is None else (1, 2))
    assert opened is not None
    assert opened.settle is not None
    opened = opened.settle(fields, frame)
    assert opened.output is not None
    assert (opened.output.kind, opened.output.width, len(opened.output.names)) == ("vector", 4, 4 if said else 0)
    blocks = plan_blocks(fields)
    compiled = next(opened.compile(fields, blocks))
    answer = OnnxRunner(compiled.graph, compiled.output, ()).run(Columns(300, {"numbers": frame}))
    np.testing.assert_allclose(answer.numbers, asked(module, FRAME), atol=1e-6)
    np.testing.assert_allclose(opened.trained.predict(frame), asked(module, FRAME), atol=1e-6)
