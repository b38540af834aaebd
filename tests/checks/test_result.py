from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from plusone.base.records import Check
from plusone.checks.result import Collected, Writer, read_part


def write_session(path: Path) -> None:
    writer = Writer(path)
    writer.write(
        collected=(
            Collected(test="a", subject="data"),
            Collected(test="b", subject="data"),
            Collected(test="c", subject="code", deselected=True),
            Collected(test="m", subject="model", here=False),
        )
    )
    writer.write(running="a")
    writer.write(check=Check(test="a", subject="data", outcome="passed"))
    writer.write(running="b")
    writer.write(check=Check(test="b", subject="data", outcome="failed", message="no"))
    writer.write(problem="a file was left out")
    writer.write(exit_code=1)


def test_a_part_is_read_back_with_outcomes_for_every_collected_test(tmp_path: Path):
    write_session(tmp_path / "r.jsonl")
    part, running, exit_code = read_part(tmp_path / "r.jsonl", "data")
    assert {check.test: check.outcome for check in part.checks} == {"a": "passed", "b": "failed", "c": "deselected"}
    assert (running, exit_code, part.problems) == ("", 1, ("a file was left out",))
    assert part.started_at <= part.finished_at != ""


@given(st.data())
def test_a_file_cut_anywhere_never_passes_more_than_it_says(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    whole = folder / "whole"
    write_session(whole)
    content = whole.read_bytes()
    size = data.draw(st.integers(0, len(content)))
    (folder / "cut").write_bytes(content[:size])
    part, running, exit_code = read_part(folder / "cut", "data")
    found = {check.test: check.outcome for check in part.checks}
    assert found.get("b") in (None, "not run", "broken", "failed")
    assert (exit_code is None) == (size < len(content) - 1)
    if running:
        assert found[running] == "broken"


def test_no_file_is_a_part_without_an_end(tmp_path: Path):
    part, running, exit_code = read_part(tmp_path / "absent", "model")
    assert (part.checks, part.collected, running, exit_code) == ((), (), "", None)


def test_of_two_outcomes_with_one_id_the_one_that_closes_is_kept(tmp_path: Path):
    writer = Writer(tmp_path / "r")
    for outcome in ("passed", "failed", "passed"):
        writer.write(check=Check(test="a", subject="data", outcome=outcome))
    part, _, _ = read_part(tmp_path / "r", "data")
    assert [check.outcome for check in part.checks] == ["failed"]


def test_a_forked_child_writes_nothing(tmp_path: Path):
    writer = Writer(tmp_path / "r")
    writer.write(problem="mine")
    child = os.fork()
    if child == 0:
        writer.write(problem="the child's")
        os._exit(0)
    os.waitpid(child, 0)
    assert read_part(tmp_path / "r", "data")[0].problems == ("mine",)
