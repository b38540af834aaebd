"""A client of the registry's endpoints without a network, on a project whose releases are written straight."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from plusone.app.app import App
from plusone.mlflow_models import models, registry
from plusone.mlflow_wire.api import Api
from plusone.tracking.artifacts import log_bytes
from plusone.tracking.logged_models import add_logged_model
from tests.release.written import Written

__all__ = ["Registering"]


class Registering:
    """Sends requests, and checks the status of what comes back."""

    def __init__(self, written: Written) -> None:
        self.written = written
        self.app = App(written.root)
        self.api = Api(self.app, [*registry.ENDPOINTS, *models.ENDPOINTS])
        model = add_logged_model(written.store, "0", name="model")
        log_bytes(written.store, model.id, "model.skops", b"bytes")
        self.source = f"models:/{model.id}"
        self.model_id = model.id

    def __call__(self, verb: str, path: str, **values: Any) -> dict[str, Any]:
        """Return the answer to a request that must be taken."""
        status, body = self._send(verb, path, values)
        assert status == 200, body
        return body

    def refused(self, verb: str, path: str, **values: Any) -> tuple[str, str]:
        """Return the code and the message of a request that must be refused."""
        status, body = self._send(verb, path, values)
        assert status in (400, 404), body
        return body["error_code"], body["message"]

    def _send(self, verb: str, path: str, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        query = urlencode(values, doseq=True) if verb == "GET" else ""
        body = b"" if verb == "GET" else json.dumps(values).encode()
        found = self.api.answer(verb, f"/api/2.0/mlflow/{path}", query, "localhost", "application/json", body)
        return found.status, json.loads(found.body)
