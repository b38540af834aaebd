"""The check of `--clean` closes the gate when anything is wrong, and stands for no test of the project."""

from __future__ import annotations

from pathlib import Path

from plusone.base.records import Check
from plusone.checks.clean import CLEAN, environment_check
from plusone.checks.verdict import closes


def test_a_package_that_can_not_even_be_read_fails_it(tmp_path: Path):
    check = environment_check(tmp_path, "0" * 64, on_event=lambda event: None)
    assert (check.test, check.subject, check.outcome) == (CLEAN, "code", "failed")
    assert "manifest.json" in check.message
    assert closes(check).startswith("plusone::environment: failed: ")


def test_one_that_passed_closes_nothing():
    assert closes(Check(test=CLEAN, subject="code", outcome="passed")) == ""
