"""A client of MLflow's API without a network: what it sends goes to `Api` as bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from plusone.app.app import App
from plusone.gateway.table import at_once, endpoints
from plusone.mlflow.recorders import Recorders
from plusone.mlflow_wire.api import Api

__all__ = ["Asking"]


class Asking:
    """Sends requests to the API of a new project, and checks the status of what comes back."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        (root / "pyproject.toml").write_text('[project]\nname = "p"\n[tool.plusone]\n', "utf-8")
        self.app = App(root)
        self.recorders = Recorders(self.app.store)
        self.api = Api(self.app, endpoints(self.recorders), at_once(self.recorders))

    def close(self) -> None:
        """Close the store."""
        self.recorders.close_all()
        self.app.store.close()

    def send(self, verb: str, path: str, values: dict[str, Any] | bytes) -> tuple[int, dict[str, Any]]:
        """Return the status and the answer to any request."""
        is_get = verb == "GET"
        query = urlencode(values, doseq=True) if is_get and isinstance(values, dict) else ""
        body = values if isinstance(values, bytes) else b"" if is_get else json.dumps(values).encode()
        asked = (verb, f"/api/2.0/mlflow/{path}", query, "127.0.0.1:7400", "application/json", body)
        found = self.api.answer_at_once(*asked) or self.api.answer(*asked)
        return found.status, json.loads(found.body)

    def post(self, path: str, **values: Any) -> dict[str, Any]:
        """Return the answer to a change that must be taken."""
        status, answer = self.send("POST", path, values)
        assert status == 200, answer
        return answer

    def get(self, path: str, **values: Any) -> dict[str, Any]:
        """Return the answer to a question that must be answered."""
        status, answer = self.send("GET", path, values)
        assert status == 200, answer
        return answer

    def refused(self, verb: str, path: str, **values: Any) -> tuple[str, str]:
        """Return the code and the message of a request that must be refused."""
        status, answer = self.send(verb, path, values)
        assert 400 <= status < 500, answer
        assert set(answer) == {"error_code", "message"}
        return answer["error_code"], answer["message"]

    def run(self, **values: Any) -> str:
        """Begin a run and return its id."""
        return self.post("runs/create", **values)["run"]["info"]["run_id"]
