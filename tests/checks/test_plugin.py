from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run_pytest(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "plusone", str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("pyproject", [None, "[tool.other]\nname = 'plusone'\n"])
def test_outside_of_a_project_it_is_idle_and_loads_nothing(tmp_path: Path, pyproject: str | None):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    if pyproject is not None:
        (tmp_path / "pyproject.toml").write_text(pyproject)
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test(request):\n"
        "    assert 'plusone.checks.plugin' in sys.modules\n"
        "    assert not {'numpy', 'pyarrow', 'msgspec', 'plusone.checks.active'} & set(sys.modules)\n"
        "    assert not request.config.pluginmanager.has_plugin('plusone-fixtures')\n"
    )
    result = run_pytest(tmp_path, PYTEST_ADDOPTS="")
    assert "1 passed" in result.stdout, result.stdout + result.stderr


def test_a_context_that_can_not_be_read_is_an_error_and_no_silent_pass(tmp_path: Path):
    (tmp_path / "test_it.py").write_text("def test(): pass\n")
    result = run_pytest(tmp_path, PYTEST_ADDOPTS="", PLUSONE_CHECKS=str(tmp_path / "absent.json"))
    assert result.returncode == 4
    assert "absent.json, which PLUSONE_CHECKS names" in result.stderr
