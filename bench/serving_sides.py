"""The servers that are measured beside each other: how each is started, what it is sent, what it answers.

All serve the same trained model from the same folder: `model.joblib` for those that run scikit-learn, the package with
its `model.onnx` for plusone and for the bare programs. Each peer runs as its documentation has it, with one worker,
through its own protocol, in a virtual environment without plusone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from . import flights, machine

HERE = Path(__file__).resolve().parent
CEILINGS = HERE / "ceilings"
MODEL = "flight-delays"
PATH = f"/models/{MODEL}/predict"

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Side:
    """One server.

    Attributes:
        venv: the name of its virtual environment in `bench.__main__`; empty: the one that runs this.
        arguments: what follows the Python: called with the folder of the model and the port.
        once: measured with the first model only; that says which of them are the fastest.
        kind: `bare`: one run per request; `batched`: a bare program with one run for all that came in together.
    """

    name: str
    title: str
    kind: Literal["plusone", "peer", "bare", "batched", "echo"]
    venv: str
    arguments: Callable[[Path, int], list[str]]
    ready: str
    path: str
    body: Callable[[Row], bytes]
    probability: Callable[[Any], float]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    once: bool = False


@dataclasses.dataclass(frozen=True)
class Running:
    """A side that is up: `start_s` is what it took from its start to its first answer that it is ready."""

    side: Side
    port: int
    pid: int
    start_s: float


def _rows(row: Row) -> bytes:
    return json.dumps({"rows": [row]}).encode()


def _records(row: Row) -> bytes:
    return json.dumps({"dataframe_records": [row]}).encode()


def _tensors(row: Row) -> bytes:
    """One row in the Open Inference Protocol: a tensor for each column."""
    inputs: list[dict[str, Any]] = []
    for name, value in row.items():
        text = isinstance(value, str)
        tensor = {"name": name, "shape": [1, 1], "datatype": "BYTES" if text else "INT64", "data": [value]}
        inputs.append({**tensor, "parameters": {"content_type": "str"}} if text else tensor)
    return json.dumps({"parameters": {"content_type": "pd"}, "inputs": inputs}).encode()


def _predictions(answer: Any) -> float:
    return answer["predictions"][0]["probabilities"]["true"]


def _worker(folder: Path, port: int) -> list[str]:
    return ["-m", "plusone.serving.worker", "--folder", str(folder / "serving"), "--port", str(port)]


def _uvicorn(folder: Path, port: int) -> list[str]:
    command = ["-m", "uvicorn", "peer_fastapi:app", "--app-dir", str(HERE), "--port", str(port)]
    return [*command, "--workers", "1", "--no-access-log", "--log-level", "warning"]


def _mlserver(name: str, batching: Mapping[str, Any]) -> Callable[[Path, int], list[str]]:
    """MLServer as its settings have it: two files. It listens on two ports more, whatever is asked of it."""

    def arguments(folder: Path, port: int) -> list[str]:
        ports = {"http_port": port, "grpc_port": machine.free_port(), "metrics_port": machine.free_port()}
        server = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
        uri = str(folder / "model.joblib")
        model = {"name": MODEL, "implementation": "peer_mlserver.FlightDelays", "parameters": {"uri": uri}, **batching}
        settings = folder / name
        settings.mkdir(exist_ok=True)
        (settings / "settings.json").write_text(json.dumps(server), "utf-8")
        (settings / "model-settings.json").write_text(json.dumps(model), "utf-8")
        program = f"import sys; sys.path.append({str(HERE)!r}); from mlserver.cli import main; main()"
        return ["-c", program, "start", str(settings)]

    return arguments


def _mlflow(folder: Path, port: int) -> list[str]:
    command = ["-m", "mlflow", "models", "serve", "-m", str(folder / "mlflow"), "--env-manager", "local"]
    return [*command, "-h", "127.0.0.1", "-p", str(port), "-w", "1"]


def _bentoml(folder: Path, port: int) -> list[str]:
    command = ["-m", "bentoml", "serve", "peer_bentoml:FlightDelays", "--working-dir", str(HERE)]
    return [*command, "--host", "127.0.0.1", "--port", str(port)]


def _litserve(folder: Path, port: int) -> list[str]:
    return [str(HERE / "peer_litserve.py"), str(port)]


def _bare(program: str) -> Callable[[Path, int], list[str]]:
    return lambda folder, port: [str(CEILINGS / f"{program}.py"), str(port)]


def _peer(name: str, title: str, arguments: Callable[[Path, int], list[str]], **how: Any) -> Side:
    given: dict[str, Any] = {"ready": "/health", "path": "/predict", "body": _rows, "probability": _predictions, **how}
    return Side(
        name, title, "peer", how.get("venv", name), arguments, **{k: v for k, v in given.items() if k != "venv"}
    )


def _ceiling(
    name: str, title: str, program: str, kind: Literal["bare", "batched", "echo"] = "bare", *, once: bool = False
) -> Side:
    environment = {"BATCH": "1"} if kind == "batched" else {}
    return Side(name, title, kind, "ceilings", _bare(program), "/", PATH, _rows, _predictions, environment, once)


PLUSONE = Side("plusone", "plusone", "plusone", "", _worker, "/health/ready", PATH, _rows, _predictions)
FASTAPI = _peer("fastapi", "FastAPI by hand", _uvicorn, ready="/health/ready", path=PATH)
ECHO = _ceiling("echo", "a server that does nothing", "echo", "echo")
CEILING_SIDES = (
    _ceiling("uvloop", "bare, uvloop", "on_uvloop"),
    _ceiling("batched", "bare, uvloop, one run a turn", "on_uvloop", "batched"),
    _ceiling("epoll", "bare, epoll", "on_epoll"),
    _ceiling("fastwsgi", "bare, fastwsgi", "on_fastwsgi", once=True),
    _ceiling("granian", "bare, granian", "on_granian", once=True),
    _ceiling("socketify", "bare, socketify", "on_socketify", once=True),
)
_INFER: dict[str, Any] = {
    "venv": "mlserver",
    "ready": "/v2/health/ready",
    "path": f"/v2/models/{MODEL}/infer",
    "body": _tensors,
    "probability": lambda answer: answer["outputs"][0]["data"][1],
}
PEER_SIDES = (
    FASTAPI,
    _peer("mlserver", "MLServer", _mlserver("mlserver", {}), **_INFER),
    _peer(
        "mlserver-batching",
        "MLServer, batches of 2 ms",
        _mlserver("mlserver-batching", {"max_batch_size": 64, "max_batch_time": 0.002}),
        once=True,
        **_INFER,
    ),
    _peer(
        "mlflow",
        "MLflow models serve",
        _mlflow,
        ready="/ping",
        path="/invocations",
        body=_records,
        probability=lambda answer: answer["predictions"][0][1],
        environment={"MLFLOW_DISABLE_TELEMETRY": "true"},
    ),
    _peer(
        "bentoml",
        "BentoML",
        _bentoml,
        ready="/readyz",
        probability=lambda answer: answer[0]["probabilities"]["true"],
        environment={"BENTOML_DO_NOT_TRACK": "True"},
    ),
    _peer("litserve", "LitServe", _litserve),
)


@contextlib.contextmanager
def running(side: Side, folder: Path, pythons: Mapping[str, Path], *more: str) -> Iterator[Running]:
    """Run one side while the block runs, on the model in `folder`; `more`: further arguments of its command."""
    python = pythons[side.venv] if side.venv else Path(sys.executable)
    port = machine.free_port()
    model = folder / "model.joblib" if side.kind == "peer" else folder / "serving" / "package"
    environment = {**side.environment, "MODEL": str(model), "BENTOML_HOME": str(folder / "bentoml")}
    if side.venv == "mlflow":
        # It starts `uvicorn` by name.
        environment["PATH"] = f"{python.parent}:/usr/local/bin:/usr/bin:/bin"
    command = [str(python), *side.arguments(folder, port), *more]
    began = time.perf_counter()
    ready = f"http://127.0.0.1:{port}{side.ready}"
    # Peers are not asked twice: some take half a minute to end.
    patience_s = 15.0 if side.kind == "plusone" else 3.0
    with machine.running(command, ready, folder / f"{side.name}.log", environment, folder, patience_s) as pid:
        yield Running(side, port, pid, time.perf_counter() - began)


def write_mlflow(folder: Path, python: Path) -> None:
    """Write the model in `folder` once more, as MLflow keeps it. `-P`: bench/mlflow.py is not the one that is meant."""
    command = [str(python), "-P", str(HERE / "peer_mlflow_serving.py")]
    subprocess.run([*command, str(folder / "model.joblib"), str(folder / "mlflow")], check=True, capture_output=True)


def family_bytes(one: Running) -> int:
    """The memory of a side's processes together; what they share counts once."""
    return sum(machine.memory(pid)["pss"] for pid in machine.family(one.pid))


def sample(folder: Path, count: int = 256) -> list[Row]:
    """Real rows to ask about."""
    return flights.rows(flights.flights(), count)
