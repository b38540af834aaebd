"""Answers as bytes."""

from __future__ import annotations

import pytest

from plusone.transport.answers import Fine, Prefixes, encode_answer

JSON = b"application/json"


def test_an_answer_says_its_type_and_length():
    answer = encode_answer(Prefixes()[404, JSON], b"{}", [("allow", "GET")], status=404, connection=b"close")
    assert answer == (
        b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n"
        b"connection: close\r\nallow: GET\r\n\r\n{}"
    )


def test_the_short_way_says_the_same():
    fine = Fine()
    for size in (0, 2, 5000):
        assert fine[size] + b"x" * size == encode_answer(Prefixes()[200, JSON], b"x" * size, (), status=200)
    assert 5000 not in fine


def test_an_answer_to_head_has_the_length_and_no_body():
    assert encode_answer(Prefixes()[200, JSON], b"{}", (), status=200, bodiless=True).endswith(b"length: 2\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_say_nothing_of_one(status: int):
    prefixes = Prefixes()
    assert prefixes[status, JSON] == b""
    answer = encode_answer(b"", b"ignored", [("etag", '"a"')], status=status)
    assert answer.split(b"\r\n", 1)[1] == b'etag: "a"\r\n\r\n'


def test_an_unknown_status_has_a_phrase_too():
    assert encode_answer(Prefixes()[299, JSON], b"", (), status=299).startswith(b"HTTP/1.1 299 Unknown\r\n")


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\u2603"])
def test_no_header_breaks_the_lines(value: str):
    prefixes = Prefixes()
    with pytest.raises(ValueError):
        encode_answer(prefixes[200, JSON], b"", [("x", value)], status=200)
    with pytest.raises(ValueError):
        encode_answer(prefixes[200, JSON], b"", [(value, "x")], status=200)
    if value.isascii():
        with pytest.raises(ValueError):
            prefixes[200, value.encode()]


def test_types_that_are_made_up_are_not_all_kept():
    prefixes = Prefixes()
    for number in range(1000):
        prefixes[200, b"text/%d" % number]
    assert len(prefixes) == 256
