"""What a run says it read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plusone.base.errors import UsageError
from plusone.base.ids import digest_bytes
from plusone.store import Store
from plusone.tracking import inputs
from plusone.tracking.inputs import add_inputs, files_of, inputs_of_path, list_inputs
from plusone.tracking.runs import start_run


def test_a_folder_is_an_input_for_each_file_and_saying_it_twice_is_saying_it_once(store: Store, tmp_path: Path):
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.csv").write_text("b")
    (folder / "deep" / "a.csv").write_text("a")
    (folder / "link.csv").symlink_to("b.csv")
    (folder / "circle").symlink_to(folder)
    opened = start_run(store, name="r")
    run = opened.record.id
    opened.finish("done")
    for _ in range(2):
        add_inputs(store, inputs_of_path(run, folder, name="d", root=tmp_path))
    found = [(one.name, one.source, one.digest) for one in list_inputs(store, run)]
    b, a = digest_bytes(b"b"), digest_bytes(b"a")
    assert found == [
        ("d/b.csv", "data/b.csv", b),
        ("d/deep/a.csv", "data/deep/a.csv", a),
        ("d/link.csv", "data/b.csv", b),
    ]


def test_a_file_outside_of_the_project_has_its_whole_path(tmp_path: Path):
    (tmp_path / "x").write_text("x")
    [one] = inputs_of_path("run", tmp_path / "x", name="x", root=tmp_path / "project")
    assert one.source == str(tmp_path / "x")


def test_what_is_no_file_is_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match="no file and no folder"):
        files_of(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no ordinary file"):
        files_of(tmp_path)
    (tmp_path / "pipe").unlink()
    monkeypatch.setattr(inputs, "_MOST_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match="over 2 files"):
        files_of(tmp_path)
