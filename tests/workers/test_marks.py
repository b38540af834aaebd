from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.workers import marks, routes
from plusone.workers.marks import HUNG, Mark


def _mark(deaths: int = 0, refused: str = "") -> Mark:
    return Mark(model="m", version=2, deaths=deaths, refused=refused)


@pytest.mark.parametrize(
    ("end", "deaths", "refused"),
    [
        ("-11", 0, True),  # SIGSEGV
        ("-6", 0, True),  # SIGABRT
        (HUNG, 0, True),
        ("-9", 0, False),  # a person, or the kernel for want of memory: once
        ("-9", 1, True),
        ("1", 0, False),
        ("", 0, False),
        ("", 1, True),
    ],
)
def test_what_is_made_of_a_mark_by_how_the_worker_ended(end: str, deaths: int, refused: bool):
    found = marks.judge({"p": _mark(deaths)}, end)["p"]
    assert (found.deaths, bool(found.refused)) == (deaths + 1, refused)


def test_of_two_loads_under_way_one_may_be_innocent():
    found = marks.judge({"one": _mark(), "other": _mark(1)}, "-11")
    assert {package: (mark.deaths, mark.refused) for package, mark in found.items()} == {
        "one": (1, ""),
        "other": (2, ""),
    }
    # One after the other: the one that kills again was alone.
    assert "SIGSEGV" in marks.judge({"other": found["other"]}, "-11")["other"].refused


def test_what_is_refused_stays_so_and_makes_nobody_else_suspect():
    refused = _mark(1, "because")
    found = marks.judge({"bad": refused, "p": _mark()}, "-11")
    assert found["bad"] == refused
    assert "SIGSEGV" in found["p"].refused


def test_marks_are_kept_by_slot_and_go_when_there_are_none(tmp_path: Path):
    (tmp_path / "workers").mkdir()
    marks.write(tmp_path, 0, {"p": _mark(1, "because")})
    marks.write(tmp_path, 1, {"q": _mark()})
    assert marks.read(tmp_path, 0) == {"p": _mark(1, "because")}
    assert marks.read_others(tmp_path, 0) == {"q": _mark()}
    marks.write(tmp_path, 0, {})
    marks.write(tmp_path, 0, {})
    assert (marks.read(tmp_path, 0), marks.read_others(tmp_path, 1)) == ({}, {})


def test_marks_of_slots_that_nobody_will_sit_in_are_swept(tmp_path: Path):
    for slot in (0, 1, 2):
        (tmp_path / "workers").mkdir(exist_ok=True)
        marks.write(tmp_path, slot, {"p": _mark()})
    lock = routes.hold(tmp_path / "workers" / "2.lock")
    assert lock is not None
    marks.sweep(tmp_path, {0})
    assert sorted(path.name for path in (tmp_path / "workers").glob("*.loading")) == ["0.loading", "2.loading"]


@given(
    st.binary(max_size=200) | st.sampled_from([b"[]", b'{"p":{}}', b'{"p":{"model":"m","version":"x"}}', b"[" * 9999])
)
def test_a_damaged_file_is_none(data: bytes):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "workers").mkdir()
        (Path(folder) / "workers" / "0.loading").write_bytes(data)
        found = marks.read(Path(folder), 0)
        assert all(isinstance(mark, Mark) for mark in found.values())
        marks.judge(found, "-11")
