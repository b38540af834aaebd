"""Opens a store: the records and the blobs of one project, in one folder."""

from __future__ import annotations

from pathlib import Path

from ..base.errors import StoreError
from .blobs import Blobs
from .sqlite import Database

__all__ = ["Store", "open_store"]


class Store:
    """The records (`db`) and the blobs of one project.

    Attributes:
        folder: where both lie, and where the control process and the workers keep their files.
        db: named queries and transactions.
        blobs: bytes by digest.
    """

    def __init__(self, folder: Path, db: Database, blobs: Blobs) -> None:
        self.folder = folder
        self.db = db
        self.blobs = blobs

    def close(self) -> None:
        """Close the database connections; a later call on this store fails."""
        self.db.close()


def open_store(folder: Path, *, create: bool = True) -> Store:
    """Return the store in `folder`, made and migrated if needed.

    Raises:
        StoreError: when the folder can't be made or read, was made by a newer plusone, or, with `create=False`,
            does not exist.
    """
    if not create and not (folder / "plusone.db").exists():
        raise StoreError(f"There is no store in {folder}.", mend="plusone release  (makes it with the first release)")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")
    except OSError as error:
        raise StoreError(f"The store's folder {folder} can't be made: {error}.") from error
    return Store(folder, Database(folder / "plusone.db"), Blobs(folder / "blobs"))
