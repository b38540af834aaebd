"""The names that pytest and plusone give to fixtures: no step output may have one of them."""

from __future__ import annotations

__all__ = ["OURS", "reserved_fixture_names"]

OURS = ("model", "live")
"""The fixtures that plusone has beside the step outputs."""

_PYTEST = (
    "LineMatcher",
    "cache",
    "capfd",
    "capfdbinary",
    "caplog",
    "capsys",
    "capsysbinary",
    "capteesys",
    "doctest_namespace",
    "linecomp",
    "monkeypatch",
    "pytestconfig",
    "pytester",
    "record_property",
    "record_testsuite_property",
    "record_xml_attribute",
    "recwarn",
    "request",
    "subtests",
    "testdir",
    "tmp_path",
    "tmp_path_factory",
    "tmpdir",
    "tmpdir_factory",
)


def reserved_fixture_names() -> frozenset[str]:
    """Return the fixture names that are taken: a step output with such a name could not be asked for by a test.

    A test holds this list against the fixtures that the installed pytest has.
    """
    return frozenset((*OURS, *_PYTEST))
