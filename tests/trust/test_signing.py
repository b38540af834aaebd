"""What is signed, and every way in which a signature is not that of the release that is to be served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plusone.base.ids import canonical_json, digest_bytes
from plusone.base.trusted import ReleaseSignature
from plusone.trust.keys import PrivateKey, make_key
from plusone.trust.signing import FOLDER, Signed, SignedBy, sign, statement, write_signed

PACKAGE = "ab" * 32
MANIFEST = canonical_json({"model": "flights", "package": PACKAGE, "settings": {"ä": 1}, "tests": {}, "run": "r"})
DIGEST = digest_bytes(MANIFEST)


@pytest.fixture
def key(tmp_path: Path) -> PrivateKey:
    return make_key(tmp_path / "key.pem")


@pytest.fixture
def other(tmp_path: Path) -> PrivateKey:
    return make_key(tmp_path / "other.pem")


def _signature(key: PrivateKey, **more: Any) -> ReleaseSignature:
    text = sign(key, "flights", 4, DIGEST)
    known: dict[str, Any] = {"model": "flights", "release": 4, "digest": DIGEST, "key": key.public, "signature": text}
    known |= {"by": "ann", "at": "2026", **more}
    return ReleaseSignature(**known)


def _refusal(folder: Path, *keys: str, **more: Any) -> str:
    asked: dict[str, Any] = {"model": "flights", "release": 4, "digest": DIGEST, "package": PACKAGE, **more}
    return SignedBy(folder, keys).refusal(**asked)


def test_the_statement_is_text_that_says_what_it_is():
    assert statement("flights", 4, "d" * 64) == b"plusone release signature, version 1\nflights@4\n" + b"d" * 64 + b"\n"


def test_a_release_that_one_of_the_keys_signed_is_served(tmp_path: Path, key: PrivateKey, other: PrivateKey):
    write_signed(tmp_path, DIGEST, MANIFEST, [_signature(key)])
    assert _refusal(tmp_path, key.public) == ""
    assert _refusal(tmp_path, other.public, key.public) == "", "keys are changed by having both for a while"
    write_signed(tmp_path, DIGEST, MANIFEST, [_signature(other), _signature(key)])
    assert _refusal(tmp_path, key.public) == ""


def test_without_keys_nothing_is_asked(tmp_path: Path):
    assert _refusal(tmp_path) == ""


def test_one_that_nobody_or_somebody_else_signed_is_refused(tmp_path: Path, key: PrivateKey, other: PrivateKey):
    text = _refusal(tmp_path, key.public)
    assert text.startswith("flights@4 is not signed: this server takes only releases that are signed by ed25519:")
    assert "plusone sign flights@4 --key FILE" in text
    write_signed(tmp_path, DIGEST, MANIFEST, [_signature(other)])
    assert f"flights@4 is signed by {other.public}" in _refusal(tmp_path, key.public)


Damage = Callable[[dict[str, Any], PrivateKey, PrivateKey], None]


def _other_manifest(file: dict[str, Any], key: PrivateKey, other: PrivateKey) -> None:
    file["manifest"] = file["manifest"].replace(PACKAGE, "cd" * 32)


def _name_of_another(file: dict[str, Any], key: PrivateKey, other: PrivateKey) -> None:
    file["signatures"][0]["signature"] = sign(other, "flights", 4, DIGEST)


def _other_number(file: dict[str, Any], key: PrivateKey, other: PrivateKey) -> None:
    file["signatures"][0]["signature"] = sign(key, "flights", 3, DIGEST)


def _other_context(file: dict[str, Any], key: PrivateKey, other: PrivateKey) -> None:
    file["signatures"][0]["signature"] = key.sign(DIGEST.encode())


def _no_base64(file: dict[str, Any], key: PrivateKey, other: PrivateKey) -> None:
    file["signatures"][0]["signature"] = "!"


def _none(file: dict[str, Any], key: PrivateKey, other: PrivateKey) -> None:
    file["signatures"] = []


@pytest.mark.parametrize(
    "damage", [_other_manifest, _name_of_another, _other_number, _other_context, _no_base64, _none]
)
def test_every_forgery_is_refused(tmp_path: Path, key: PrivateKey, other: PrivateKey, damage: Damage):
    write_signed(tmp_path, DIGEST, MANIFEST, [_signature(key)])
    path = tmp_path / FOLDER / f"{DIGEST}.json"
    file = msgspec.json.decode(path.read_bytes())
    damage(file, key, other)
    path.write_bytes(msgspec.json.encode(file))
    assert "flights@4" in _refusal(tmp_path, key.public)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b"[" * 5000, b'{"manifest": 3}', b"x" * 5_000_000])
def test_a_damaged_file_is_refused(tmp_path: Path, key: PrivateKey, data: bytes):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / f"{DIGEST}.json").write_bytes(data)
    assert _refusal(tmp_path, key.public).startswith("The signatures of flights@4 can't be read: ")


@pytest.mark.parametrize(
    "more", [{"model": "ships"}, {"release": 5}, {"package": "ef" * 32}, {"digest": "12" * 32}], ids=str
)
def test_a_signature_is_of_one_model_number_release_and_package(tmp_path: Path, key: PrivateKey, more: dict[str, Any]):
    # Whoever can write the route file can't have signed bytes served as what they were not signed as.
    write_signed(tmp_path, DIGEST, MANIFEST, [_signature(key)])
    path = tmp_path / FOLDER / f"{DIGEST}.json"
    (tmp_path / FOLDER / f"{'12' * 32}.json").write_bytes(path.read_bytes())
    assert _refusal(tmp_path, key.public, **more)


def test_a_manifest_that_is_none_is_refused(tmp_path: Path, key: PrivateKey):
    for manifest in (b"[]", b'{"model": 3}', b"nothing"):
        digest = digest_bytes(manifest)
        one = _signature(key, digest=digest, signature=sign(key, "flights", 4, digest))
        write_signed(tmp_path, digest, manifest, [one])
        assert "The manifest of flights@4 can't be read" in _refusal(tmp_path, key.public, digest=digest)


def test_what_was_refused_is_looked_at_again_when_told_so(tmp_path: Path, key: PrivateKey):
    signed = SignedBy(tmp_path, [key.public])
    assert signed.refusal("flights", 4, DIGEST, PACKAGE)
    write_signed(tmp_path, DIGEST, MANIFEST, [_signature(key)])
    assert signed.refusal("flights", 4, DIGEST, PACKAGE), "not with every look at the route"
    signed.forget_refusals()
    assert not signed.refusal("flights", 4, DIGEST, PACKAGE)
    (tmp_path / FOLDER / f"{DIGEST}.json").unlink()
    signed.forget_refusals()
    assert not signed.refusal("flights", 4, DIGEST, PACKAGE), "it is in memory, and the same"


def test_a_file_is_written_once(tmp_path: Path, key: PrivateKey):
    write_signed(tmp_path, DIGEST, MANIFEST, [_signature(key)])
    path = tmp_path / FOLDER / f"{DIGEST}.json"
    before = path.stat().st_mtime_ns
    write_signed(tmp_path, DIGEST, MANIFEST, [_signature(key)])
    assert path.stat().st_mtime_ns == before
    assert msgspec.json.decode(path.read_bytes(), type=Signed).manifest.encode() == MANIFEST
