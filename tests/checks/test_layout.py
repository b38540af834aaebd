"""A project laid out as it was: its files by digest, and what pytest was told, in TOML that says the same."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.config import Checks, load_project
from plusone.base.errors import PlusoneError
from plusone.base.ids import digest_bytes
from plusone.checks.layout import described, lay_out, options_of

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
VALUE = st.one_of(st.booleans(), st.integers(-(2**60), 2**60), TEXT, st.lists(TEXT, max_size=3))
TABLE = st.dictionaries(TEXT, VALUE | st.dictionaries(TEXT, VALUE, max_size=3), max_size=4)


@given(table=TABLE)
def test_what_pytest_was_told_in_toml_is_told_again(tmp_path_factory: pytest.TempPathFactory, table: dict[str, object]):
    folder = tmp_path_factory.mktemp("laid")
    lay_out(folder, {}, {"pyproject.toml": {"ini_options": table}}, lambda digest: b"")
    found = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    assert found == {"tool": {"pytest": {"ini_options": table}}}


def test_only_what_is_pytests_own_is_kept(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.plusone]\ntests = "checks/all"\nstore = "postgresql://me:secret@host/db"\n'
        '[tool.pytest.ini_options]\naddopts = "-q"\nmarkers = ["slow: takes long"]\n'
        "[tool.plusone.checks]\nreplay_changed = 0.25\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -x\n")
    (tmp_path / "tox.ini").write_text("[tox]\n")
    assert options_of(tmp_path) == {
        "pytest.ini": "[pytest]\naddopts = -x\n",
        "pyproject.toml": {"ini_options": {"addopts": "-q", "markers": ["slow: takes long"]}},
    }
    found = described(load_project(tmp_path), ["m"], ["rows"])
    assert (found["folder"], found["models"], found["declared"]) == ("checks/all", ("m",), ("rows",))
    assert found["checks"]["replay_changed"] == 0.25
    assert found["checks"].keys() == set(Checks.__struct_fields__)
    assert "secret" not in str(found)


def test_files_come_from_their_digests_and_none_leaves_the_folder(tmp_path: Path):
    kept = {digest_bytes(data): data for data in (b"a", b"b")}
    lay_out(tmp_path, {"x.py": digest_bytes(b"a"), "tests/deep/y.txt": digest_bytes(b"b")}, {}, kept.__getitem__)
    assert (tmp_path / "x.py").read_bytes() == b"a"
    assert (tmp_path / "tests" / "deep" / "y.txt").read_bytes() == b"b"
    for name in ("../x.py", "/x.py", "a/../../x.py"):
        with pytest.raises(PlusoneError):
            lay_out(tmp_path / "inner", {name: digest_bytes(b"a")}, {}, kept.__getitem__)
