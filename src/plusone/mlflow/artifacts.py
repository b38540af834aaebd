"""Files of runs and of logged models, by the addresses that MLflow's artifact proxy gives them.

`mlflow-artifacts:/<experiment>/<run>/artifacts/<path>` is the artifact `<path>` of the run, and
`mlflow-artifacts:/<experiment>/models/<model>/artifacts/<path>` that of a logged model.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..app.app import App
from ..base.errors import Conflict, NotFound
from ..base.ids import new_id
from ..base.records import Artifact
from ..mlflow_wire.endpoint import Endpoint, MlflowError
from ..mlflow_wire.errors import invalid
from ..mlflow_wire.wire import info_json
from ..store import Store
from ..tracking import artifacts
from ..tracking.logged_models import get_logged_model
from .runs import OfRun, find_run

__all__ = ["ENDPOINTS", "Place", "Proxy", "Uploads"]

_UPLOAD = re.compile(r"[0-9a-z]{26}\Z")
_FORGET_S = 24 * 3600.0
_MOST_PARTS = 10_000


class ListArtifacts(OfRun, frozen=True, kw_only=True):
    """A run, and a folder of its artifacts."""

    path: str = ""


class Place(NamedTuple):
    """Whose artifact an address means, and which: a path, or '' for all of them."""

    owner: str
    path: str


class NewUpload(msgspec.Struct, frozen=True):
    """A file that comes in parts: what it is called where it lies now, and how many there are."""

    path: str
    num_parts: int = 1


class Part(msgspec.Struct, frozen=True):
    """One part that was sent, and what was answered to it."""

    part_number: int
    etag: str | None = None


class EndUpload(msgspec.Struct, frozen=True):
    """A file that came in parts."""

    path: str
    upload_id: str
    parts: list[Part] = []


class Uploads:
    """Files that clients are sending, in a folder of the store until they are whole.

    What a client never finished is removed after a day, when the next control process starts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            with contextlib.suppress(OSError):
                if left.stat().st_mtime < time.time() - _FORGET_S:
                    shutil.rmtree(left, ignore_errors=True)

    def begin(self) -> Path:
        """Return a new folder for one upload; its name is the upload's id."""
        made = self.folder / new_id()
        made.mkdir()
        return made

    def find(self, upload_id: str) -> Path:
        """Return the folder of an upload under way.

        Raises:
            MlflowError: when there is none.
        """
        found = self.folder / upload_id
        if not (_UPLOAD.match(upload_id) and found.is_dir()):
            raise MlflowError("RESOURCE_DOES_NOT_EXIST", f"There is no upload {upload_id[:100]!r} under way.")
        return found

    def part(self, upload_id: str, number: str) -> Path:
        """Return where a part of an upload is written."""
        if not (number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= _MOST_PARTS):
            raise invalid(f"{number[:100]!r} can't number a part: expected 1 to {_MOST_PARTS}.")
        return self.find(upload_id) / str(int(number))

    def end(self, folder: Path) -> None:
        """Remove what is left of an upload."""
        shutil.rmtree(folder, ignore_errors=True)


class Proxy:
    """What MLflow's artifact proxy does, over the artifacts of one store. Paths are those behind `artifacts/`."""

    def __init__(self, store: Store, uploads: Uploads) -> None:
        self._store = store
        self._uploads = uploads

    def place(self, address: str, *, whole: bool = False) -> Place:
        """Return what an address means; with `whole` a folder may be meant, and the path be empty.

        Raises:
            MlflowError: when it has another form, or nothing owns it.
        """
        parts = address.strip("/").split("/")
        is_model = len(parts) > 1 and parts[1] == "models"
        own = 3 if is_model else 2
        if len(parts) <= own or parts[own] != "artifacts" or (len(parts) == own + 1 and not whole):
            raise invalid(
                f"Invalid path: {address[:200]!r}. Expected EXPERIMENT/RUN/artifacts/PATH or "
                "EXPERIMENT/models/MODEL/artifacts/PATH."
            )
        owner = parts[own - 1]
        if is_model:
            get_logged_model(self._store.db, owner, deleted=True)
        elif find_run(self._store, owner).experiment != parts[0]:
            raise MlflowError(
                "RESOURCE_DOES_NOT_EXIST", f"Run with id={owner} not found in the experiment {parts[0][:100]}"
            )
        path = "/".join(parts[own + 1 :])
        if "\ufffd" in path:  # what the server makes of bytes that are no UTF-8: two names could become one
            raise invalid(f"{path[:200]!r} can't be the path of an artifact: it is no valid UTF-8.")
        return Place(owner, artifacts.check_path(path) if path else "")

    def keep(self, place: Place, file: Path) -> None:
        """Make a received file the artifact of that place."""
        try:
            artifacts.log_file(self._store, place.owner, place.path, file)
        except Conflict as error:
            raise invalid(str(error)) from None

    def keep_bytes(self, place: Place, data: bytes) -> None:
        """Make received bytes the artifact of that place."""
        try:
            artifacts.log_bytes(self._store, place.owner, place.path, data)
        except Conflict as error:
            raise invalid(str(error)) from None

    def open(self, address: str) -> tuple[Artifact, Path]:
        """Return an artifact and the file with its bytes, which were checked against their digest."""
        place = self.place(address)
        found = artifacts.get_artifact(self._store, place.owner, place.path)
        return found, self._store.blobs.verify(found.blob)

    def list(self, address: str) -> dict[str, Any]:
        """Answer with what lies directly in a folder, by the last part of each name."""
        place = self.place(address, whole=True)
        found = _listed(self._store, place.owner, place.path)
        return {"files": [{**one, "path": one["path"].rpartition("/")[2]} for one in found]}

    def delete(self, address: str) -> dict[str, Any]:
        """Take away a file, or all files of a folder."""
        place = self.place(address, whole=True)
        found = artifacts.list_artifacts(self._store, place.owner, place.path)
        if not found and place.path:
            raise NotFound(f"There is no artifact {place.path!r}.")
        for one in found:
            with contextlib.suppress(NotFound):  # somebody else took it away meanwhile
                artifacts.remove_artifact(self._store, place.owner, one.path)
        return {}

    def begin_parts(self, address: str, asked: NewUpload, base: str) -> dict[str, Any]:
        """Answer with an upload's id and with an address below `base` for each of its parts."""
        self._named(address, asked.path)
        if not 1 <= asked.num_parts <= _MOST_PARTS:
            raise invalid(f"num_parts is {asked.num_parts}: expected 1 to {_MOST_PARTS}.")
        upload_id = self._uploads.begin().name
        credentials = [
            {"url": f"{base}/{upload_id}/{number}", "part_number": number, "headers": {}}
            for number in range(1, asked.num_parts + 1)
        ]
        return {"upload_id": upload_id, "credentials": credentials}

    def end_parts(self, address: str, asked: EndUpload) -> dict[str, Any]:
        """Make the parts of an upload one artifact."""
        place = self._named(address, asked.path)
        folder = self._uploads.find(asked.upload_id)
        numbers = sorted(part.part_number for part in asked.parts)
        whole = folder / "whole"
        with whole.open("wb") as writer:
            for number in numbers:
                part = self._uploads.part(asked.upload_id, str(number))
                if not part.is_file():
                    raise invalid(f"The part {number} of the upload {asked.upload_id} was never sent.")
                with part.open("rb") as reader:
                    shutil.copyfileobj(reader, writer, 1 << 20)
        if numbers != list(range(1, len(numbers) + 1)):
            raise invalid(f"The parts are {numbers[:20]}: expected each from 1 on, once.")
        self.keep(place, whole)
        self._uploads.end(folder)
        return {}

    def drop_parts(self, address: str, asked: EndUpload) -> dict[str, Any]:
        """Forget an upload."""
        self._named(address, asked.path)
        self._uploads.end(self._uploads.find(asked.upload_id))
        return {}

    def _named(self, address: str, local: str) -> Place:
        name = local.replace("\\", "/").rpartition("/")[2]
        return self.place(f"{address.rstrip('/')}/{name}")


def list_run(app: App, asked: ListArtifacts) -> dict[str, Any]:
    """Answer with what lies directly in a folder of a run's artifacts."""
    run = find_run(app.store, asked.id)
    prefix = artifacts.check_path(asked.path) if asked.path else ""
    return {"root_uri": info_json(run)["artifact_uri"], "files": _listed(app.store, run.id, prefix)}


def _listed(store: Store, owner: str, prefix: str) -> list[dict[str, Any]]:
    """Return the files and folders directly in `prefix`, by path; nothing when it is a file."""
    found: dict[str, dict[str, Any]] = {}
    start = f"{prefix}/" if prefix else ""
    for one in artifacts.list_artifacts(store, owner, prefix):
        if one.path == prefix:
            return []
        name, slash, _ = one.path[len(start) :].partition("/")
        path = start + name
        if slash:
            found[path] = {"path": path, "is_dir": True}
        else:
            found[path] = {"path": path, "is_dir": False, "file_size": one.size_bytes}
    return list(found.values())


ENDPOINTS: tuple[Endpoint, ...] = (Endpoint("GET", "artifacts/list", ListArtifacts, list_run),)
