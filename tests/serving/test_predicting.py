"""Predictions as JSON and Arrow, small and big, and labels: on a real worker."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from plusone.journal import list_segments
from plusone.journal.reading import read
from plusone.predictions.layout import decode_batches, decode_labels, labels_folder, predictions_folder
from plusone.serving.predicting import ASIDE_BYTES
from plusone.workers.supervisor import Supervisor
from tests.serving.serving_folder import BODY, MAX_BODY_BYTES, ROW, ServingFolder, ask, error_of, until

PREDICT = "/models/m/predict"
LABELS = "/models/m/labels"
ARROW = "application/vnd.apache.arrow.stream"
JSON = {"content-type": "application/json"}


def stream_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def rows_of(count: int) -> dict[str, list[float]]:
    return {"x": [0.5] * count, "z": [0.25] * count}


def test_columns_are_answered_as_rows_are(one_worker: Supervisor):
    status, _, body = ask(one_worker.port, "POST", PREDICT, json.dumps({"columns": rows_of(3)}), JSON)
    assert status == 200
    assert np.allclose(json.loads(body)["predictions"], 1.0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 40_000])
def test_an_arrow_stream_is_answered_by_one(one_worker: Supervisor, count: int):
    body = stream_of(pa.table(rows_of(count)))
    assert (len(body) > ASIDE_BYTES) == (count > 1)
    status, headers, answer = ask(one_worker.port, "POST", PREDICT, body, {"content-type": ARROW})
    assert (status, headers["content-type"]) == (200, ARROW)
    assert (headers["plusone-model"], headers["plusone-release"]) == ("m", "1")
    assert len(headers["plusone-prediction-id"]) == 26
    table = pa.ipc.open_stream(answer).read_all()
    assert table.num_rows == count
    assert np.allclose(table.column(0).to_numpy(), 1.0, atol=1e-6)


def test_what_is_no_arrow_stream_is_refused(one_worker: Supervisor):
    for body in (b"", b"{}", stream_of(pa.table({"x": [1.0]})), stream_of(pa.table(rows_of(2)))[:-30]):
        answer = ask(one_worker.port, "POST", PREDICT, body, {"content-type": ARROW})
        assert (answer[0], error_of(answer)["code"]) == (422, "invalid_input")


def test_a_big_body_is_answered_as_a_small_one_is_and_its_errors_too(one_worker: Supervisor):
    count = ASIDE_BYTES // len(json.dumps(ROW)) + 1000
    status, _, body = ask(one_worker.port, "POST", PREDICT, json.dumps({"rows": [ROW] * count}), JSON)
    value = json.loads(body)
    assert status == 200
    assert list(value) == ["model", "release", "id", "predictions"]
    assert np.allclose(value["predictions"], np.ones(count), atol=1e-6)
    rows: list[Any] = [ROW] * count
    rows[-1] = {"x": "a", "z": 1.0}
    answer = ask(one_worker.port, "POST", PREDICT, json.dumps({"rows": rows}), JSON)
    error = error_of(answer)
    assert (answer[0], error["code"], error["details"]["row"]) == (422, "invalid_input", count - 1)


def logged(folder: Path) -> list[Any]:
    records = [record for path in list_segments(folder) for record in read(path).records]
    return [batch for record in records for batch in decode_batches(record)]


def test_what_was_answered_is_logged_as_it_was_on_the_wire(one_worker: Supervisor, serving: ServingFolder):
    answers = [ask(one_worker.port, "POST", PREDICT, BODY, JSON)[2] for _ in range(3)]
    folder = predictions_folder(serving.path)
    until(lambda: sum(len(batch[4]) for batch in logged(folder)) == 3, "three logged predictions")
    for model, release, package, at, entries in logged(folder):
        assert (model, release, package) == ("m", 1, serving.packages[1][0])
        assert at > 1.7e9
        for prediction_id, kind, rows, request, answer in entries:
            assert (kind, rows, request) == ("json", 1, BODY)
            assert answer in answers
            assert json.loads(answer)["id"] == prediction_id


def test_only_the_share_that_is_asked_for_is_logged(serving: ServingFolder):
    serving.route(1, live=1)
    port = serving.start(workers=1, log_share=0.0).port
    assert ask(port, "POST", PREDICT, BODY, JSON)[0] == 200
    assert b"plusone_predictions_logged_total 0" in ask(port, "GET", "/metrics")[2]
    assert logged(predictions_folder(serving.path)) == []


def test_labels_are_kept_when_they_are_accepted(one_worker: Supervisor, serving: ServingFolder):
    body = json.dumps({"labels": [{"id": "a", "label": 1.5}, {"id": "b:3", "label": 2}]})
    status, _, answer = ask(one_worker.port, "POST", LABELS, body, JSON)
    assert (status, json.loads(answer)) == (202, {"accepted": 2})
    serving.kill(one_worker.reports()[0].pid)
    kept = [
        decode_labels(record) for path in list_segments(labels_folder(serving.path)) for record in read(path).records
    ]
    assert [(model, [(label[0], json.loads(label[1])) for label in labels]) for model, _, labels in kept] == [
        ("m", [("a", 1.5), ("b:3", 2.0)])
    ]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (LABELS, b'{"labels":[{"id":"a","label":"x"}]}', 422),
        (LABELS, b"{", 422),
        ("/models/nope/labels", b'{"labels":[{"id":"a","label":1}]}', 404),
        (LABELS, b"x" * (MAX_BODY_BYTES + 1), 413),
    ],
)
def test_labels_that_do_not_fit_are_refused(one_worker: Supervisor, path: str, body: bytes, status: int):
    answer = ask(one_worker.port, "POST", path, body, JSON)
    assert answer[0] == status
    assert error_of(answer)["message"]


def test_labels_come_by_post_as_json(one_worker: Supervisor):
    assert ask(one_worker.port, "GET", LABELS)[0] == 405
    assert ask(one_worker.port, "POST", LABELS, b"{}", {"content-type": "text/csv"})[0] == 415


def test_labels_that_can_not_be_written_are_never_accepted(one_worker: Supervisor, serving: ServingFolder):
    # A file where the folder is to be: nothing can be written there, as on a full disk.
    folder = labels_folder(serving.path)
    if folder.exists():
        os.rename(folder, folder.with_name("away"))
    folder.write_bytes(b"")
    answer = ask(one_worker.port, "POST", LABELS, b'{"labels":[{"id":"a","label":1}]}', JSON)
    assert (answer[0], error_of(answer)["code"]) == (503, "store")
    assert answer[1]["retry-after"] == "1"
    folder.unlink()
    assert ask(one_worker.port, "POST", LABELS, b'{"labels":[{"id":"a","label":1}]}', JSON)[0] == 202
