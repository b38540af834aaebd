"""What a worker says of itself beside health and models, which test_app.py has."""

from __future__ import annotations

import json

from plusone.workers.supervisor import Supervisor
from tests.serving.serving_folder import BODY, ask

PREDICT = "/models/m/predict"


def test_the_openapi_document_names_the_model_and_its_fields(one_worker: Supervisor):
    status, headers, body = ask(one_worker.port, "GET", "/openapi.json")
    document = json.loads(body)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert document["openapi"].startswith("3.1")
    assert {PREDICT, "/models/m/labels", "/models", "/metrics", "/v2/health/live"} <= set(document["paths"])
    assert document["servers"] == [{"url": one_worker.address}]


def test_metrics_tell_what_waits_and_what_was_logged(one_worker: Supervisor):
    assert ask(one_worker.port, "POST", PREDICT, BODY)[0] == 200
    body = b'{"labels":[{"id":"a","label":1}]}'
    assert ask(one_worker.port, "POST", "/models/m/labels", body)[0] == 202
    text = ask(one_worker.port, "GET", "/metrics")[2]
    assert b'plusone_requests_waiting{model="m"} 0' in text
    assert b"plusone_labels_accepted_total 1" in text
    assert b"plusone_predictions_dropped_total 0" in text
    assert b'plusone_requests_total{model="m",release="",code="202"} 1' in text


def test_pages_are_for_reading(one_worker: Supervisor):
    for path in ("/openapi.json", "/metrics", "/models", "/health/ready"):
        answer = ask(one_worker.port, "PUT", path, b"")
        assert (answer[0], answer[1]["allow"]) == (405, "GET, HEAD")
