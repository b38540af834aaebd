"""`plusone store`: what it prints, what it refuses, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from plusone.base.errors import StoreError, UsageError
from plusone.cli.main import cli
from plusone.store import open_store
from tests.contracts.servers import schema_address
from tests.contracts.work import add_run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n")
    opened = open_store(tmp_path / ".plusone")
    add_run(opened, "a", log=opened.blobs.put_bytes(b"log"))
    opened.close()
    return tmp_path


def call(project: Path, *words: object, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["--project", str(project), "store", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def test_a_check_exits_with_1_when_something_is_wrong(project: Path) -> None:
    assert "1 blobs: all in order" in call(project, "check")
    found = json.loads(call(project, "check", "--deep", "--json"))
    assert (found["faults"], found["blobs"], found["checked_bytes"]) == ([], 1, 3)
    opened = open_store(project / ".plusone")
    [blob] = opened.blobs.list()
    opened.blobs.remove(blob.digest)
    opened.close()
    said = call(project, "check", code=1)
    assert f"The blob {blob.digest} is missing. It is the log of the run a." in said
    assert "1 wrong" in said
    assert len(json.loads(call(project, "check", "--json", code=1))["faults"]) == 1


def test_migrate_says_what_it_applied(project: Path) -> None:
    assert "nothing to do" in call(project, "migrate")
    assert json.loads(call(project, "migrate", "--json"))["applied"] == []


@pytest.mark.slow
def test_migrate_makes_the_tables_of_a_database(
    servers: object, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUSONE_STORE", schema_address(project)[0])
    assert "0001_first_before" in call(project, "migrate", "--before")
    assert "applied 0001_first_after, 0002_tracking_after" in call(project, "migrate")
    assert "nothing to do" in call(project, "migrate")


def test_a_copy_says_what_it_brought(project: Path, tmp_path: Path) -> None:
    done = json.loads(call(project, "copy", project / ".plusone", tmp_path / "copy", "--json"))
    assert (done["rows"]["run"], done["blobs"], done["new_bytes"]) == (1, 1, 3)
    said = call(project, "copy", project / ".plusone", tmp_path / "other")
    assert "as many rows of each table, and as many blobs, in both" in said
    with pytest.raises(StoreError, match="There is no store"):
        call(project, "copy", tmp_path / "none", tmp_path / "third")


def test_a_password_is_not_taken_from_the_command_line(project: Path) -> None:
    for address in ("postgresql://me:secret@host/db", "postgresql://host/db?password=secret"):
        with pytest.raises(UsageError, match="password on the command line") as caught:
            call(project, "copy", address, project / "copy")
        assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="NO_SUCH is not set"):
        call(project, "copy", "env:NO_SUCH", project / "copy")
