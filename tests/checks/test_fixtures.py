"""What a fixture of the project may not do to plusone's own."""

from __future__ import annotations

from tests.checks.parts import only


def test_a_fixture_that_hides_ours_is_named_to_each_test(sandbox):
    sandbox.write(
        "tests/test_all.py",
        """
        import pytest

        @pytest.fixture
        def flights(): return 3

        def test_one(flights): pass
        def test_two(flights): pass
        """,
    )
    part = sandbox.run("data", timeout_s=120)
    for name in ("test_one", "test_two"):
        assert "a fixture or a parameter 'flights' that hides plusone's" in only(part, name).message
