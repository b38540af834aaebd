"""A session of checks as JUnit XML, the format that pytest's `--junitxml` writes and CI servers read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from ..base.records import Check, Session
from ..checks.verdict import BUILT_IN, closes, is_built_in, problems_of
from .checks import facts_of

__all__ = ["GATE", "junit_xml"]

GATE = "plusone::gate"
"""The test case that fails when the gate is closed for a reason that is no check's: no test on the data, say."""
# What XML 1.0 has no character for.
_NONE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST = 60_000


def junit_xml(session: Session, name: str) -> str:
    """Return the session as JUnit XML: one `testcase` for each check, and one for the gate.

    A check that closes the gate is a `failure`, or an `error` when it is `broken` or was not run; one that counts for
    nothing (not applicable, allowed inconclusive, xfailed with a reason) is `skipped` with the reason. So the file is
    green exactly when the gate is open. What was measured and what a check warns of are its `properties`.

    Args:
        name: of the release, `flight-delays@3`: the name of the suite.
    """
    suites = ET.Element("testsuites", name="plusone")
    checks = session.checks
    cases = [_case(check) for check in checks]
    rest = _problems(session)
    cases.append(_gate(rest))
    tags = [next((part.tag for part in case if part.tag in _RESULTS), "") for case in cases]
    seconds = _seconds(sum(check.duration_s for check in checks))
    counts = {"errors": tags.count("error"), "failures": tags.count("failure"), "skipped": tags.count("skipped")}
    suite = ET.SubElement(suites, "testsuite", name=_plain(name), tests=str(len(cases)), time=seconds)
    for key, count in counts.items():
        suite.set(key, str(count))
    if session.started_at:
        suite.set("timestamp", session.started_at[:19])
    suite.append(_properties([("session", session.id), ("release", session.release or ""), ("run", session.run_id)]))
    suite.extend(cases)
    for key, count in {**counts, "tests": len(cases)}.items():
        suites.set(key, str(count))
    suites.set("time", seconds)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


_RESULTS = ("failure", "error", "skipped")


def _case(check: Check) -> ET.Element:
    where, name = _place(check.test)
    case = ET.Element("testcase", classname=_plain(where), name=_plain(name), time=_seconds(check.duration_s))
    found = [("subject", check.subject), ("outcome", check.outcome)]
    for one in check.measured:
        found += [("warning", str(one["warning"]))] if "warning" in one else []
        found += [(key, value) for key, value in sorted(facts_of(one).items())]  # the store sorts them, too
    case.append(_properties(found))
    message = check.message or check.outcome
    if problem := closes(check):
        tag = "error" if check.outcome in ("broken", "not run") else "failure"
        part = ET.SubElement(case, tag, message=_plain(message.split("\n")[0]), type=check.outcome)
        part.text = _plain(message if check.message else problem)
    elif check.outcome != "passed":
        ET.SubElement(
            case, "skipped", message=_plain(f"{check.outcome}: {check.message}"), type=f"plusone.{check.outcome}"
        )
    if check.output:
        ET.SubElement(case, "system-out").text = _plain(check.output)
    return case


def _place(test: str) -> tuple[str, str]:
    """Return the class and the name that a test has in pytest's own file: `tests.test_model.TestIt`, `test_it[a]`."""
    if is_built_in(test):
        return "plusone", test.removeprefix(BUILT_IN)
    file, _, inside = test.partition("::")
    if not inside:
        return "", file
    # What a parameter is called may hold '::', too.
    path, bracket, parameter = inside.partition("[")
    *classes, name = path.split("::")
    return ".".join([file.removesuffix(".py").replace("/", "."), *classes]), name + bracket + parameter


def _problems(session: Session) -> list[str]:
    """Return why the gate is closed beside what the checks themselves say."""
    said = {closes(check) for check in session.checks}
    return [text for text in problems_of(session) if text not in said]


def _gate(problems: list[str]) -> ET.Element:
    case = ET.Element("testcase", classname="plusone", name="gate", time="0.000")
    if problems:
        part = ET.SubElement(case, "failure", message=_plain(problems[0]), type="gate")
        part.text = _plain("\n".join(problems))
    return case


def _properties(pairs: Iterable[tuple[str, str]]) -> ET.Element:
    found = ET.Element("properties")
    for name, value in pairs:
        ET.SubElement(found, "property", name=_plain(name), value=_plain(value))
    return found


def _plain(text: str) -> str:
    return _NONE.sub("\ufffd", text[:_MOST])


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
