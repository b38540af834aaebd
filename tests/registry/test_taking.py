"""Releases made of versions that were registered through MLflow: what is taken, what is refused, what is kept of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from plusone.app.app import App
from plusone.base.errors import Conflict, NotFound, UnsafeValue, UsageError
from plusone.base.ids import digest_bytes
from plusone.registry import catalogue, registry
from plusone.registry.sources import PACKAGE
from plusone.registry.taking import find_taken
from plusone.tracking.artifacts import log_bytes
from plusone.tracking.logged_models import add_logged_model
from tests.journeys.projects import make_project, ran, run, run_json
from tests.release.invariants import check_invariants
from tests.release.written import Written


def _register(store: Any, files: dict[str, bytes], name: str = "m") -> int:
    model = add_logged_model(store, "0", name="model")
    for path, data in files.items():
        log_bytes(store, model.id, path, data)
    if not any(one.model.name == name for one in catalogue.list_models(store.db)):
        registry.create_model(store, name)
    return registry.create_version(store, name, f"models:/{model.id}", by="ana").version.number


@pytest.mark.parametrize("target", ["", "m", "m@", "@1", "m@live", "m@-1", "m@1.0", "m@\u0663", "m@" + "9" * 30])
def test_what_names_no_version_is_refused(project: Written, target: str):
    with pytest.raises(UsageError, match="expected MODEL@N"):
        find_taken(project.store, target)


def test_a_version_must_be_there_and_no_release_yet(project: Written):
    project.release(live=True)
    number = _register(project.store, {"model.skops": b"x"})
    with pytest.raises(Conflict, match=r"release already \(live"):
        find_taken(project.store, "m@1")
    with pytest.raises(NotFound):
        find_taken(project.store, "m@9")
    registry.delete_version(project.store, "m", number)
    with pytest.raises(NotFound):
        find_taken(project.store, f"m@{number}")


def test_its_model_is_the_one_skops_or_onnx_file(project: Written):
    files = {"MLmodel": b"a", "model.skops": b"b", "code/x.py": b"c"}
    taken = find_taken(project.store, f"m@{_register(project.store, files)}")
    assert (taken.request.kind, taken.request.path, taken.request.blob) == ("skops", "model.skops", digest_bytes(b"b"))
    assert taken.files == {path: digest_bytes(data) for path, data in files.items()}
    taken = find_taken(project.store, f"m@{_register(project.store, {'deep/model.onnx': b'b'})}")
    assert (taken.request.kind, taken.request.path) == ("onnx", "deep/model.onnx")


@pytest.mark.parametrize("path", ["model.pkl", "python_model.pkl", "a/model.joblib", "model.pickle", "data/model.pth"])
def test_a_pickle_is_refused_whoever_trusts_it(project: Written, path: str):
    number = _register(project.store, {"MLmodel": b"a", path: b"never looked at"})
    digest = digest_bytes(b"never looked at")
    for trust in ("", digest):
        with pytest.raises(UnsafeValue, match="runs whatever code is in it") as refused:
            find_taken(project.store, f"m@{number}", trust=trust)
        assert refused.value.details["digest"] == digest
        assert "skops" in refused.value.mend


def test_files_that_hold_no_model_or_are_elsewhere_are_said(project: Written):
    with pytest.raises(NotFound, match="no model that can be taken"):
        find_taken(project.store, f"m@{_register(project.store, {'readme.txt': b'x'})}")
    with pytest.raises(UsageError, match=r"several \.skops"):
        find_taken(project.store, f"m@{_register(project.store, {'a.skops': b'x', 'b.skops': b'y'})}")
    version = registry.create_version(project.store, "m", "s3://bucket/model").version
    with pytest.raises(Conflict, match="no files in this store"):
        find_taken(project.store, f"m@{version.number}")


def test_trust_is_for_one_digest_in_full(project: Written):
    number = _register(project.store, {"model.skops": b"x"})
    digest = digest_bytes(b"x")
    for wrong in (digest[:12], "f" * 64, digest.upper(), "yes"):
        with pytest.raises(UsageError, match="is not the digest") as refused:
            find_taken(project.store, f"m@{number}", trust=wrong)
        assert digest in refused.value.mend
    assert not find_taken(project.store, f"m@{number}").request.trusted
    taken = find_taken(project.store, f"m@{number}", trust=digest)
    assert taken.request.trusted
    assert taken.evidence["trusted"] == digest
    assert taken.tags("ana")["plusone.trusted_by"] == "ana"


# ---------------------------------------------------------------------------------------------- whole releases


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that was released once."""
    root = make_project(tmp_path / "p")
    assert run_json(root, "release")["outcome"] == "live"
    return root


def _data() -> tuple[Any, Any]:
    x = np.linspace(-1.0, 1.0, 200)
    return np.column_stack([x, np.cos(7.0 * x)]), x + 0.3 * np.sin(40.0 * x) > 0.0


def _skops(model: Any) -> dict[str, bytes]:
    import skops.io

    return {"MLmodel": b"flavors:\n", "model.skops": skops.io.dumps(model)}


def _registered(root: Path, files: dict[str, bytes], name: str = "m") -> int:
    with App(root) as app:
        return _register(app.store, files, name)


@pytest.mark.slow
def test_a_registered_model_becomes_the_release_of_its_number(root: Path):
    number = _registered(root, _skops(LogisticRegression(C=3.0).fit(*_data())))
    status = run(root, "status")
    assert "registered through MLflow" in status.stdout
    steps = ran(root)
    made = run_json(root, "release", "--from", f"m@{number}")
    assert (made["outcome"], made["release"], made["stage"]) == ("live", number, "live")
    assert ran(root) == steps, "no step was run again, and nothing was trained"
    with App(root) as app:
        detail = app.get_release(target=f"m@{number}")
        found = catalogue.get_version(app.store.db, "m", number)
        assert found.aliases == ("live",)
        assert found.version.by == "ana", "what was registered is still told"
        assert detail.package.trained == "sklearn.linear_model._logistic.LogisticRegression"
        assert detail.package.proof["rows"] > 0
        assert detail.release.settings == {"stride": 2}, "the train function was not called: its settings say nothing"
        assert detail.decisions[0].evidence["from"] == f"m@{number}"
        assert "trusted" not in detail.decisions[0].evidence
        assert app.get_run(run_id=detail.release.run_id).run.tags == {"plusone.from": f"m@{number}"}
        files = [row["path"] for row in app.store.db.all("owner_files", owner=detail.release.run_id)]
        assert f"{PACKAGE}/model.onnx" in files
        check_invariants(app.store)
    again = run(root, "release", "--from", f"m@{number}")
    assert again.returncode == 2
    assert "release already" in again.stderr
    nothing = run_json(root, "release", "--set", "C=2")
    assert nothing["release"] == number + 1


@pytest.mark.slow
def test_types_that_are_not_known_to_be_safe_need_the_digest_from_a_person(root: Path):
    files = _skops(DecisionTreeClassifier(max_depth=3).fit(*_data()))
    number = _registered(root, files)
    refused = run(root, "release", "--from", f"m@{number}", "--json")
    digest = digest_bytes(files["model.skops"])
    assert refused.returncode == 2
    assert "sklearn.tree._tree.Tree" in refused.stderr + refused.stdout
    assert f"--trust {digest}" in refused.stderr + refused.stdout
    made = run_json(root, "release", "--from", f"m@{number}", "--trust", digest, "--by", "ana")
    assert (made["outcome"], made["release"]) == ("live", number)
    with App(root) as app:
        detail = app.get_release(target=f"m@{number}")
        assert [one.evidence.get("trusted") for one in detail.decisions] == [digest, digest]
        tags = app.get_run(run_id=detail.release.run_id).run.tags
        assert tags == {"plusone.from": f"m@{number}", "plusone.trusted": digest, "plusone.trusted_by": "ana"}


@pytest.mark.slow
def test_a_registered_model_goes_through_the_gate_like_any_other(root: Path):
    x, y = _data()
    number = _registered(root, _skops(LogisticRegression().fit(x, ~y)))
    made = run_json(root, "release", "--from", f"m@{number}", code=1)
    assert (made["outcome"], made["release"], made["stage"]) == ("failed", number, "failed")
    assert any("test_auc" in problem for problem in made["problems"])
    with App(root) as app:
        assert catalogue.get_model(app.store.db, "m").aliases == {"live": 1}


@pytest.mark.slow
def test_what_can_not_be_meant_is_refused_and_nothing_is_made(root: Path):
    other = _registered(root, _skops(LogisticRegression().fit(*_data())), name="other")
    number = _registered(root, {"model.skops": b"PK\x03\x04 not a zip"})
    for words, said in (
        (["--from", f"other@{other}"], "The project has no model 'other'. It has: m."),
        (["--from", f"m@{number}"], "can't be read by skops"),
        (["--from", f"m@{number}", "--set", "C=2"], "which is not called"),
        (["--from", f"m@{number}", "--until", "split"], "--until"),
        (["other", "--from", f"m@{number}"], "of another model"),
        (["--trust", "f" * 64], "--from"),
    ):
        done = run(root, "release", *words)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
    connection = sqlite3.connect(root / ".plusone" / "plusone.db")
    assert connection.execute("SELECT count(*) FROM release").fetchone() == (1,)
    connection.close()


@pytest.mark.slow
def test_an_onnx_file_becomes_a_release(root: Path):
    from skl2onnx import to_onnx

    x, y = _data()
    fitted = LogisticRegression(C=3.0).fit(x, y.astype(np.int64))
    graph: Any = to_onnx(fitted, x[:1].astype(np.float32))
    number = _registered(root, {"model.onnx": graph.SerializeToString()})
    made = run_json(root, "release", "--from", f"m@{number}")
    assert (made["outcome"], made["release"]) == ("live", number)
    with App(root) as app:
        package = app.get_release(target=f"m@{number}").package
        assert package.signature.output.classes == (False, True)
