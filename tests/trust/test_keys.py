"""Keys: written once, for their owner alone; never shown; and what other programs write is read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import Conflict, UsageError
from plusone.base.keys import public_bytes, public_text, signature_bytes
from plusone.trust.keys import make_key, read_key, verifies

# RFC 8032, 7.1, test 2: secret, public, message and signature.
SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d"
    "291612bb0c00"
)
PKCS8 = bytes.fromhex("302e020100300506032b657004220420") + SECRET


def _pem(data: bytes, kind: str = "PRIVATE KEY") -> bytes:
    import base64

    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (kind.encode(), base64.b64encode(data), kind.encode())


def _written(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_a_key_is_for_its_owner_alone_and_never_written_over(tmp_path: Path):
    path = tmp_path / "new" / "key.pem"
    key = make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["key.pem"], "nothing else is left of it"
    assert read_key(path).public == key.public
    before = path.read_bytes()
    with pytest.raises(Conflict, match="never written over"):
        make_key(path)
    assert path.read_bytes() == before


def test_a_key_that_can_not_be_written_leaves_nothing(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="can't be written"):
        make_key(tmp_path / "file" / "key.pem")


def test_a_dangling_link_is_not_followed(tmp_path: Path):
    (tmp_path / "key.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        make_key(tmp_path / "key.pem")
    assert not (tmp_path / "elsewhere").exists()


def test_the_example_of_rfc_8032(tmp_path: Path):
    key = read_key(_written(tmp_path / "key.pem", _pem(PKCS8)))
    assert key.public == public_text(PUBLIC)
    signature = key.sign(b"\x72")
    assert signature_bytes(signature).hex() == SIGNATURE
    assert verifies(key.public, signature, b"\x72")
    assert not verifies(key.public, signature, b"\x73")


def test_openssl_and_we_read_each_others_keys(tmp_path: Path):
    path = tmp_path / "openssl.pem"
    try:
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    path.chmod(0o600)
    key = read_key(path)
    (tmp_path / "message").write_bytes(b"a message")
    (tmp_path / "signature").write_bytes(signature_bytes(key.sign(b"a message")))
    command = "openssl pkeyutl -verify -rawin -inkey openssl.pem -in message -sigfile signature"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)


def test_the_secret_is_in_no_message_and_no_repr(tmp_path: Path):
    path = tmp_path / "key.pem"
    key = make_key(path)
    secret = path.read_text("ascii").splitlines()[1]
    assert secret not in f"{key!r} {key} {vars(type(key))}"
    for data in (path.read_bytes()[:-40], path.read_bytes().replace(b"BEGIN", b"BEGUN")):
        wrong = _written(tmp_path / "wrong.pem", data)
        with pytest.raises(UsageError) as caught:
            print(read_key(wrong))
        assert secret not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int):
    path = _written(tmp_path / "key.pem", _pem(PKCS8), mode)
    with pytest.raises(UsageError, match="others than its owner") as caught:
        read_key(path)
    assert caught.value.mend == f"chmod 600 {path}"


def test_what_is_no_key_of_ours_is_refused_with_the_way_out(tmp_path: Path):
    with pytest.raises(UsageError, match="can't be read"):
        read_key(tmp_path / "none.pem")
    for data in (b"", b"x" * 100_000, _pem(b"abc"), _pem(PKCS8[:-1]), SECRET, _pem(PUBLIC, "PUBLIC KEY")):
        with pytest.raises(UsageError, match="no private key of ed25519"):
            read_key(_written(tmp_path / "key.pem", data))


def test_keys_of_other_kinds_and_with_passwords_are_refused(tmp_path: Path):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(UsageError, match="no private key of ed25519"):
        read_key(_written(tmp_path / "key.pem", other))
    locked = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    with pytest.raises(UsageError, match="encrypted"):
        read_key(_written(tmp_path / "key.pem", locked))


@given(st.binary(max_size=80))
def test_one_key_has_one_text(data: bytes):
    text = public_text(data)
    if len(data) == 32:
        assert public_bytes(text) == data
    else:
        with pytest.raises(UsageError):
            public_bytes(text)


@given(st.text(max_size=100))
def test_any_other_text_is_no_key_and_no_signature(text: str):
    for read in (public_bytes, lambda one: public_bytes(f"ed25519:{one}"), signature_bytes):
        with pytest.raises(UsageError):
            read(text)


def test_other_ways_to_write_a_key_are_refused():
    text = public_text(PUBLIC)
    for other in (text[:-1], text + "\n", text.upper(), text.replace("/", "_"), text[:-2] + "N=", f" {text}"):
        if other != text:
            with pytest.raises(UsageError):
                public_bytes(other)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_any_bytes_verify_nothing(key: bytes, signature: bytes):
    import base64

    assert not verifies(public_text(key), base64.b64encode(signature).decode(), b"message")


def test_nothing_of_it_is_loaded_until_it_is_needed():
    program = "import sys, plusone.trust.keys, plusone.trust.signing; print('cryptography' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert out.stdout.strip() == "False"
