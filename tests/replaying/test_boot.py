"""What is reported of an error is the module that was missing first."""

from __future__ import annotations

import pytest

from plusone.replaying.boot import described


def raised(module: str) -> Exception:
    try:
        try:
            __import__(module)
        except ImportError as error:
            raise ValueError("no model") from error
    except ValueError as error:
        return error
    raise AssertionError(f"{module} is there")


def test_the_module_behind_another_error_is_named():
    assert described(raised("no_such_module.inner")) == {
        "kind": "ValueError",
        "message": "no model",
        "module": "no_such_module",
    }


def test_an_error_of_another_kind_names_none():
    assert described(KeyError("x"))["module"] == ""


def test_errors_that_lead_to_each_other_end():
    one, other = ValueError("one"), ValueError("other")
    one.__context__, other.__context__ = other, one
    assert described(one)["message"] == "one"


@pytest.mark.parametrize("error", [ModuleNotFoundError("x"), ImportError("x", name="y")])
def test_only_modules_that_are_not_there_count(error: ImportError):
    assert described(error)["module"] == ""
