"""Requests that are wrong or mean harm: each gets an error that MLflow's clients know, none a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plusone.gateway.table import endpoints
from plusone.mlflow.recorders import Recorders
from plusone.mlflow_wire import PATHS
from tests.mlflow.asking import Asking

JSON = "application/json"
FIRST: list[str] = []
"""The id of a run that is there."""
CREATE = "/api/2.0/mlflow/experiments/create"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    asking = Asking(tmp_path_factory.mktemp("api") / "p")
    FIRST.append(asking.run(run_name="first"))
    yield asking
    asking.close()


def _answer(
    asking: Asking, verb: str, path: str, *, query: str = "", body: bytes = b"", **named: str
) -> tuple[int, Any]:
    host, content_type = named.get("host", "localhost"), named.get("content_type", JSON)
    found = asking.api.answer(verb, path, query, host, content_type, body)
    return found.status, json.loads(found.body)


@pytest.mark.parametrize("prefix", [path for path in PATHS if path.endswith("mlflow/")])
def test_every_prefix_of_the_api_is_answered(mlflow: Asking, prefix: str):
    assert _answer(mlflow, "GET", f"{prefix}experiments/get", query="experiment_id=0")[0] == 200


@pytest.mark.parametrize("host", ["", "example.org", "127.0.0.1.example.org", "10.0.0.1", "localhost\n"])
def test_a_foreign_host_reaches_nothing(mlflow: Asking, host: str):
    status, answer = _answer(mlflow, "POST", CREATE, body=b'{"name": "x"}', host=host)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    found = mlflow.api.answer_at_once("POST", "/api/2.0/mlflow/runs/log-metric", "", host, JSON, b"{}")
    assert found is not None
    assert found.status == 400
    assert _answer(mlflow, "GET", "/api/2.0/mlflow/experiments/get-by-name", query="experiment_name=x")[0] == 404


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_change_is_taken_only_as_json(mlflow: Asking, content_type: str):
    status, answer = _answer(mlflow, "POST", CREATE, body=b'{"name": "x"}', content_type=content_type)
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "BAD_REQUEST"),
        (b"\xff", "BAD_REQUEST"),
        (b"[" * 100_000, "INVALID_PARAMETER_VALUE"),
        (b"NaN", "BAD_REQUEST"),
        (b'{"name": "\\ud800"}', "BAD_REQUEST"),
        (b"[]", "INVALID_PARAMETER_VALUE"),
        (b"null", "INVALID_PARAMETER_VALUE"),
        (b"{}", "INVALID_PARAMETER_VALUE"),
        (b"", "INVALID_PARAMETER_VALUE"),
        (b'{"name": 5}', "INVALID_PARAMETER_VALUE"),
        (b'{"name": ""}', "INVALID_PARAMETER_VALUE"),
        (b'{"name": "  "}', "INVALID_PARAMETER_VALUE"),
        (b'{"name": "a\\u0000b"}', "INVALID_PARAMETER_VALUE"),
        (b'{"name": "x", "tags": {"a": 1}}', "INVALID_PARAMETER_VALUE"),
        (b'{"name": "x", "tags": [{"value": "no key"}]}', "INVALID_PARAMETER_VALUE"),
        (json.dumps({"name": "x" * 501}).encode(), "INVALID_PARAMETER_VALUE"),
    ],
)
def test_what_does_not_fit_is_refused(mlflow: Asking, body: bytes, code: str):
    status, answer = _answer(mlflow, "POST", CREATE, body=body)
    assert (status, answer["error_code"]) == (400, code)
    assert answer["message"]


def test_what_is_missing_is_named_in_mlflows_words(mlflow: Asking):
    assert "Missing value for required parameter 'name'" in mlflow.refused("POST", "experiments/create")[1]
    assert "'run_id'" in mlflow.refused("GET", "runs/get")[1]
    tags = [{"key": "a"}, {"value": "b"}]
    assert "'tags[1].key'" in mlflow.refused("POST", "experiments/create", name="x", tags=tags)[1]


def test_fields_that_we_have_no_use_for_are_passed_over(mlflow: Asking):
    assert mlflow.post("experiments/create", name="x", artifact_location="s3://elsewhere", workspace="w")
    assert mlflow.get("experiments/get", experiment_id="0", more="x")


@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/mlflow/",
        "/api/2.0/mlflow/experiments",
        "/api/2.0/mlflow/experiments/create/",
        "/api/2.0/mlflow//experiments/create",
        "/api/2.0/mlflow/traces",
        "/api/3.0/mlflow/traces/search",
        "/api/2.0/mlflow/../mlflow/experiments/create",
        "/",
        "",
    ],
)
def test_another_path_is_no_endpoint(mlflow: Asking, path: str):
    status, answer = _answer(mlflow, "POST", path, body=b"{}")
    assert (status, answer["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "HEAD", "OPTIONS", "get", "X" * 1000])
def test_another_verb_is_no_endpoint(mlflow: Asking, verb: str):
    assert _answer(mlflow, verb, CREATE, body=b"{}")[1]["error_code"] == "ENDPOINT_NOT_FOUND"


def test_a_query_with_too_many_fields_is_refused(mlflow: Asking):
    query = "&".join(f"run_id={number}" for number in range(5000))
    status, answer = _answer(mlflow, "GET", "/api/2.0/mlflow/metrics/get-history-bulk", query=query)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_fault_of_ours_is_told_by_a_reference_and_not_by_its_traceback(
    mlflow: Asking, capfd: pytest.CaptureFixture[str]
):
    mlflow.app.store.db.path = None  # pyright: ignore[reportAttributeAccessIssue]  # what nobody does
    mlflow.app.store.db.one = None  # pyright: ignore[reportAttributeAccessIssue]  # nor this
    status, answer = mlflow.send("GET", "experiments/get", {"experiment_id": "0"})
    assert (status, answer["error_code"]) == (500, "INTERNAL_ERROR")
    assert "TypeError" not in answer["message"]
    assert "TypeError" in capfd.readouterr().out


_NAMES = st.sampled_from(
    [
        "run_id",
        "run_ids",
        "run_uuid",
        "experiment_id",
        "experiment_ids",
        "experiment_name",
        "name",
        "new_name",
        "key",
        "value",
        "timestamp",
        "step",
        "metrics",
        "params",
        "tags",
        "filter",
        "order_by",
        "max_results",
        "page_token",
        "view_type",
        "run_view_type",
        "path",
        "metric_key",
        "start_step",
        "end_step",
        "start_time",
        "end_time",
        "status",
        "datasets",
        "models",
        "model_id",
        "version",
        "alias",
        "source",
    ]
)
_WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["0", "FIRST", "../..", "a/b", "NaN", "Infinity", "9" * 400, "\0", "metrics.a > 1", "live", "RUNNING"]
    ),
)
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _WORDS)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(["key", "value", "timestamp", "step", "dataset"]), _WORDS), inner),
    ),
    max_leaves=6,
)
_BODIES = st.one_of(
    st.binary(max_size=50),
    st.dictionaries(_NAMES, _VALUES, max_size=6).map(lambda body: json.dumps(body).encode()),
)
_QUERIES = st.one_of(
    st.text(max_size=40),
    st.lists(st.tuples(_NAMES, _WORDS), max_size=5).map(lambda pairs: "&".join(f"{a}={b}" for a, b in pairs)),
)
_TABLE = [(one.verb, one.path) for one in endpoints(Recorders(None))]  # pyright: ignore[reportArgumentType]  # only its paths are read


@given(st.sampled_from(_TABLE), _WORDS, _QUERIES, _BODIES)
@example(("POST", "runs/create"), "", "", b'{"start_time": 99999999999999999999}')
@example(("POST", "runs/create"), "", "", b'{"start_time": 9223372036854775807}')
@example(("GET", "experiments/search"), "", "max_results=0&view_type=7", b"")
@example(("GET", "metrics/get-history"), "", "run_id=FIRST&metric_key=a&page_token=-1", b"")
@example(
    ("GET", "metrics/get-history-bulk-interval"),
    "",
    f"run_ids=FIRST&metric_key=a&start_step=-{'9' * 30}&end_step=1",
    b"",
)
@example(
    ("POST", "runs/log-batch"), "", "", b'{"run_id": "FIRST", "metrics": [{"key": "a", "value": 1, "timestamp": -1}]}'
)
@example(("POST", "runs/log-metric"), "", "", b'{"run_id": "FIRST", "key": "a", "value": 1e400, "timestamp": 1}')
@example(("POST", "runs/update"), "", "", b'{"run_id": "FIRST", "status": 9}')
def test_nothing_that_is_sent_is_a_fault_of_ours(
    shared: Asking, endpoint: tuple[str, str], word: str, query: str, body: bytes
):
    verb, path = endpoint
    first = FIRST[0]
    path = path.replace("{model_id}", word).replace("{tag_key}", word)
    query, body = query.replace("FIRST", first), body.replace(b"FIRST", first.encode())
    asked = (verb, f"/api/2.0/mlflow/{path}", query, "localhost", JSON, body)
    found = shared.api.answer_at_once(*asked) or shared.api.answer(*asked)
    assert found.status < 500, found.body
    if found.status != 200:
        answer = json.loads(found.body)
        assert set(answer) == {"error_code", "message"}
        assert len(answer["message"]) < 20_000
