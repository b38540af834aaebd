"""A team's store: a whole story of releases on PostgreSQL and S3, from two folders, and nobody reads the password."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.contracts.servers import schema_address
from tests.journeys.projects import PIPELINE, environment, make_project, ran, run, run_json

pytestmark = pytest.mark.slow


def project_file(folder: Path) -> str:
    database, blobs = schema_address(folder)
    return f'[project]\nname = "p"\n\n[tool.plusone]\nstore = {json.dumps(database)}\nblobs = {json.dumps(blobs)}\n'


def stages(root: Path) -> dict[int, str]:
    return {one["number"]: one["stage"] for one in run_json(root, "status")["models"][0]["releases"]}


def test_two_machines_release_into_one_store_and_roll_back(servers: object, tmp_path: Path) -> None:
    files = {"pyproject.toml": project_file(tmp_path)}
    one, other = (make_project(tmp_path / name / "p", files=files) for name in ("one", "other"))
    assert not (one / ".plusone").exists()
    made = run_json(one, "release")
    assert (made["outcome"], made["release"], made["stage"]) == ("live", 1, "live")
    assert not (one / ".plusone" / "plusone.db").exists()

    # Another machine has the same code and a folder without anything: it sees the release, and repeats nothing.
    assert stages(other) == {1: "live"}
    assert run_json(other, "release")["outcome"] == "unchanged"
    assert ran(other) == []
    (other / "pipeline.py").write_text(PIPELINE.replace("C: float = 1.0", "C: float = 0.5"), "utf-8")
    assert run_json(other, "release")["release"] == 2
    assert ran(other) == ["train"], "the steps before it were taken over from the other machine"
    assert stages(one) == {1: "previous", 2: "live"}
    shown = run_json(one, "show", "m@2")
    assert shown["release"]["number"] == 2
    run_json(one, "rollback", "m")
    assert stages(other) == {1: "live", 2: "rolled back"}

    found = run_json(other, "store", "check", "--deep")
    assert found["faults"] == []
    assert found["blobs"] > 10
    database, blobs = schema_address(tmp_path)
    words = ("store", "copy", "env:THE_TEAMS_STORE", "backup", "--blobs-from", blobs, "--json")
    copied = run(one, *words, env=environment(THE_TEAMS_STORE=database))
    assert copied.returncode == 0, copied.stderr
    assert json.loads(copied.stdout)["rows"]["release"] == 2
    settings = '[tool.plusone]\nstore = "../../one/p/backup"\n'
    backup = make_project(tmp_path / "third" / "p", files={"pyproject.toml": settings})
    assert stages(backup) == {1: "live", 2: "rolled back"}
    assert run_json(backup, "store", "check", "--deep")["faults"] == []


def test_the_password_is_in_no_file_and_in_no_answer(servers: tuple[object, object], tmp_path: Path) -> None:
    root = make_project(tmp_path / "p", files={"pyproject.toml": project_file(tmp_path)})
    secrets = [b"p@ss", b"p%40ss", os.environ["AWS_SECRET_ACCESS_KEY"].encode()]
    said = [run(root, *words) for words in (["release"], ["status"], ["runs"], ["store", "check"], ["show", "m@1"])]
    text = "".join(done.stdout + done.stderr for done in said).encode()
    failed = run(root, "status", env=environment(PLUSONE_STORE="postgresql://tester:wr0ng-word@127.0.0.1:1/none"))
    assert failed.returncode != 0
    assert "postgresql://tester:***@127.0.0.1:1/none" in failed.stderr
    text += (failed.stdout + failed.stderr).encode()
    kept = b"".join(file.read_bytes() for file in (root / ".plusone").rglob("*") if file.is_file())
    for secret in (*secrets, b"wr0ng-word"):
        assert secret not in text
        assert secret not in kept
