"""The version of the code in every state that a folder can be in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from plusone.base.ids import digest_bytes
from plusone.base.records import Code
from plusone.store import Store
from plusone.tracking.code import capture_code


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit of a project in a folder of it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "repository" / "project"
    folder.mkdir(parents=True)
    (folder / "pipeline.py").write_text("one = 1\n")
    git(folder.parent, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_a_clean_tree_is_its_commit(project: Path, store: Store) -> None:
    code = capture_code(project, store.blobs)
    assert (code.commit, code.dirty, code.diff) == (git(project, "rev-parse", "HEAD"), False, None)


@pytest.mark.parametrize("staged", [False, True])
def test_a_changed_file_is_kept_as_a_diff(project: Path, store: Store, staged: bool) -> None:
    (project / "pipeline.py").write_text("one = 2\n")
    if staged:
        git(project, "add", ".")
    code = capture_code(project, store.blobs)
    assert code.dirty
    assert code.diff
    diff = store.blobs.get(code.diff)
    assert b"-one = 1\n+one = 2\n" in diff
    git(project, "checkout", "-q", "HEAD", "--", ".")
    subprocess.run(["git", "-C", str(project.parent), "apply", "-"], input=diff, check=True)
    assert (project / "pipeline.py").read_text() == "one = 2\n"


def test_an_untracked_file_makes_it_dirty_and_an_ignored_one_does_not(project: Path, store: Store) -> None:
    (project / ".gitignore").write_text("ignored\n")
    git(project, "add", ".")
    git(project, "commit", "-qm", "second")
    (project / "ignored").write_text("")
    assert not capture_code(project, store.blobs).dirty
    (project / "new.py").write_text("")
    assert capture_code(project, store.blobs).dirty


def test_a_change_outside_of_the_project_is_none_of_its(project: Path, store: Store) -> None:
    (project.parent / "elsewhere.txt").write_text("")
    assert not capture_code(project, store.blobs).dirty


def test_no_repository_no_commit_and_no_git_give_an_empty_code(
    project: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    assert capture_code(plain, store.blobs) == Code()
    git(plain, "init", "-q")
    assert capture_code(plain, store.blobs) == Code()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert capture_code(project, store.blobs) == Code(files={"pipeline.py": digest_bytes(b"one = 1\n")})


def test_the_sources_are_kept_without_environments_caches_and_what_can_not_be_read(project: Path, store: Store) -> None:
    for place in ("features/deep.py", ".venv/x.py", "env/lib/x.py", "__pycache__/x.py", ".plusone/x.py", "notes.txt"):
        (project / place).parent.mkdir(parents=True, exist_ok=True)
        (project / place).write_text("x = 1\n")
    (project / "env" / "pyvenv.cfg").write_text("")
    (project / "dangling.py").symlink_to("nowhere.py")
    (project / "folder.py").mkdir()
    (Path(os.fsdecode(os.fsencode(project) + b"/\xff.py"))).write_text("")
    found = capture_code(project, store.blobs).files
    assert set(found) == {"pipeline.py", "features/deep.py"}
    assert store.blobs.get(found["features/deep.py"]) == b"x = 1\n"


def test_the_settings_of_a_user_do_not_change_the_diff(project: Path, store: Store) -> None:
    for key, value in (("color.ui", "always"), ("diff.external", "false"), ("diff.noprefix", "true")):
        git(project, "config", key, value)
    (project / "pipeline.py").write_text("one = 2\n")
    code = capture_code(project, store.blobs)
    assert code.diff
    assert b"\x1b" not in store.blobs.get(code.diff)
    assert b"+one = 2" in store.blobs.get(code.diff)
