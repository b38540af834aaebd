"""Keys, headers and addresses on a real worker; shadows beside it; what is written as evidence."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from plusone.base.errors import BadRequest
from plusone.evidence.evidence import ADDRESSED, SERVED, Seen, read_evidence
from plusone.serving.predicting import ASIDE_BYTES
from plusone.serving.ways import MOST_KEY_BYTES, Way, split, way_of
from plusone.workers.supervisor import Supervisor
from tests.serving.serving_folder import (
    BODY,
    CONSTANTS,
    FAILS_OVER_100,
    LOGARITHM,
    ROW,
    ServingFolder,
    ask,
    error_of,
    until,
)

PREDICT = "/models/m/predict"
INFER = "/v2/models/m/infer"
TENSORS = json.dumps(
    {"inputs": [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in ROW.items()]}
)


def release_of(port: int, path: str = PREDICT, body: Any = BODY, **headers: str) -> int:
    """The release that answers."""
    status, _, answer = ask(port, "POST", path, body, {name.replace("_", "-"): text for name, text in headers.items()})
    assert status == 200, answer
    value = json.loads(answer)
    return int(value["release"] if "release" in value else value["model_version"])


@pytest.fixture(scope="module")
def canary_port(packages: dict[int, tuple[str, Path]], tmp_path_factory: pytest.TempPathFactory):
    """A worker where 1 is live, 2 a canary at 30 %, and 3 the previous release."""
    folder = ServingFolder(tmp_path_factory.mktemp("canary") / "serving", packages)
    folder.publish(
        1,
        folder.target(1, 0.7, stage="live"),
        folder.target(2, 0.3, stage="canary"),
        folder.target(3, 0.0, stage="previous"),
    )
    supervisor = folder.start(workers=1)
    yield supervisor.port
    supervisor.stop()


def test_a_key_is_answered_by_one_release_over_every_protocol(canary_port: int):
    seen: set[int] = set()
    for number in range(30):
        key = f"user-{number}"
        found = {release_of(canary_port, plusone_key=key) for _ in range(2)}
        found.add(release_of(canary_port, INFER, TENSORS, Plusone_Key=key))
        found.add(release_of(canary_port, "/models/m/predict?x=1", BODY, **{"PLUSONE-KEY": f"  {key}\t"}))
        assert len(found) == 1, key
        seen |= found
    assert seen == {1, 2}


def test_without_a_key_both_answer(canary_port: int):
    assert {release_of(canary_port) for _ in range(60)} == {1, 2}
    assert {release_of(canary_port, plusone_key="") for _ in range(60)} == {1, 2}


@pytest.mark.parametrize(
    ("which", "release"), [("live", 1), ("canary", 2), ("previous", 3), ("1", 1), ("2", 2), ("3", 3)]
)
def test_a_release_is_addressed_by_path_or_header(canary_port: int, which: str, release: int):
    for _ in range(3):
        assert release_of(canary_port, f"/models/m@{which}/predict") == release
        assert release_of(canary_port, plusone_release=which) == release
        assert release_of(canary_port, INFER, TENSORS, plusone_release=which) == release
        assert release_of(canary_port, f"/v2/models/m/versions/{which}/infer", TENSORS) == release
        assert release_of(canary_port, f"/models/m@{which}/predict", plusone_release=which, plusone_key="a") == release
    big = json.dumps({"rows": [ROW] * (ASIDE_BYTES // 20)})
    assert release_of(canary_port, f"/models/m@{which}/predict", big) == release
    status, _, body = ask(canary_port, "GET", f"/models/m@{which}")
    assert (status, json.loads(body)["release"]) == (200, release)
    labels = json.dumps({"labels": [{"id": "a", "label": 1.0}]})
    assert ask(canary_port, "POST", f"/models/m@{which}/labels", labels)[0] == 202


@pytest.mark.parametrize("which", ["shadow", "4", "0", "-1", "", "LIVE", "live ", "m", "%00"])
def test_what_is_not_in_the_route_is_a_404_that_says_what_is(canary_port: int, which: str):
    answers = [ask(canary_port, "POST", f"/models/m@{which.replace(' ', '%20')}/predict", BODY)]
    if which.strip() == which and which.isprintable() and "%" not in which and which:
        answers.append(ask(canary_port, "POST", PREDICT, BODY, {"plusone-release": which}))
        answers.append(ask(canary_port, "POST", f"/models/m@{which}/labels", b"{}"))
    for answer in answers:
        assert answer[0] == 404
        assert "expected live (1), previous (3), canary (2), 1, 2, 3." in error_of(answer)["message"]


def test_two_releases_in_one_request_are_refused(canary_port: int):
    for path, body in (("/models/m@live/predict", BODY), ("/v2/models/m/versions/1/infer", TENSORS)):
        status, _, answer = ask(canary_port, "POST", path, body, {"plusone-release": "canary"})
        assert status == 400
        assert b"expected one" in answer


def test_a_key_that_is_too_long_is_refused(canary_port: int):
    fine = "k" * MOST_KEY_BYTES
    assert release_of(canary_port, plusone_key=fine) in (1, 2)
    answer = ask(canary_port, "POST", PREDICT, BODY, {"plusone-key": fine + "k"})
    assert answer[0] == 400
    assert "at most 200" in error_of(answer)["message"]
    assert ask(canary_port, "POST", INFER, TENSORS, {"plusone-key": fine + "k"})[0] == 400


def test_the_description_says_what_can_be_addressed(canary_port: int):
    found = json.loads(ask(canary_port, "GET", "/models/m")[2])
    assert found["addresses"] == {"m@live": 1, "m@canary": 2, "m@previous": 3, "m@1": 1, "m@2": 2, "m@3": 3}
    assert (found["shares"], found["shadows"], found["warm"]) == ({"1": 0.7, "2": 0.3}, {}, [3])
    other = json.loads(ask(canary_port, "GET", "/models/m@previous")[2])
    assert release_of(canary_port, other["example"]["path"], json.dumps(other["example"]["body"])) == 3


@given(st.text(max_size=20), st.one_of(st.none(), st.text(max_size=20)))
def test_a_request_says_one_release_or_none(said: str, which: str | None):
    try:
        way = way_of({"plusone-release": said}, which)
    except BadRequest:
        assert said
        assert said != which
        return
    if way is None:
        assert which is None
        assert not said
    else:
        assert way.which
        assert way.kind == ADDRESSED


def test_a_key_alone_leaves_the_choice_to_the_route():
    way = way_of({"plusone-key": "a"})
    assert isinstance(way, Way)
    assert (way.which, way.kind) == ("", SERVED)
    assert way_of({}) is None
    assert [split(name) for name in ("m", "m@", "m@live", "m@a@b")] == [
        ("m", None),
        ("m", ""),
        ("m", "live"),
        ("m", "a@b"),
    ]


# ---------------------------------------------------------------------------------- evidence and shadows


def seen_of(folder: ServingFolder, condition: Any, what: str) -> Seen:
    """What the workers wrote, once it is so."""
    until(lambda: condition(read_evidence(folder.path)), what)
    return read_evidence(folder.path)


def requests_of(seen: Seen, release: int) -> int:
    found = seen.served.get(("m", release))
    return 0 if found is None else found.requests


def test_evidence_is_of_what_the_route_gave(serving: ServingFolder):
    serving.publish(1, serving.target(1, 0.5, stage="live"), serving.target(2, 0.5, stage="canary"))
    port = serving.start(workers=1).port
    answered = [release_of(port, plusone_key=f"u{number}") for number in range(40)]
    for _ in range(7):
        release_of(port, "/models/m@canary/predict")
        assert ask(port, "POST", PREDICT, b"{}")[0] == 422
    release_of(port, body=json.dumps({"rows": [ROW] * 3}), plusone_key="u0")
    whole = 41
    seen = seen_of(serving, lambda one: requests_of(one, 1) + requests_of(one, 2) == whole, "41 requests")
    live, canary = seen.served["m", 1], seen.served["m", 2]
    first = answered[0]
    assert requests_of(seen, 1) == answered.count(1) + (first == 1)
    assert (live.rows + canary.rows, live.errors, canary.errors) == (43, 0, 0)
    assert sum(live.latency.values()) == live.requests
    assert sum(live.outputs.values()) == live.rows


@pytest.mark.slow
def test_a_restart_keeps_evidence_and_two_workers_add_up(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=2)
    for _ in range(20):
        release_of(supervisor.port)
    seen_of(serving, lambda one: requests_of(one, 1) == 20, "20 requests")
    pids = {report.pid for report in supervisor.reports()}
    for pid in pids:
        serving.kill(pid)
    until(
        lambda: len([one for one in supervisor.reports() if one.ready and one.pid not in pids]) == 2,
        "two new workers",
        poll=supervisor.poll,
    )
    for _ in range(5):
        release_of(supervisor.port)
    seen_of(serving, lambda one: requests_of(one, 1) == 25, "25 requests")


def metric(port: int, name: str, **labels: str) -> float:
    """The value of one metric, 0 where there is none."""
    text = ask(port, "GET", "/metrics")[2].decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return 0.0


def shadowed(folder: ServingFolder, share: float = 1.0) -> Supervisor:
    """A worker where 1 is live and 2 is in the shadow."""
    live, shadow = folder.target(1, 1.0, stage="live"), folder.target(2, 0.0, stage="shadow", shadow=share)
    folder.publish(1, live, shadow)
    return folder.start(workers=1)


@pytest.mark.slow
def test_a_shadow_is_compared_and_never_seen(serving: ServingFolder):
    port = shadowed(serving).port
    for number in range(30):
        assert release_of(port, plusone_key=str(number)) == 1
    for _ in range(3):
        assert release_of(port, INFER, TENSORS) == 1
    assert release_of(port, body=json.dumps({"rows": [ROW] * (ASIDE_BYTES // 20)})) == 1
    assert release_of(port, "/models/m@shadow/predict") == 2
    seen_of(serving, lambda one: one.shadow.get(("m", 2)) and one.shadow["m", 2].compared == 33, "33 copies")
    seen = seen_of(serving, lambda one: requests_of(one, 1) == 34, "34 requests")
    shadow = seen.shadow["m", 2]
    assert (shadow.requests, shadow.errors, shadow.differing) == (33, 0, 33)
    assert ("m", 2) not in seen.served
    assert seen.served["m", 1].rows == 33, "there is no copy to compare those of the big body with"
    assert metric(port, "plusone_shadow_requests_total", model="m", release="2") == 33
    assert metric(port, "plusone_shadow_compared_rows_total", release="2") == 33
    assert metric(port, "plusone_shadow_differing_rows_total", release="2") == 33
    assert metric(port, "plusone_shadow_uncopied_total", release="2") == 1
    assert metric(port, "plusone_requests_total", release="2", code="200") == 1, "what was asked of it, and no copy"
    assert json.loads(ask(port, "GET", "/models/m")[2])["shadows"] == {"2": 1.0}


@pytest.mark.slow
def test_a_shadow_changes_no_byte_of_an_answer_and_ends_with_the_route(serving: ServingFolder):
    port = shadowed(serving).port

    def predictions() -> Any:
        body = json.dumps({"rows": [{"x": number / 7, "z": 0.25} for number in range(5)]})
        return json.loads(ask(port, "POST", PREDICT, body)[2])["predictions"]

    with_shadow = [predictions() for _ in range(10)]
    seen_of(serving, lambda one: one.shadow.get(("m", 2)) and one.shadow["m", 2].rows == 50, "50 rows")
    serving.publish(2, serving.target(1, 1.0, stage="live"))
    until(lambda: metric(port, "plusone_route_version", model="m") == 2, "the route without a shadow")
    without = [predictions() for _ in range(10)]
    assert with_shadow == without
    began = time.monotonic()
    seen_of(serving, lambda one: requests_of(one, 1) == 20, "20 requests")
    assert time.monotonic() - began < 15
    assert read_evidence(serving.path).shadow["m", 2].rows == 50


def test_errors_of_a_release_are_its_own_and_what_callers_do_wrong_is_nobodys(serving: ServingFolder):
    serving.replace_graph(2, FAILS_OVER_100, CONSTANTS)
    serving.publish(1, serving.target(1, 0.5, stage="live"), serving.target(2, 0.5, stage="canary"))
    port = serving.start(workers=1).port
    bad = json.dumps({"rows": [{"x": 101.0, "z": 0.0}]})
    found: list[int] = []
    for number in range(20):
        assert ask(port, "POST", PREDICT, b'{"rows":[{"x":1}]}')[0] == 422
        found.append(ask(port, "POST", PREDICT, bad, {"plusone-key": str(number)})[0])
        assert ask(port, "POST", "/models/m@canary/predict", bad)[0] == 500
    assert set(found) == {200, 500}
    seen = seen_of(serving, lambda one: requests_of(one, 1) + requests_of(one, 2) == 20, "20 requests")
    live, canary = seen.served["m", 1], seen.served["m", 2]
    assert (live.requests, live.errors) == (found.count(200), 0)
    assert (canary.requests, canary.errors, canary.rows) == (found.count(500), found.count(500), 0)


@pytest.mark.slow
def test_answers_that_cannot_be_are_null_and_counted(serving: ServingFolder):
    serving.replace_graph(1, LOGARITHM, CONSTANTS)
    serving.publish(1, serving.target(1, 1.0, stage="live"))
    port = serving.start(workers=1).port
    rows = json.dumps({"rows": [{"x": x, "z": 0.0} for x in (1.0, -1.0, 0.0)]})
    status, _, answer = ask(port, "POST", PREDICT, rows)
    assert (status, json.loads(answer)["predictions"]) == (200, [0.0, None, None])
    tensors = {
        "inputs": [
            {"name": "x", "shape": [2], "datatype": "FP64", "data": [-1.0, 1.0]},
            {"name": "z", "shape": [2], "datatype": "FP64", "data": [0.0, 0.0]},
        ]
    }
    status, _, answer = ask(port, "POST", INFER, json.dumps(tensors))
    assert (status, json.loads(answer)["outputs"][0]["data"]) == (200, [None, 0.0])
    big = json.dumps({"rows": [{"x": -1.0, "z": 0.0}] * (ASIDE_BYTES // 20)})
    assert json.loads(ask(port, "POST", PREDICT, big)[2])["predictions"][:2] == [None, None]
    assert release_of(port, "/models/m@live/predict", json.dumps({"rows": [{"x": -2.0, "z": 0.0}]})) == 1
    seen = seen_of(serving, lambda one: requests_of(one, 1) == 3, "3 requests")
    live, many = seen.served["m", 1], ASIDE_BYTES // 20
    assert (live.errors, live.rows, live.invalid) == (0, 5 + many, 3 + many)
    assert live.outputs == {"0": 2, "invalid": 3 + many}
    assert metric(port, "plusone_invalid_rows_total", model="m", release="1") == 4 + many


@pytest.mark.slow
def test_what_the_process_for_big_bodies_answered_is_evidence_too(serving: ServingFolder):
    """A JSON body over the limit, tensors over it, and an Arrow stream: valid or not, and what they say."""
    serving.replace_graph(1, LOGARITHM, CONSTANTS)
    serving.publish(1, serving.target(1, 1.0, stage="live"))
    port = serving.start(workers=1).port
    count = ASIDE_BYTES // 20
    xs = [1.0, -1.0, 1.0, 0.0] * (count // 4)
    rows = json.dumps({"rows": [{"x": x, "z": 0.0} for x in xs]})
    tensors = {
        "inputs": [
            {"name": name, "shape": [len(xs)], "datatype": "FP64", "data": values}
            for name, values in (("x", xs), ("z", [0.0] * len(xs)))
        ]
    }
    sink = pa.BufferOutputStream()
    table = pa.table({"x": xs[:8], "z": [0.0] * 8})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    arrow = {"content-type": "application/vnd.apache.arrow.stream"}
    assert len(rows) > ASIDE_BYTES
    assert len(json.dumps(tensors)) > ASIDE_BYTES // 4
    assert ask(port, "POST", PREDICT, rows)[0] == 200
    assert ask(port, "POST", INFER, json.dumps(tensors))[0] == 200
    assert ask(port, "POST", PREDICT, sink.getvalue().to_pybytes(), arrow)[0] == 200
    seen = seen_of(serving, lambda one: requests_of(one, 1) == 3, "3 requests").served["m", 1]
    whole = 2 * len(xs) + 8
    assert (seen.rows, seen.invalid) == (whole, whole // 2)
    assert seen.outputs == {"0": whole // 2, "invalid": whole // 2}


def test_a_shadow_that_fails_hurts_nobody(serving: ServingFolder):
    serving.replace_graph(2, FAILS_OVER_100, CONSTANTS)
    port = shadowed(serving).port
    for x in (1.0, 101.0, 102.0, 2.0):
        assert release_of(port, body=json.dumps({"rows": [{"x": x, "z": 0.0}]})) == 1
    seen = seen_of(serving, lambda one: one.shadow.get(("m", 2)) and one.shadow["m", 2].requests == 4, "4 copies")
    assert (seen.shadow["m", 2].errors, seen.shadow["m", 2].compared) == (2, 2)
    assert metric(port, "plusone_shadow_errors_total", release="2") == 2
    assert metric(port, "plusone_requests_total", model="m", code="500") == 0
