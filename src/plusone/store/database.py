"""The contract of the records: what every database promises, whichever driver is below.

Text is compared and sorted by its code points, whatever the server's locale. Text with NUL, infinities, integers of 64
bits and bytes come back as they were. NaN does when it is bound as the text `nan`, which `rows.py` does; a bare one is
NULL.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

__all__ = ["Database", "Transaction"]


class Transaction(ABC):
    """One write transaction: what it wrote is seen by others all at once, when it ends without an error.

    A write that breaks a rule of the schema ends it: whatever is asked of it later fails, and nothing of it is kept.
    """

    @abstractmethod
    def all(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return every row of the named query, as dicts; what this transaction wrote before is among them."""

    def one(self, query: str, **values: Any) -> dict[str, Any] | None:
        """Return the first row of the named query, or None."""
        rows = self.all(query, **values)
        return rows[0] if rows else None

    @abstractmethod
    def execute(self, query: str, **values: Any) -> int:
        """Run the named write and return the number of rows it changed.

        Raises:
            BrokenRule: when it breaks a rule of the schema.
            UsageError: when a value can't be stored: text that is no Unicode, an integer of more than 64 bits.
        """

    @abstractmethod
    def execute_each(self, text: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run a write that this room made, once for each of `rows`; its text has no value of the caller's."""


class Database(ABC):
    """Named queries and transactions. Threads may share it, and other processes use the same one at the same time.

    Attributes:
        name: where it is, for messages: never with a password.
        dialect: what its SQL is called, `sqlite` or `postgresql`.
    """

    name: str
    dialect: ClassVar[str]

    @abstractmethod
    def all(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return every row of the named query as dicts, as of the last commit; never waits for a writer."""

    def one(self, query: str, **values: Any) -> dict[str, Any] | None:
        """Return the first row of the named query as a dict, or None."""
        rows = self.all(query, **values)
        return rows[0] if rows else None

    @abstractmethod
    def select(self, text: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return every row of a query that this room made: its text has no value of the caller's."""

    @abstractmethod
    def version(self) -> int:
        """Return a number that changes whenever somebody commits, and with nothing else; cheap, for polling."""

    @abstractmethod
    def write(self) -> contextlib.AbstractContextManager[Transaction]:
        """Give a transaction: committed and durable when the block ends, undone when it raises.

        Writers of all processes take turns, and wait up to 60 s for theirs.

        Raises:
            StoreError: when this thread is in a transaction already, the turn did not come, or the disk is full:
                nothing was written then.
        """

    @abstractmethod
    def migrate(self, *, only_before: bool = False) -> list[str]:
        """Bring the schema to that of this code and return the names of what was applied.

        Args:
            only_before: apply only what is safe while older code uses the database.

        Raises:
            StoreError: when it was made by a newer plusone.
        """

    @abstractmethod
    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of every table, in the order of their names, without what is one backend's own."""

    @abstractmethod
    def faults(self) -> list[str]:
        """Return what is wrong inside: damaged pages, references to nothing; empty when all is well."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection; a later call fails."""
