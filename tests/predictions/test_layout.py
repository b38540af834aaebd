"""Records come back as they were written, and a share is decided by the id alone."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base.ids import new_id
from plusone.predictions.layout import (
    decode_batches,
    decode_labels,
    encode_batch,
    encode_labels,
    join_batches,
    sampled,
)

BODIES = st.one_of(st.none(), st.binary(max_size=300))
ENTRIES = st.lists(st.tuples(st.text(max_size=30), st.text(max_size=10), st.integers(0, 10**6), BODIES, BODIES))
BATCHES = st.lists(
    st.tuples(st.text(max_size=9), st.integers(1, 10**9), st.text(max_size=64), st.floats(0, 1e12), ENTRIES)
)


@settings(max_examples=40)
@given(BATCHES)
def test_batches_come_back(
    batches: list[tuple[str, int, str, float, list[tuple[str, str, int, bytes, bytes]]]],
) -> None:
    assert decode_batches(join_batches([encode_batch(one) for one in batches])) == batches


@given(st.lists(st.tuples(st.text(), st.text(), st.one_of(st.none(), st.text()))))
def test_labels_come_back(labels: list[tuple[str, str, str | None]]) -> None:
    assert decode_labels(encode_labels("flights", "now", labels)) == ("flights", "now", labels)


@given(st.binary(max_size=200))
def test_any_other_record_is_an_error_of_one_kind(record: bytes) -> None:
    for decode in (decode_batches, decode_labels):
        try:
            decode(record)
        except msgspec.MsgspecError:
            pass


def test_bodies_of_any_kind_of_bytes_are_written_as_they_are() -> None:
    entry = ("a", "json", 1, bytearray(b"{}"), memoryview(b"x{}")[1:])
    assert decode_batches(join_batches([encode_batch(("m", 1, "d", 0.0, [entry]))]))[0][4] == [
        ("a", "json", 1, b"{}", b"{}")
    ]


@given(st.text())
def test_nothing_is_in_a_share_of_nothing_and_all_in_one_of_all(text: str) -> None:
    assert not sampled(text, 0.0)
    assert sampled(text, 1.0)
    assert sampled("a", 0.91)
    assert not sampled("a", 0.9)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_share_of_ids_is_about_that_share_whoever_made_them(share: float) -> None:
    count = 20_000
    kinds = {
        "ours": [new_id() for _ in range(count)],
        "in turn": [f"01m84x0000000000000000{number:04x}" for number in range(count)],
        "numbers": [str(number) for number in range(count)],
    }
    for kind, ids in kinds.items():
        found = sum(sampled(one, share) for one in ids) / count
        # Five standard deviations of a fair draw.
        assert abs(found - share) < 5 * (share * (1 - share) / count) ** 0.5, kind


def test_whoever_logs_loads_nothing_heavy() -> None:
    program = (
        "import sys, plusone.predictions.log, plusone.predictions.labels, plusone.predictions.wire; "
        "print([m for m in sys.modules if m.partition('.')[0] in ('numpy', 'pyarrow', 'sqlite3')"
        " or m.startswith(('plusone.store', 'plusone.blobs', 'plusone.data'))])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.strip() == "[]"
