"""Signatures and trust in the store: added, never changed; what is trusted now is what was said last."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plusone.base.config import load_project
from plusone.base.errors import BrokenRule, ConfigError, Conflict, NotFound, UsageError
from plusone.base.records import Field, Output, Package, Release, Signature
from plusone.trust.keys import PrivateKey, make_key
from plusone.trust.records import (
    add_signature,
    list_trust,
    signatures_of,
    signer_of,
    trust,
    trusted_digests,
    withdraw,
)
from plusone.trust.signing import sign
from tests.release.written import Written


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    project = Written(tmp_path / "p")
    yield project
    project.close()


@pytest.fixture
def key(tmp_path: Path) -> PrivateKey:
    return make_key(tmp_path / "key.pem")


def package(*types: str) -> Package:
    return Package(
        model="m",
        format="skops",
        signature=Signature(fields=(Field(name="x", dtype="float64"),), output=Output(name="y", kind="number")),
        files=(),
        options={"types": list(types)},
    )


def _trust(written: Written, release: Release, reason: str = "I made it") -> None:
    trust(written.store, release, package("a.B"), digest=release.package, by="ann", reason=reason)


# ---------------------------------------------------------------------------------------------- trust


def test_what_is_trusted_is_what_was_said_last(written: Written):
    one, two = written.release(), written.release()
    _trust(written, one)
    _trust(written, two)
    assert trusted_digests(written.store.db) == {one.package, two.package}
    withdraw(written.store, one.package, by="bob", reason="it was not me")
    assert trusted_digests(written.store.db) == {two.package}
    _trust(written, one, "it was me after all")
    assert trusted_digests(written.store.db) == {one.package, two.package}
    found = list_trust(written.store.db)
    assert [(record.release, record.by, record.withdrawn) for record in found] == [
        (1, "ann", False),
        (2, "ann", False),
        (1, "bob", True),
        (1, "ann", False),
    ]
    assert found[0].types == ("a.B",)


def test_trust_is_refused_where_it_says_nothing(written: Written):
    release = written.release()
    store = written.store
    with pytest.raises(Conflict, match="asks for no trust"):
        trust(store, release, package(), digest=release.package, by="ann", reason="why")
    with pytest.raises(UsageError, match="is not the digest of m@1's package"):
        trust(store, release, package("a.B"), digest="0" * 64, by="ann", reason="why")
    with pytest.raises(UsageError, match="needs a reason"):
        trust(store, release, package("a.B"), digest=release.package, by="ann", reason=" ")
    assert list_trust(store.db) == []
    _trust(written, release)
    with pytest.raises(Conflict, match="trusted already"):
        _trust(written, release)


def test_withdrawals_are_refused_where_there_is_nothing_to_withdraw(written: Written):
    release = written.release()
    with pytest.raises(NotFound, match="Expected a whole sha256"):
        withdraw(written.store, "abc", by="ann", reason="why")
    with pytest.raises(NotFound, match="is not trusted"):
        withdraw(written.store, release.package, by="ann", reason="why")
    _trust(written, release)
    with pytest.raises(UsageError, match="needs a reason"):
        withdraw(written.store, release.package, by="ann", reason="")
    withdraw(written.store, release.package, by="ann", reason="why")
    with pytest.raises(NotFound, match="is not trusted"):
        withdraw(written.store, release.package, by="ann", reason="why")


def test_the_store_refuses_to_change_or_remove_what_was_said(written: Written, key: PrivateKey):
    release = written.release()
    _trust(written, release)
    add_signature(written.store, release, key=key.public, signature=sign(key, "m", 1, release.digest), by="ann")
    connection = sys.modules["sqlite3"].connect(written.store.folder / "plusone.db")
    try:
        for table in ("trust", "release_signature"):
            for text in (f"UPDATE {table} SET by = 'eve'", f"DELETE FROM {table}"):  # noqa: S608 - names of the test's own
                with pytest.raises(sys.modules["sqlite3"].IntegrityError, match="never"):
                    connection.execute(text)
    finally:
        connection.close()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=12))
def test_any_order_of_trust_and_withdrawals(tmp_path_factory, steps: list[tuple[int, bool]]):
    written = Written(tmp_path_factory.mktemp("p") / "p")
    try:
        releases = [written.release() for _ in range(3)]
        expected: set[str] = set()
        for place, give in steps:
            release = releases[place]
            try:
                if give:
                    _trust(written, release)
                else:
                    withdraw(written.store, release.package, by="ann", reason="why")
            except (Conflict, NotFound):
                assert give == (release.package in expected)
            else:
                (expected.add if give else expected.discard)(release.package)
            assert trusted_digests(written.store.db) == expected
    finally:
        written.close()


KILLED = """
import os, sys
from pathlib import Path
from plusone.store import open_store
from plusone.store.sqlite import SqliteDatabase
from plusone.trust.records import trust
from plusone.release.lifecycle import find_release
from tests.trust.test_records import package
store = open_store(Path(sys.argv[1]))
release = find_release(store.db, "m@1")
real = store.db.write
class Killed:
    def __init__(self): self.inner = real()
    def __enter__(self):
        self.tx = self.inner.__enter__()
        return self
    def __getattr__(self, name): return getattr(self.tx, name)
    def execute(self, *given, **values):
        self.tx.execute(*given, **values)
        os.kill(os.getpid(), 9)
    def __exit__(self, *_): pass
store.db.write = Killed
trust(store, release, package("a.B"), digest=release.package, by="ann", reason="why")
"""


def test_trust_is_there_or_not_after_a_kill(written: Written):
    written.release()
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(written.store.folder)], env={"PYTHONPATH": ":".join(sys.path)}, check=False
    )
    assert process.returncode == -9
    assert trusted_digests(written.store.db) == frozenset()
    _trust(written, written.release())


# ---------------------------------------------------------------------------------------------- signatures


def test_a_signature_is_kept_once_for_each_key(written: Written, key: PrivateKey, tmp_path: Path):
    release, other = written.release(), make_key(tmp_path / "other.pem")
    text = sign(key, "m", 1, release.digest)
    first = add_signature(written.store, release, key=key.public, signature=text, by="ann")
    assert add_signature(written.store, release, key=key.public, signature=text, by="bob") == first
    add_signature(written.store, release, key=other.public, signature=sign(other, "m", 1, release.digest), by="bob")
    assert {one.key for one in signatures_of(written.store.db, release.digest)} == {key.public, other.public}


def test_what_is_no_signature_of_this_release_by_this_key_is_not_kept(
    written: Written, key: PrivateKey, tmp_path: Path
):
    one, two = written.release(), written.release()
    other = make_key(tmp_path / "other.pem")
    wrong = [
        (key.public, sign(key, "m", 2, one.digest)),
        (key.public, sign(key, "m", 1, two.digest)),
        (key.public, sign(other, "m", 1, one.digest)),
        (other.public, sign(key, "m", 1, one.digest)),
        (key.public, ""),
        ("ed25519:", sign(key, "m", 1, one.digest)),
    ]
    for public, signature in wrong:
        with pytest.raises(UsageError):
            add_signature(written.store, one, key=public, signature=signature, by="eve")
    assert signatures_of(written.store.db, one.digest) == []


def test_a_signature_of_a_release_that_is_not_there_is_refused(written: Written, key: PrivateKey):
    release = written.release()
    ghost = msgspec.structs.replace(release, number=9)
    with pytest.raises(BrokenRule):
        add_signature(written.store, ghost, key=key.public, signature=sign(key, "m", 9, release.digest), by="eve")


def test_the_key_of_a_project_is_outside_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = tmp_path / "p"
    root.mkdir()
    settings_file = root / "pyproject.toml"
    settings_file.write_text("[tool.plusone]\n", "utf-8")
    assert signer_of(load_project(root)) is None
    settings_file.write_text('[tool.plusone]\nsign_with = "../key.pem"\n', "utf-8")
    with pytest.raises(ConfigError, match="Releases can't be signed") as caught:
        signer_of(load_project(root))
    assert "plusone keys new" in caught.value.mend
    key = make_key(tmp_path / "key.pem")
    found = signer_of(load_project(root))
    assert found is not None
    assert found.public == key.public
    other = make_key(tmp_path / "other.pem")
    monkeypatch.setenv("PLUSONE_SIGNING_KEY", str(tmp_path / "other.pem"))
    found = signer_of(load_project(root))
    assert found is not None
    assert found.public == other.public
    monkeypatch.delenv("PLUSONE_SIGNING_KEY")
    for inside in ("key.pem", "deep/key.pem", "../p/key.pem"):
        settings_file.write_text(f'[tool.plusone]\nsign_with = "{inside}"\n', "utf-8")
        with pytest.raises(ConfigError, match="could be committed"):
            load_project(root)
    (root / "link.pem").symlink_to(tmp_path / "key.pem")
    settings_file.write_text('[tool.plusone]\nsign_with = "link.pem"\n', "utf-8")
    assert load_project(root).sign_with == tmp_path / "key.pem"
