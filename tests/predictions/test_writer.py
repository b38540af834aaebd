"""What is in the ring comes into the journal in whole records, and the process ends with its worker."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.journal import list_segments
from plusone.journal.reading import read
from plusone.predictions.layout import decode_batches, encode_batch
from plusone.predictions.ring import Ring
from plusone.predictions.writer import Writer
from tests.predictions.written import predictions_in, until

BIG = 1 << 30


def put(ring: Ring, *ids: str, size: int = 10) -> None:
    entries = [(one, "json", 1, b"q" * size, b"a" * size) for one in ids]
    assert ring.put(encode_batch(("m", 1, "d", 0.0, entries)), len(entries))


def test_a_look_writes_what_was_there_at_the_look_before(tmp_path: Path) -> None:
    ring = Ring()
    writer = Writer(ring, tmp_path, max_bytes=BIG)
    assert not writer.look()
    put(ring, "a", "b")
    assert writer.look()
    assert ring.logged == 0
    assert writer.look()
    assert ring.logged == 2
    put(ring, "c")
    writer.close()
    assert predictions_in(tmp_path) == ["a", "b", "c"]
    assert (ring.logged, ring.dropped) == (3, 0)
    ring.close()


def test_frames_are_put_together_to_records_and_a_record_has_a_bound(tmp_path: Path) -> None:
    ring = Ring()
    writer = Writer(ring, tmp_path, max_bytes=BIG)
    for number in range(200):
        put(ring, f"{number:03d}", size=1000)
    writer.close()
    records = [record for path in list_segments(tmp_path) for record in read(path).records]
    assert 5 < len(records) < 10
    assert max(map(len, records)) < 70_000
    assert predictions_in(tmp_path) == [f"{number:03d}" for number in range(200)]
    assert ring.bytes == sum(map(len, records))
    ring.close()


def test_what_a_record_holds_is_out_of_the_ring_before_it_is_written(tmp_path: Path) -> None:
    # So that one who is killed while it writes leaves nothing that another would write again.
    ring = Ring()
    writer = Writer(ring, tmp_path, max_bytes=BIG)
    put(ring, "a")
    free: list[int] = []
    append = writer._journal.append
    writer._journal.append = lambda record: (free.append(ring.free), append(record))[1]
    before = ring.free
    writer.close()
    assert free == [ring.free]
    assert free[0] > before
    ring.close()


def test_a_folder_that_can_not_be_written_costs_what_was_handed_over(tmp_path: Path) -> None:
    ring = Ring()
    (tmp_path / "file").write_bytes(b"")
    writer = Writer(ring, tmp_path / "file" / "folder", max_bytes=BIG)
    put(ring, "a", "b")
    writer.close()
    assert (ring.logged, ring.dropped) == (0, 2)
    ring.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6000), st.binary(min_size=1, max_size=200)), max_size=6))
def test_garbage_in_the_ring_never_makes_half_a_record(scribble: list[tuple[int, bytes]]) -> None:
    ring = Ring()
    for number in range(50):
        put(ring, str(number))
    for at, data in scribble:
        ring.frames[at : at + len(data)] = data
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(ring, Path(folder), max_bytes=BIG)
        writer.look()
        writer.look()
        put(ring, "later")
        writer.close()
        found = [record for path in list_segments(Path(folder)) for record in read(path).records]
        assert [batch[4][0][0] for batch in decode_batches(found[-1])] == ["later"]
        assert sum(map(len, found)) == ring.bytes
    assert ring.logged + ring.dropped == 51
    ring.close()


def test_the_process_writes_what_is_left_when_the_pipe_is_closed_and_ends(tmp_path: Path) -> None:
    ring = Ring()
    pipe, end = os.pipe()
    command = [sys.executable, "-P", "-m", "plusone.predictions.writer", str(tmp_path), str(BIG)]
    process = subprocess.Popen([*command, str(ring.descriptor), str(pipe)], pass_fds=(ring.descriptor, pipe))
    os.close(pipe)
    until(lambda: ring.asleep)
    put(ring, "a")
    process.terminate()  # as a terminal does to all processes of a group: it goes on
    put(ring, "b")
    os.close(end)
    assert process.wait(30) == 0
    assert predictions_in(tmp_path) == ["a", "b"]
    assert (ring.logged, ring.dropped) == (2, 0)
    ring.close()


def test_the_process_loads_nothing_heavy() -> None:
    code = "import sys; import plusone.predictions.writer; print(len(sys.modules), *sys.modules)"
    out = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert int(out[0]) < 160
    assert not {"numpy", "pyarrow", "onnxruntime", "asyncio", "subprocess", "sqlite3"} & set(out)
