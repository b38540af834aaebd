"""The only room that knows SQL, database drivers, object storage and how blobs lie on disk.

Everything above says what it wants by the name of a query and by digest. The contract that every backend keeps:
`one`, `all` and `execute` take a query's name and bound parameters; `write` is one transaction, all or nothing, and
the only writer of its time; reads see the last committed state and never wait for a writer (`database.py`).
"""

from __future__ import annotations

from .blobs import Blobs
from .database import Database, Transaction
from .opening import Store, open_blobs, open_project, open_store

__all__ = ["Blobs", "Database", "Store", "Transaction", "open_blobs", "open_project", "open_store"]
