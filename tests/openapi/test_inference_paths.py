"""The addresses of the Open Inference Protocol in the OpenAPI document: those that the protocol's reader knows."""

from __future__ import annotations

import json

from plusone.openapi.inference_paths import inference_components, inference_paths
from plusone.predictor import Predictor
from plusone.protocols.addresses import read_address
from plusone.protocols.inference import read_infer
from plusone.protocols.served import Served


def test_every_address_is_one_that_is_answered(minutes: Predictor) -> None:
    paths = inference_paths([Served("minutes", 3, minutes)], 1000)
    asked = {
        read_address(method.upper(), path.format(model="minutes", version="3"))
        for path, item in paths.items()
        for method in ("get", "post")
        if method in item
    }
    assert len(asked) == len(paths)
    assert {one.what for one in asked} == {
        "all-stats",
        "config",
        "index",
        "infer",
        "live",
        "model",
        "model-ready",
        "ready",
        "server",
        "stats",
    }


def test_the_example_of_a_model_is_answered(late: Predictor, minutes: Predictor) -> None:
    served = [Served("late", 1, late), Served("minutes", 3, minutes)]
    content = inference_paths(served, 1000)["/v2/models/{model}/infer"]["post"]["requestBody"]["content"]
    for one in served:
        body = json.dumps(content["application/json"]["examples"][one.model]["value"]).encode()
        assert read_infer(one.predictor, body, None).read.count == 1


def test_without_models_no_example_is_made_up() -> None:
    content = inference_paths([], 1000)["/v2/models/{model}/infer"]["post"]["requestBody"]["content"]
    assert "examples" not in content["application/json"]
    schemas, responses = inference_components()
    assert "v2.InferRequest" in schemas
    assert "InferenceError" in responses
