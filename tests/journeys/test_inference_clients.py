"""The clients of Triton and KServe against a real worker: every call that they have for what is offered.

They live in an environment of their own, which `make slow` makes; PLUSONE_INFERENCE_PYTHON names another one.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from plusone import packaging
from plusone.predictor import Predictor, load
from plusone.workers.supervisor import stop_workers
from tests.http.server import free_port
from tests.packaged import flights
from tests.protocols.clients import run_client
from tests.serving.serving_folder import ServingFolder

__all__ = ["flights"]

pytestmark = pytest.mark.slow

ROWS = 6


def pack(folder: Path, frame: pd.DataFrame, rounds: int) -> str:
    """Package a model of the airport that a flight leaves from; return the digest."""
    features = ["carrier", "tailnum", "hour", "weekend", "gust"]
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["carrier", "tailnum"]), remainder="passthrough"
    )
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=rounds))
    model.fit(frame[features], frame["origin"])
    table = pa.Table.from_pandas(frame[[*features, "origin"]], preserve_index=False)
    _, digest = packaging.pack(
        model, name="m", target="origin", features=features, train=table, environment="none==0\n", folder=folder
    )
    return digest


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory, flights: pd.DataFrame) -> dict[int, tuple[str, Path]]:
    """Two releases: the digest and the folder of each."""
    root = tmp_path_factory.mktemp("packages")
    return {number: (pack(root / str(number), flights, number), root / str(number)) for number in (1, 2)}


@pytest.fixture(scope="module")
def ports(packages: dict[int, tuple[str, Path]]) -> Iterator[dict[str, int]]:
    """One worker with release 2 live and release 1 warm: where it speaks HTTP and gRPC."""
    root = Path(tempfile.mkdtemp(prefix="plusone-clients-"))
    folder = ServingFolder(root / "serving", packages)
    try:
        folder.route(2, live=2, warm=1)
        grpc_port = free_port()
        yield {"port": folder.start(workers=1, grpc_port=grpc_port).port, "grpc_port": grpc_port}
    finally:
        for supervisor in folder.supervisors:
            supervisor.stop(timeout_s=3.0)
        stop_workers(folder.path, timeout_s=1.0)
        shutil.rmtree(root)


@pytest.fixture
def asked(flights: pd.DataFrame, ports: dict[str, int]) -> dict[str, Any]:
    """What the scripts are given: the ports, and rows with a missing string and a missing number among them."""
    frame = flights[["carrier", "tailnum", "hour", "weekend", "gust"]].head(ROWS).copy()
    frame.loc[0, "tailnum"] = None
    frame.loc[1, "gust"] = np.nan
    rows = json.loads(frame.to_json(orient="records") or "")
    return {**ports, "rows": rows}


def expected(packages: dict[int, tuple[str, Path]], release: int, rows: list[dict[str, Any]]) -> tuple[list[str], Any]:
    """Return the labels and the probabilities that a release answers."""
    digest, folder = packages[release]
    predictor: Predictor = load(folder, digest)
    answer = predictor.run(predictor.columns(rows))
    return answer.labels.tolist(), answer.probabilities.astype(np.float64)


TRITON = """
import json, sys
import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException
given = json.load(sys.stdin)
client = triton.InferenceServerClient(f"127.0.0.1:{given['port']}")
out = {"live": client.is_server_live(), "ready": client.is_server_ready()}
out["models"] = [client.is_model_ready(*name) for name in (("m",), ("m", "1"), ("m", "2"), ("m", "3"), ("nobody",))]
out["server"] = client.get_server_metadata()
meta = client.get_model_metadata("m", "2")
out["versions"] = meta["versions"]
out["config"] = client.get_model_config("m")["max_batch_size"]
out["index"] = [(one["version"], one["state"]) for one in client.get_model_repository_index()]
KINDS = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}
def tensors(rows, binary):
    for one in meta["inputs"]:
        values = np.array([row[one["name"]] for row in rows], dtype=KINDS[one["datatype"]]).reshape(-1, 1)
        tensor = triton.InferInput(one["name"], values.shape, one["datatype"])
        yield tensor.set_data_from_numpy(values, binary_data=binary)
def ask(binary_in, binary_out, version="", **more):
    wanted = [triton.InferRequestedOutput(one["name"], binary_data=binary_out) for one in meta["outputs"]]
    result = client.infer(
        "m", list(tensors(given["rows"], binary_in)), version, wanted if binary_out is not None else None,
        request_id="mine", parameters={"missing_string": "None"}, **more,
    )
    labels = [one.decode() if isinstance(one, bytes) else one for one in result.as_numpy("origin").ravel().tolist()]
    said = result.get_response()
    return [said["id"], said["model_version"], labels, result.as_numpy("probabilities").tolist()]
out["answers"] = [
    ask(True, None), ask(True, True), ask(True, False), ask(False, None), ask(False, False),
    ask(True, None, request_compression_algorithm="gzip"), ask(True, None, request_compression_algorithm="deflate"),
    ask(True, None, response_compression_algorithm="gzip"),
]
out["old"] = ask(True, None, "1")
handle = client.async_infer("m", list(tensors(given["rows"], True)), parameters={"missing_string": "None"})
out["later"] = handle.get_result().get_response()["model_name"]
out["stats"] = client.get_inference_statistics("m", "1")["model_stats"][0]["inference_stats"]["success"]["count"]
out["errors"] = []
for name, version, inputs in (("m", "", []), ("m", "9", list(tensors(given["rows"], True))), ("nobody", "", [])):
    try:
        client.infer(name, inputs, version)
    except InferenceServerException as error:
        out["errors"].append([error.status(), error.message()])
big = given["rows"] * 2000
result = client.infer("m", list(tensors(big, True)), parameters={"missing_string": "None"})
out["big"] = result.as_numpy("probabilities")[: len(given["rows"])].tolist()
out["bigs"] = list(result.as_numpy("origin").shape)
print(json.dumps(out))
"""


def test_triton_over_http(packages: dict[int, tuple[str, Path]], asked: dict[str, Any]) -> None:
    labels, shares = expected(packages, 2, asked["rows"])
    found = run_client(TRITON, asked)
    assert (found["live"], found["ready"]) == (True, True)
    assert found["models"] == [True, True, True, False, False]
    assert found["server"]["name"] == "plusone"
    assert (found["versions"], found["config"]) == (["1", "2"], 0)
    assert found["index"] == [["1", "READY"], ["2", "READY"]]
    assert len(found["answers"]) == 8
    for identity, version, said, values in found["answers"]:
        assert (identity, version, said) == ("mine", "2", labels)
        np.testing.assert_array_equal(values, shares)
    identity, version, said, values = found["old"]
    old_labels, old_shares = expected(packages, 1, asked["rows"])
    assert (version, said) == ("1", old_labels)
    np.testing.assert_array_equal(values, old_shares)
    assert found["later"] == "m"
    assert found["stats"] >= 1
    (none, of_none), (version, of_version), (nobody, of_nobody) = found["errors"]
    assert (none, version, nobody) == ("400", "404", "404")
    assert of_none.startswith("The request has no input 'carrier'")
    assert "has no release '9'" in of_version
    assert "'nobody'" in of_nobody
    np.testing.assert_array_equal(found["big"], shares)
    assert found["bigs"] == [ROWS * 2000, 1]


KSERVE = """
import asyncio, json, sys
import numpy as np
from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig
given = json.load(sys.stdin)
KINDS = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}
NAMES = {"carrier": "BYTES", "tailnum": "BYTES", "hour": "INT64", "weekend": "BOOL", "gust": "FP64"}
def request(binary, name):
    inputs = []
    for key, kind in NAMES.items():
        values = [row[key] for row in given["rows"]]
        tensor = InferInput(key, [len(values), 1], kind)
        array = np.array(values, dtype=KINDS[kind]).reshape(-1, 1)
        if binary:
            tensor.set_data_from_numpy(array, binary_data=True)
        else:
            tensor = InferInput(key, [len(values), 1], kind, data=values)
        inputs.append(tensor)
    return InferRequest("m", inputs, request_id=name, parameters={"missing_string": "None"})
async def main():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    base = f"http://127.0.0.1:{given['port']}"
    out = {"live": await client.is_server_live(base), "ready": await client.is_server_ready(base)}
    out["models"] = [await client.is_model_ready(base, name) for name in ("m", "nobody")]
    out["answers"] = []
    for binary in (True, False):
        answer = await client.infer(base, request(binary, "mine"), model_name="m")
        named = {one.name: one.as_numpy().tolist() for one in answer.outputs}
        out["answers"].append([answer.id, sum(named["origin"], []), named["probabilities"]])
    try:
        await client.infer(base, {"inputs": []}, model_name="m")
    except Exception as error:
        out["error"] = [type(error).__name__, str(error)]
    await client.close()
    print(json.dumps(out))
asyncio.run(main())
"""


def test_kserve_over_http(packages: dict[int, tuple[str, Path]], asked: dict[str, Any]) -> None:
    labels, shares = expected(packages, 2, asked["rows"])
    found = run_client(KSERVE, asked)
    assert (found["live"], found["ready"], found["models"]) == (True, True, [True, False])
    assert len(found["answers"]) == 2
    for identity, said, values in found["answers"]:
        assert (identity, said) == ("mine", labels)
        np.testing.assert_array_equal(values, shares)
    assert found["error"][0] == "HTTPStatusError"
    assert "The request has no input 'carrier'" in found["error"][1]


REMOTE = """
import json, sys
import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException
given = json.load(sys.stdin)
client = triton.InferenceServerClient(f"127.0.0.1:{given['grpc_port']}")
out = {"live": client.is_server_live(), "ready": client.is_server_ready()}
out["models"] = [client.is_model_ready(*name) for name in (("m",), ("m", "1"), ("m", "3"), ("nobody",))]
meta = client.get_model_metadata("m", as_json=True)
out["versions"] = meta["versions"]
out["index"] = [one["version"] for one in client.get_model_repository_index(as_json=True)["models"]]
KINDS = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}
def ask(rows, version=""):
    inputs = []
    for one in meta["inputs"]:
        values = np.array([row[one["name"]] for row in rows], dtype=KINDS[one["datatype"]]).reshape(-1, 1)
        inputs.append(triton.InferInput(one["name"], values.shape, one["datatype"]))
        inputs[-1].set_data_from_numpy(values)
    result = client.infer("m", inputs, version, parameters={"missing_string": "None"})
    labels = [one.decode() for one in result.as_numpy("origin").ravel().tolist()]
    return result.get_response().model_version, labels, result.as_numpy("probabilities").tolist()
out["live_answer"] = ask(given["rows"])
out["old_answer"] = ask(given["rows"], "1")
out["big"] = len(ask(given["rows"] * 2000)[1])
out["errors"] = []
for name, version in (("m", ""), ("m", "9"), ("nobody", "")):
    try:
        client.infer(name, [], version)
    except InferenceServerException as error:
        out["errors"].append([error.status(), error.message()])
print(json.dumps(out))
"""


def test_triton_over_grpc(packages: dict[int, tuple[str, Path]], asked: dict[str, Any]) -> None:
    found = run_client(REMOTE, asked)
    assert (found["live"], found["ready"]) == (True, True)
    assert found["models"] == [True, True, False, False]
    assert (found["versions"], found["index"]) == (["1", "2"], ["1", "2"])
    for key, release in (("live_answer", 2), ("old_answer", 1)):
        labels, shares = expected(packages, release, asked["rows"])
        version, said, values = found[key]
        assert (version, said) == (str(release), labels)
        np.testing.assert_array_equal(values, shares)
    assert found["big"] == ROWS * 2000
    statuses, messages = zip(*found["errors"], strict=True)
    assert statuses == ("StatusCode.INVALID_ARGUMENT", "StatusCode.NOT_FOUND", "StatusCode.NOT_FOUND")
    assert messages[0].startswith("The request has no input 'carrier'")
    assert "has no release '9'" in messages[1]
    assert "'nobody'" in messages[2]
