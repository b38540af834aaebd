"""Every file of a package changed, removed or added in turn: under a worker that serves, and before one starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plusone.base.ids import canonical_json, digest_bytes
from plusone.base.records import ModelRoute
from plusone.hosting.swap import Models
from plusone.workers import routes
from tests.serving.serving_folder import BODY, ServingFolder, ask, until

FILES = ["manifest.json", "model.onnx", "environment.txt", "data/deep/table.csv"]


def _flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def _keep_size(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _elsewhere(path: Path) -> None:
    other = path.with_name("other")
    path.rename(other)
    path.symlink_to(other)  # the same bytes under a second name: still a file that nobody listed


DAMAGES: list[Callable[[Path], None]] = [_flip, _keep_size, Path.unlink, _elsewhere]


def _with_a_subfolder(serving: ServingFolder, number: int) -> Path:
    """Give one of the packages a file in a folder below it, and return the package's folder."""
    folder = serving.path / "packages" / serving.packages[number][0]
    manifest = json.loads((folder / "manifest.json").read_bytes())
    data = b"a,b\n1,2\n"
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "data" / "deep" / "table.csv").write_bytes(data)
    manifest["files"].append({"path": "data/deep/table.csv", "digest": digest_bytes(data), "size_bytes": len(data)})
    (folder / "manifest.json").write_bytes(canonical_json(manifest))
    digest = digest_bytes((folder / "manifest.json").read_bytes())
    serving.packages = {**serving.packages, number: (digest, folder.with_name(digest))}
    return folder.rename(folder.with_name(digest))


def _models(serving: ServingFolder) -> Models:
    return Models(serving.path, lambda *_, **__: None, lambda: None)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_release_with_a_changed_file_takes_no_traffic_and_the_one_before_goes_on(
    serving: ServingFolder, name: str, damage: Callable[[Path], None]
):
    folder = _with_a_subfolder(serving, 2)
    models = _models(serving)
    serving.route(1, live=1)
    models.look()
    damage(folder / name)
    serving.route(2, live=2, warm=1)
    models.look()
    assert models.table.versions == {"m": 1}
    assert str(folder) in models.table.failed["m"]["error"]
    # Before a start: what was served last is served.
    again = _models(serving)
    again.look()
    assert again.table.versions == {"m": 1}
    assert again.table.failed["m"]["version"] == 2


@pytest.mark.parametrize("name", FILES)
def test_a_release_that_is_served_goes_on_from_memory_and_is_not_loaded_again(serving: ServingFolder, name: str):
    folder = _with_a_subfolder(serving, 2)
    models = _models(serving)
    serving.route(1, live=2)
    models.look()
    _flip(folder / name)
    routes.write_good(serving.path, {})
    serving.route(2, live=2)
    models.look()
    assert models.table.versions == {"m": 2}, "what is in memory was verified when it was loaded"
    routes.write_good(serving.path, dict[str, ModelRoute]())
    starting = _models(serving)
    starting.look()
    assert starting.table.entries == {}
    assert f"{folder / name} was changed" in starting.table.failed["m"]["error"]


@pytest.mark.parametrize("name", ["numpy.py", "data/deep/__init__.py", "__pycache__/model.cpython-311.pyc"])
def test_a_file_that_was_added_is_refused(serving: ServingFolder, name: str):
    folder = _with_a_subfolder(serving, 2)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"raise SystemExit")
    models = _models(serving)
    serving.route(1, live=2)
    models.look()
    assert f"{folder / name} is not in the package's manifest" in models.table.failed["m"]["error"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_real_workers_refuse_it_too(serving: ServingFolder, name: str):
    folder = _with_a_subfolder(serving, 2)
    serving.route(1, live=1)
    running = serving.start(workers=1)
    _flip(folder / name)
    serving.route(2, live=2, warm=1)
    until(lambda: any(report.failed for report in running.reports()), "it is refused", poll=running.poll)
    assert json.loads(ask(running.port, "POST", "/models/m/predict", BODY)[2])["release"] == 1
    [before] = running.reports()
    serving.kill(before.pid)
    until(lambda: any(one.ready and one.pid != before.pid for one in running.reports()), "a new one", poll=running.poll)
    assert json.loads(ask(running.port, "POST", "/models/m/predict", BODY)[2])["release"] == 1
    assert str(folder / name) in running.reports()[0].failed["m"]["error"]
