"""The gRPC service on a real port: answers, statuses, limits, drain; and the real clients, unchanged."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
import numpy as np
import pandas as pd
import pytest
import uvloop

from plusone.base.errors import ConfigError, NotFound, Overloaded, PlusoneError, TooSlow, Unavailable
from plusone.predictor import Answer, Predictor
from plusone.protocols.grpc_service import InferenceServer
from plusone.protocols.messages import SERVICE, message
from plusone.protocols.served import Served
from plusone.tensors.tensors import Read
from tests.protocols.clients import run_client

LIMIT = 1024 * 1024


class Models:
    """A backend that runs models as they are asked, and keeps what it was told."""

    def __init__(self, *served: Served) -> None:
        self.served = served
        self.is_ready = True
        self.problem: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.running = asyncio.Event()
        self.told: list[tuple[Served | None, str, bytes, bytes | PlusoneError]] = []

    def live(self) -> bool:
        return True

    def ready(self) -> bool:
        return self.is_ready

    def models(self) -> Sequence[Served]:
        return self.served

    def failed(self) -> Mapping[str, str]:
        return {"broken": "its file is gone"}

    def choose(self, model: str, version: str, prediction_id: str, metadata: Mapping[str, str]) -> Served:
        self.metadata = metadata
        return self.find(model, version)

    def find(self, model: str, version: str) -> Served:
        for one in self.served:
            if one.model == model and version in ("", str(one.release)):
                return one
        raise NotFound(f"No model is called {model!r}.")

    async def run(self, served: Served, read: Read, prediction_id: str) -> Answer:
        self.running.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.problem is not None:
            raise self.problem
        return served.predictor.run(read.columns)

    def answered(
        self, served: Served | None, prediction_id: str, request: bytes, outcome: bytes | PlusoneError
    ) -> None:
        self.told.append((served, prediction_id, request, outcome))


Calls = Callable[..., Awaitable[Any]]


@contextlib.asynccontextmanager
async def serving(backend: Models, **options: Any) -> AsyncIterator[tuple[InferenceServer, Calls]]:
    """Serve a backend; gives the server, and a function that calls it by name."""
    server = InferenceServer(backend, version="1.2", max_body_bytes=LIMIT, **options)
    port = await server.start("127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

        async def call(name: str, /, **fields: Any) -> Any:
            request = message(f"{name}Request")(**fields).SerializeToString()
            return message(f"{name}Response").FromString(await channel.unary_unary(f"/{SERVICE}/{name}")(request))

        try:
            yield server, call
        finally:
            await server.close(1.0)


def run(main: Awaitable[None]) -> None:
    """Run on the loop that a worker has."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main, 30))


def numbers(*values: float) -> dict[str, Any]:
    """Return the fields of a request to `minutes`, raw."""
    tensor = {"name": "x", "datatype": "FP64", "shape": [len(values), 1]}
    return {"model_name": "minutes", "inputs": [tensor], "raw_input_contents": [np.array(values).tobytes()]}


async def refused(call: Awaitable[Any]) -> tuple[str, str]:
    """Return the status and the words of a call that must not be answered."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code().name, caught.value.details() or ""


@pytest.mark.slow
def test_every_call_is_answered(late: Predictor, minutes: Predictor) -> None:
    async def main() -> None:
        backend = Models(Served("minutes", 3, minutes), Served("late", 7, late))
        async with serving(backend) as (_, call):
            assert (await call("ServerLive")).live
            assert (await call("ServerReady")).ready
            backend.is_ready = False
            assert not (await call("ServerReady")).ready
            said = await call("ServerMetadata")
            assert (said.name, said.version) == ("plusone", "1.2")
            assert "binary_tensor_data" in said.extensions
            for model, version, ready in (("minutes", "", True), ("minutes", "3", True), ("minutes", "4", False)):
                assert (await call("ModelReady", name=model, version=version)).ready is ready
            assert not (await call("ModelReady", name="nobody")).ready
            assert [one.name for one in (await call("ModelMetadata", name="minutes")).inputs] == ["x"]
            assert (await call("ModelConfig", name="late", version="7")).config.name == "late"
            index = await call("RepositoryIndex")
            assert [(one.name, one.version, one.state) for one in index.models] == [
                ("late", "7", "READY"),
                ("minutes", "3", "READY"),
                ("broken", "", "UNAVAILABLE"),
            ]
            assert len((await call("RepositoryIndex", ready=True)).models) == 2
            found = await call("ModelInfer", **numbers(1.0, 2.0), id="mine")
            assert (found.model_name, found.model_version, found.id) == ("minutes", "3", "mine")
            np.testing.assert_allclose(np.frombuffer(found.raw_output_contents[0]), [3.0, 5.0], rtol=1e-6)
            (told,) = backend.told
            assert told[0] == backend.served[0]
            assert told[1] == found.parameters["prediction_id"].string_param
            assert message("ModelInferResponse").FromString(told[3]) == found

    run(main())


def test_each_error_has_its_status(minutes: Predictor) -> None:
    async def main() -> None:
        backend = Models(Served("minutes", 3, minutes))
        logged: list[tuple[str, dict[str, Any]]] = []
        async with serving(backend, log=lambda event, **fields: logged.append((event, fields))) as (_, call):
            for fields, status, words in (
                ({**numbers(1.0), "model_name": "nobody"}, "NOT_FOUND", "No model is called 'nobody'"),
                ({**numbers(1.0), "model_version": "9"}, "NOT_FOUND", "No model"),
                ({**numbers(1.0), "raw_input_contents": []}, "INVALID_ARGUMENT", "Input 'x' has 0 values: expected 1"),
                (numbers(float("inf")), "INVALID_ARGUMENT", "'x'"),
                ({**numbers(1.0), "outputs": [{"name": "z"}]}, "INVALID_ARGUMENT", "has no output 'z': expected y"),
            ):
                code, text = await refused(call("ModelInfer", **fields))
                assert code == status
                assert words in text
            assert len(backend.told) == 5
            assert all(isinstance(outcome, PlusoneError) for *_, outcome in backend.told)
            assert (await refused(call("ModelMetadata", name="nobody")))[0] == "NOT_FOUND"
            for problem, status in (
                (Overloaded("Too many wait.", mend="wait"), "RESOURCE_EXHAUSTED"),
                (TooSlow("It took too long."), "DEADLINE_EXCEEDED"),
                (Unavailable("It is gone."), "UNAVAILABLE"),
                (ValueError("secret"), "INTERNAL"),
            ):
                backend.problem = problem
                code, text = await refused(call("ModelInfer", **numbers(1.0)))
                assert code == status
                assert "secret" not in text
            assert text == "An unexpected error: the worker's log has the cause."
            assert logged == [("grpc_call_failed", {"call": "ModelInfer", "error": "ValueError: secret"})]
            backend.problem = None
            assert (await call("ModelInfer", **numbers(1.0))).model_name == "minutes"

    run(main())


def test_what_is_big_is_answered_and_what_is_too_big_refused(minutes: Predictor) -> None:
    async def main() -> None:
        async with serving(Models(Served("minutes", 3, minutes))) as (_, call):
            values = np.linspace(0.0, 1.0, 100_000)
            found = await call("ModelInfer", **numbers(*values))
            np.testing.assert_allclose(np.frombuffer(found.raw_output_contents[0]), 2 * values + 1, rtol=1e-5)
            code, text = await refused(call("ModelInfer", **numbers(*np.zeros(200_000))))
            assert code == "RESOURCE_EXHAUSTED"
            assert str(LIMIT) in text
            assert (await call("ModelInfer", **numbers(1.0))).model_name == "minutes"

    run(main())


def test_no_more_calls_are_under_way_than_may_be(minutes: Predictor) -> None:
    async def main() -> None:
        backend = Models(Served("minutes", 3, minutes))
        backend.hold = asyncio.Event()
        async with serving(backend, max_calls=1) as (_, call):
            first = asyncio.ensure_future(call("ModelInfer", **numbers(1.0)))
            await backend.running.wait()
            assert (await refused(call("ModelInfer", **numbers(1.0))))[0] == "RESOURCE_EXHAUSTED"
            backend.hold.set()
            assert (await first).model_name == "minutes"

    run(main())


def test_a_call_that_is_given_up_is_told(minutes: Predictor) -> None:
    async def main() -> None:
        backend = Models(Served("minutes", 3, minutes))
        backend.hold = asyncio.Event()
        async with serving(backend) as (_, call):
            asked = asyncio.ensure_future(call("ModelInfer", **numbers(1.0)))
            await backend.running.wait()
            asked.cancel()
            async with asyncio.timeout(10):
                while not backend.told:
                    await asyncio.sleep(0)
            assert isinstance(backend.told[0][3], TooSlow)
            backend.hold.set()
            assert (await call("ModelInfer", **numbers(1.0))).model_name == "minutes"
            assert len(backend.told) == 2

    run(main())


def test_calls_under_way_are_answered_before_it_ends(minutes: Predictor) -> None:
    async def main() -> None:
        backend = Models(Served("minutes", 3, minutes))
        backend.hold = asyncio.Event()
        async with serving(backend) as (server, call):
            asked = asyncio.ensure_future(call("ModelInfer", **numbers(1.0)))
            await backend.running.wait()
            closing = asyncio.ensure_future(server.close(10.0))
            await asyncio.sleep(0)
            backend.hold.set()
            assert (await asked).model_name == "minutes"
            await closing
            assert (await refused(call("ServerLive")))[0] == "UNAVAILABLE"

    run(main())


def test_without_grpc_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['grpc'] = None\n"
        "from plusone.base.errors import ConfigError\n"
        "from plusone.protocols.grpc_service import InferenceServer\n"
        "assert not [name for name in sys.modules if name.startswith('google.protobuf')]\n"
        "try: InferenceServer(None, version='1', max_body_bytes=1)\n"
        "except ConfigError as error: print(error.mend)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'plusone[grpc]'" in done.stdout


def test_an_address_that_can_not_be_listened_on_is_said(minutes: Predictor) -> None:
    async def main() -> None:
        server = InferenceServer(Models(Served("minutes", 3, minutes)), version="1", max_body_bytes=LIMIT)
        with pytest.raises(ConfigError, match=r"192\.0\.2\.1:7402 can't be listened on"):
            await server.start("192.0.2.1", 7402)
        await server.close(0.0)

    run(main())


TRITON = """
import json, sys
import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException
given = json.load(sys.stdin)
client = triton.InferenceServerClient(f"127.0.0.1:{given['port']}")
out = {"live": client.is_server_live(), "ready": client.is_server_ready(), "model": client.is_model_ready("late", "7")}
out["none"] = client.is_model_ready("nobody")
out["server"] = client.get_server_metadata(as_json=True)["name"]
meta = client.get_model_metadata("late", as_json=True)
out["inputs"] = {one["name"]: one["datatype"] for one in meta["inputs"]}
out["config"] = client.get_model_config("late", as_json=True)["config"]["input"][0]["data_type"]
out["index"] = [one["state"] for one in client.get_model_repository_index(as_json=True)["models"]]
kinds = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}
inputs = []
for one in meta["inputs"]:
    values = np.array([row[one["name"]] for row in given["rows"]], dtype=kinds[one["datatype"]]).reshape(-1, 1)
    tensor = triton.InferInput(one["name"], values.shape, one["datatype"])
    tensor.set_data_from_numpy(values)
    inputs.append(tensor)
result = client.infer("late", inputs, request_id="mine", parameters={"missing_string": "None"})
out["id"] = result.get_response().id
out["label"] = result.as_numpy("late").ravel().tolist()
out["shares"] = result.as_numpy("probabilities").tolist()
try:
    client.infer("late", inputs[1:])
except InferenceServerException as error:
    out["error"] = [error.status(), error.message()]
print(json.dumps(out))
"""

KSERVE = """
import asyncio, json, sys
import numpy as np
from kserve import InferInput, InferRequest, InferenceGRPCClient
given = json.load(sys.stdin)
async def main():
    client = InferenceGRPCClient(f"127.0.0.1:{given['port']}")
    out = {"live": await client.is_server_live(), "ready": await client.is_server_ready()}
    out["model"] = await client.is_model_ready("minutes")
    for name, data in (("raw", np.array([[1.0], [2.0]])), ("typed", [1.0, 2.0])):
        tensor = InferInput("x", [2, 1], "FP64", data=data)
        answer = await client.infer(InferRequest("minutes", [tensor], request_id=name))
        out[name] = [answer.id, answer.outputs[0].as_numpy().ravel().tolist()]
    await client.close()
    print(json.dumps(out))
asyncio.run(main())
"""


@pytest.mark.slow
def test_the_clients_work_unchanged(late: Predictor, minutes: Predictor, flights: pd.DataFrame) -> None:
    rows = flights.drop(columns="target").head(8)
    expected = late.run(late.columns(rows))
    given = json.loads(rows.to_json(orient="records") or "")
    found: dict[str, Any] = {}

    async def main() -> None:
        backend = Models(Served("late", 7, late), Served("minutes", 3, minutes))
        server = InferenceServer(backend, version="1.2", max_body_bytes=LIMIT)
        port = await server.start("127.0.0.1", 0)
        for name, script in (("triton", TRITON), ("kserve", KSERVE)):
            found[name] = await asyncio.to_thread(run_client, script, {"port": port, "rows": given})
        await server.close(1.0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    triton, kserve = found["triton"], found["kserve"]
    assert [triton[key] for key in ("live", "ready", "model", "none")] == [True, True, True, False]
    assert (triton["server"], triton["id"], triton["config"]) == ("plusone", "mine", "TYPE_STRING")
    assert triton["index"] == ["READY", "READY", "UNAVAILABLE"]
    assert triton["label"] == expected.labels.tolist()
    np.testing.assert_array_equal(triton["shares"], expected.probabilities.astype(np.float64))
    assert triton["error"][0] == "StatusCode.INVALID_ARGUMENT"
    assert triton["error"][1].startswith("The request has no input 'carrier'")
    assert [kserve[key] for key in ("live", "ready", "model")] == [True, True, True]
    for name in ("raw", "typed"):
        assert kserve[name][0] == name
        np.testing.assert_allclose(kserve[name][1], [3.0, 5.0], rtol=1e-6)
