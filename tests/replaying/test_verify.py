"""A package in an environment of its lock alone: enough or not, line by line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from plusone import packaging
from plusone.base.errors import BrokenArtifact, BrokenEnvironment
from plusone.data.datasets import to_table
from plusone.execution.environment import imports_of
from plusone.execution.venvs import lines_of
from plusone.media import Image
from plusone.replaying import asking
from plusone.replaying.asking import Failure, Replay, compiled_lock, replay
from plusone.replaying.verify import verify
from tests.execution.made import write_distribution
from tests.replaying.conftest import Changed


@pytest.mark.slow
def test_each_line_that_is_imported_is_missed_by_name_and_the_others_are_listed(
    changed: Changed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_distribution(tmp_path / "site", "idle")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    lock = compiled_lock() + "idle==1.0\n"
    said: list[str] = []
    found = verify(*changed(environment=lock.encode()), each_line=True, log=said.append)
    assert found.problems == ()
    assert (found.rows, found.differing, found.max_difference) == (20, (), 0.0)
    assert [line.name for line in found.lines if not line.imported] == ["idle"]
    assert {line.name: line.module for line in found.lines if line.imported} == dict(
        zip(lines_of(compiled_lock()), imports_of(compiled_lock()), strict=True)
    )
    for line in found.lines:
        assert line.without == {"idle": "", "typing-extensions": "missed"}.get(line.name, "fails")
    assert sum(text.startswith("without ") for text in said) == len(lines_of(compiled_lock()))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(lines_of(compiled_lock())))
def test_a_lock_that_is_not_enough_names_the_module_and_who_has_it(changed: Changed, name: str):
    lines = compiled_lock().splitlines(keepends=True)
    lock = "".join(line for line in lines if not line.startswith(f"{name}=="))
    found = verify(*changed(environment=lock.encode()))
    module = dict(zip(lines_of(compiled_lock()), imports_of(compiled_lock()), strict=True))[name]
    assert (found.missing, found.distribution) == (module, name)
    assert found.problems == (f"the lock is not enough: there is no module {module!r}, which {name} has",)


@pytest.mark.slow
def test_answers_that_are_not_the_recorded_ones_are_a_problem(changed: Changed):
    folder, digest = changed()
    content = json.loads((folder / "examples.json").read_bytes())
    content["answers"]["probabilities"][3][0] += 0.01
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder, digest = changed(examples=json.dumps(content).encode())
    found = verify(folder, digest)
    assert found.differing == (3,)
    assert found.max_difference == pytest.approx(0.01)
    assert "1 of 20 examples" in found.problems[0]


@pytest.mark.slow
@pytest.mark.parametrize("lock", ["--index-url=x\n", "no-such-distribution-anywhere==1\n", "# python 3.7.1 cpython\n"])
def test_an_environment_that_can_not_be_made_is_a_problem(changed: Changed, lock: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    found = verify(*changed(environment=lock.encode()))
    assert len(found.problems) == 1
    assert found.environment == ""


def test_a_package_that_was_changed_or_has_no_examples_is_refused(changed: Changed):
    folder, digest = changed()
    (folder / "examples.json").write_bytes(b"{}")
    with pytest.raises(BrokenArtifact, match="was changed"):
        verify(folder, digest)


@pytest.mark.slow
def test_a_line_that_was_imported_in_passing_and_that_nobody_misses_is_listed(changed: Changed):
    lock = compiled_lock().replace(" typing_extensions", "")
    found = verify(*changed(environment=lock.encode()), each_line=True)
    assert found.problems == ()
    passing = [line for line in found.lines if line.in_passing]
    assert [(line.name, line.without, line.module) for line in passing] == [("typing-extensions", "answers", "")]


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False], ids=["missed by name", "missed by nobody"])
def test_a_line_without_which_the_answers_differ_is_needed(
    changed: Changed, named: bool, monkeypatch: pytest.MonkeyPatch
):
    lock = compiled_lock()
    if not named:
        lock = "".join(line for line in lock.splitlines(keepends=True) if not line.startswith("# imports"))
    calls: list[Path] = []

    def ask(python: Path, folder: Path, digest: str) -> Replay:
        calls.append(python)
        return replay(python, folder, digest) if len(calls) == 1 else Replay(files=(), rows=20, differing=(3,))

    monkeypatch.setattr("plusone.replaying.verify.replay", ask)
    found = verify(*changed(environment=lock.encode()), each_line=True)
    assert {line.without for line in found.lines} == {"differs"}
    assert all(bool(line.module) is named for line in found.lines)
    expected = [
        f"without {line.name}=={line.version} the model answers differently, and no module of it is missed"
        for line in found.lines
    ]
    assert list(found.problems) == ([] if named else expected)


def test_what_reads_the_pictures_of_a_request_is_in_the_lock(tmp_path: Path):
    plain = compiled_lock()
    assert set(lines_of(compiled_lock(images=True))) - set(lines_of(plain)) == {"pillow"}
    pixels = np.arange(80, dtype=np.uint8).reshape(20, 2, 2)
    for name, lock in (("with", compiled_lock(images=True)), ("without", plain)):
        _, digest = packaging.pack(
            LinearRegression().fit(pixels.reshape(20, 4), np.arange(20.0)),
            name="dots",
            target="y",
            features=["dots"],
            train=to_table({"dots": pixels, "y": np.arange(20.0)}),
            flavour="numpy",
            media={"dots": Image(height=2, width=2, mode="L")},
            environment=lock,
            folder=tmp_path / name,
        )
        found = verify(tmp_path / name, digest, each_line=name == "with")
        if name == "with":
            assert found.problems == ()
            assert {line.name: (line.without, line.module) for line in found.lines}["pillow"] == ("fails", "PIL")
        else:
            assert (found.missing, found.distribution) == ("PIL", "pillow")


def test_an_environment_that_can_not_read_pictures_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    def without_pillow(*_: object, **__: object) -> Replay:
        return Replay(files=(), error=Failure(kind="Unavailable", message="Images are read by Pillow.", module="PIL"))

    monkeypatch.setattr(asking, "replay", without_pillow)
    monkeypatch.setattr(asking, "_found", {})
    with pytest.raises(BrokenEnvironment, match="can't read the pictures of a request") as raised:
        compiled_lock(images=True)
    assert raised.value.mend == "pip install 'plusone[image]'"
