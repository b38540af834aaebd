"""The messages: those of the protocol, byte for byte as its real clients have them."""

from __future__ import annotations

from typing import Any

import pytest

from plusone.protocols.messages import DATA_TYPES, METHODS, message
from tests.protocols.clients import run_client


def filled() -> Any:
    """A request with something in every one of its fields."""
    request = message("ModelInferRequest")(model_name="m", model_version="3", id="i", raw_input_contents=[b"\0\1"])
    request.parameters["a"].bool_param = True
    request.parameters["b"].int64_param = -5
    request.parameters["c"].string_param = "é"
    request.parameters["d"].double_param = 0.5
    request.parameters["e"].uint64_param = 2**64 - 1
    request.outputs.add(name="y").parameters["x"].bool_param = False
    contents = {
        "bool_contents": [True, False],
        "int_contents": [-1, 2],
        "int64_contents": [-(2**60)],
        "uint_contents": [1],
        "uint64_contents": [2**63],
        "fp32_contents": [0.25],
        "fp64_contents": [1e300, 2.0],
        "bytes_contents": [b"a", b""],
    }
    request.inputs.add(name="x", datatype="FP64", shape=[2, 1], contents=contents).parameters["p"].string_param = "q"
    return request


def test_every_call_has_its_messages() -> None:
    for name in METHODS:
        for side in ("Request", "Response"):
            empty = message(name + side)
            assert empty.FromString(b"") == empty()
    request = filled()
    assert message("ModelInferRequest").FromString(request.SerializeToString()) == request
    assert DATA_TYPES["TYPE_BOOL"] == 1
    assert (DATA_TYPES["TYPE_INT64"], DATA_TYPES["TYPE_FP64"], DATA_TYPES["TYPE_STRING"]) == (9, 12, 13)


COMPARE = """
import importlib, json, sys
from google.protobuf import json_format
given = json.load(sys.stdin)
module = importlib.import_module(given["module"])
out = {}
for name, text in given["messages"].items():
    if hasattr(module, name):
        read = getattr(module, name).FromString(bytes.fromhex(text))
        said = json_format.MessageToDict(read, preserving_proto_field_name=True)
        out[name] = [said, read.SerializeToString(deterministic=True).hex()]
print(json.dumps(out))
"""


@pytest.mark.slow
def test_the_clients_read_the_same() -> None:
    tensor = {"name": "x", "datatype": "FP64", "shape": [-1, 1]}
    config: dict[str, Any] = {"name": "m", "platform": "p", "backend": "b", "max_batch_size": 7}
    config["input"] = [{"name": "x", "data_type": DATA_TYPES["TYPE_FP64"], "dims": [-1, 1]}]
    config["output"] = [{"name": "y", "data_type": DATA_TYPES["TYPE_STRING"], "dims": [-1, 2]}]
    config["parameters"] = {"k": {"string_value": "v"}}
    messages = {
        "ModelInferRequest": filled(),
        "ModelInferResponse": message("ModelInferResponse")(
            model_name="m",
            model_version="3",
            id="i",
            outputs=[{**tensor, "contents": {"fp64_contents": [1.0]}}],
            raw_output_contents=[b"x"],
            parameters={"a": {"string_param": "b"}},
        ),
        "ModelMetadataResponse": message("ModelMetadataResponse")(
            name="m", versions=["1", "2"], platform="p", inputs=[tensor], outputs=[tensor]
        ),
        "ModelConfigResponse": message("ModelConfigResponse")(config=config),
        "ServerMetadataResponse": message("ServerMetadataResponse")(name="n", version="1", extensions=["a", "b"]),
        "ModelReadyRequest": message("ModelReadyRequest")(name="m", version="1"),
        "RepositoryIndexRequest": message("RepositoryIndexRequest")(repository_name="r", ready=True),
        "RepositoryIndexResponse": message("RepositoryIndexResponse")(
            models=[{"name": "m", "version": "1", "state": "READY", "reason": "r"}]
        ),
    }
    sent = {name: one.SerializeToString(deterministic=True).hex() for name, one in messages.items()}
    # One client a process: each puts its own messages of these names into the one pool that all share.
    triton, kserve = (
        run_client(COMPARE, {"module": module, "messages": sent})
        for module in ("tritonclient.grpc.service_pb2", "kserve.protocol.grpc.grpc_predict_v2_pb2")
    )
    assert set(triton) == set(messages)
    assert {"ModelInferRequest", "ModelInferResponse", "ModelMetadataResponse", "ServerMetadataResponse"} <= set(kserve)
    for name, (_, again) in (*triton.items(), *kserve.items()):
        assert again == sent[name], name
    read = triton["ModelConfigResponse"][0]
    assert read["config"]["input"][0]["data_type"] == "TYPE_FP64"
    assert read["config"]["parameters"] == {"k": {"string_value": "v"}}
    read = kserve["ModelInferRequest"][0]
    assert read["inputs"][0]["contents"]["bytes_contents"] == ["YQ==", ""]
    assert read["parameters"]["c"] == {"string_param": "é"}
