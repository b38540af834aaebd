"""Predictions as JSON and Arrow, small and big, and labels: on a real worker."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.linear_model import Ridge

import plusone
from plusone import packaging
from plusone.base.records import ModelRoute, RouteFile
from plusone.data.tensors import to_table
from plusone.journal import list_segments
from plusone.journal.reading import read
from plusone.predictions.layout import decode_batches, decode_labels, labels_folder, predictions_folder
from plusone.serving.predicting import ASIDE_BYTES
from plusone.workers import routes
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_is_no_arrow_stream_is_refused(one_worker: Supervisor):
    for body in (b"", b"{}", stream_of(pa.table({"x": [1.0]})), stream_of(pa.table(rows_of(2)))[:-30]):
        answer = ask(one_worker.port, "POST", PREDICT, body, {"content-type": ARROW})
        assert (answer[0], error_of(answer)["code"]) == (422, "invalid_input")


@pytest.mark.slow
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


@pytest.mark.slow
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


# ---------------------------------------------------------------------------------- images and sounds


def png(size: int = 8, value: int = 9) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(np.full((size, size), value, dtype=np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def hostile_png(width: int, height: int) -> bytes:
    """A few bytes that say they are an image of any size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1 << 20))), (b"IEND", b""))
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A packaged model of images of 8 x 8 in grey: it answers the mean of an image. Its digest and its folder."""
    values = np.random.default_rng(0).integers(0, 255, (50, 8, 8)).astype(np.uint8)
    mean = values.reshape(50, 64).mean(axis=1)
    # Of one coefficient for each value, all equal.
    model = Ridge(alpha=1e9).fit(values.reshape(50, 64), mean)
    model.coef_, model.intercept_ = np.full(64, 1 / 64), 0.0
    folder = tmp_path_factory.mktemp("package") / "pictures"
    _, digest = packaging.pack(
        model,
        name="m",
        target="mean",
        features=["image"],
        train=to_table({"image": values, "mean": mean}),
        flavour="numpy",
        environment="none==0\n",
        folder=folder,
        media={"image": plusone.Image(height=8, width=8, mode="L")},
    )
    return digest, folder


@pytest.fixture
def gallery(serving: ServingFolder, pictures: tuple[str, Path]) -> Supervisor:
    """One worker that serves the model of images at release 4, and one of numbers at release 1."""
    serving.packages = {**serving.packages, 4: pictures}
    shutil.copytree(pictures[1], serving.path / "packages" / pictures[0])
    models = {
        "m": ModelRoute(version=1, targets=(serving.target(4, 1.0),)),
        "numbers": ModelRoute(version=1, targets=(serving.target(1, 1.0),)),
    }
    routes.publish(serving.path, RouteFile(sequence=1, models=models))
    return serving.start(workers=1)


@pytest.mark.slow
def test_an_image_is_answered_however_it_comes(gallery: Supervisor):
    port = gallery.port
    encoded = base64.b64encode(png()).decode()
    nested = np.full((8, 8), 9).tolist()
    rows = [
        {"image": {"base64": encoded}},
        {"image": nested},
        {"image": {"base64": base64.b64encode(png(30)).decode()}},
    ]
    sent = {
        "image/png": png(),
        "application/json": json.dumps({"rows": rows}),
        ARROW: stream_of(to_table({"image": np.full((2, 8, 8), 9, dtype=np.uint8)})),
    }
    for kind, body in sent.items():
        status, headers, answer = ask(port, "POST", PREDICT, body, {"content-type": kind})
        assert status == 200, answer
        if kind == ARROW:
            found = pa.ipc.open_stream(answer).read_all().column(0).to_pylist()
        else:
            assert headers["content-type"] == "application/json"
            found = json.loads(answer)["predictions"]
        assert found == [9.0] * len(found)
    escaped = json.dumps({"rows": rows}).replace("base64", "\\u0062ase64")
    assert ask(port, "POST", PREDICT, escaped, JSON)[0] == 200
    described = json.loads(ask(port, "GET", "/models/m")[2])["example"]
    assert ask(port, "POST", described["path"], json.dumps(described["body"]), described["headers"])[0] == 200


@pytest.mark.slow
def test_hostile_images_are_clear_errors_and_others_are_answered(gallery: Supervisor):
    port = gallery.port
    for body in (b"", b"GIF89a" * 9, png()[:40], hostile_png(2**31 - 1, 2**31 - 1), hostile_png(20_000, 20_000)):
        answer = ask(port, "POST", PREDICT, body, {"content-type": "image/png"})
        error = error_of(answer)
        assert (answer[0], error["code"]) == (422, "invalid_input")
        assert (error["details"]["row"], error["details"]["field"]) == (0, "image")
        encoded = {"rows": [{"image": {"base64": base64.b64encode(body).decode()}}]}
        answer = ask(port, "POST", PREDICT, json.dumps(encoded), JSON)
        assert (answer[0], error_of(answer)["details"]["field"]) == (422, "image")
    for kind, model in (("image/png", "numbers"), ("audio/wav", "m"), ("image/gif", "m")):
        answer = ask(port, "POST", f"/models/{model}/predict", png(), {"content-type": kind})
        assert (answer[0], error_of(answer)["code"]) == (415, "wrong_content_type")
    assert "image/png" in error_of(answer)["message"]  # of the GIF: what is taken in its place
    assert ask(port, "POST", PREDICT, png(), {"content-type": "image/png"})[0] == 200


@pytest.mark.slow
def test_the_loop_answers_while_a_large_image_is_decoded(gallery: Supervisor):
    sink = io.BytesIO()
    Image.fromarray(np.zeros((7000, 7000), dtype=np.uint8)).save(sink, "PNG")
    large = sink.getvalue()
    assert len(large) < ASIDE_BYTES  # few bytes, and a second of work
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, gallery.port, "POST", PREDICT, large, {"content-type": "image/png"})
        answered = 0
        while not slow.done():
            assert ask(gallery.port, "POST", "/models/numbers/predict", BODY, JSON)[0] == 200
            answered += 1
        assert slow.result()[0] == 200
    assert answered > 5
