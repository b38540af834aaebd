"""Blobs in a bucket of an S3 server. An object appears there whole or not at all; its reader checks it.

The server's address and the keys come from AWS's own variables. The driver, obstore, is imported when a bucket is used.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..base.errors import ConfigError, StoreError

__all__ = ["Bucket", "Remote"]

_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([^?#]*))?\Z")
_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 4
_KEYS = ("SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied", "Server returned non-2xx status code: 403")
_AGAIN = "again"
_OBJECT = re.compile(r"([0-9a-f]{2})/([0-9a-f]{62})\Z")
_RETRIES: dict[str, Any] = {
    "max_retries": 7,
    "backoff": {
        "init_backoff": dt.timedelta(milliseconds=100),
        "max_backoff": dt.timedelta(seconds=5),
        "base": 2,
    },
    "retry_timeout": dt.timedelta(seconds=60),
}


class Remote(NamedTuple):
    """What a bucket says of a blob. `modified_at` is when it was put, or put again; `tag` changes with its content."""

    size_bytes: int
    modified_at: dt.datetime
    tag: str


class Bucket:
    """The objects below a prefix of a bucket: `<2 hex>/<62 hex>`, and `again/<digest>` for one that was put once more.

    Args:
        address: `s3://bucket/prefix`.

    Raises:
        ConfigError: when it is none, or obstore is not installed.
    """

    def __init__(self, address: str) -> None:
        found = _ADDRESS.match(address)
        if not found:
            shown = address if "@" not in address else address.partition("://")[0] + "://..."
            raise ConfigError(
                f"{shown} is no address of a bucket: keys and options do not belong into it.",
                mend="PLUSONE_BLOBS=s3://BUCKET/PREFIX, and the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        self.address = address
        self._driver: Any = _load_driver()
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        options: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
        if not os.environ.get("AWS_REGION") and not os.environ.get("AWS_DEFAULT_REGION"):
            options["region"] = "us-east-1"
        with self._errors("is opened"):
            self._store: Any = self._driver.store.S3Store(
                found[1],
                prefix=(found[2] or "").strip("/") or None,
                client_options={
                    "allow_http": endpoint.startswith("http://"),
                    "timeout": "1h",
                    "connect_timeout": "10s",
                },
                retry_config=_RETRIES,
                **options,
            )

    def stat(self, digest: str) -> Remote | None:
        """Return what the bucket says of a blob, None when it is not there."""
        with self._errors("is asked for a blob"):
            try:
                return _remote(self._driver.head(self._store, _key(digest)))
            except FileNotFoundError:
                return None

    def put(self, digest: str, content: bytes | memoryview | Path) -> str:
        """Upload a blob, whole or not at all, and return its tag."""
        with self._errors("is written"):
            done = self._driver.put(
                self._store, _key(digest), content, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
            )
        return _tag(done)

    def put_again(self, digest: str) -> None:
        """Note that a blob that is there was put once more just now."""
        with self._errors("is written"):
            self._driver.put(self._store, f"{_AGAIN}/{digest}", b"")

    def read(self, digest: str) -> tuple[Remote, Iterator[bytes]] | None:
        """Return a blob in pieces, with what the bucket says of it; None when it is not there."""
        with self._errors("is read"):
            try:
                found = self._driver.get(self._store, _key(digest))
            except FileNotFoundError:
                return None
            return _remote(found.meta), self._pieces(found)

    def list(self) -> Iterator[tuple[str, Remote]]:
        """Give every blob in the bucket."""
        again = {key.rpartition("/")[2]: meta["last_modified"] for key, meta in self._list(f"{_AGAIN}/")}
        for key, meta in self._list(None):
            if found := _OBJECT.search(key):
                digest = found[1] + found[2]
                remote = _remote(meta)
                yield (
                    digest,
                    remote._replace(modified_at=max(remote.modified_at, again.get(digest, remote.modified_at))),
                )

    def modified_at(self, digest: str, remote: Remote) -> dt.datetime:
        """Return when the blob was last put."""
        with self._errors("is asked for a blob"):
            try:
                again = self._driver.head(self._store, f"{_AGAIN}/{digest}")
            except FileNotFoundError:
                return remote.modified_at
        return max(remote.modified_at, again["last_modified"])

    def remove(self, digest: str) -> None:
        """Remove a blob; one that is not there is no error."""
        with self._errors("is written"):
            for key in (_key(digest), f"{_AGAIN}/{digest}"):
                with contextlib.suppress(FileNotFoundError):
                    self._driver.delete(self._store, key)

    def check(self) -> None:
        """Ask for the bucket itself: where it is missing, a blob seems to be missing.

        Raises:
            StoreError: when it does not exist or can't be used.
        """
        next(self._list(f"{_AGAIN}/"), None)

    def _refused(self, when: str, said: str) -> StoreError:
        return StoreError(
            f"The bucket {self.address} refuses the keys when it {when}: {said}.",
            mend="look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and at what the key may do",
        )

    def _list(self, prefix: str | None) -> Iterator[tuple[str, Any]]:
        with self._errors("is listed"):
            for page in self._driver.list(self._store, prefix):
                for meta in page:
                    yield str(meta["path"]), meta

    def _pieces(self, found: Any) -> Iterator[bytes]:
        with self._errors("is read"):
            for piece in found.stream(min_chunk_size=1 << 20):
                yield bytes(piece)

    @contextlib.contextmanager
    def _errors(self, when: str) -> Iterator[None]:
        failures = self._driver.exceptions
        try:
            yield
        except (failures.UnauthenticatedError, failures.PermissionDeniedError) as error:
            raise self._refused(when, _said(error)) from None
        except (FileNotFoundError, failures.BaseError) as error:
            said = _said(error)
            if said.startswith(_KEYS):
                raise self._refused(when, said) from None
            if said.startswith("NoSuchBucket"):
                raise StoreError(
                    f"The bucket of {self.address} does not exist.", mend="make it, or look at PLUSONE_BLOBS"
                ) from None
            raise StoreError(
                f"The bucket {self.address} can't be used just now, when it {when}: {said}.",
                mend="look at AWS_ENDPOINT_URL and whether the server runs, then: plusone store check",
            ) from None


def _load_driver() -> Any:
    try:
        from importlib import import_module

        # Its parts are modules of their own, and reached through it once they were loaded.
        for name in ("obstore.exceptions", "obstore.store"):
            import_module(name)
        return import_module("obstore")
    except ImportError as error:
        raise ConfigError(
            f"Blobs in a bucket need obstore, which can't be imported: {error}.", mend="pip install 'plusone[s3]'"
        ) from None


def _key(digest: str) -> str:
    return f"{digest[:2]}/{digest[2:]}"


def _remote(meta: Any) -> Remote:
    return Remote(int(meta["size"]), meta["last_modified"], _tag(meta))


def _tag(meta: Any) -> str:
    return str(meta.get("e_tag") or "").strip('"')


def _said(error: Exception) -> str:
    """Return what the server said, or what became of the request; the rest is for the driver's makers."""
    text = " ".join(str(error).partition("\n\n")[0].split())
    code, message = (re.search(rf"<{word}>([^<]*)", text) for word in ("Code", "Message"))
    if code:
        return f"{code[1]}: {message[1].rstrip('.')}" if message else code[1]
    return text.rpartition(" - ")[2].rstrip(":. ")[:300]
