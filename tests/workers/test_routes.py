from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import ConfigError, UsageError
from plusone.base.records import ModelRoute, RouteFile, RouteTarget, WorkerReport
from plusone.workers import routes


def _route(*shares: float, name: str = "m") -> RouteFile:
    targets = tuple(
        RouteTarget(release=n, digest="d", package="p", folder="packages/p", share=share)
        for n, share in enumerate(shares, 1)
    )
    return RouteFile(sequence=1, models={name: ModelRoute(version=3, targets=targets)})


def test_what_was_published_is_read(tmp_path: Path):
    assert routes.read(tmp_path) is None
    routes.publish(tmp_path, _route(1.0, 0.0))
    assert routes.read(tmp_path) == _route(1.0, 0.0)


@pytest.mark.parametrize(
    ("route", "says"),
    [
        (_route(0.5), "add up to 0.5"),
        (_route(), "add up to 0"),
        (_route(1.5, -0.5), "share 1.5"),
        (_route(float("nan")), "share nan"),
        (_route(1.0, name="../m"), "can't name a model"),
    ],
)
def test_a_route_that_cannot_be_served_is_not_published(tmp_path: Path, route: RouteFile, says: str):
    routes.publish(tmp_path, _route(1.0))
    with pytest.raises(UsageError, match=says):
        routes.publish(tmp_path, route)
    assert routes.read(tmp_path) == _route(1.0)


@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda junk: msgspec.json.encode(_route(1.0)) + junk))
def test_hostile_route_files_are_an_error_that_names_the_file(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    folder = tmp_path_factory.getbasetemp() / "hostile"
    folder.mkdir(exist_ok=True)
    (folder / routes.ROUTE_FILE).write_bytes(data)
    try:
        found = routes.read(folder)
    except ConfigError as error:
        said = error.message
    else:
        assert isinstance(found, RouteFile)
        return
    assert routes.ROUTE_FILE in said


def test_deeply_nested_route_files_are_an_error(tmp_path: Path):
    (tmp_path / routes.ROUTE_FILE).write_bytes(b'{"models":' * 100_000)
    with pytest.raises(ConfigError):
        routes.read(tmp_path)


def test_only_reports_of_living_workers_are_read(tmp_path: Path):
    (tmp_path / "workers").mkdir()
    code = (
        "import os, sys; from pathlib import Path; from plusone.workers import routes;"
        "held = routes.hold(Path(sys.argv[1]) / 'workers' / '4.lock'); print(os.getpid(), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        report = WorkerReport(pid=pid, slot=4, ready=True, generation="g", versions={"m": 2})
        routes.write_report(tmp_path, report)
        routes.write_report(tmp_path, WorkerReport(pid=os.getpid(), slot=5, ready=True, generation="g"))
        (tmp_path / "workers" / "6.json").write_bytes(b"\xff{")
        (found,) = routes.read_reports(tmp_path)
        assert (found.slot, found.versions, found.at > "2") == (4, {"m": 2}, True)
        process.kill()
        process.wait()
    assert routes.read_reports(tmp_path) == []
