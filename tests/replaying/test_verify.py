"""A package in an environment of its lock alone: enough or not, line by line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from plusone import packaging
from plusone.base.errors import BrokenArtifact, BrokenEnvironment
from plusone.data.datasets import to_table
from plusone.execution import venvs
from plusone.execution.environment import imports_of
from plusone.execution.venvs import lines_of
from plusone.media import Image
from plusone.replaying import asking
from plusone.replaying.asking import NOT_HERE, Failure, Replay, compiled_lock, replay
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
        assert line.without == {"idle": "", "typing-extensions": "answers"}.get(line.name, "fails")
        assert line.optional is (line.name == "typing-extensions")
        assert line.failure == {"idle": "", "typing-extensions": NOT_HERE}.get(line.name, "ModuleNotFoundError")
    assert sum(text.startswith("without ") for text in said) == len(lines_of(compiled_lock()))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(lines_of(compiled_lock())))
def test_a_lock_that_is_not_enough_names_the_module_and_who_has_it(changed: Changed, name: str):
    lines = compiled_lock().splitlines(keepends=True)
    lock = "".join(line for line in lines if not line.startswith(f"{name}=="))
    found = verify(*changed(environment=lock.encode()))
    module = dict(zip(lines_of(compiled_lock()), imports_of(compiled_lock()), strict=True))[name]
    assert (found.missing, found.distribution) == (module, name)
    told = {
        "typing-extensions": f" (it was {NOT_HERE}; the model answers its examples equally)",
    }.get(name, "")
    assert found.problems == (f"the lock is not enough: there is no module {module!r}, which {name} has{told}",)


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


def uncommented(lock: str) -> str:
    """A lock as it is without its comment of what was imported."""
    return "".join(line for line in lock.splitlines(keepends=True) if not line.startswith("# imports"))


@pytest.mark.slow
@pytest.mark.parametrize("comment", ["without the module's name", "none"])
def test_what_the_lock_does_not_say_was_imported_is_missed_if_the_replay_imported_it(changed: Changed, comment: str):
    lock = uncommented(compiled_lock()) if comment == "none" else compiled_lock().replace(" typing_extensions", "")
    found = verify(*changed(environment=lock.encode()), each_line=True)
    assert found.problems == ()
    (line,) = [line for line in found.lines if line.optional]
    assert (line.name, line.without, line.module) == ("typing-extensions", "answers", "typing_extensions")
    assert line.failure == NOT_HERE


Ask = Callable[[Path, Path, str], Replay]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[Ask], None]:
    """Return a function that sets what all replays but the first come to."""

    def set_later(ask: Ask) -> None:
        calls: list[Path] = []

        def asked(python: Path, folder: Path, digest: str) -> Replay:
            calls.append(python)
            return (replay if len(calls) == 1 else ask)(python, folder, digest)

        monkeypatch.setattr("plusone.replaying.verify.replay", asked)

    return set_later


def died(python: Path, folder: Path, digest: str) -> Replay:
    """A process that ended without a word."""
    raise BrokenEnvironment("ended with exit code -11")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ask", "without"),
    [
        (lambda *_: Replay(files=(), rows=20, differing=(3,)), "differs"),
        (lambda *_: Replay(files=(), error=Failure(kind="AttributeError", message="None has no x")), "fails"),
        (lambda *_: Replay(files=(), error=Failure(kind="X", message="y", module="no_such_module")), "fails"),
        (died, "fails"),
    ],
    ids=["answers differently", "fails and names nothing", "fails and names another module", "dies"],
)
def test_a_line_is_missed_by_name_whatever_the_model_does_without_it(
    changed: Changed, ask: Ask, without: str, later: Callable[[Ask], None]
):
    later(ask)
    found = verify(*changed(environment=compiled_lock().encode()), each_line=True)
    assert found.problems == ()
    assert {(line.without, line.failure) for line in found.lines} == {(without, NOT_HERE)}
    assert [line.module for line in found.lines] == imports_of(compiled_lock())


@pytest.mark.slow
@pytest.mark.parametrize("did", ["fails", "answers"])
def test_a_line_whose_module_is_there_without_it_is_a_problem(
    changed: Changed, did: str, later: Callable[[Ask], None], monkeypatch: pytest.MonkeyPatch
):
    """As if another distribution had each module, too."""
    whole: list[Replay] = []

    def ask(python: Path, folder: Path, digest: str) -> Replay:
        return Replay(files=(), error=Failure(kind="X", message="y")) if did == "fails" else whole[0]

    @contextlib.contextmanager
    def without(lock: str, name: str) -> Iterator[Path]:
        python = venvs.ensure(lock)
        if did == "answers":
            whole[:] = [replay(python, *package)]
        yield python

    later(ask)
    monkeypatch.setattr(venvs, "without", without)
    package = changed(environment=compiled_lock().encode())
    found = verify(*package, each_line=True)
    says = {
        "fails": "the model fails, and the error names no module of it",
        "answers": "the model answers equally, and no module of it is missed",
    }[did]
    assert found.problems == tuple(f"without {line.name}=={line.version} {says}" for line in found.lines)


@pytest.mark.slow
def test_a_module_that_is_not_imported_although_its_line_is_there_is_a_problem(changed: Changed):
    lock = compiled_lock().replace("# imports ", "# imports numpy.no_such_part ")
    found = verify(*changed(environment=lock.encode()))
    assert found.missing == "numpy.no_such_part"
    assert found.problems[0].startswith("the module 'numpy.no_such_part' of numpy==")
    assert "was not imported, although its line is there" in found.problems[0]


def test_a_line_that_is_deleted_by_hand_is_a_changed_package(changed: Changed):
    folder, digest = changed()
    lock = (folder / "environment.txt").read_text()
    kept = [line for line in lock.replace(" typing_extensions", "").splitlines() if not line.startswith("typing-")]
    (folder / "environment.txt").write_text("\n".join(kept) + "\n")
    with pytest.raises(BrokenArtifact, match=r"environment\.txt was changed: expected sha256"):
        verify(folder, digest)


@pytest.mark.slow
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
