"""The Open Inference Protocol on a real worker, by plain HTTP; tests/journeys has its real clients."""

from __future__ import annotations

import gzip
import json
import struct
from typing import Any

import pytest

from plusone.serving.predicting import ASIDE_BYTES
from plusone.workers.supervisor import Supervisor
from tests.serving.serving_folder import ServingFolder, ask, until

INFER = "/v2/models/m/infer"


def body_of(rows: int = 1, **more: Any) -> bytes:
    inputs = [{"name": name, "shape": [rows, 1], "datatype": "FP64", "data": [0.5] * rows} for name in ("x", "z")]
    return json.dumps({"inputs": inputs, **more}).encode()


def test_server_and_models_are_described(one_worker: Supervisor):
    for path, key in (
        ("/v2", "extensions"),
        ("/v2/health/live", "live"),
        ("/v2/health/ready", "ready"),
        ("/v2/models/m", "inputs"),
        ("/v2/models/m/versions/1", "outputs"),
        ("/v2/models/m/ready", "ready"),
        ("/v2/models/m/versions/1/ready", "ready"),
        ("/v2/models/m/config", "input"),
        ("/v2/models/m/stats", "model_stats"),
        ("/v2/models/stats", "model_stats"),
    ):
        status, headers, body = ask(one_worker.port, "GET", path)
        assert (status, headers["content-type"]) == (200, "application/json"), path
        assert json.loads(body)[key], path
    (entry,) = json.loads(ask(one_worker.port, "POST", "/v2/repository/index", b"")[2])
    assert (entry["name"], entry["version"], entry["state"]) == ("m", "1", "READY")


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 3, 40_000])
def test_an_inference_small_or_big_is_answered_with_its_id(one_worker: Supervisor, rows: int):
    body = body_of(rows, id="mine")
    assert (len(body) > ASIDE_BYTES) == (rows > 3)
    status, _, answer = ask(one_worker.port, "POST", INFER, body)
    value = json.loads(answer)
    assert status == 200
    assert (value["model_name"], value["model_version"], value["id"]) == ("m", "1", "mine")
    (output,) = value["outputs"]
    assert output["datatype"] == "FP64"
    assert output["shape"][0] == rows
    assert output["data"] == pytest.approx([1.0] * rows, abs=1e-6)


def test_tensors_as_bytes_both_ways(one_worker: Supervisor):
    inputs = [
        {"name": name, "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": 16}} for name in ("x", "z")
    ]
    text = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    body = text + struct.pack("<4d", 0.1, 0.2, 0.3, 0.4)
    headers = {"inference-header-content-length": str(len(text))}
    status, answered, answer = ask(one_worker.port, "POST", INFER, body, headers)
    assert (status, answered["content-type"]) == (200, "application/octet-stream")
    length = int(answered["inference-header-content-length"])
    assert json.loads(answer[:length])["outputs"][0]["parameters"] == {"binary_data_size": 16}
    assert struct.unpack("<2d", answer[length:]) == pytest.approx((1.0, 1.0), abs=1e-6)


def test_a_body_that_was_packed_is_unpacked_within_the_limit(one_worker: Supervisor):
    packed = {"content-encoding": "gzip"}
    assert ask(one_worker.port, "POST", INFER, gzip.compress(body_of()), packed)[0] == 200
    assert ask(one_worker.port, "POST", INFER, gzip.compress(b" " * 5_000_000), packed)[0] == 413
    assert ask(one_worker.port, "POST", INFER, b"not gzip", packed)[0] == 400


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/v2/models/nope/infer", body_of(), 404, "No model is called 'nope'"),
        ("POST", "/v2/models/m/versions/7/infer", body_of(), 404, "expected live (1), 1"),
        ("GET", "/v2/models/m/versions/7", None, 404, "no release '7' in its route"),
        ("GET", INFER, None, 405, "expected POST"),
        ("POST", "/v2/models/m", b"{}", 405, "expected GET, HEAD"),
        ("GET", "/v2/elsewhere", None, 404, "nothing at"),
        ("POST", INFER, b"{", 400, "JSON"),
        ("POST", INFER, b'{"inputs":[]}', 400, "x"),
        ("POST", INFER, body_of(outputs=[{"name": "nope"}]), 400, "nope"),
        ("POST", INFER, b"x" * 1_048_577, 413, "expected at most"),
    ],
)
def test_errors_have_the_form_of_the_protocol(
    one_worker: Supervisor, method: str, path: str, body: Any, status: int, says: str
):
    answered, headers, answer = ask(one_worker.port, method, path, body)
    assert (answered, headers["content-type"]) == (status, "application/json")
    value = json.loads(answer)
    assert list(value) == ["error"]
    assert says in value["error"]
    if status == 405:
        assert headers["allow"] == ("POST" if path == INFER else "GET, HEAD")


def test_a_release_that_is_kept_warm_can_be_asked_by_its_number(serving: ServingFolder):
    serving.route(1, live=1, warm=2)
    port = serving.start(workers=1).port
    for release in (1, 2):
        value = json.loads(ask(port, "POST", f"/v2/models/m/versions/{release}/infer", body_of())[2])
        assert value["model_version"] == str(release)
        assert value["outputs"][0]["data"] == pytest.approx([float(release)], abs=1e-6)
    assert json.loads(ask(port, "GET", "/v2/models/m")[2])["versions"] == ["1", "2"]


def test_before_anything_is_live_it_says_so(serving: ServingFolder):
    supervisor = serving.start(workers=1, wait=False)
    until(lambda: bool(supervisor.reports()), "a report")
    assert ask(supervisor.port, "GET", "/v2/health/live")[0] == 200
    assert ask(supervisor.port, "GET", "/v2/health/ready")[0] == 503
    status, headers, answer = ask(supervisor.port, "POST", INFER, body_of())
    assert (status, headers["retry-after"]) == (503, "1")
    assert "No model is served yet" in json.loads(answer)["error"]
