"""Evidence as it lies on the disk: added up, and read whatever the files hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plusone.base.rollouts import Evidence
from plusone.hosting.evidence import SERVED, Counts, read_counts, read_evidence

WHOLE: dict[str, Any] = {
    "kind": "served",
    "model": "m",
    "release": 4,
    "requests": 10,
    "errors": 1,
    "rows": 12,
    "invalid": 2,
    "latency": {"-80": 9},
    "outputs": {"1": 10, "invalid": 2},
}


def write(folder: Path, slot: int | str, *counts: Any) -> None:
    """Write the file of a slot."""
    path = folder / "evidence" / f"{slot}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.encode({"counts": counts}))


def test_the_slots_of_a_machine_add_up(tmp_path: Path):
    shadow = {"kind": "shadow", "model": "m", "release": 5, "requests": 3, "compared": 3, "differing": 1}
    write(tmp_path, 0, WHOLE, shadow)
    write(tmp_path, 1, WHOLE, {**WHOLE, "kind": "addressed", "requests": 1000})
    write(tmp_path, "supervisor", WHOLE)
    seen = read_evidence(tmp_path)
    assert seen.served == {
        ("m", 4): Evidence(
            requests=20,
            errors=2,
            rows=24,
            invalid=4,
            latency={"-80": 18},
            outputs={"1": 20, "invalid": 4},
        )
    }
    assert seen.shadow == {("m", 5): Evidence(requests=3, compared=3, differing=1)}


def test_a_folder_without_evidence_has_none(tmp_path: Path):
    assert read_evidence(tmp_path) == ({}, {})


def test_entries_of_another_form_cost_no_other(tmp_path: Path):
    bad = [
        {**WHOLE, "release": 0},
        {**WHOLE, "release": 5, "rows": -1},
        {**WHOLE, "release": 6, "latency": [1]},
        {**WHOLE, "release": 7, "kind": "else"},
        {"model": "m"},
        None,
        7,
    ]
    write(tmp_path, 0, *bad, WHOLE, {**WHOLE, "requests": 99}, {**WHOLE, "release": 8, "new in 2.0": 1})
    assert set(read_evidence(tmp_path).served) == {("m", 4), ("m", 8)}
    assert read_evidence(tmp_path).served["m", 4].requests == 10, "what is there twice counts once"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 400))
def test_a_damaged_file_counts_for_nothing_or_for_what_is_whole(tmp_path: Path, junk: bytes, start: int, stop: int):
    write(tmp_path, 0, WHOLE)
    write(tmp_path, 1, WHOLE)
    path = tmp_path / "evidence" / "1.json"
    data = path.read_bytes()
    path.write_bytes(data[:start] + junk + data[stop:])
    found = read_evidence(tmp_path).served
    assert found["m", 4].requests >= 10
    assert read_counts(tmp_path / "evidence" / "0.json")[0].requests == 10


def test_counts_that_are_read_can_be_added(tmp_path: Path):
    one = Counts(kind=SERVED, model="m", release=1, rows=1, outputs={"a": 1}, used_at=1.0)
    one.add(Counts(kind=SERVED, model="m", release=1, rows=2, outputs={"a": 1, "b": 5}, dropped=3, used_at=7.0))
    assert (one.rows, one.outputs, one.dropped, one.used_at) == (3, {"a": 2, "b": 5}, 3, 7.0)


def test_reading_loads_no_numpy():
    code = "import sys; import plusone.hosting.evidence; assert 'numpy' not in sys.modules, 'numpy was loaded'"
    subprocess.run([sys.executable, "-c", code], check=True)
