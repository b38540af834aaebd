"""Logged models as a client asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.tracking.artifacts import log_bytes
from plusone.tracking.experiments import add_experiment
from plusone.tracking.logged_models import Logged, log_model_metrics, models_of_run
from plusone.tracking.runs import start_run
from tests.mlflow_models.registering import Registering
from tests.release.written import Written


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Registering]:
    written = Written(tmp_path / "p")
    asking = Registering(written)
    yield asking
    asking.app.store.close()
    written.close()


def _make(ask: Registering, **values: object) -> str:
    made = ask("POST", "logged-models", experiment_id="0", **values)
    return made["model"]["info"]["model_id"]


def test_a_model_is_made_finished_described_and_deleted(ask: Registering):
    params = [{"key": "C", "value": "1"}]
    made = ask("POST", "logged-models", experiment_id="0", name="m1", model_type="kind", params=params)["model"]
    info = made["info"]
    path = f"logged-models/{info['model_id']}"
    assert info["artifact_uri"] == f"mlflow-artifacts:/0/models/{info['model_id']}/artifacts"
    assert (info["status"], info["model_type"], made["data"]["params"]) == ("LOGGED_MODEL_PENDING", "kind", params)
    assert ask("PATCH", path, status="LOGGED_MODEL_READY")["model"]["info"]["status"] == "LOGGED_MODEL_READY"
    assert ask("PATCH", path, status=3)["model"]["info"]["status"] == "LOGGED_MODEL_UPLOAD_FAILED"
    ask("PATCH", f"{path}/tags", tags=[{"key": "a", "value": "b"}, {"key": "c", "value": "d"}])
    ask("DELETE", f"{path}/tags/a")
    ask("POST", f"{path}/params", params=[{"key": "l1", "value": "2"}])
    found = ask("GET", path)["model"]
    assert found["info"]["tags"] == [{"key": "c", "value": "d"}]
    assert [one["key"] for one in found["data"]["params"]] == ["C", "l1"]
    ask("DELETE", path)
    code, message = ask.refused("GET", path)
    assert (code, message) == ("RESOURCE_DOES_NOT_EXIST", f"Logged model with ID '{info['model_id']}' not found.")
    assert ask("GET", path, allow_deleted="true")["model"]["info"]["model_id"] == info["model_id"]


def test_a_model_says_under_which_names_it_is_registered(ask: Registering):
    ask("POST", "registered-models/create", name="x")
    ask("POST", "model-versions/create", name="x", source=ask.source, model_id=ask.model_id)
    found = ask("GET", f"logged-models/{ask.model_id}")["model"]["info"]
    assert found["registrations"] == [{"name": "x", "version": "1"}]


def test_its_files_are_listed_folder_by_folder(ask: Registering):
    log_bytes(ask.app.store, ask.model_id, "data/x/y", b"12345")
    path = f"logged-models/{ask.model_id}/artifacts/directories"
    assert ask("GET", path)["files"] == [
        {"path": "data", "is_dir": True},
        {"path": "model.skops", "is_dir": False, "file_size": 5},
    ]
    inner = ask("GET", path, artifact_directory_path="data/x")["files"]
    assert inner == [{"path": "data/x/y", "is_dir": False, "file_size": 5}]
    assert ask.refused("GET", path, artifact_directory_path="../x")[0] == "INVALID_PARAMETER_VALUE"


def test_models_are_found_by_filter_metric_and_dataset(ask: Registering):
    other = add_experiment(ask.app.store, "other").id
    ids = [_make(ask, name=f"m{number}", tags=[{"key": "n", "value": str(number)}]) for number in range(4)]
    for number, id_ in enumerate(ids):
        log_model_metrics(
            ask.app.store,
            "r",
            [Logged(id_, "auc", number / 10, dataset_name="a"), Logged(id_, "auc", -number / 10, dataset_name="b")],
        )

    def found(**values: object) -> list[str]:
        body = {"experiment_ids": ["0", other], **values}
        answer = ask("POST", "logged-models/search", **body)
        return [one["info"]["name"] for one in answer["models"] if one["info"]["model_id"] != ask.model_id]

    assert found() == ["m3", "m2", "m1", "m0"], "the newest first"
    assert found(filter="name = 'm2'") == ["m2"]
    assert found(filter="tags.n = '1' AND metrics.auc > 0.05") == ["m1"]
    assert found(filter="metrics.auc < 0") == ["m3", "m2", "m1"]
    assert found(filter="metrics.auc < 0", datasets=[{"dataset_name": "a"}]) == []
    assert found(filter="status = 'READY'") == []
    by_b = [{"field_name": "metrics.auc", "ascending": True, "dataset_name": "b"}]
    assert found(order_by=by_b) == ["m3", "m2", "m1", "m0"]
    assert found(order_by=[{"field_name": "name", "ascending": True}]) == ["m0", "m1", "m2", "m3"]
    for wrong in ({"filter": "colour = 'x'"}, {"order_by": [{"field_name": ""}]}, {"max_results": 0}):
        code, _ = ask.refused("POST", "logged-models/search", experiment_ids=["0"], **wrong)
        assert code == "INVALID_PARAMETER_VALUE"


def test_a_search_goes_on_from_its_page(ask: Registering):
    for number in range(5):
        _make(ask, name=f"m{number}")
    names: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = ask("POST", "logged-models/search", experiment_ids=["0"], max_results=2, **more)
        names += [one["info"]["name"] for one in page["models"]]
        if "next_page_token" not in page:
            break
        more = {"page_token": page["next_page_token"]}
    assert names == ["m4", "m3", "m2", "m1", "m0", "model"]


@pytest.mark.parametrize("step", [0, 5])
def test_a_run_says_which_models_it_made(ask: Registering, step: int):
    run = start_run(ask.app.store, name="r", source="mlflow")
    run.finish("done")
    ask("POST", "runs/outputs", run_id=run.record.id, models=[{"model_id": ask.model_id, "step": step}])
    assert models_of_run(ask.app.store, run.record.id) == [(ask.model_id, "output", step)]
    code, _ = ask.refused("POST", "runs/outputs", run_id="nobody", models=[])
    assert code == "RESOURCE_DOES_NOT_EXIST"
