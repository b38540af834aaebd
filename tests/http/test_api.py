"""Requests that mean harm, and requests that are merely wrong: each gets a clear error, none a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plusone.app.app import App
from plusone.app.operations import OPERATIONS
from plusone.http.api import Answer, Api
from tests.doors.story import write_story

JSON = "application/json"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    root = tmp_path_factory.mktemp("api") / "p"
    write_story(root)
    with App(root) as app:
        yield Api(app)


def _get(api: Api, path: str, query: str = "", host: str = "localhost:7400") -> Answer:
    return api.answer("GET", path, query, host, "", b"")


def _post(api: Api, path: str, body: bytes, content_type: str = JSON) -> Answer:
    return api.answer("POST", path, "", "127.0.0.1", content_type, body)


def _error(answer: Answer) -> dict[str, Any]:
    return json.loads(answer.body)["error"]


@pytest.mark.parametrize("host", ["localhost", "localhost:7400", "127.0.0.1", "127.8.8.8:1", "[::1]:80"])
def test_this_machine_is_answered_by_any_of_its_names(api: Api, host: str):
    assert _get(api, "/api/status", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.org",
        "localhost.example.org",
        "evil-localhost",
        "127.0.0.1.example.org",
        "127.0.0.1@example.org",
        "localhost:80@example.org",
        "localhost\n",
        "10.0.0.1",
        "0.0.0.1",
        "[::2]",
        "localhost:",
        "localhost:٣",
    ],
)
def test_a_foreign_host_is_refused_before_anything_is_looked_at(api: Api, host: str):
    for path in ("/api/status", "/health", "/api", "/nothing"):
        answer = _get(api, path, host=host)
        assert (answer.status, _error(answer)["code"]) == (400, "usage")
        assert "not this machine" in _error(answer)["message"]


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"]
)
def test_a_change_is_taken_only_as_json(api: Api, content_type: str):
    answer = _post(api, "/api/roll_back", b"{}", content_type)
    assert (answer.status, _error(answer)["code"]) == (415, "wrong_content_type")


@pytest.mark.parametrize("content_type", [JSON, "Application/JSON; charset=utf-8"])
def test_json_is_recognised_as_the_standard_has_it(api: Api, content_type: str):
    assert _post(api, "/api/roll_back", b'{"target": "cars"}', content_type).status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 5000,
        b'{"reason": "\\ud800"}',
        b"{} {}",
        b"NaN",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(api: Api, body: bytes):
    answer = _post(api, "/api/roll_back", body)
    assert (answer.status, _error(answer)["code"]) == (400, "usage")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/api/roll_back", {"targt": "x"}, "Unknown parameter 'targt'. Known: target, by, reason, wait_s"),
        ("/api/roll_back", {"target": 5}, "'target': Expected `str | null`, got `int`"),
        ("/api/roll_back", {"wait_s": "1"}, "'wait_s'"),
        ("/api/roll_back", {"self": "x"}, "Unknown parameter 'self'"),
        ("/api/releases/flights@4/reject", {}, "'reason' is missing"),
        ("/api/releases/flights@4/reject", {"reason": None}, "'reason'"),
        ("/api/releases/flights@4/reject", {"reason": "x", "target": "flights@5"}, "'target' is given twice"),
        ("/api/releases/flights@4/promote", {"override": "yes"}, "'override'"),
        ("/api/releases/flights@4/promote", {"override": True, "reason": "  "}, "needs a reason"),
    ],
)
def test_a_wrong_parameter_is_named(api: Api, path: str, body: dict[str, Any], says: str):
    answer = _post(api, path, json.dumps(body).encode())
    assert answer.status == 400
    assert says in _error(answer)["message"]


def test_a_wrong_parameter_of_a_query_is_named(api: Api):
    for query, says in (
        ("count=many", "'count'"),
        ("cuont=1", "'cuont'"),
        ("count=", "'count'"),
        ("count=1.5", "'count'"),
    ):
        answer = _get(api, "/api/runs", query)
        assert answer.status == 400
        assert says in _error(answer)["message"]
    assert _get(api, "/api/compare", "a=flights@1").status == 400


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", "X" * 1000])
def test_another_verb_is_told_which_ones_there_are(api: Api, verb: str):
    answer = api.answer(verb, "/api/roll_back", "", "localhost", JSON, b"{}")
    assert (answer.status, _error(answer)["code"]) == (405, "method_not_allowed")
    assert _error(answer)["details"] == {"allowed": ["POST"]}
    assert api.answer("POST", "/api/status", "", "localhost", JSON, b"{}").status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "*",
        "/api/",
        "/api/status/",
        "//api/status",
        "/api/../api/status",
        "/api/releases/../../etc/passwd",
        "/api/releases//checks",
        "/api/runs/x/log/y",
        "/API/status",
        "/api/status\x00",
        "/api/status\n",
    ],
)
def test_another_path_is_nothing(api: Api, path: str):
    assert _get(api, path).status == 404


@pytest.mark.parametrize(
    "target", ["../../../etc/passwd", "..", ".", "\x00", "flights@1\n", "%2e%2e", "flights%401", "9" * 9999]
)
def test_a_target_that_leads_elsewhere_names_no_release(api: Api, target: str):
    assert _get(api, f"/api/releases/{target}").status in (400, 404)
    assert _get(api, f"/api/runs/{target}/log").status == 404


def test_the_list_of_operations_is_the_table(api: Api):
    listed = json.loads(_get(api, "/api").body)["operations"]
    assert [one["name"] for one in listed] == [operation.name for operation in OPERATIONS]


_WORDS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["flights@1", "flights@live", "@previous", "ships@1", "ships", "api", "null", "9" * 5000, "%00", "a=b"]
    ),
)
_PATHS = st.builds(
    lambda path, word: path.replace("{target}", word).replace("{run_id}", word),
    st.sampled_from([operation.path for operation in OPERATIONS]),
    _WORDS,
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _WORDS), lambda inner: st.lists(inner, max_size=2)
)
_NAMES = st.sampled_from(
    ["target", "model", "release", "a", "b", "by", "reason", "override", "before", "count", "run_id"]
)
_BODIES = st.one_of(
    st.binary(max_size=60),
    st.dictionaries(st.one_of(_NAMES, _WORDS), _VALUES, max_size=5).map(lambda body: json.dumps(body).encode()),
)
_QUERIES = st.one_of(
    st.text(max_size=40),
    st.lists(st.tuples(_NAMES, _WORDS), max_size=4).map(lambda pairs: "&".join(f"{a}={b}" for a, b in pairs)),
)


@given(st.sampled_from(["GET", "POST"]), st.one_of(_PATHS, st.text(max_size=40)), _QUERIES, _BODIES)
@example("GET", "/api/decisions", "release=" + "9" * 30, b"")
@example("GET", "/api/runs", "count=-" + "9" * 30, b"")
@example("POST", "/api/releases/flights@4/promote", "", b'{"wait_s": -1e308, "override": true, "reason": "\\u0000"}')
def test_nothing_that_is_sent_is_a_fault_of_ours(api: Api, verb: str, path: str, query: str, body: bytes):
    answer = api.answer(verb, path, query, "localhost", JSON, body)
    assert answer.status != 500
    if answer.status != 200:
        assert set(_error(answer)) <= {"code", "message", "mend", "details"}
        assert len(_error(answer)["message"]) < 20_000
