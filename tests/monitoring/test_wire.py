"""Fields of protobuf messages, by examples of its documentation and against protobuf itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.monitoring.wire import Malformed, fields_of, repeated


def test_examples_of_the_documentation():
    assert fields_of(bytes.fromhex("089601")) == {1: [150]}
    assert fields_of(bytes.fromhex("120774657374696e67")) == {2: [b"testing"]}
    packed = fields_of(bytes.fromhex("3206038e029ea705"))
    assert [repeated(one) for one in packed[6]] == [[3, 270, 86942]]


def test_integers_are_signed_and_fields_repeat():
    assert repeated(memoryview(b"\xff" * 9 + b"\x01")) == [-1]
    assert fields_of(b"\x08\x01\x08\x02") == {1: [1, 2]}
    assert repeated(2) == [2]


@pytest.mark.parametrize("data", [b"\x08", b"\x08\x80", b"\x12\x05a", b"\x09abc", b"\x0b", b"\xff" * 11])
def test_what_is_no_message_is_refused(data: bytes):
    with pytest.raises(Malformed):
        fields_of(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes):
    try:
        found = fields_of(data)
    except Malformed:
        return
    assert sum(map(len, found.values())) <= len(data)
