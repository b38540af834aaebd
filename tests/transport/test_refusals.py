"""What clients are told."""

from __future__ import annotations

import pytest

from plusone.base.errors import PlusoneError
from plusone.transport import refusals


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (refusals.too_many(), 503, "connections"),
        (refusals.full(), 429, "memory"),
        (refusals.head_too_large(7), 431, "at most 7"),
        (refusals.body_too_large(7, 9), 413, "has 9 bytes: expected at most 7"),
        (refusals.body_too_large(7, None), 413, "over 7 bytes"),
        (refusals.not_in_time("The head"), 408, "The head did not come in time"),
        (refusals.ended("body"), 400, "body"),
        (refusals.empty_lines(16), 400, "16 empty lines"),
        (refusals.unexpected(ValueError("secret")), 500, "unexpected"),
    ],
)
def test_each_refusal_has_its_status_and_says_what_was_wrong(error: PlusoneError, status: int, says: str):
    assert error.status == status
    assert says in error.message
    assert "secret" not in str(error.as_dict())


def test_the_cause_of_an_unexpected_error_is_kept():
    cause = ValueError("secret")
    assert refusals.unexpected(cause).__cause__ is cause
