"""What becomes of a test in each form that pytest knows, by real sessions."""

from __future__ import annotations

import pytest

from tests.checks.parts import by_name, only


@pytest.mark.slow
def test_the_forms_of_an_outcome(sandbox):
    sandbox.change(not_made=("holdout",))
    sandbox.write(
        "tests/test_forms.py",
        """
        import pytest

        def test_passes(flights): pass
        def test_fails(flights): assert flights["rows"] == [1], "not one row"
        def test_not_made(holdout): pass
        def test_no_such(holdouts): pass
        def test_live(live): pass
        def test_exits(flights): raise SystemExit(0)
        @pytest.mark.skip(reason="slow")
        def test_skips(flights): pass
        def test_skips_inside(flights): pytest.skip("no time")
        @pytest.mark.xfail(reason="bug 7")
        def test_xfails(flights): assert 0
        @pytest.mark.xfail
        def test_xfails_without_a_reason(flights): assert 0
        def test_xfails_inside(flights): pytest.xfail("bug 8")
        @pytest.mark.xfail(reason="bug 9", strict=True)
        def test_xpasses_strictly(flights): pass
        @pytest.mark.xfail(reason="bug 10", strict=False)
        def test_xpasses(flights): pass
        @pytest.mark.xfail(reason="never", run=False)
        def test_does_not_run(flights): assert 0
        @pytest.mark.xfail(reason="bug 11", raises=KeyError)
        def test_xfails_with_another_error(flights): assert 0
        @pytest.mark.xfail(reason="bug 12")
        def test_xfails_in_set_up(holdout): pass
        @pytest.fixture
        def late_error(flights):
            yield
            raise ValueError("cannot close")
        def test_breaks_in_tear_down(late_error): pass
        @pytest.mark.parametrize("n", [])
        def test_empty(flights, n): pass
        def test_subtests(flights, subtests):
            for n in range(3):
                with subtests.test(n=n):
                    assert n != 1
        @pytest.mark.parametrize("flights", [{}])
        def test_hides(flights): pass
        def test_prints_much(flights):
            print("x" * 10_000_000)
            print("the end")
        def test_removes_its_folder(flights, tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)
            tmp_path.rmdir()
            assert 0
        def test_surrogates(flights):
            print("\\ud800")
            assert 0, "\\ud800 has no bytes"
        """,
    )
    part = sandbox.run("data")
    assert by_name(part) == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_not_made": "broken",
        "test_no_such": "broken",
        "test_exits": "failed",
        "test_skips": "skipped",
        "test_skips_inside": "skipped",
        "test_xfails": "xfailed",
        "test_xfails_without_a_reason": "broken",
        "test_xfails_inside": "xfailed",
        "test_xpasses_strictly": "failed",
        "test_xpasses": "passed",
        "test_does_not_run": "not run",
        "test_xfails_with_another_error": "failed",
        "test_xfails_in_set_up": "broken",
        "test_breaks_in_tear_down": "broken",
        "test_empty[NOTSET]": "skipped",
        "test_subtests": "failed",
        "test_hides[flights0]": "broken",
        "test_prints_much": "passed",
        "test_removes_its_folder": "failed",
        "test_surrogates": "failed",
    }
    messages = {name: only(part, name).message for name in by_name(part)}
    assert "not one row" in messages["test_fails"]
    assert messages["test_fails"].endswith("(tests/test_forms.py:5)")
    assert "'holdout' was not made in this run" in messages["test_not_made"]
    assert "fixture 'holdouts' not found. Step outputs: flights, holdout." in messages["test_no_such"]
    assert (messages["test_skips"], messages["test_skips_inside"]) == ("slow", "no time")
    assert (messages["test_xfails"], messages["test_xfails_inside"]) == ("bug 7", "bug 8")
    assert "reason=" in messages["test_xfails_without_a_reason"]
    assert "bug 9" in messages["test_xpasses_strictly"]
    assert "cannot close" in messages["test_breaks_in_tear_down"]
    assert "hides plusone's" in messages["test_hides[flights0]"]
    assert all("\n" not in text and len(text) < 1000 for text in messages.values())
    printed = only(part, "test_prints_much").output
    assert len(printed.encode()) <= 20_000
    assert printed.endswith("the end\n")
    assert "def test_fails" in only(part, "test_fails").output or "assert" in only(part, "test_fails").output
    assert part.problems == ()
    model = sandbox.run("model")
    assert by_name(model) == {"test_live": "not applicable"}
    assert "no release is live yet" in only(model, "test_live").message


AGAIN = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for _ in range(3):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if all(report.passed for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


def test_of_several_attempts_the_last_counts_alone_and_says_that_it_was_not_the_first(sandbox):
    sandbox.write("conftest.py", AGAIN)
    sandbox.write(
        "tests/test_tries.py",
        """
        import pytest
        from plusone.measuring.outcomes import record

        tries = []

        @pytest.fixture
        def weather(flights):
            record({"measured": "in the fixture"})

        def test_flaky(weather):
            tries.append(1)
            record({"attempt": len(tries), "outcome": "inconclusive", "allowed": len(tries) == 1})
            assert len(tries) > 1, "not yet"

        def test_good(flights): record({"attempt": 1})
        def test_bad(flights): assert 0, "never"
        """,
    )
    part = sandbox.run("data")
    assert by_name(part) == {"test_flaky": "passed", "test_good": "passed", "test_bad": "failed"}
    first, second, warning = only(part, "test_flaky").measured
    assert (first, second["attempt"]) == ({"measured": "in the fixture"}, 2)
    assert warning["warning"].startswith("this is attempt 2; the first one failed: ")
    assert "not yet" in warning["warning"]
    assert only(part, "test_good").measured == ({"attempt": 1},)
    assert "this is attempt 3" in only(part, "test_bad").measured[0]["warning"]


@pytest.mark.slow
def test_tests_in_any_order_have_the_same_outcomes_and_data_of_their_own(sandbox):
    sandbox.write(
        "conftest.py",
        """
        import random

        def pytest_collection_modifyitems(items):
            random.Random(random.SystemRandom().random()).shuffle(items)
        """,
    )
    sandbox.write(
        "tests/test_any.py",
        """
        import unittest
        import pytest

        @pytest.fixture(scope="module")
        def wide(flights):
            flights["rows"].append(9)
            return flights

        class TestRows:
            @pytest.fixture(autouse=True)
            def own(self, flights):
                flights["rows"].clear()

            def test_cleared(self, flights): assert flights["rows"] == []

        class TestUnit(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def own(self, flights): self.rows = flights["rows"]

            def test_whole(self): self.assertEqual(self.rows, [1, 2, 3])

        def test_wide(wide): assert wide["rows"] == [1, 2, 3, 9]
        def test_whole(flights): assert flights["rows"] == [1, 2, 3]
        def test_spoils(flights): flights["rows"][0] = "spoilt"
        @pytest.mark.parametrize("kind", ["a b", "x::y/z"])
        def test_kinds(flights, kind): flights.clear()
        """,
    )
    parts = [sandbox.run("data") for _ in range(2)]
    for part in parts:
        assert set(by_name(part).values()) == {"passed"}, part
        assert part.problems == ()
    assert by_name(parts[0]) == by_name(parts[1])
    assert len(parts[0].checks) == 7
