"""The checks of a replay in whole sessions: their names, outcomes, figures, and when there is nothing to be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pytest

from plusone.base.config import Checks
from plusone.base.records import Check
from plusone.monitoring.requests import SCHEMA
from tests.checks.conftest import Sandbox, holdout, light_sessions, packages, sandbox

__all__ = ["holdout", "light_sessions", "packages", "sandbox"]

PARTS = {f"plusone::replay[{part}]" for part in ("errors", "answers", "labels", "latency")}


def requests_file(path: Path, rows: pd.DataFrame, *, labels: bool = True, **renamed: str) -> str:
    """Write the rows as logged requests of one row each, with their labels; return the file."""
    bodies = [
        msgspec.json.encode({"rows": [{renamed.get(name, name): one[name] for name in ("distance", "hour")}]})
        for one in rows.to_dict("records")
    ]
    said = [[{"row": 0, "value": "true" if one else "false"}] if labels else None for one in rows["late"]]
    count = len(rows)
    columns = {
        "id": [f"p{place}" for place in range(count)], "at": list(range(count)), "release": [1] * count,
        "kind": ["json"] * count, "rows": [1] * count, "request": bodies, "labels": said,
    }  # fmt: skip
    table = pa.Table.from_arrays([pa.array(columns[field.name]).cast(field.type) for field in SCHEMA], schema=SCHEMA)
    with pa.ipc.new_file(path, SCHEMA) as writer:
        writer.write_table(table)
    return str(path)


@pytest.fixture
def asked(sandbox: Sandbox, packages: Any, holdout: pd.DataFrame, tmp_path: Path) -> Sandbox:
    """A candidate that is the live release, and 1,500 requests with their labels."""
    sandbox.write("tests/test_all.py", "def test_model(model):\n    assert model.predict\n")
    sandbox.change(candidate=packages["good"], live=packages["good"])
    sandbox.change(requests=requests_file(tmp_path / "requests.arrow", holdout))
    return sandbox


def ours(box: Sandbox, subject: str = "model") -> dict[str, Check]:
    return {one.test: one for one in box.run(subject).checks if one.test.startswith("plusone::replay")}


@pytest.mark.slow
def test_an_equal_candidate_passes_all_four_and_leaves_what_it_measured(asked: Sandbox):
    found = ours(asked)
    assert {name: one.outcome for name, one in found.items()} == dict.fromkeys(PARTS, "passed")
    answers = found["plusone::replay[answers]"].measured
    assert [one["figure"]["kind"] for one in answers] == ["histograms", "bars"]
    assert (answers[-1]["share"], answers[-1]["prediction_shift"], answers[-1]["rows"]) == (0.0, 0.0, 1500)
    labels = found["plusone::replay[labels]"].measured[-1]
    assert (labels["rows"], labels["difference"], labels["p_value"]) == (1500, 0.0, 1.0)
    assert 0.5 < found["plusone::replay[latency]"].measured[-1]["ratio"] < 2.0
    assert "replay[errors]" in {one["check"] for one in found["plusone::replay[errors]"].measured}


@pytest.mark.slow
def test_the_opposite_fails_by_answers_and_by_labels(asked: Sandbox, packages: Any):
    asked.change(candidate=packages["bad"])
    found = ours(asked)
    assert {name.partition("[")[2]: one.outcome for name, one in found.items()} == {
        "errors]": "passed", "answers]": "failed", "labels]": "failed", "latency]": "passed",
    }  # fmt: skip
    assert "McNemar" in found["plusone::replay[labels]"].message


@pytest.mark.slow
def test_answers_of_another_kind_fail(asked: Sandbox, packages: Any):
    asked.change(candidate=packages["number"])
    found = ours(asked)["plusone::replay[answers]"]
    assert (found.outcome, "answers a number, the live release classes" in found.message) == ("failed", True)


@pytest.mark.slow
def test_requests_of_an_older_signature_are_a_warning_that_names_the_field(
    asked: Sandbox, holdout: pd.DataFrame, tmp_path: Path
):
    asked.change(requests=requests_file(tmp_path / "old.arrow", holdout, distance="miles"))
    found = ours(asked)
    assert found["plusone::replay[errors]"].outcome == "passed"
    warning = found["plusone::replay[errors]"].measured[0]["warning"]
    assert "1,500 of 1,500 requests, answered by an earlier release, are answered by neither" in warning
    assert "'distance'" in warning
    assert found["plusone::replay[answers]"].outcome == "not applicable"


@pytest.mark.slow
def test_few_labels_decide_nothing(asked: Sandbox, holdout: pd.DataFrame, tmp_path: Path):
    asked.change(requests=requests_file(tmp_path / "none.arrow", holdout, labels=False))
    assert ours(asked)["plusone::replay[labels]"].outcome == "not applicable"
    asked.change(requests=requests_file(tmp_path / "few.arrow", holdout.head(20)))
    assert ours(asked)["plusone::replay[labels]"].outcome == "not applicable"


@pytest.mark.slow
def test_without_a_live_release_or_a_log_one_check_says_why(asked: Sandbox):
    asked.change(requests="")
    found = ours(asked)
    assert found.keys() == {"plusone::replay"}
    assert found["plusone::replay"].outcome == "not applicable"
    assert "no request is logged yet" in found["plusone::replay"].message
    asked.change(live=None)
    assert "no release is live yet" in ours(asked)["plusone::replay"].message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "left"),
    [
        (Checks(replay_requests=0), set[str]()),
        (Checks(skip=("replay",)), set[str]()),
        (Checks(skip=("replay[latency]",)), PARTS - {"plusone::replay[latency]"}),
    ],
)
def test_a_project_switches_them_off(asked: Sandbox, settings: Checks, left: set[str]):
    asked.change(settings=settings)
    assert ours(asked).keys() == left


def test_they_are_no_checks_on_data(asked: Sandbox):
    assert not ours(asked, "data")


@pytest.mark.slow
def test_a_file_of_requests_that_is_damaged_fails_each_with_its_name(asked: Sandbox):
    Path(asked.context.requests).write_bytes(b"ARROW1")
    found = ours(asked)
    assert {one.outcome for one in found.values()} == {"failed"}
    assert "does not hold the requests to be asked again" in found["plusone::replay[errors]"].message
