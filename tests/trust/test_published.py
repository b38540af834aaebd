"""The file that says which packages are trusted: whole or the one before, and nothing where it is damaged."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from plusone.trust.published import FILE, read_trusted, write_trusted


def test_what_is_written_is_read(tmp_path: Path):
    assert read_trusted(tmp_path) == frozenset()
    write_trusted(tmp_path, {"b", "a"})
    assert read_trusted(tmp_path) == {"a", "b"}
    before = (tmp_path / FILE).stat().st_mtime_ns
    write_trusted(tmp_path, ["a", "b"])
    assert (tmp_path / FILE).stat().st_mtime_ns == before, "it is not written again and again"
    write_trusted(tmp_path, [])
    assert read_trusted(tmp_path) == frozenset()


@given(data=st.binary(max_size=60) | st.sampled_from([b"{}", b'{"digests": "abc"}', b'{"digests": [1]}', b"[" * 9999]))
def test_a_damaged_file_trusts_nothing(tmp_path_factory, data: bytes):
    folder = tmp_path_factory.mktemp("serving")
    (folder / FILE).write_bytes(data)
    assert read_trusted(folder) == frozenset()
