"""The folder of the demo: made afresh, never taken from somebody else, broken and mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.demo import project
from examples.demo.project import NotOurs, break_feature, make_project, mend_feature


def test_it_is_a_fresh_copy_each_time(tmp_path: Path) -> None:
    folder = tmp_path / "demo" / "flights"
    make_project(folder)
    (folder / ".plusone").mkdir()
    (folder / "pipeline.py").write_text("")
    make_project(folder)
    assert (folder / "pipeline.py").read_bytes() == (project.EXAMPLE / "pipeline.py").read_bytes()
    assert (folder / "tests" / "test_model.py").is_file()
    assert (folder / ".gitignore").is_file()
    assert not (folder / ".plusone").exists()


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_it_did_not_make_is_left_alone(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "flights"
    other = tmp_path / "other"
    make_project(other)
    if kind == "folder":
        folder.mkdir()
        (folder / "thesis.txt").write_text("years of work")
    elif kind == "file":
        folder.write_text("years of work")
    else:
        folder.symlink_to(other)
    with pytest.raises(NotOurs, match="not made by this demo"):
        make_project(folder)
    assert folder.exists()
    assert (other / "pipeline.py").exists()


def test_the_broken_feature_is_one_line_and_is_taken_out_again(tmp_path: Path) -> None:
    folder = tmp_path / "flights"
    make_project(folder)
    before = (folder / "pipeline.py").read_text()
    shown = break_feature(folder)
    after = (folder / "pipeline.py").read_text()
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert [line[1:] for line in shown if line.startswith("+")] == added
    assert len(after.splitlines()) == len(before.splitlines()) + 1
    compile(after, "pipeline.py", "exec")
    mend_feature(folder)
    assert (folder / "pipeline.py").read_text() == before


def test_a_pipeline_that_changed_is_not_broken_somewhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "flights"
    make_project(folder)
    file = folder / "pipeline.py"
    file.write_text(file.read_text().replace("features = train_set[FEATURES]", "features = train_set"))
    with pytest.raises(NotOurs, match="can't be broken"):
        break_feature(folder)
