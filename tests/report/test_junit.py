"""JUnit XML: what a reader of it is told is what the gate says, and any text survives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from plusone.base.records import Outcome, Session
from plusone.checks.verdict import closes, problems_of
from plusone.report.junit import junit_xml
from tests.report.made import FIGURES, check, session

BOTH = (check("tests/test_data.py::test_rows", subject="data"), check())


def read(found: Session) -> Any:
    """Return the one suite as a CI server's reader has it."""
    suites = JUnitXml.fromstring(junit_xml(found, "m@3").encode())
    [suite] = list(suites)
    assert (suites.tests, suites.failures, suites.errors, suites.skipped) == (
        suite.tests, suite.failures, suite.errors, suite.skipped,
    )  # fmt: skip
    return suite


def case(found: Session, name: str) -> TestCase:
    return next(one for one in read(found) if one.name == name)


def test_a_suite_has_the_release_the_session_and_every_check():
    suite = read(session(*BOTH, check("plusone::columns[train_set]", subject="data")))
    assert suite.name == "m@3"
    assert suite.timestamp == "2026-01-31T12:00:00"
    assert {one.name: one.value for one in suite.properties()} == {"session": "s1", "release": "d" * 64, "run": "r1"}
    assert [(one.classname, one.name) for one in suite] == [
        ("tests.test_data", "test_rows"),
        ("tests.test_model", "test_it"),
        ("plusone", "columns[train_set]"),
        ("plusone", "gate"),
    ]
    assert suite.time == pytest.approx(0.3)


@pytest.mark.parametrize("outcome", get_args(Outcome))
@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize("message", ["", "because of this"])
def test_a_check_is_red_exactly_when_it_closes_the_gate(outcome: Outcome, allowed: bool, message: str):
    one = check("tests/test_x.py::test_that", outcome=outcome, allowed=allowed, message=message)
    found = session(*BOTH, one)
    results = case(found, "test_that").result
    red = [part for part in results if isinstance(part, Failure | Error)]
    assert bool(red) == bool(closes(one))
    assert [part for part in results if isinstance(part, Error)] == red * (outcome in ("broken", "not run"))
    if not red and outcome != "passed":
        [skipped] = results
        assert isinstance(skipped, Skipped)
        assert skipped.message == f"{outcome}: {message}"
    suite = read(found)
    assert (suite.failures + suite.errors > 0) == bool(problems_of(found)), "the file is green when the gate is open"


def test_the_name_of_a_parameter_is_no_path():
    suite = read(session(*BOTH, check("tests/a/test_x.py::TestIt::test_it[x::y/z.py [1]]")))
    assert ("tests.a.test_x.TestIt", "test_it[x::y/z.py [1]]") in [(one.classname, one.name) for one in suite]


def test_a_gate_that_is_closed_for_no_check_is_a_case_that_fails():
    found = session(BOTH[1], problems=("tests/test_y.py was not collected",))
    [failure] = case(found, "gate").result
    assert isinstance(failure, Failure)
    assert failure.text is not None
    assert "no test passed on the data" in failure.text
    assert "tests/test_y.py was not collected" in failure.text
    assert case(session(*BOTH), "gate").result == []


def test_what_was_measured_and_what_warns_are_properties_and_the_output_is_there():
    measured = {
        "check": "at_least",
        "metric": "roc_auc",
        "candidate": 0.7,
        "figure": FIGURES[0],
        "message": "it is 0.7",
    }
    one = check(measured=(measured, {"warning": "look at this", "distance": 0.3}), output="printed\n")
    found = session(BOTH[0], one)
    [node] = ET.fromstring(junit_xml(found, "m@3")).findall(".//testcase[@name='test_it']")  # noqa: S314  we wrote it
    pairs = {(part.get("name"), part.get("value")) for part in node.findall("properties/property")}
    assert {("metric", "roc_auc"), ("candidate", "0.7"), ("warning", "look at this"), ("distance", "0.3")} <= pairs
    assert ("outcome", "passed") in pairs
    assert case(found, "test_it").system_out == "printed\n"


@given(text=st.text(), outcome=st.sampled_from(get_args(Outcome)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_gives_xml_that_is_well_formed(text: str, outcome: Outcome):
    one = check(
        f"tests/t.py::{text}", outcome=outcome, message=text, output=text, measured=({text: text, "warning": text},)
    )
    suite = read(session(one, problems=(text,), id=text, run_id=text))
    assert len(list(suite)) == 2


def test_its_elements_are_those_of_the_schema_that_jenkins_reads(tmp_path: Path):
    # jenkins-junit.xsd, as rules: what may be in what, and which attributes each must have.
    may = {
        "testsuites": ({"testsuite"}, set()),
        "testsuite": ({"properties", "testcase", "system-out", "system-err"}, {"name", "tests"}),
        "properties": ({"property"}, set()),
        "property": (set(), {"name", "value"}),
        "testcase": ({"skipped", "error", "failure", "system-out", "system-err", "properties"}, {"name", "classname"}),
        "skipped": (set(), set()),
        "failure": (set(), set()),
        "error": (set(), set()),
        "system-out": (set(), set()),
    }
    checks = [check(f"tests/t.py::test_{n}", outcome=one, output="x") for n, one in enumerate(get_args(Outcome))]
    for node in ET.fromstring(junit_xml(session(*checks), "m@3")).iter():  # noqa: S314  we wrote it
        inside, needed = may[node.tag]
        assert {part.tag for part in node} <= inside
        assert needed <= node.attrib.keys()
        if "time" in node.attrib:
            assert re.fullmatch(r"\d+\.\d{3}", node.attrib["time"])
