"""What a URI means: a server, a database, a folder; or nothing, which is said before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from plusone.base.errors import Unavailable, UsageError
from plusone.importing.foreign import tracking_server
from tests.importing.server import answering


def opened(uri: str, command: str | None = None) -> None:
    with tracking_server(uri, command=command):
        raise AssertionError("it was taken for a tracking server")


@pytest.mark.parametrize("uri", ["", "nowhere", "./no such folder", "sqlite:///no such file.db"])
def test_what_is_not_there_is_refused(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        opened(uri)
    assert list(tmp_path.iterdir()) == [], "nothing was made where nothing was"


def test_a_database_needs_mlflows_own_command(tmp_path: Path) -> None:
    (tmp_path / "ml.db").write_bytes(b"")
    with pytest.raises(UsageError, match="pip install mlflow"):
        opened(f"sqlite:///{tmp_path / 'ml.db'}", command=str(tmp_path / "mlflow"))


def test_a_command_that_ends_at_once_is_said_with_what_it_printed(tmp_path: Path) -> None:
    command = tmp_path / "mlflow"
    command.write_text("#!/bin/sh\necho this is no database >&2\nexit 3\n")
    command.chmod(0o755)
    with pytest.raises(Unavailable, match=r"exit code 3.*this is no database"):
        opened(str(tmp_path), command=str(command))


def test_a_server_is_used_where_it_is() -> None:
    with answering(lambda *_: (200, b"3.17.2")) as (address, seen), tracking_server(address) as source:
        assert source.address == address
    assert seen == ["GET /version"]
