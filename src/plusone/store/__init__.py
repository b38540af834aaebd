"""The only room that knows SQL, database drivers and how blobs lie on disk.

Everything above says what it wants by the name of a query and by digest. The contract that every backend keeps:
`one`, `all` and `execute` take a query's name and bound parameters; `write` is one transaction, all or nothing, and
the process's only writer; reads see the last committed state and never wait for a writer.
"""

from __future__ import annotations

from .blobs import Blobs
from .opening import Store, open_store

__all__ = ["Blobs", "Store", "open_store"]
