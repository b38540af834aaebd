"""The registry as a client asks for it: codes, pages, filters, reserved aliases."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plusone.app.app import App
from plusone.registry import catalogue
from plusone.release import lifecycle
from tests.http.server import served
from tests.journeys.projects import make_project, run_json
from tests.mlflow_models.registering import Registering
from tests.release.written import PASSED, Written


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Registering]:
    written = Written(tmp_path / "p")
    asking = Registering(written)
    yield asking
    asking.app.store.close()
    written.close()


def _version(ask: Registering, name: str, number: int) -> dict[str, Any]:
    return ask("GET", "model-versions/get", name=name, version=str(number))["model_version"]


def _tags(found: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in found["tags"]}


def test_a_model_is_made_described_renamed_and_deleted(ask: Registering):
    made = ask("POST", "registered-models/create", name="x", tags=[{"key": "a", "value": "b"}], description="d")
    assert made["registered_model"]["name"] == "x"
    assert made["registered_model"]["creation_timestamp"] > 1e12
    assert ask.refused("POST", "registered-models/create", name="x")[0] == "RESOURCE_ALREADY_EXISTS"
    ask("PATCH", "registered-models/update", name="x", description="new")
    ask("POST", "registered-models/set-tag", name="x", key="c", value="1")
    ask("DELETE", "registered-models/delete-tag", name="x", key="a")
    found = ask("GET", "registered-models/get", name="x")["registered_model"]
    assert (found["description"], _tags(found), found["aliases"]) == ("new", {"c": "1"}, [])
    renamed = ask("POST", "registered-models/rename", name="x", new_name="y")["registered_model"]
    assert (renamed["name"], renamed["description"]) == ("y", "new")
    ask("POST", "registered-models/create", name="z")
    assert ask.refused("POST", "registered-models/rename", name="y", new_name="z")[0] == "RESOURCE_ALREADY_EXISTS"
    ask("DELETE", "registered-models/delete", name="y")
    code, message = ask.refused("GET", "registered-models/get", name="y")
    assert (code, message) == ("RESOURCE_DOES_NOT_EXIST", "Registered Model with name=y not found")


def test_a_version_is_made_described_and_deleted(ask: Registering):
    assert ask.refused("POST", "model-versions/create", name="x", source=ask.source)[0] == "RESOURCE_DOES_NOT_EXIST"
    ask("POST", "registered-models/create", name="x")
    made = ask("POST", "model-versions/create", name="x", source=ask.source, tags=[{"key": "a", "value": "b"}])
    version = made["model_version"]
    assert (version["version"], version["status"], version["model_id"]) == ("1", "READY", ask.model_id)
    assert (version["current_stage"], version["user_id"]) == ("None", "mlflow")
    assert _tags(version) == {"a": "b", "plusone.stage": "candidate"}
    ask("PATCH", "model-versions/update", name="x", version="1", description="d")
    ask("POST", "model-versions/set-tag", name="x", version="1", key="c", value="1")
    ask("DELETE", "model-versions/delete-tag", name="x", version="1", key="a")
    found = _version(ask, "x", 1)
    assert (found["description"], _tags(found)["c"], "a" in _tags(found)) == ("d", "1", False)
    assert ask("GET", "model-versions/get-download-uri", name="x", version="1") == {"artifact_uri": ask.source}
    ask("DELETE", "model-versions/delete", name="x", version="1")
    code, message = ask.refused("GET", "model-versions/get", name="x", version="1")
    assert (code, message) == ("RESOURCE_DOES_NOT_EXIST", "Model Version (name=x, version=1) not found")
    assert ask("POST", "model-versions/create", name="x", source=ask.source)["model_version"]["version"] == "2"


@pytest.mark.parametrize("version", ["", "one", "-1", "1.0", "\u0663", "9" * 30])
def test_a_version_that_is_no_number_is_an_invalid_parameter(ask: Registering, version: str):
    ask("POST", "registered-models/create", name="x")
    code, _ = ask.refused("GET", "model-versions/get", name="x", version=version)
    assert code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("name", ["a/b", "a:b", "x" * 1000, "\n", "."])
def test_a_hostile_name_is_an_invalid_parameter(ask: Registering, name: str):
    code, _ = ask.refused("POST", "registered-models/create", name=name)
    assert code == "INVALID_PARAMETER_VALUE"


def test_a_release_is_a_version_with_its_digest(ask: Registering):
    release = ask.written.release(live=True)
    found = _version(ask, "m", 1)
    own = {"plusone.stage": "live", "plusone.digest": release.digest, "plusone.package": found["source"]}
    assert _tags(found) == own
    assert (found["aliases"], found["run_id"], found["current_stage"]) == (["live"], release.run_id, "Production")
    assert ask.refused("POST", "registered-models/create", name="m")[0] == "RESOURCE_ALREADY_EXISTS"
    for verb, path, more in (
        ("DELETE", "model-versions/delete", {"version": "1"}),
        ("DELETE", "registered-models/delete", {}),
        ("POST", "registered-models/rename", {"new_name": "n"}),
    ):
        assert ask.refused(verb, path, name="m", **more)[0] == "INVALID_STATE"
    code, message = ask.refused("POST", "model-versions/set-tag", name="m", version="1", key="plusone.stage", value="x")
    assert code == "INVALID_PARAMETER_VALUE", message


def test_setting_live_is_promote_and_goes_through_the_gate(ask: Registering):
    ask.written.release(live=True)
    ask.written.release()
    ask.written.release(checks=[*PASSED, ("model", "failed")])
    ask("POST", "registered-models/alias", name="m", alias="live", version="2")
    assert ask.written.stages() == {1: "previous", 2: "live", 3: "candidate"}
    decisions = ask.app.list_decisions(model="m", release=2)
    assert [(one.by, one.after, one.override) for one in decisions] == [("mlflow", "live", False)]
    ask("POST", "registered-models/alias", name="m", alias="live", version="2")  # again: no error, and no decision
    assert ask.app.list_decisions(model="m", release=2) == decisions
    code, message = ask.refused("POST", "registered-models/alias", name="m", alias="live", version="3")
    assert code == "INVALID_STATE"
    assert "tests/test_model.py::test_2" in message, "the check that closes the gate is named"
    assert "failed" in message
    found = ask("GET", "registered-models/alias", name="m", alias="live")["model_version"]
    assert found["version"] == "2"
    aliases = ask("GET", "registered-models/get", name="m")["registered_model"]["aliases"]
    assert aliases == [{"alias": "live", "version": "2"}, {"alias": "previous", "version": "1"}]


def test_previous_is_never_set_and_neither_is_deleted(ask: Registering):
    ask.written.release(live=True)
    code, _ = ask.refused("POST", "registered-models/alias", name="m", alias="previous", version="1")
    assert code == "INVALID_STATE"
    for alias in ("live", "previous"):
        assert ask.refused("DELETE", "registered-models/alias", name="m", alias=alias)[0] == "INVALID_STATE"
    assert ask.written.stages() == {1: "live"}


def test_a_candidate_that_was_registered_is_never_made_live_as_it_is(ask: Registering):
    ask("POST", "registered-models/create", name="x")
    ask("POST", "model-versions/create", name="x", source=ask.source)
    code, message = ask.refused("POST", "registered-models/alias", name="x", alias="live", version="1")
    assert code == "INVALID_STATE"
    assert "plusone release --from x@1" in message
    assert lifecycle.current_route(ask.app.store.db, "x") is None


def test_other_aliases_are_free(ask: Registering):
    ask.written.release(live=True)
    ask.written.release()
    ask("POST", "registered-models/alias", name="m", alias="champion", version="1")
    ask("POST", "registered-models/alias", name="m", alias="champion", version="2")
    assert _version(ask, "m", 2)["aliases"] == ["champion"]
    assert _version(ask, "m", 1)["aliases"] == ["live"]
    ask("DELETE", "registered-models/alias", name="m", alias="champion")
    code, message = ask.refused("GET", "registered-models/alias", name="m", alias="champion")
    assert (code, message) == ("INVALID_PARAMETER_VALUE", "Registered model alias champion not found.")
    code, _ = ask.refused("POST", "registered-models/alias", name="m", alias="champion", version="9")
    assert code == "RESOURCE_DOES_NOT_EXIST"
    code, _ = ask.refused("POST", "registered-models/alias", name="m", alias="Latest", version="1")
    assert code == "INVALID_PARAMETER_VALUE"


def test_mlflows_stages_are_answered_from_ours(ask: Registering):
    ask.written.release(live=True)
    ask.written.release()
    moved = ask("POST", "model-versions/transition-stage", name="m", version="2", stage="production")
    assert moved["model_version"]["current_stage"] == "Production"
    assert _version(ask, "m", 1)["current_stage"] == "Archived"
    code, _ = ask.refused("POST", "model-versions/transition-stage", name="m", version="2", stage="Archived")
    assert code == "INVALID_STATE"
    code, _ = ask.refused("POST", "model-versions/transition-stage", name="m", version="2", stage="Best")
    assert code == "INVALID_PARAMETER_VALUE"
    found = ask("POST", "registered-models/get-latest-versions", name="m", stages=["Production"])["model_versions"]
    assert [one["version"] for one in found] == ["2"]
    assert len(ask("GET", "registered-models/get-latest-versions", name="m")["model_versions"]) == 2


def test_models_are_found_by_filter_in_order_and_page_by_page(ask: Registering):
    for number in range(7):
        ask("POST", "registered-models/create", name=f"x{number}", tags=[{"key": "odd", "value": str(number % 2)}])
    path = "registered-models/search"
    found = ask("GET", path, filter="name LIKE 'x%' and tags.odd = '1'", order_by="name DESC")
    assert [one["name"] for one in found["registered_models"]] == ["x5", "x3", "x1"]
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = ask("GET", path, max_results=3, **token)
        names += [one["name"] for one in page["registered_models"]]
        if "next_page_token" not in page:
            break
        token = {"page_token": page["next_page_token"]}
    assert names == [f"x{number}" for number in range(7)]
    for wrong in ({"page_token": "x"}, {"page_token": "AAAA"}, {**token, "filter": "name = 'x1'"}, {"max_results": 0}):
        assert ask.refused("GET", path, **wrong)[0] == "INVALID_PARAMETER_VALUE"
    assert ask.refused("GET", path, filter="colour = 'x'")[0] == "INVALID_PARAMETER_VALUE"


def test_versions_are_found_by_filter_and_in_order(ask: Registering):
    release = ask.written.release(live=True)
    ask("POST", "registered-models/create", name="x")
    for _ in range(3):
        ask("POST", "model-versions/create", name="x", source=ask.source)
    ask("DELETE", "model-versions/delete", name="x", version="2")
    path = "model-versions/search"

    def found(**values: Any) -> list[tuple[str, str]]:
        return [(one["name"], one["version"]) for one in ask("GET", path, **values)["model_versions"]]

    assert found(filter="name = 'x'", order_by="version_number ASC") == [("x", "1"), ("x", "3")]
    assert found(filter="name = 'x'") == [("x", "3"), ("x", "1")]
    assert found(filter=f"run_id = '{release.run_id}'") == [("m", "1")]
    assert found(filter="tags.`plusone.stage` = 'live'") == [("m", "1")]
    assert found(filter=f"run_id IN ('{release.run_id}', 'b')") == [("m", "1")]
    page = ask("GET", path, max_results=2)
    assert len(page["model_versions"]) == 2
    assert len(ask("GET", path, max_results=2, page_token=page["next_page_token"])["model_versions"]) == 1


def test_prompts_lie_in_the_registry_and_are_no_candidates(ask: Registering):
    tag = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    ask("POST", "registered-models/create", name="p", tags=tag)
    ask("POST", "model-versions/create", name="p", source="dummy-source", tags=tag)
    assert ask("GET", "registered-models/search")["registered_models"] == []
    found = ask("GET", "registered-models/search", filter="tags.`mlflow.prompt.is_prompt` = 'true'")
    assert [one["name"] for one in found["registered_models"]] == ["p"]
    ask("POST", "registered-models/create", name="x")
    found = ask("GET", "registered-models/search", filter="name != 'y' AND tags.`mlflow.prompt.is_prompt` != 'true'")
    assert [one["name"] for one in found["registered_models"]] == ["x"], "what is no prompt has no such tag"
    assert ask.app.list_releases() == []


ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).parent / "scripts" / "registry.py"
# Read at import: a fixture clears these variables.
MLFLOW = Path(os.environ.get("PLUSONE_MLFLOW_PYTHON") or ROOT / ".venv-mlflow" / "bin" / "python")


def _client(address: str, *words: str) -> None:
    """Run a part of the script with MLflow's own client."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PYTHON"))}
    done = subprocess.run(
        [str(MLFLOW), "-P", "-W", "ignore", str(SCRIPT), address, *words],
        env={**kept, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("done\n")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not MLFLOW.exists(), reason="not run: MLflow's client is not installed (make slow installs it)")
def test_mlflows_own_client_registers_loads_and_promotes(tmp_path: Path):
    root = make_project(tmp_path / "p")
    assert run_json(root, "release")["outcome"] == "live"
    with served(root) as address:
        _client(address, "register")
        assert run_json(root, "release", "--from", "m@2", "--no-promote")["stage"] == "passed"
        _client(address, "promote")
    with App(root) as app:
        assert catalogue.get_model(app.store.db, "m").aliases == {"live": 2, "previous": 1, "champion": 2}
        assert [one.by for one in app.list_decisions(model="m", release=2) if one.after == "live"] == ["mlflow"]
        assert {one.number: one.stage for one in app.list_releases(model="m")}[3] == "candidate"
