"""Signatures of releases, and which packages are trusted, as the store keeps them: added, never changed."""

from __future__ import annotations

import re
from collections.abc import Collection

from ..base import clock
from ..base.config import Project
from ..base.errors import ConfigError, Conflict, NotFound, UsageError
from ..base.ids import new_id
from ..base.records import Package, Release
from ..base.trusted import ReleaseSignature, Trust
from ..store import Store
from ..store.database import Database, Transaction
from ..store.rows import from_row, to_row
from .keys import PrivateKey, read_key, verifies
from .signing import sign, statement
from .types import asked_of

__all__ = [
    "add_signature",
    "check_signed",
    "list_trust",
    "sign_in",
    "signatures_of",
    "signer_of",
    "trust",
    "trusted_digests",
    "withdraw",
]

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


# ---------------------------------------------------------------------------------------------- signatures


def signer_of(project: Project) -> PrivateKey | None:
    """Return the key that releases of a project are signed with when they are made; None: they are not signed.

    Raises:
        ConfigError: when there is a key, and it can't be used.
    """
    if project.sign_with is None:
        return None
    try:
        return read_key(project.sign_with)
    except UsageError as error:
        where = "PLUSONE_SIGNING_KEY, or [tool.plusone] sign_with"
        raise ConfigError(f"Releases can't be signed ({where}): {error.message}", mend=error.mend) from error


def sign_in(tx: Transaction, key: PrivateKey, release: Release, *, by: str) -> ReleaseSignature:
    """Sign a release within the transaction that adds it, and return the record."""
    return _add(tx, release, key.public, sign(key, release.model, release.number, release.digest), by)


def add_signature(store: Store, release: Release, *, key: str, signature: str, by: str) -> ReleaseSignature:
    """Keep a signature of a release that was made elsewhere; one that is there already is left as it is.

    Raises:
        UsageError: when it is none of this release by this key.
    """
    if not verifies(key, signature, statement(release.model, release.number, release.digest)):
        raise UsageError(
            f"This is no signature of {release.model}@{release.number} by {key}.",
            mend=f"plusone sign {release.model}@{release.number} --key FILE",
        )
    with store.db.write() as tx:
        found = [one for one in signatures_of(tx, release.digest) if one.key == key]
        return found[0] if found else _add(tx, release, key, signature, by)


def signatures_of(db: Database | Transaction, digest: str) -> list[ReleaseSignature]:
    """Return the signatures of the release with this digest, by their keys."""
    return [from_row(ReleaseSignature, row) for row in db.all("signature_list", digest=digest)]


def check_signed(db: Database | Transaction, release: Release, keys: Collection[str]) -> None:
    """Accept a release that one of the keys signed; without keys, any.

    Raises:
        Conflict: for one that servers with these keys would not take.
    """
    if keys and not any(one.key in keys for one in signatures_of(db, release.digest)):
        name = f"{release.model}@{release.number}"
        raise Conflict(
            f"{name} is not signed by a key of [tool.plusone.serve] signed_by, so no server would serve it.",
            mend=f"plusone sign {name} --key FILE",
        )


def _add(tx: Transaction, release: Release, key: str, signature: str, by: str) -> ReleaseSignature:
    record = ReleaseSignature(
        model=release.model,
        release=release.number,
        digest=release.digest,
        key=key,
        signature=signature,
        by=by,
        at=clock.now(),
    )
    tx.execute("signature_add", **to_row(record))
    return record


# ---------------------------------------------------------------------------------------------- trust


def trusted_digests(db: Database | Transaction) -> frozenset[str]:
    """Return the digests of the packages that are trusted now."""
    return frozenset(row["digest"] for row in db.all("trust_current") if not row["withdrawn"])


def list_trust(db: Database | Transaction) -> list[Trust]:
    """Return every record of trust, withdrawals too, the oldest first."""
    return [from_row(Trust, row) for row in db.all("trust_list")]


def trust(store: Store, release: Release, package: Package, *, digest: str, by: str, reason: str) -> Trust:
    """Record that a person trusts the package of a release, and return the record.

    Args:
        digest: of that package, from whoever has seen what it asks for.

    Raises:
        UsageError: without a reason, or when the digest is another one.
        Conflict: when there is nothing to trust, or it is trusted already.
    """
    name = f"{release.model}@{release.number}"
    asked = tuple(one.name for one in asked_of(package))
    if not asked:
        raise Conflict(
            f"{name} asks for no trust: its format is {package.format!r}, and it names no type that is not known to be "
            "safe."
        )
    if digest != release.package:
        raise UsageError(
            f"{digest[:80]!r} is not the digest of {name}'s package, {release.package}.",
            mend=f"plusone trust {name}  (shows what it asks for)",
        )
    if not reason.strip():
        raise UsageError("Trust needs a reason.", mend=f"plusone trust {name} --reason 'who made that file'")
    with store.db.write() as tx:
        if digest in trusted_digests(tx):
            raise Conflict(f"The package of {name} is trusted already.", mend="plusone trust  (lists what is)")
        return _record(tx, digest, release.model, release.number, asked, by, reason, withdrawn=False)


def withdraw(store: Store, digest: str, *, by: str, reason: str) -> Trust:
    """Record that a package is no longer trusted. What is loaded stays loaded; it is not loaded again.

    Raises:
        NotFound: when it is not trusted.
        UsageError: without a reason.
    """
    if not reason.strip():
        raise UsageError("A withdrawal needs a reason.", mend=f"plusone trust {digest} --withdraw --reason 'why'")
    with store.db.write() as tx:
        newest = {one.digest: one for one in list_trust(tx)}.get(digest)
        if newest is None or newest.withdrawn:
            whole = "" if _DIGEST.match(digest) else " Expected a whole sha256, 64 hex digits."
            raise NotFound(f"{digest[:80]!r} is not trusted.{whole}", mend="plusone trust  (lists what is)")
        return _record(tx, digest, newest.model, newest.release, newest.types, by, reason, withdrawn=True)


def _record(
    tx: Transaction,
    digest: str,
    model: str,
    release: int,
    types: tuple[str, ...],
    by: str,
    reason: str,
    *,
    withdrawn: bool,
) -> Trust:
    record = Trust(
        id=new_id(),
        digest=digest,
        model=model,
        release=release,
        types=types,
        by=by,
        reason=reason,
        at=clock.now(),
        withdrawn=withdrawn,
    )
    tx.execute("trust_add", **to_row(record))
    return record
