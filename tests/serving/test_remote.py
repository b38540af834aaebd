"""The inference service over gRPC of a real worker, by a plain channel; tests/journeys has its real clients."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from plusone.journal import list_segments
from plusone.journal.reading import read
from plusone.predictions.layout import decode_batches, predictions_folder
from plusone.protocols import messages
from plusone.workers.supervisor import Supervisor
from tests.serving.serving_folder import ServingFolder, ask, until

grpc: Any = pytest.importorskip("grpc")


@pytest.fixture
def worker(serving: ServingFolder) -> tuple[Supervisor, Any]:
    """A worker that speaks gRPC, and a channel to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serving.route(1, live=1, warm=2)
    supervisor = serving.start(workers=1, grpc_port=port, queue=4)
    until(lambda: "accepting_grpc" in serving.log(), "gRPC")
    return supervisor, grpc.insecure_channel(f"127.0.0.1:{port}")


def call(channel: Any, name: str, *, metadata: Any = (), **fields: Any) -> Any:
    request, answer = messages.message(f"{name}Request"), messages.message(f"{name}Response")
    method = channel.unary_unary(
        f"/{messages.SERVICE}/{name}",
        request_serializer=request.SerializeToString,
        response_deserializer=answer.FromString,
    )
    return method(request(**fields), timeout=60, metadata=metadata)


def inputs(*values: float) -> list[dict[str, Any]]:
    shape = [len(values), 1]
    return [
        {"name": name, "datatype": "FP64", "shape": shape, "contents": {"fp64_contents": values}} for name in ("x", "z")
    ]


def test_a_call_is_answered_counted_and_logged(worker: tuple[Supervisor, Any], serving: ServingFolder):
    supervisor, channel = worker
    assert call(channel, "ServerReady").ready
    answer = call(channel, "ModelInfer", model_name="m", id="mine", inputs=inputs(1.0, 2.0))
    assert (answer.model_name, answer.model_version, answer.id) == ("m", "1", "mine")
    other = call(channel, "ModelInfer", model_name="m", model_version="2", inputs=inputs(1.0))
    assert other.model_version == "2"
    text = ask(supervisor.port, "GET", "/metrics")[2]
    assert b'plusone_requests_total{model="m",release="1",code="200"} 1' in text
    assert b'plusone_rows_total{model="m",release="1"} 2' in text

    def logged() -> list[Any]:
        records = [one for path in list_segments(predictions_folder(serving.path)) for one in read(path).records]
        return [entry for record in records for batch in decode_batches(record) for entry in batch[4]]

    until(lambda: len(logged()) == 2, "two logged predictions")
    assert [(kind, rows) for _, kind, rows, _, _ in logged()] == [("grpc", 2), ("grpc", 1)]
    channel.close()


def test_metadata_chooses_a_release_or_brings_a_key(worker: tuple[Supervisor, Any], serving: ServingFolder):
    supervisor, channel = worker
    serving.publish(2, serving.target(1, 0.5, stage="live"), serving.target(2, 0.5, stage="canary"))
    until(lambda: b'plusone_route_version{model="m"} 2' in ask(supervisor.port, "GET", "/metrics")[2], "the route")

    def release(**metadata: str) -> str:
        said = [(name.replace("_", "-"), value) for name, value in metadata.items()]
        return call(channel, "ModelInfer", metadata=said, model_name="m", inputs=inputs(1.0)).model_version

    assert (release(plusone_release="live"), release(plusone_release="canary")) == ("1", "2")
    keys = [f"user-{number}" for number in range(20)]
    first = [release(plusone_key=key) for key in keys]
    assert [release(plusone_key=key) for key in keys] == first
    assert set(first) == {"1", "2"}
    for metadata, code in (
        ({"plusone_release": "shadow"}, "NOT_FOUND"),
        ({"plusone_key": "k" * 201}, "INVALID_ARGUMENT"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            release(**metadata)
        assert caught.value.code() is getattr(grpc.StatusCode, code)
    channel.close()


def test_errors_are_statuses(worker: tuple[Supervisor, Any]):
    supervisor, channel = worker
    for fields, code in (
        ({"model_name": "nope", "inputs": inputs(1.0)}, "NOT_FOUND"),
        ({"model_name": "m", "model_version": "7", "inputs": inputs(1.0)}, "NOT_FOUND"),
        ({"model_name": "m", "inputs": inputs(float("nan"))}, "INVALID_ARGUMENT"),
        ({"model_name": "m"}, "INVALID_ARGUMENT"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call(channel, "ModelInfer", **fields)
        assert caught.value.code() is getattr(grpc.StatusCode, code)
        assert caught.value.details()
    listed = call(channel, "RepositoryIndex").models
    assert sorted((one.name, one.version) for one in listed) == [("m", "1"), ("m", "2")]
    assert json.loads(ask(supervisor.port, "GET", "/v2/health/live")[2])["live"]
    channel.close()
