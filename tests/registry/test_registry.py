"""The registry: one sequence of numbers, files that stay, and aliases that are the route."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from plusone.app.app import App
from plusone.base.errors import Conflict, NotFound, PlusoneError, UsageError
from plusone.registry import catalogue, registry
from plusone.registry.sources import PACKAGE
from plusone.release import lifecycle
from plusone.store import open_store
from plusone.tracking.artifacts import log_bytes
from plusone.tracking.logged_models import add_logged_model
from tests.release.invariants import check_invariants, history
from tests.release.written import PASSED, Written


@pytest.fixture
def source(project: Written) -> str:
    """The URI of a logged model with one file."""
    model = add_logged_model(project.store, "0", name="model")
    log_bytes(project.store, model.id, "model.skops", b"not looked at")
    return f"models:/{model.id}"


def _numbers(project: Written, name: str = "m") -> list[int]:
    return [one.version.number for one in catalogue.get_model(project.store.db, name).versions]


def test_releases_and_registered_versions_share_one_sequence(project: Written, source: str):
    project.release(live=True)
    made = registry.create_version(project.store, "m", source, by="ana")
    third = project.release()
    assert (made.version.number, third.number) == (2, 3)
    assert _numbers(project) == [1, 2, 3]
    registry.delete_version(project.store, "m", 2)
    assert _numbers(project) == [1, 3]
    assert project.release().number == 4
    assert registry.create_version(project.store, "m", source).version.number == 5
    registry.delete_version(project.store, "m", 5)
    assert registry.create_version(project.store, "m", source).version.number == 6, "a number is never used again"


def test_a_candidate_is_shown_as_one_and_is_no_release(project: Written, source: str):
    registry.create_model(project.store, "m")
    registry.create_version(project.store, "m", source)
    with App(project.root) as app:
        assert [(one.number, one.stage, one.digest) for one in app.list_releases()] == [(1, "candidate", "")]
        status = app.status(model="m").models[0]
        assert (status.live, [one.number for one in status.releases]) == (None, [1])
        assert app.list_releases(model="m") == app.list_releases()
        with pytest.raises(NotFound):
            app.list_releases(model="other")
    project.release()
    with pytest.raises(Conflict, match="registered through MLflow") as refused:
        lifecycle.promote(project.store, "m@1", by="x")
    assert refused.value.mend == "plusone release --from m@1"
    check_invariants(project.store)


def test_a_release_is_never_deleted_renamed_or_changed_by_the_registry(project: Written):
    project.release(live=True)
    before = history(project.store)
    with pytest.raises(Conflict, match="never deleted"):
        registry.delete_version(project.store, "m", 1)
    with pytest.raises(Conflict, match="has releases"):
        registry.delete_model(project.store, "m")
    with pytest.raises(Conflict, match="has releases"):
        registry.rename_model(project.store, "m", "n")
    registry.change_version(project.store, "m", 1, description="the first", tags={"team": "a"})
    registry.change_version(project.store, "m", 1, tags={"team": None, "b": "2"})
    found = catalogue.get_version(project.store.db, "m", 1)
    assert (found.version.description, found.version.tags) == ("the first", {"b": "2"})
    assert (found.stage, found.version.source) == ("live", found.package)
    assert history(project.store) == before


FILES = ("manifest.json", "model.onnx", "environment.txt", "examples.json")


def test_the_package_of_a_release_lies_among_the_artifacts_of_its_run(project: Written):
    release = project.release()
    uri = catalogue.download_uri(project.store, "m", 1)
    assert uri == f"mlflow-artifacts:/0/{release.run_id}/artifacts/{PACKAGE}"
    for _ in range(2):
        files = {row["path"]: row["blob"] for row in project.store.db.all("owner_files", owner=release.run_id)}
        assert set(files) == {f"{PACKAGE}/{name}" for name in FILES}
        assert files[f"{PACKAGE}/manifest.json"] == release.package
        catalogue.download_uri(project.store, "m", 1)


def test_a_deleted_model_leaves_its_numbers_used(project: Written, source: str):
    registry.create_model(project.store, "x", tags={"a": "b"})
    for _ in range(2):
        registry.create_version(project.store, "x", source)
    registry.set_alias(project.store, "x", "best", 2)
    registry.delete_model(project.store, "x")
    with pytest.raises(NotFound, match="not found"):
        catalogue.get_model(project.store.db, "x")
    assert registry.create_model(project.store, "x").model.tags == {}
    assert registry.create_version(project.store, "x", source).version.number == 3
    assert catalogue.get_model(project.store.db, "x").aliases == {}


def test_a_renamed_model_takes_its_versions_along_and_leaves_its_numbers_used(project: Written, source: str):
    registry.create_model(project.store, "x", description="d")
    registry.create_version(project.store, "x", source)
    registry.set_alias(project.store, "x", "best", 1)
    renamed = registry.rename_model(project.store, "x", "y")
    assert (renamed.model.description, renamed.aliases) == ("d", {"best": 1})
    with pytest.raises(NotFound):
        catalogue.get_model(project.store.db, "x")
    registry.create_model(project.store, "x")
    assert registry.create_version(project.store, "x", source).version.number == 2
    with pytest.raises(Conflict, match="already exists"):
        registry.rename_model(project.store, "y", "x")


def test_the_files_of_a_version_are_those_that_its_source_names(project: Written):
    run = project.release().run_id
    for path in ("a/model.skops", "a/deep/b", "ab/c", "d"):
        log_bytes(project.store, run, path, path.encode())
    registry.create_model(project.store, "x")
    names = {
        f"runs:/{run}/a": ["deep/b", "model.skops"],
        f"runs:/{run}/d": ["d"],
        f"mlflow-artifacts:/0/{run}/artifacts/a/": ["deep/b", "model.skops"],
        f"mlflow-artifacts://127.0.0.1:7400/0/{run}/artifacts/ab": ["c"],
        f"http://127.0.0.1:7400/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/a": ["deep/b", "model.skops"],
        f"runs:/{run}/none": [],
        "s3://bucket/model": [],
        "models:/x/1": ["deep/b", "model.skops"],
    }
    for uri, expected in names.items():
        made = registry.create_version(project.store, "x", uri)
        assert [file.path for file in catalogue.files_of(project.store.db, made.version)] == expected, uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        " ",
        "/etc",
        "file:///etc",
        "model",
        "runs:/r/../../x",
        "mlflow-artifacts:/0/%2e%2e/artifacts/x",
        "mlflow-artifacts:/0/r/artifacts/%252e%252e/x",
        "mlflow-artifacts:/x",
        "models:/x/\0",
        "runs:/a\ud800b/x",
    ],
)
def test_a_source_that_leads_elsewhere_is_refused(project: Written, uri: str):
    registry.create_model(project.store, "x")
    with pytest.raises(UsageError):
        registry.create_version(project.store, "x", uri)
    assert _numbers(project, "x") == []


@pytest.mark.parametrize(
    "uri", ["runs:/nobody/m", "models:/m-nobody", "models:/x/7", "models:/x/\u0663", "models:/x/1"]
)
def test_a_source_of_nothing_is_not_found(project: Written, uri: str):
    registry.create_model(project.store, "x")
    with pytest.raises(NotFound):
        registry.create_version(project.store, "x", uri)


def test_a_source_must_be_of_the_run_that_is_given(project: Written):
    one, other = project.release().run_id, project.release().run_id
    registry.create_model(project.store, "x")
    with pytest.raises(UsageError, match="is of run_id"):
        registry.create_version(project.store, "x", f"runs:/{one}/a", run_id=other)
    with pytest.raises(NotFound):
        registry.create_version(project.store, "x", "s3://bucket/a", run_id="nobody")


HOSTILE = ["a/b", "a:b", "", "  ", ".", "..", "x" * 1000, "a\nb", "a\0b", "\ud800"]
FINE = ["a b", "é", "\N{SNOWMAN}", "\N{ROCKET}", "a@b", "x" * 256, "'; DROP TABLE release; --", "%41", "A.b-c_d"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_can_stand_in_no_uri_is_refused(project: Written, name: str):
    with pytest.raises(UsageError):
        registry.create_model(project.store, name)
    assert catalogue.list_models(project.store.db) == []


@pytest.mark.parametrize("name", FINE)
def test_any_other_name_is_taken(project: Written, source: str, name: str):
    registry.create_model(project.store, name)
    assert registry.create_version(project.store, name, source).version.number == 1
    assert catalogue.get_model(project.store.db, name).versions[0].version.model == name
    with App(project.root) as app:
        assert [one.model for one in app.list_releases(model=name)] == [name]


@pytest.mark.parametrize("key", ["", "k" * 251, "plusone.stage", "a\nb", "\ud800"])
def test_a_tag_that_can_not_be_kept_is_refused(project: Written, key: str):
    with pytest.raises(UsageError):
        registry.create_model(project.store, "x", tags={key: "v"})
    registry.create_model(project.store, "x")
    with pytest.raises(UsageError):
        registry.change_model(project.store, "x", tags={key: "v"})


@pytest.mark.parametrize(
    "alias", ["Live", "PREVIOUS", "latest", "Latest", "v3", "V12", "a b", "", "a/b", "é" * 256, "\ud800"]
)
def test_an_alias_that_would_mislead_is_refused(project: Written, alias: str):
    project.release()
    with pytest.raises(UsageError):
        registry.set_alias(project.store, "m", alias, 1)


def test_live_and_previous_are_set_by_no_registry_call(project: Written):
    project.release(live=True)
    project.release(live=True)
    for alias in registry.RESERVED:
        with pytest.raises(Conflict, match=alias):
            registry.set_alias(project.store, "m", alias, 1)
        with pytest.raises(Conflict, match=alias):
            registry.delete_alias(project.store, "m", alias)
    assert catalogue.get_model(project.store.db, "m").aliases == {"live": 2, "previous": 1}
    assert catalogue.find_alias(project.store.db, "m", "previous").version.number == 1
    assert catalogue.find_alias(project.store.db, "m", "latest").version.number == 2
    with pytest.raises(UsageError, match="not found"):
        catalogue.find_alias(project.store.db, "m", "best")


class Registering(RuleBasedStateMachine):
    """Releases, moves and registry calls in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="registering-")
        self.project = Written(Path(self._folder.name) / "p")
        self.source = f"models:/{add_logged_model(self.project.store, '0', name='m').id}"
        self.used: set[int] = set()
        self.free: dict[str, int] = {}

    def teardown(self) -> None:
        self.project.close()
        self._folder.cleanup()

    def _try(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except PlusoneError as error:
            refused: PlusoneError | None = error
        else:
            refused = None
        assert refused is None or refused.exit_code in (1, 2), refused
        return refused is None

    def _took(self, number: int) -> None:
        assert number == max(self.used, default=0) + 1, "the next number, without a gap, and never one twice"
        self.used.add(number)

    @rule(checks=st.sampled_from([PASSED, (("data", "passed"), ("model", "failed"))]))
    def release(self, checks: tuple) -> None:
        if len(self.used) < 8:
            self._took(self.project.release(checks=checks).number)

    @rule()
    def register(self) -> None:
        self._try(lambda: registry.create_model(self.project.store, "m"))
        if len(self.used) < 8:
            self._took(registry.create_version(self.project.store, "m", self.source).version.number)

    @rule(number=st.integers(1, 8))
    def delete(self, number: int) -> None:
        if self._try(lambda: registry.delete_version(self.project.store, "m", number)):
            self.free = {alias: to for alias, to in self.free.items() if to != number}

    @rule(number=st.integers(1, 8))
    def promote(self, number: int) -> None:
        self._try(lambda: lifecycle.promote(self.project.store, f"m@{number}", by="x"))

    @rule()
    def roll_back(self) -> None:
        self._try(lambda: lifecycle.roll_back(self.project.store, "m", by="x"))

    @rule(alias=st.sampled_from(["best", "champion", "live", "previous"]), number=st.integers(1, 8))
    def alias(self, alias: str, number: int) -> None:
        if self._try(lambda: registry.set_alias(self.project.store, "m", alias, number)):
            self.free[alias] = number

    @rule(alias=st.sampled_from(["best", "champion", "live", "previous"]))
    def no_alias(self, alias: str) -> None:
        if self._try(lambda: registry.delete_alias(self.project.store, "m", alias)):
            self.free.pop(alias, None)

    @invariant()
    def aliases_are_the_route(self) -> None:
        if not self.used:
            return
        route = lifecycle.current_route(self.project.store.db, "m")
        expected = dict(self.free)
        if route is not None:
            shares = {"live": route.shares[0] if route.shares else None, "previous": route.previous}
            expected |= {alias: share.release for alias, share in shares.items() if share}
        found = catalogue.get_model(self.project.store.db, "m")
        assert found.aliases == expected
        assert {one.version.number for one in found.versions} <= self.used
        check_invariants(self.project.store)


TestRegistering = Registering.TestCase
TestRegistering.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)

CREATE = """
import sys
from pathlib import Path
from plusone.registry import registry
from plusone.store import open_store
store = open_store(Path(sys.argv[1]))
print("ready", flush=True)
for _ in range(int(sys.argv[3])):
    print(registry.create_version(store, "x", sys.argv[2]).version.number, flush=True)
"""


def _start(project: Written, source: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CREATE, str(project.store.folder), source, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_many_processes_give_every_number_once_and_none_is_left_out(project: Written, source: str):
    registry.create_model(project.store, "x")
    processes = [_start(project, source, 25) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        outputs = list(pool.map(lambda process: process.communicate(timeout=100)[0].split()[1:], processes))
    given = [int(number) for output in outputs for number in output]
    assert sorted(given) == list(range(1, 101))
    assert _numbers(project, "x") == list(range(1, 101))


@pytest.mark.slow
def test_a_version_that_was_acknowledged_outlives_the_death_of_its_process(project: Written, source: str):
    registry.create_model(project.store, "x")
    expected = 0
    for lines in (1, 3, 7):
        process = _start(project, source, 10_000)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        acknowledged = [int(process.stdout.readline()) for _ in range(lines)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout.read().split("\n")[:-1]]
        process.wait()
        process.stdout.close()
        assert acknowledged[0] == expected + 1
        store = open_store(project.store.folder)
        numbers = [one.version.number for one in catalogue.get_model(store.db, "x").versions]
        store.close()
        assert numbers == list(range(1, len(numbers) + 1)), "none is left out"
        assert set(acknowledged) <= set(numbers)
        assert len(numbers) <= acknowledged[-1] + 1, "at most the one that nobody was told of"
        expected = len(numbers)
