"""What an editor's runner does with the tests of a project, as a plugin: it draws a tree, and runs tests by id.

VS Code's adapter and PyCharm's go by the same attributes of items: `path`, `nodeid`, `name`, `location`, `parent`, and
of functions `callspec` and `originalname`. What is found is written to the file that `ADAPTER` names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

__all__ = ["absolute", "tree"]

_outcomes: dict[str, str] = {}
_paths: dict[str, Path] = {}


def absolute(nodeid: str, path: Path) -> str:
    """Return the id that an editor keeps: pytest's, with the whole path in place of the one below the rootdir."""
    return "::".join([str(path), *nodeid.split("::")[1:]])


def tree(session: pytest.Session) -> dict[str, Any]:
    """Return folders, files, classes, functions and parameters, by their names; leaves are absolute ids.

    Raises:
        AssertionError: an item can't be drawn: it lies in no file below the session's folder.
    """
    root: dict[str, Any] = {}
    for item in session.items:
        path, line, name = item.location
        assert item.path.is_file(), f"{item.nodeid} lies in {item.path}, which is no file"
        assert (Path(session.config.rootpath) / path).resolve() == item.path.resolve()
        assert line is None or line >= 0
        assert name
        place = root
        for part in (*item.path.relative_to(session.path).parts, *_classes(item)):
            place = place.setdefault(part, {})
        leaf = item.name
        if hasattr(item, "callspec"):
            assert isinstance(item, pytest.Function)
            place, leaf = place.setdefault(item.originalname, {}), f"[{item.name.partition('[')[2]}"
        assert leaf not in place, f"two tests are {item.nodeid}"
        place[leaf] = absolute(item.nodeid, item.path)
    return root


def _classes(item: pytest.Item) -> list[str]:
    names: list[str] = []
    node = item.parent
    while isinstance(node, pytest.Class):
        names.insert(0, node.name)
        node = node.parent
    assert isinstance(node, pytest.File), f"{item.nodeid} has a parent that is no file: {node!r}"
    assert node.path == item.path
    return names


def pytest_runtest_protocol(item: pytest.Item) -> None:
    _paths[item.nodeid] = item.path


def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> None:
    if isinstance(report, pytest.TestReport) and (report.when == "call" or report.outcome != "passed"):
        _outcomes.setdefault(absolute(report.nodeid, _paths[report.nodeid]), report.outcome)


def pytest_sessionfinish(session: pytest.Session) -> None:
    found = {"tree": tree(session), "outcomes": _outcomes}
    Path(os.environ["ADAPTER"]).write_text(json.dumps(found), "utf-8")
