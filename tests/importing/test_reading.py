"""What MLflow answers becomes a record, or a refusal of ours."""

from __future__ import annotations

import pytest

from plusone.base.errors import UsageError
from plusone.importing.reading import inputs_of, links_of, model_of, run_of, tags_of


def test_a_run_keeps_its_id_times_and_state() -> None:
    run = run_of(
        {
            "info": {
                "run_id": "0af3",
                "run_name": "r",
                "status": "KILLED",
                "start_time": "1700000000123",
                "end_time": 1700000001000,
                "lifecycle_stage": "deleted",
                "user_id": "me",
            },
            "data": {"params": [{"key": "depth", "value": "3"}], "tags": [{"key": "team", "value": "x"}]},
        },
        "7",
    )
    assert (run.id, run.name, run.status, run.by, run.experiment, run.source) == (
        "0af3",
        "r",
        "interrupted",
        "me",
        "7",
        "mlflow",
    )
    assert run.started_at == "2023-11-14T22:13:20.123000Z"
    assert run.finished_at == run.deleted_at == "2023-11-14T22:13:21.000000Z"
    assert (run.settings, run.tags) == ({"depth": "3"}, {"team": "x"})


def test_what_a_server_leaves_out_is_empty() -> None:
    run = run_of({"info": {"run_id": "a"}}, "0")
    assert (run.name, run.status, run.finished_at, run.deleted_at, run.settings) == ("", "interrupted", None, None, {})
    assert inputs_of({"info": {"run_id": "a"}}) == []
    assert links_of({"info": {"run_id": "a"}}) == []
    assert tags_of(None) == {}


@pytest.mark.parametrize("bad", ["", "..", "a/b", "a b", "\0", "x" * 200, "-a"])
def test_an_id_that_can_be_no_name_of_a_folder_is_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="can't be an id"):
        run_of({"info": {"run_id": bad}}, "0")
    with pytest.raises(UsageError, match="can't be an id"):
        model_of({"info": {"model_id": bad}}, "0")


def test_a_logged_model_keeps_its_metrics_with_nan() -> None:
    model = model_of(
        {
            "info": {"model_id": "m-1", "status": "LOGGED_MODEL_READY", "source_run_id": "r", "name": "n"},
            "data": {"metrics": [{"key": "auc", "value": "NaN", "step": "2", "timestamp": 1500, "run_id": "r"}]},
        },
        "0",
    )
    assert (model.status, model.run_id) == ("READY", "r")
    assert (model.metrics[0].value, model.metrics[0].step, model.metrics[0].at) == ("NaN", 2, 1.5)
