"""The tensors of a model: what each field and each kind of label is on the wire."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

import plusone
from plusone.base.errors import InvalidInput
from plusone.predictor import Predictor
from plusone.tensors.tensors import Tensor, answer_tensors, interface_of, pack_strings, read_tensors
from tests.packaged import package
from tests.protocols.conftest import Make

__all__ = ["package"]

Package = Callable[..., Predictor]


def test_each_kind_of_label_has_its_datatype(late: Predictor, minutes: Predictor, origin: Predictor) -> None:
    assert [slot.datatype for slot in interface_of(late).outputs.values()] == ["BOOL", "FP64"]
    assert [slot.datatype for slot in interface_of(minutes).outputs.values()] == ["FP64"]
    assert [slot.datatype for slot in interface_of(origin).outputs.values()] == ["BYTES", "FP64"]
    assert (interface_of(minutes).classes, interface_of(origin).classes) == ("", '["EWR","JFK","LGA"]')


def test_a_label_called_probabilities_hides_none_of_them(make: Make) -> None:
    x = np.arange(40.0)
    frame = pd.DataFrame({"x": x, "probabilities": (x > 20).astype(np.int64) + 5})
    predictor = make("named", DecisionTreeClassifier(max_depth=1), frame, "probabilities")
    assert list(interface_of(predictor).outputs) == ["probabilities", "class_probabilities"]
    read = read_tensors(predictor, [Tensor("x", "FP64", [2], [1.0, 39.0])], {})
    label, shares = answer_tensors(predictor, predictor.run(read.columns), ["probabilities", "class_probabilities"])
    assert (label.datatype, label.data.tolist()) == ("INT64", [5, 6])
    assert shares.data.tolist() == [1.0, 0.0, 0.0, 1.0]


def test_what_a_nullable_field_takes(gaps: Predictor) -> None:
    interface = interface_of(gaps)
    assert {name: slot.datatype for name, slot in interface.inputs.items()} == {"i": "FP64", "t": "FP64"}
    assert {"BOOL", "FP32"} <= interface.takes["t"]
    assert "INT64" not in interface.takes["t"]
    assert {"INT8", "UINT64", "FP16"} <= interface.takes["i"]


def test_no_tensors_are_no_request(minutes: Predictor) -> None:
    with pytest.raises(InvalidInput, match="The request has no input 'x'"):
        read_tensors(minutes, [], {})


def test_rows_of_requests_can_be_joined(minutes: Predictor) -> None:
    reads = [read_tensors(minutes, [Tensor("x", "FP64", [1, 1], [value])], {}) for value in (1.0, 2.0)]
    rows = [row for read in reads for row in read.rows or []]
    np.testing.assert_allclose(minutes.run(minutes.gather(rows)).numbers, [3.0, 5.0], rtol=1e-6)


def test_strings_are_packed_behind_their_lengths() -> None:
    assert pack_strings(["", "é", "ab"]) == b"\0\0\0\0\2\0\0\0\xc3\xa9\2\0\0\0ab"


def test_a_model_that_is_gone_leaves_nothing(make: Make) -> None:
    x = np.arange(40.0)
    predictor = make("gone", DecisionTreeClassifier(max_depth=1), pd.DataFrame({"x": x, "y": x > 20}), "y")
    interface = weakref.ref(interface_of(predictor))
    assert interface_of(predictor) is interface()
    del predictor
    gc.collect()
    assert interface() is None


def test_vectors_are_one_tensor(package: Package) -> None:
    x = np.arange(40.0)
    frame = pd.DataFrame({"x": x, "a": 2 * x, "b": -x})
    model = LinearRegression().fit(frame[["x"]], frame[["a", "b"]])
    predictor = package(model, frame, target=("a", "b"), features=["x"])
    (slot,) = interface_of(predictor).outputs.values()
    assert (slot.name, slot.datatype, slot.width, slot.parameters) == ("a,b", "FP64", 2, {"names": '["a","b"]'})
    answer = predictor.run(predictor.columns(frame.head(2)))
    (tensor,) = answer_tensors(predictor, answer, ["a,b"])
    assert tensor.shape == (2, 2)
    np.testing.assert_allclose(tensor.data, [0.0, 0.0, 2.0, -1.0], atol=1e-9)


def test_several_targets_have_tensors_for_each(package: Package) -> None:
    x = np.arange(40.0)
    frame = pd.DataFrame({"x": x, "late": np.where(x > 20, 6, 5), "probabilities": (x > 9).astype(int)})
    model = DecisionTreeClassifier().fit(frame[["x"]], frame[["late", "probabilities"]])
    predictor = package(model, frame, target=("late", "probabilities"), features=["x"])
    interface = interface_of(predictor)
    assert [(slot.name, slot.datatype, slot.width) for slot in interface.outputs.values()] == [
        ("late", "INT64", 1), ("probabilities", "INT64", 1), ("late_probabilities", "FP64", 2),
        ("probabilities_probabilities", "FP64", 2),
    ]  # fmt: skip
    assert interface.classes == '{"late":[5,6],"probabilities":[0,1]}'
    assert interface.outputs["late"].parameters == {"classes": "[5,6]"}
    read = read_tensors(predictor, [Tensor("x", "FP64", [3], [1.0, 15.0, 39.0])], {})
    tensors = answer_tensors(predictor, predictor.run(read.columns), list(reversed(interface.outputs)))
    assert [tensor.data.tolist() for tensor in tensors] == [
        [1.0, 0.0, 0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0, 0.0, 1.0], [0, 1, 1], [5, 5, 6],
    ]  # fmt: skip
    assert [tensor.shape for tensor in tensors] == [(3, 2), (3, 2), (3, 1), (3, 1)]


@pytest.mark.parametrize(("items", "datatype", "none"), [([5, 6], "INT64", -1), (["p", "q"], "BYTES", "")])
def test_where_there_are_fewer_items_the_rest_says_so(
    package: Package, items: list[object], datatype: str, none: object
) -> None:
    made = plusone.Recommender([1, 2], items, [[1.0], [2.0]], [[1.0], [2.0]], [[1, 0], [0, 0]])
    predictor = package(made, pd.DataFrame({"user": [1, 2], "scores": items}), target="scores")
    interface = interface_of(predictor)
    assert [(slot.name, slot.datatype, slot.width) for slot in interface.outputs.values()] == [
        ("scores", datatype, 2), ("item_scores", "FP64", 2),
    ]  # fmt: skip
    assert interface.classes == ""
    answer = predictor.run(predictor.decode(b'{"rows": [{"user": 1}, {"user": 2}]}'))
    found, scores = answer_tensors(predictor, answer, ["scores", "item_scores"])
    assert found.data.tolist() == [items[1], none, items[1], items[0]]
    np.testing.assert_array_equal(scores.data, [2.0, np.nan, 4.0, 2.0])
