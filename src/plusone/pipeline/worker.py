"""The process in which a project's own code runs: `python -m plusone.pipeline.worker`, asked over a pipe.

Requests: `plan` (import the pipeline, check everything), `steps`, `fingerprint`, and `train` or `take` (a model that
was trained elsewhere). A reply is an object, with `error` in it when the request failed.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..base.errors import PlusoneError
from ..base.ids import digest_bytes
from ..execution.environment import lock_text
from ..execution.local import serve_requests
from ..recording import active
from ..recording.recorder import Recorder
from ..store import open_store
from .declare import StepSpec
from .engine import Engine
from .graph import Graph, load_graph
from .settings import settings_for
from .taking import TakeRequest, check_settings, take
from .training import train

__all__ = ["main"]


class _Worker:
    def __init__(self, pipeline: Path, store: Path) -> None:
        self.pipeline = pipeline
        self.root = Path.cwd()  # the project's folder: what lies below it is the project's code
        self.store_folder = store
        self.graph: Graph | None = None
        self.engine: Engine | None = None
        self.environment = ""
        self.actions: dict[str, Callable[[dict[str, Any], Any], dict[str, Any]]] = {
            "plan": self.plan,
            "steps": self.steps,
            "fingerprint": self.fingerprint,
            "train": self.train,
            "take": self.take,
        }

    def handle(self, request: dict[str, Any], on_event: Any) -> dict[str, Any]:
        try:
            return self.actions[request["do"]](request, on_event)
        except PlusoneError as error:
            body = error.as_dict()
            body["error"]["kind"] = type(error).__name__
            return body
        except Exception as error:
            traceback.print_exc()
            message = f"{type(error).__name__}: {error}"
            return {"error": {"kind": "PlusoneError", "code": "internal", "message": message}}

    def plan(self, request: dict[str, Any], on_event: Any) -> dict[str, Any]:
        self.environment = lock_text()
        graph = self.graph = load_graph(self.pipeline, reserved=frozenset(request["reserved"]))
        # A step can be run without saying which of several models it is for.
        needs_model = request["model"] or not request["until"] or len(graph.models) == 1
        trainer = graph.pick_model(request["model"]) if needs_model else None
        settings = settings_for(graph, request["settings"])
        if trainer and request.get("taken") is not None:
            check_settings(trainer, list(graph.steps.values()), request["settings"])
            settings[trainer.name] = {}
        unknown = sorted(set(request["force"]) - set(graph.steps))
        if unknown:
            graph.wanted(None, unknown[0])
        wanted = graph.wanted(trainer, request["until"])
        store = open_store(self.store_folder)
        self.engine = Engine(
            graph,
            store,
            root=self.root,
            run_id=request["run_id"],
            settings=settings,
            environment=digest_bytes(self.environment.encode()),
            force=frozenset(request["force"]),
            on_event=on_event,
        )
        # It is never closed: when this process ends, whoever began the run moves what is left in its journal.
        active.start(Recorder(store, request["run_id"]))
        relevant = [*wanted, *([trainer] if trainer and request["until"] is None else [])]
        return {
            "model": trainer.model.name if trainer and trainer.model else None,
            "trainer": trainer.name if trainer else None,
            "models": list(graph.models),
            "learning": _learning(graph, trainer),
            "steps": [spec.name for spec in wanted],
            "outputs": list(graph.makers),
            "settings": {key: value for spec in relevant for key, value in settings[spec.name].items()},
            "environment": self.environment,
        }

    def steps(self, request: dict[str, Any], on_event: Any) -> dict[str, Any]:
        graph, engine = self._ready()
        wanted = [graph.steps[name] for name in request["steps"]]
        return {"outputs": engine.run(wanted)}

    def fingerprint(self, request: dict[str, Any], on_event: Any) -> dict[str, Any]:
        graph, engine = self._ready()
        return {"fingerprint": engine.fingerprint(graph.pick_model(request["model"]), taken=request.get("taken"))}

    def train(self, request: dict[str, Any], on_event: Any) -> dict[str, Any]:
        graph, engine = self._ready()
        package, cached = train(engine, graph.pick_model(request["model"]))
        return {"package": package, "cached": cached}

    def take(self, request: dict[str, Any], on_event: Any) -> dict[str, Any]:
        graph, engine = self._ready()
        asked = msgspec.convert(request, TakeRequest)
        package, cached = take(engine, graph.pick_model(asked.model), asked)
        return {"package": package, "cached": cached}

    def _ready(self) -> tuple[Graph, Engine]:
        if self.graph is None or self.engine is None:
            raise PlusoneError("The pipeline was not planned yet: expected the request 'plan' first.")
        return self.graph, self.engine


def _learning(graph: Graph, trainer: StepSpec | None) -> dict[str, Any] | None:
    """Return what a model learns from and what it is to answer, as its declaration says."""
    if trainer is None or trainer.model is None:
        return None
    return {
        "inputs": trainer.inputs,
        "targets": trainer.model.targets,
        "features": trainer.model.features,
        "upstream": graph.upstream(trainer),
        "sources": graph.sources(trainer),
    }


def main(arguments: list[str] | None = None) -> None:
    """Serve the requests of the process that started this one, until it closes the pipe."""
    parser = argparse.ArgumentParser(prog="plusone.pipeline.worker")
    parser.add_argument("--pipes", nargs=2, type=int, required=True)
    parser.add_argument("--pipeline", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    given = parser.parse_args(arguments)
    worker = _Worker(given.pipeline, given.store)
    serve_requests(given.pipes[0], given.pipes[1], worker.handle)


if __name__ == "__main__":
    sys.path[:] = [place for place in sys.path if place]
    main()
