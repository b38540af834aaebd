"""What the Open Inference Protocol says of a server and its models."""

from __future__ import annotations

import json

import msgspec
import pytest

from plusone.base.errors import InvalidInput
from plusone.predictor import Predictor
from plusone.protocols import descriptions
from plusone.protocols.descriptions import Figures
from plusone.protocols.inference import read_infer
from plusone.protocols.served import Served


def test_metadata_names_every_tensor(late: Predictor) -> None:
    found = descriptions.model_metadata(Served("late", 4, late), [10, 4, 3])
    assert (found["name"], found["versions"], found["platform"]) == ("late", ["3", "4", "10"], "onnx_onnxv1")
    inputs = {tensor["name"]: tensor for tensor in found["inputs"]}
    assert list(inputs) == [field.name for field in late.signature.fields]
    assert {name: tensor["datatype"] for name, tensor in inputs.items()} == {
        "carrier": "BYTES",
        "origin": "BYTES",
        "dest": "BYTES",
        "tailnum": "BYTES",
        "month": "INT64",
        "hour": "INT64",
        "distance": "INT64",
        "weekend": "BOOL",
        "gust": "FP64",
    }
    assert all(tensor["shape"] == [-1, 1] for tensor in inputs.values())
    assert inputs["gust"]["parameters"] == {"type": "float64", "nullable": True, "missing": "NaN, or null"}
    assert inputs["tailnum"]["parameters"]["missing"] == "null, or missing_string"
    label, shares = found["outputs"]
    assert (label["name"], label["datatype"], label["shape"]) == ("late", "BOOL", [-1, 1])
    assert (shares["name"], shares["datatype"], shares["shape"]) == ("probabilities", "FP64", [-1, 2])
    assert json.loads(shares["parameters"]["classes"]) == [False, True]
    assert found["parameters"] == {"release": "4", "package": late.digest, "classes": "[false,true]"}
    msgspec.json.encode(found)


def test_what_the_metadata_names_can_be_asked(late: Predictor, minutes: Predictor) -> None:
    for predictor in (late, minutes):
        examples = {field.name: field.example for field in predictor.signature.fields}
        found = descriptions.model_metadata(Served("m", 1, predictor), [1])
        tensors = [
            {"name": one["name"], "datatype": one["datatype"], "shape": [1, 1], "data": [examples[one["name"]]]}
            for one in found["inputs"]
        ]
        infer = read_infer(predictor, json.dumps({"inputs": tensors, "outputs": found["outputs"]}).encode(), None)
        assert [wanted.name for wanted in infer.outputs] == [one["name"] for one in found["outputs"]]


def test_configuration_is_in_triton_words(origin: Predictor) -> None:
    found = descriptions.config(Served("origin", 2, origin))
    assert (found["name"], found["max_batch_size"]) == ("origin", 0)
    assert found["input"] == [
        {"name": "hour", "data_type": "TYPE_INT64", "dims": [-1, 1]},
        {"name": "distance", "data_type": "TYPE_INT64", "dims": [-1, 1]},
    ]
    assert found["output"][0] == {"name": "origin", "data_type": "TYPE_STRING", "dims": [-1, 1]}
    assert json.loads(found["parameters"]["classes"]["string_value"]) == ["EWR", "JFK", "LGA"]


def test_the_index_lists_what_serves_and_what_failed(late: Predictor, minutes: Predictor) -> None:
    served = [Served("minutes", 1, minutes), Served("late", 11, late), Served("late", 2, late)]
    found = descriptions.index(served, {"broken": "its file is gone"})
    assert [(one["name"], one["version"], one["state"]) for one in found] == [
        ("late", "2", "READY"),
        ("late", "11", "READY"),
        ("minutes", "1", "READY"),
        ("broken", "", "UNAVAILABLE"),
    ]
    assert found[3]["reason"] == "its file is gone"
    assert len(descriptions.index(served, {"broken": ""}, ready=True)) == 3


def test_a_request_for_the_index() -> None:
    assert not descriptions.read_index_request(b"")
    assert not descriptions.read_index_request(b" \n")
    assert not descriptions.read_index_request(b"{}")
    assert descriptions.read_index_request(b'{"ready": true}')
    for body in (b"[]", b"x", b'{"ready": 1}', b"\xff", b"[" * 100_000):
        with pytest.raises(InvalidInput, match="true or false}, or nothing"):
            descriptions.read_index_request(body)


def test_statistics_are_sums() -> None:
    one = Figures("m", 3, succeeded=4, succeeded_s=0.5, failed=1, rows=9, runs=2, runs_s=0.25, last_ms=7)
    (found,) = descriptions.statistics([one])["model_stats"]
    assert (found["version"], found["inference_count"], found["execution_count"]) == ("3", 9, 2)
    assert found["inference_stats"]["success"] == {"count": 4, "ns": 500_000_000}
    assert found["inference_stats"]["compute_infer"] == {"count": 2, "ns": 250_000_000}
    assert found["inference_stats"]["fail"]["count"] == 1


def test_a_server_says_what_it_is() -> None:
    found = descriptions.server_metadata("1.2")
    assert (found["name"], found["version"]) == ("plusone", "1.2")
    assert "binary_tensor_data" in found["extensions"]
    assert descriptions.server_live() == {"live": True}
    assert descriptions.server_ready(False)["ready"] is False


def test_a_model_says_that_it_is_ready(minutes: Predictor) -> None:
    assert descriptions.model_ready(Served("minutes", 5, minutes)) == {"name": "minutes", "version": "5", "ready": True}
