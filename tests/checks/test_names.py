from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from plusone.checks.names import OURS, reserved_fixture_names


def test_every_fixture_of_the_installed_pytest_is_reserved(tmp_path: Path):
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--fixtures", "-q", "-p", "pytester", "-o", "cache_dir=cache", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    there = {
        match[1] for match in re.finditer(r"^([A-Za-z]\w*)(?: \[.*\])? -- .*_pytest/", result.stdout, re.MULTILINE)
    }
    assert {"tmp_path", "cache", "monkeypatch", "pytester"} <= there
    assert there - reserved_fixture_names() == set()
    assert set(OURS) <= reserved_fixture_names()
    assert "request" in reserved_fixture_names()
