"""`plusone sign` and `plusone keys`: the private key is in its file and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plusone.cli import main as cli
from plusone.store import Store
from plusone.trust.keys import read_key
from plusone.trust.records import signatures_of
from tests.release.written import Written


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A project in the working folder, with one release."""
    made = Written(tmp_path / "p")
    made.release()
    monkeypatch.chdir(made.root)
    monkeypatch.delenv("PLUSONE_SIGNING_KEY", raising=False)
    yield made
    made.close()


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    return int(ended.value.code or 0)


def _everything(store: Store) -> bytes:
    return b"".join(path.read_bytes() for path in store.folder.rglob("*") if path.is_file())


def test_a_key_is_made_and_its_secret_is_nowhere_else(
    written: Written, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    file = tmp_path / "keys" / "key.pem"
    assert run("keys", "new", str(file)) == 0
    public = capfd.readouterr().out.strip()
    assert public == read_key(file).public
    secret = file.read_text("ascii").splitlines()[1]
    assert run("keys", "show", str(file), "--json") == 0
    assert json.loads(capfd.readouterr().out) == {"public": public}
    assert run("sign", "m@1", "--key", str(file), "--by", "ann") == 0
    assert run("show", "m@1") == 0
    assert run("keys", "new", str(file)) == 2
    printed = capfd.readouterr()
    assert f"signed    by {public}, ann, " in printed.out
    assert secret not in printed.out + printed.err
    assert secret.encode() not in _everything(written.store)


def test_a_key_is_not_made_inside_of_a_project(written: Written, capsys: pytest.CaptureFixture[str]):
    for file in ("key.pem", "deep/key.pem", str(written.root / "key.pem")):
        assert run("keys", "new", file) == 2
        assert "could be committed" in capsys.readouterr().err
    assert not list(written.root.rglob("*.pem"))


def test_the_key_of_the_settings_is_the_default(
    written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    assert run("sign", "m@1") == 2
    assert "Which key?" in capsys.readouterr().err
    assert run("keys", "new", str(tmp_path / "key.pem")) == 0
    monkeypatch.setenv("PLUSONE_SIGNING_KEY", str(tmp_path / "key.pem"))
    assert run("sign", "m@1") == 0
    release = written.store.db.one("release_get", model="m", number=1)
    assert release is not None
    assert len(signatures_of(written.store.db, release["digest"])) == 1
    assert run("sign", "m@1", "--key", str(tmp_path / "none.pem")) == 2
    assert "can't be read" in capsys.readouterr().err
