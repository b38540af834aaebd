"""One story for every door: a project with releases in many stages, and a list of calls on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from plusone.base.ids import digest_bytes
from plusone.predictions.collecting import collect
from tests.predictions.written import log_predictions, send_labels
from tests.release.written import PASSED, Written, asking_package

__all__ = ["CALLS", "Call", "write_story"]


class Call(NamedTuple):
    """One operation, and how the command line says it; None when it has no command for it."""

    operation: str
    values: dict[str, Any]
    words: list[str] | None


def write_story(root: Path) -> None:
    """Write a project: flights 1 retired, 2 previous, 3 live, 4 failed, 5 passed; ships 1 candidate; trains 1 live,
    2 and 3 candidates whose checks passed; planes 1 asks for trust."""
    written = Written(root)
    for number in range(1, 6):
        written.release(
            "flights",
            checks=[*PASSED, ("model", "failed")] if number == 4 else PASSED,
            settings={"C": 1.0 * number, "name": "ä\u2028\"'<"},
            metrics={"auc": 0.9, "loss": float("nan") if number == 5 else 0.1 * number},
            live=number <= 3,
        )
    written.release("ships", checks=None)
    for number in range(1, 4):
        written.release("trains", live=number == 1)
    written.release("planes", package=written.store.blobs.put_bytes(ASKING))
    log_predictions(root, ["p1", "p2", "p3"], model="flights", release=3)
    log_predictions(root, ["p4"], model="flights", release=2, at=1.5e9)
    send_labels(root, ("p1", "1.5"), ("p3:0", "2.0"), model="flights", at="2026-01-01T00:00:00.000000Z")
    collect(written.store, root)
    written.close()
    lines = [msgspec.json.encode(one) for one in LABELS]
    (root / "late.jsonl").write_bytes(b"\n".join(lines))


LABELS = [{"id": "p2", "label": 3, "at": "2026-02-03T04:05:06Z"}, {"id": "ä b", "label": 0.5}]
ASKING = asking_package("planes", "os.system", "sklearn.tree._tree.Tree")
ASKED = digest_bytes(ASKING)
WHY = "she said: 'no' \u2028 \"nie\""
SOME = "model = 'flights' and params.C != '2.0'"
A_TEST = "tests/test_data.py::test_0"
PLAN = ["shadow 50% 1m", "5% 5m 1000", "50% 1h"]
PLANNED = [word for step in PLAN for word in ("--plan", step)]
CALLS: list[Call] = [
    Call("status", {}, ["status"]),
    Call("status", {"model": "flights"}, ["status", "flights"]),
    Call("status", {"model": "cars"}, ["status", "cars"]),
    Call("status", {"model": "../x"}, ["status", "../x"]),
    Call("list_releases", {"model": "flights"}, None),
    Call("list_releases", {"model": "null"}, None),
    Call("get_release", {"target": "flights@previous"}, ["show", "flights@previous"]),
    Call("get_release", {"target": "a:b"}, ["show", "a:b"]),
    Call("get_release", {"target": "ä@1 %2540"}, ["show", "ä@1 %2540"]),
    Call("get_package", {"target": "flights@3"}, ["package", "show", "flights@3"]),
    Call("get_package", {"target": "flights@99"}, ["package", "show", "flights@99"]),
    Call("verify_package", {"target": "flights@99"}, ["package", "verify", "flights@99"]),
    Call("verify_package", {"target": "flights@3"}, ["package", "verify", "flights@3"]),
    Call("list_checks", {"target": "flights@4"}, ["checks", "flights@4"]),
    Call("list_checks", {"target": "ships@1"}, ["checks", "ships@1"]),
    Call("list_checks", {"target": "@1"}, ["checks", "@1"]),
    Call("list_checks", {"target": "flights@99"}, ["checks", "flights@99"]),
    Call(
        "list_checks",
        {"target": "flights@3", "session": "none %2540"},
        ["checks", "flights@3", "--session", "none %2540"],
    ),
    Call("list_sessions", {"target": "flights@4"}, ["checks", "flights@4", "--all"]),
    Call("list_sessions", {"target": "flights@99"}, ["checks", "flights@99", "--all"]),
    Call("get_report", {"target": "flights@3"}, ["report", "flights@3"]),
    Call("get_report", {"target": "flights@99"}, ["report", "flights@99"]),
    Call("get_score", {"model": "flights"}, ["score", "flights"]),
    Call("get_score", {"model": "cars"}, ["score", "cars"]),
    Call("get_score", {}, ["score"]),
    Call(
        "add_score_note",
        {"test": "data-5", "note": WHY, "model": "flights", "by": "ann"},
        ["score", "record", "data-5", "--note", WHY, "--model", "flights", "--by", "ann"],
    ),
    Call(
        "add_score_note",
        {"test": "Infra 1", "note": WHY, "model": "flights", "by": "ann", "checked_by": "tests/test_data.py::test_0"},
        ["score", "record", "Infra 1", "--note", WHY, "--model", "flights", "--by", "ann", "--check", A_TEST],
    ),
    Call(
        "add_score_note",
        {"test": "data-8", "note": WHY, "model": "flights"},
        ["score", "record", "data-8", "--note", WHY, "--model", "flights"],
    ),
    Call(
        "add_score_note",
        {"test": "data-5", "note": " ", "model": "flights"},
        ["score", "record", "data-5", "--note", " ", "--model", "flights"],
    ),
    Call("list_score_notes", {"model": "flights"}, ["score", "notes", "flights"]),
    Call("list_score_notes", {}, ["score", "notes"]),
    Call("get_score", {"model": "flights"}, ["score", "show", "flights"]),
    Call("list_checks", {"target": "flights@" + "9" * 5000}, ["checks", "flights@" + "9" * 5000]),
    Call("compare_releases", {"a": "flights@1", "b": "5"}, ["diff", "flights@1", "5"]),
    Call("compare_releases", {"a": "flights@1", "b": "ships@1"}, ["diff", "flights@1", "ships@1"]),
    Call("list_decisions", {"model": "flights"}, ["decisions", "flights"]),
    Call("list_decisions", {"model": "flights", "release": 2}, None),
    Call("list_decisions", {"model": "cars"}, ["decisions", "cars"]),
    Call("list_decisions", {"release": 10**30}, None),
    Call("list_routes", {"model": "flights"}, ["route", "flights", "--history"]),
    Call("list_routes", {"model": "cars"}, ["route", "cars", "--history"]),
    Call("get_route", {"model": "flights"}, ["route", "flights"]),
    Call("get_route", {"model": "ships"}, ["route", "ships"]),
    Call("get_route", {"model": WHY}, ["route", WHY]),
    Call("get_route", {}, ["route"]),
    Call("list_runs", {"count": 3}, None),
    Call("search_runs", {}, ["runs"]),
    Call("search_runs", {"count": 2}, ["runs", "--count", "2"]),
    Call(
        "search_runs",
        {"filter": "settings.C > '1'", "experiments": ["Default"]},
        ["runs", "--filter", "settings.C > '1'", "--experiment", "Default"],
    ),
    Call(
        "search_runs",
        {"filter": SOME, "order_by": ["params.C DESC", "start_time"], "count": 3},
        ["runs", "--filter", SOME, "--order-by", "params.C DESC", "--order-by", "start_time", "--count", "3"],
    ),
    Call("search_runs", {"experiments": ["0"], "view": "deleted"}, ["runs", "--experiment", "0", "--deleted"]),
    Call("search_runs", {"experiments": ["none"]}, ["runs", "--experiment", "none"]),
    Call("search_runs", {"order_by": ["colour"]}, ["runs", "--order-by", "colour"]),
    Call("search_runs", {"page": WHY}, ["runs", "--page", WHY]),
    Call("search_runs", {"filter": WHY}, ["runs", "--filter", WHY]),
    Call("compare_runs", {"run_ids": ["zzz", "%"]}, ["runs", "compare", "zzz", "%"]),
    Call("compare_runs", {"run_ids": ["zzz"]}, ["runs", "compare", "zzz"]),
    Call("list_runs", {"model": "ships"}, None),
    Call("get_run", {"run_id": "%"}, ["runs", "show", "%"]),
    Call("get_run", {"run_id": "zzz"}, ["runs", "show", "zzz"]),
    Call(
        "keep",
        {"thing": "flights@1", "reason": WHY, "by": "ann"},
        ["keep", "flights@1", "--reason", WHY, "--by", "ann"],
    ),
    Call("keep", {"thing": "flights@1", "reason": " "}, ["keep", "flights@1", "--reason", " "]),
    Call("keep", {"thing": "flights@77", "reason": "x"}, ["keep", "flights@77", "--reason", "x"]),
    Call(
        "keep",
        {"thing": "flights@2", "reason": "x", "by": "ann"},
        ["keep", "flights@2", "--reason", "x", "--by", "ann"],
    ),
    Call("get_asked", {"target": "planes@1"}, ["trust", "planes@1"]),
    Call("get_asked", {"target": "flights@1"}, ["trust", "flights@1"]),
    Call("get_asked", {"target": "flights@77"}, ["trust", "flights@77"]),
    Call(
        "trust",
        {"target": "planes@1", "digest": ASKED, "reason": WHY, "by": "ann"},
        ["trust", "planes@1", "--yes", "--reason", WHY, "--by", "ann"],
    ),
    Call(
        "trust", {"target": "planes@1", "digest": ASKED, "reason": "x"}, ["trust", "planes@1", "--yes", "--reason", "x"]
    ),
    Call("list_trust", {}, ["trust"]),
    Call("withdraw_trust", {"digest": ASKED, "reason": " "}, ["trust", ASKED, "--withdraw", "--reason", " "]),
    Call(
        "withdraw_trust",
        {"digest": ASKED, "reason": WHY, "by": "bob"},
        ["trust", "planes@1", "--withdraw", "--reason", WHY, "--by", "bob"],
    ),
    Call("withdraw_trust", {"digest": ASKED, "reason": "x"}, ["trust", ASKED, "--withdraw", "--reason", "x"]),
    Call("trust", {"target": "planes@1", "digest": ASKED, "reason": ""}, ["trust", "planes@1", "--yes"]),
    Call("list_trust", {}, ["trust"]),
    Call("list_signatures", {"target": "flights@live"}, None),
    Call("list_experiments", {}, ["runs", "experiments"]),
    Call("list_kept", {}, ["keep"]),
    Call("forget", {"thing": "flights@1"}, ["keep", "--remove", "flights@1"]),
    Call("forget", {"thing": "flights@1"}, ["keep", "--remove", "flights@1"]),
    Call("plan_gc", {}, ["gc", "--dry-run"]),
    Call("plan_gc", {"older_than_s": 7200.0}, ["gc", "--dry-run", "--older-than", "2h"]),
    Call("lineage", {"thing": "flights@3"}, ["lineage", "flights@3"]),
    Call(
        "lineage", {"thing": "flights", "depth": 1, "count": 1}, ["lineage", "flights", "--depth", "1", "--count", "1"]
    ),
    Call("lineage", {"thing": "ships@9"}, ["lineage", "ships@9"]),
    Call("lineage", {"thing": "../etc:passwd"}, ["lineage", "../etc:passwd"]),
    Call("list_artifacts", {"run_id": "zzz"}, ["runs", "files", "zzz"]),
    Call("get_log", {"run_id": "zzz"}, ["runs", "log", "zzz"]),
    Call("list_predictions", {"model": "flights"}, ["predictions", "flights"]),
    Call("list_predictions", {"model": "ships"}, ["predictions", "list", "ships"]),
    Call("list_predictions", {"model": "cars"}, ["predictions", "cars"]),
    Call(
        "list_predictions",
        {"model": "flights", "labelled": True, "count": 1},
        ["predictions", "flights", "--labelled", "--limit", "1"],
    ),
    Call(
        "list_predictions",
        {"model": "flights", "labelled": False, "release": 3, "since": "2001-09-09T00:00:00Z", "until": "1h"},
        [
            "predictions",
            "flights",
            "--unlabelled",
            "--release",
            "3",
            "--since",
            "2001-09-09T00:00:00Z",
            "--until",
            "1h",
        ],
    ),
    Call(
        "list_predictions",
        {"model": "flights", "count": 2, "page": "2001-09-09T01:46:42.000000Z,p3"},
        ["predictions", "flights", "--limit", "2", "--page", "2001-09-09T01:46:42.000000Z,p3"],
    ),
    Call("list_predictions", {"model": "flights", "page": WHY}, ["predictions", "flights", "--page", WHY]),
    Call("list_predictions", {"model": "flights", "since": WHY}, ["predictions", "flights", "--since", WHY]),
    Call("get_prediction", {"prediction_id": "p3"}, ["predictions", "show", "p3"]),
    Call("get_prediction", {"prediction_id": "none %2540"}, ["predictions", "show", "none %2540"]),
    Call("add_labels", {"model": "flights", "labels": LABELS}, ["label", "flights", "late.jsonl"]),
    Call("add_labels", {"model": "flights", "labels": LABELS}, ["label", "flights", "late.jsonl"]),
    Call("add_labels", {"model": "cars", "labels": LABELS}, ["label", "cars", "late.jsonl"]),
    Call("get_prediction", {"prediction_id": "p2"}, ["predictions", "show", "p2"]),
    Call("promote", {"target": "flights@4"}, ["promote", "flights@4"]),
    Call("promote", {"target": "flights@4", "override": True}, ["promote", "flights@4", "--override"]),
    Call("promote", {"target": "ships@1", "reason": "x"}, ["promote", "ships@1", "--reason", "x"]),
    Call("promote", {"target": "flights@3"}, ["promote", "flights@3"]),
    Call("promote", {"target": "flights@5", "by": "ann"}, ["promote", "flights@5", "--by", "ann"]),
    Call("roll_back", {"target": "flights@5"}, ["rollback", "flights@5"]),
    Call("roll_back", {"target": "flights@4"}, ["rollback", "flights@4"]),
    Call(
        "roll_back",
        {"target": "flights@1", "by": "bob", "reason": WHY},
        ["rollback", "flights@1", "--by", "bob", "--reason", WHY],
    ),
    Call("roll_back", {"target": "flights", "by": "bob"}, ["rollback", "flights", "--by", "bob"]),
    Call("roll_back", {}, ["rollback"]),
    Call(
        "promote",
        {"target": "flights@4", "by": "ann", "override": True, "reason": WHY},
        ["promote", "flights@4", "--by", "ann", "--override", "--reason", WHY],
    ),
    Call("reject", {"target": "flights@4", "reason": "no"}, ["reject", "flights@4", "--reason", "no"]),
    Call("reject", {"target": "ships@1", "reason": " "}, ["reject", "ships@1", "--reason", " "]),
    Call(
        "reject",
        {"target": "ships@1", "reason": WHY, "by": "ann"},
        ["reject", "ships@1", "--reason", WHY, "--by", "ann"],
    ),
    Call("list_decisions", {}, ["decisions"]),
    Call("get_route", {"model": "flights"}, ["route", "flights"]),
    Call("status", {}, ["status"]),
    Call("begin_rollout", {"target": "trains@2"}, ["rollout", "start", "trains@2"]),
    Call(
        "begin_rollout",
        {"target": "trains@2", "plan": ["shadow 1m", "5%"]},
        ["rollout", "start", "trains@2", "--plan", "shadow 1m", "--plan", "5%"],
    ),
    Call("begin_rollout", {"target": "trains@1", "plan": PLAN}, ["rollout", "start", "trains@1", *PLANNED]),
    Call("begin_rollout", {"target": "flights@4", "plan": PLAN}, ["rollout", "start", "flights@4", *PLANNED]),
    Call("get_rollout", {"model": "trains"}, ["rollout", "trains"]),
    Call("pause_rollout", {"model": "trains"}, ["rollout", "pause", "trains"]),
    Call(
        "begin_rollout",
        {"target": "trains@2", "plan": PLAN, "by": "ann", "reason": WHY},
        ["rollout", "start", "trains@2", *PLANNED, "--by", "ann", "--reason", WHY],
    ),
    Call("begin_rollout", {"target": "trains@2", "plan": PLAN}, ["rollout", "start", "trains@2", *PLANNED]),
    Call("get_rollout", {"model": "trains"}, ["rollout", "show", "trains"]),
    Call("get_route", {"model": "trains"}, ["route", "trains"]),
    Call("get_rollout", {}, ["rollout"]),
    Call("resume_rollout", {"model": "trains", "by": "bob"}, ["rollout", "resume", "trains", "--by", "bob"]),
    Call(
        "pause_rollout",
        {"model": "trains", "by": "bob", "reason": WHY},
        ["rollout", "pause", "trains", "--by", "bob", "--reason", WHY],
    ),
    Call("pause_rollout", {"model": "trains", "by": "bob"}, ["rollout", "pause", "trains", "--by", "bob"]),
    Call("resume_rollout", {"model": "trains", "by": "bob"}, ["rollout", "resume", "trains", "--by", "bob"]),
    Call(
        "begin_rollout",
        {"target": "trains@3", "plan": PLAN[1:], "by": "ann"},
        ["rollout", "start", "trains@3", *PLANNED[2:], "--by", "ann"],
    ),
    Call(
        "abort_rollout",
        {"model": "trains", "by": "bob", "reason": WHY},
        ["rollout", "abort", "trains", "--by", "bob", "--reason", WHY],
    ),
    Call("abort_rollout", {"model": "trains"}, ["rollout", "abort", "trains"]),
    Call("abort_rollout", {"model": "ä 1%"}, ["rollout", "abort", "ä 1%"]),
    Call(
        "begin_rollout",
        {"target": "trains@3", "plan": PLAN[1:], "by": "ann"},
        ["rollout", "start", "trains@3", *PLANNED[2:], "--by", "ann"],
    ),
    Call("promote_rollout", {"model": "trains", "by": "ann"}, ["rollout", "promote", "trains", "--by", "ann"]),
    Call("list_rollouts", {}, ["rollout", "list"]),
    Call("list_rollouts", {"model": "trains"}, ["rollout", "list", "trains"]),
    Call("list_rollouts", {"model": "cars"}, ["rollout", "list", "cars"]),
    Call("list_looks", {"rollout": "zzz"}, ["rollout", "looks", "--of", "zzz"]),
    Call("list_routes", {"model": "trains"}, ["route", "trains", "--history"]),
    Call("list_decisions", {"model": "trains"}, ["decisions", "trains"]),
    # What may change something and has no command comes last: the calls before it find the same by every door.
    Call("begin_rollout", {"target": "trains@2", "plan": []}, None),
    Call("trust", {"target": "planes@1", "digest": "0" * 64, "reason": WHY}, None),
    Call("trust", {"target": "flights@1", "digest": "0" * 64, "reason": WHY}, None),
    Call("add_signature", {"target": "flights@1", "key": "ed25519:x", "signature": "x"}, None),
    Call("add_signature", {"target": "flights@9", "key": "ed25519:x", "signature": "x"}, None),
]
