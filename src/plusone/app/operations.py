"""The table of operations, from which the HTTP routes and the client are built."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["OPERATIONS", "Operation"]


class Operation(NamedTuple):
    """One operation: the method of App that does it, and where HTTP finds it.

    Parameters named in `path` come from the path, the others from the query (GET) or the JSON body (POST).
    """

    name: str
    verb: Literal["GET", "POST"]
    path: str
    timeout_s: float = 60.0
    """How long a client waits for it."""


OPERATIONS: tuple[Operation, ...] = (
    Operation("status", "GET", "/api/status"),
    Operation("list_releases", "GET", "/api/releases"),
    Operation("get_release", "GET", "/api/releases/{target}"),
    Operation("list_checks", "GET", "/api/releases/{target}/checks"),
    Operation("list_sessions", "GET", "/api/releases/{target}/sessions"),
    Operation("get_report", "GET", "/api/releases/{target}/report"),
    Operation("get_package", "GET", "/api/releases/{target}/package"),
    Operation("verify_package", "POST", "/api/releases/{target}/verify", timeout_s=1800.0),
    Operation("promote", "POST", "/api/releases/{target}/promote"),
    Operation("reject", "POST", "/api/releases/{target}/reject"),
    Operation("roll_back", "POST", "/api/roll_back"),
    Operation("compare_releases", "GET", "/api/compare"),
    Operation("list_decisions", "GET", "/api/decisions"),
    Operation("list_routes", "GET", "/api/routes"),
    Operation("get_route", "GET", "/api/route"),
    Operation("get_rollout", "GET", "/api/rollout"),
    Operation("list_rollouts", "GET", "/api/rollouts"),
    Operation("list_looks", "GET", "/api/rollouts/{rollout}/looks"),
    Operation("begin_rollout", "POST", "/api/releases/{target}/rollout"),
    Operation("pause_rollout", "POST", "/api/models/{model}/rollout/pause"),
    Operation("resume_rollout", "POST", "/api/models/{model}/rollout/resume"),
    Operation("promote_rollout", "POST", "/api/models/{model}/rollout/promote"),
    Operation("abort_rollout", "POST", "/api/models/{model}/rollout/abort"),
    Operation("list_runs", "GET", "/api/runs"),
    Operation("search_runs", "POST", "/api/runs/search"),
    Operation("compare_runs", "POST", "/api/runs/compare"),
    Operation("get_run", "GET", "/api/runs/{run_id}"),
    Operation("get_series", "GET", "/api/runs/{run_id}/series"),
    Operation("list_experiments", "GET", "/api/experiments"),
    Operation("get_log", "GET", "/api/runs/{run_id}/log"),
    Operation("list_predictions", "GET", "/api/predictions"),
    Operation("get_prediction", "GET", "/api/predictions/{prediction_id}"),
    Operation("add_labels", "POST", "/api/models/{model}/labels"),
    Operation("get_asked", "GET", "/api/releases/{target}/asked"),
    Operation("trust", "POST", "/api/releases/{target}/trust"),
    Operation("list_trust", "GET", "/api/trust"),
    Operation("withdraw_trust", "POST", "/api/trust/withdraw"),
    Operation("list_signatures", "GET", "/api/releases/{target}/signatures"),
    Operation("add_signature", "POST", "/api/releases/{target}/signatures"),
    Operation("get_score", "GET", "/api/score"),
    Operation("list_score_notes", "GET", "/api/score/notes"),
    Operation("add_score_note", "POST", "/api/score/notes"),
    Operation("list_kept", "GET", "/api/kept"),
    Operation("keep", "POST", "/api/kept"),
    Operation("forget", "POST", "/api/kept/forget"),
    Operation("plan_gc", "GET", "/api/gc"),
    Operation("lineage", "GET", "/api/lineage"),
    Operation("list_artifacts", "GET", "/api/runs/{run_id}/artifacts"),
)
