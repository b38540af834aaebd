"""A store of MLflow's own is brought over whole, by MLflow's own server; killed at any moment it goes on."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plusone.base.errors import UsageError
from plusone.importing.foreign import tracking_server
from plusone.importing.mlflow import Imported, import_tracking
from plusone.importing.source import Source
from plusone.recording.recorder import recover_points
from plusone.registry.catalogue import files_of, get_model
from plusone.store import Store, open_store
from plusone.tracking.artifacts import list_artifacts, read_artifact
from plusone.tracking.inputs import list_inputs
from plusone.tracking.runs import get_run, list_metrics
from tests.importing.server import answering

KILLS = 4
PROGRAM = """
import sys
from pathlib import Path
from plusone.importing.mlflow import import_tracking
from plusone.store import open_store
store = open_store(Path(sys.argv[1]))
import_tracking(store, sys.argv[2], on_event=lambda event: print("event", flush=True))
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(open_store(tmp_path / "store")) as opened:
        yield opened


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, mlflow_python: Path) -> str:
    """A database as MLflow's client fills it, with the files beside it."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    fill = Path(__file__).with_name("fill.py")
    done = subprocess.run([str(mlflow_python), str(fill), uri], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return uri


@pytest.fixture(scope="module")
def server(database: str, mlflow_python: Path) -> Iterator[Source]:
    with tracking_server(database, command=command(mlflow_python)) as source:
        yield source


def command(python: Path) -> str:
    return str(python.parent / "mlflow")


def compare(found: Imported) -> None:
    assert found.there == found.here
    assert (found.there.runs, found.there.settings, found.there.points) == (13, 30, 6 * 124)
    assert (found.there.files, found.logged_models, found.registered_models, found.versions) == (12, 2, 1, 2)
    # `live` is the route here, and only a decision moves it.
    assert found.problems == ("the alias 'live' of 'churn': it is the route here, which only a decision moves",)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_database_is_brought_over_whole_and_again_as_it_is(store: Store, database: str, mlflow_python: Path) -> None:
    with tracking_server(database, command=command(mlflow_python)) as source:
        found = import_tracking(store, source.address)
        compare(found)
        assert found.skipped == 0
        runs = [run for one in source.experiments() for run in source.runs(str(one["experiment_id"]))]
        for run in runs:
            look_like(store, source, run)
        again = import_tracking(store, source.address)
    compare(again)
    assert again.skipped == 13
    churn = get_model(store.db, "churn")
    assert [one.version.number for one in churn.versions] == [1, 2]
    assert churn.aliases == {"best": 1}
    assert "MLmodel" in [file.path for file in files_of(store.db, churn.versions[0].version)]


def look_like(store: Store, source: Source, run: dict[str, Any]) -> None:
    """Compare one run, value by value, with what the source says of it."""
    info, data = run["info"], run["data"]
    mine = get_run(store, info["run_id"])
    assert mine.name == info["run_name"]
    assert (mine.deleted_at is not None) == (info["lifecycle_stage"] == "deleted")
    assert mine.settings == {one["key"]: one["value"] for one in data.get("params", ())}
    for metric in data.get("metrics", ()):
        there = [(p["step"], str(float(p["value"]))) for p in source.history(mine.id, metric["key"])]
        here = [(p.step, str(p.value)) for p in list_metrics(store, mine.id, metric["key"])]
        assert sorted(here) == sorted(there)
    assert [(one.path, one.size_bytes) for one in list_artifacts(store, mine.id)] == sorted(source.files(mine.id))
    if any(one.path == "notes/a b.txt" for one in list_artifacts(store, mine.id)):
        assert read_artifact(store, mine.id, "notes/a b.txt") == b"hello"
        assert [(one.name, one.tags) for one in list_inputs(store, mine.id)] == [
            ("tiny", {"mlflow.data.context": "training"})
        ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_while_it_brings_over_it_goes_on_and_nothing_is_there_twice(tmp_path: Path, server: Source) -> None:
    for place in range(KILLS):
        folder = tmp_path / f"store-{place}"
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), server.address], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(1 + 3 * place):
            process.stdout.readline()
        process.kill()
        process.communicate()
        with contextlib.closing(open_store(folder)) as store:
            compare(import_tracking(store, server.address))
            recover_points(store)
            compare(import_tracking(store, server.address))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_command_reads_a_database_and_says_what_it_counted(
    tmp_path: Path, database: str, mlflow_python: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    words = [sys.executable, "-m", "plusone", "--project", str(tmp_path), "import", "mlflow", database, "--json"]
    words += ["--mlflow", command(mlflow_python), "--experiment", "alpha"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout, type=Imported)
    assert (found.experiments, found.there.runs) == (1, 6)
    assert found.there == found.here


def test_an_experiment_that_is_not_there_is_said_with_those_that_are(store: Store) -> None:
    body = b'{"experiments": [{"experiment_id": "1", "name": "alpha"}]}'
    with answering(lambda *_: (200, body)) as (address, _), pytest.raises(UsageError, match=r"'beta'.*'alpha'"):
        import_tracking(store, address, experiments=["beta"])


def test_a_run_that_cannot_be_had_is_a_problem_and_the_others_are_brought(store: Store) -> None:
    answers = {
        "experiments/search": {"experiments": [{"experiment_id": "1", "name": "alpha"}]},
        "runs/search": {"runs": [{"info": {"run_id": "../x"}}, {"info": {"run_id": "good", "status": "FINISHED"}}]},
    }

    def answer(verb: str, path: str, body: bytes) -> tuple[int, bytes]:
        found = next((value for key, value in answers.items() if key in path), {})
        return 200, msgspec.json.encode(found)

    with answering(answer) as (address, _):
        found = import_tracking(store, address)
    assert found.there.runs == found.here.runs == 1
    assert len(found.problems) == 1
    assert "'../x' can't be an id here" in found.problems[0]
    assert get_run(store, "good").status == "done"
