"""The operations on trust: who signed a release, and which packages a person trusts."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from ..base.trusted import ReleaseSignature, Trust
from ..packaging import keeping
from ..release.lifecycle import find_release
from ..store import Store
from ..trust import records
from ..trust.keys import read_key
from ..trust.signing import sign
from ..trust.types import asked_of
from .views import Asked

__all__ = ["Trusting", "who"]


def who() -> str:
    """Return the name under which decisions are recorded, unless the caller says one."""
    try:
        return os.environ.get("PLUSONE_BY") or getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return f"uid {os.getuid()}"


class Trusting:
    """What App answers about trust."""

    store: Store

    def get_asked(self, *, target: str) -> Asked:
        """Return the types that a release's package asks for, what each is, and whether the package is trusted."""
        release = find_release(self.store.db, target)
        package = keeping.describe(release.package, self.store.blobs)
        return Asked(
            model=release.model,
            release=release.number,
            stage=release.stage,
            digest=release.package,
            format=package.format,
            types=asked_of(package),
            trusted=release.package in records.trusted_digests(self.store.db),
        )

    def list_trust(self) -> list[Trust]:
        """Return every record of trust, withdrawals too, the oldest first: the newest of a digest is what holds."""
        return records.list_trust(self.store.db)

    def trust(self, *, target: str, digest: str, reason: str, by: str = "") -> Trust:
        """Record that a person trusts the package of a release; `digest` is that of the package: see `get_asked`."""
        release = find_release(self.store.db, target)
        package = keeping.describe(release.package, self.store.blobs)
        return records.trust(self.store, release, package, digest=digest, by=by or who(), reason=reason)

    def withdraw_trust(self, *, digest: str, reason: str, by: str = "") -> Trust:
        """Record that a package is no longer trusted: it is not loaded again."""
        return records.withdraw(self.store, digest, by=by or who(), reason=reason)

    def list_signatures(self, *, target: str) -> list[ReleaseSignature]:
        """Return who signed a release."""
        return records.signatures_of(self.store.db, find_release(self.store.db, target).digest)

    def add_signature(self, *, target: str, key: str, signature: str, by: str = "") -> ReleaseSignature:
        """Keep a signature of a release that was made elsewhere, by the private key of the public `key`."""
        release = find_release(self.store.db, target)
        return records.add_signature(self.store, release, key=key, signature=signature, by=by or who())

    def sign(self, *, target: str, key: Path, by: str = "") -> ReleaseSignature:
        """Sign a release with the private key in a file of this machine."""
        private = read_key(key)
        release = find_release(self.store.db, target)
        signature = sign(private, release.model, release.number, release.digest)
        return records.add_signature(self.store, release, key=private.public, signature=signature, by=by or who())
