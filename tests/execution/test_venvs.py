"""Environments hold exactly their lock, whole or not at all, whoever makes them at once and whatever is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import BrokenEnvironment, UsageError
from plusone.execution import venvs
from plusone.execution.environment import installed
from tests.execution.made import make_wheel, write_distribution

_HELD = (
    "import importlib.metadata as m, json; print(json.dumps(sorted([d.name, d.version] for d in m.distributions())))"
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Environments of this test alone, and no index: pip finds what a test gives it and nothing else."""
    monkeypatch.setenv("PLUSONE_ENVIRONMENTS", str(tmp_path / "environments"))
    for name in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path / "environments"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, for distributions of this test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def run(python: Path, program: str) -> str:
    return subprocess.run([python, "-I", "-c", program], capture_output=True, check=True, text=True).stdout.strip()


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_it_holds_exactly_the_lines_and_they_are_copied_without_pip(site: Path, own_folder: Path):
    versions = {one.name: one.version for one in installed()}
    write_distribution(site, "Odd_Name", "2.0", {"odd/__init__.py": "", "odd/data/x.txt": "data"})
    lock = f"# python\nodd-name==2.0\nmsgspec=={versions['msgspec']}\n"
    said: list[str] = []
    python = venvs.ensure(lock, log=said.append)
    assert json.loads(run(python, _HELD)) == [["Odd_Name", "2.0"], ["msgspec", versions["msgspec"]]]
    assert run(python, "import odd, msgspec; print(msgspec.json.encode([1]).decode())") == "[1]"
    assert not any("pip" in text for text in said)
    assert not list((python.parent.parent / "bin").glob("pip*"))
    assert left_over(own_folder) == []


def test_equal_lines_share_one_and_it_is_not_made_again(site: Path):
    write_distribution(site, "a")
    write_distribution(site, "b")
    first = venvs.ensure("a==1.0\nb==1.0\n")
    said: list[str] = []
    assert venvs.ensure("# another head\n\nb==1.0\na==1.0", log=said.append) == first
    assert said == []
    assert venvs.ensure("a==1.0\n") != first


@pytest.mark.slow
@pytest.mark.parametrize(
    "listed",
    ["/etc/hostname", "../../../../../../../../../tmp/escaped", "../../../../escaped.py", "../../../pyvenv.cfg"],
)
def test_a_record_that_leads_out_of_the_environment_is_not_copied(site: Path, tmp_path: Path, listed: str):
    write_distribution(site, "wild", listed={listed: ""})
    said: list[str] = []
    with pytest.raises(BrokenEnvironment, match="wild=="):
        venvs.ensure("wild==1.0\n", log=said.append)
    assert any("leads out of" in text for text in said)
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["editable", "without a RECORD", "changed", "a file is gone"])
def test_what_is_not_known_file_by_file_is_left_to_pip(site: Path, tmp_path: Path, how: str):
    write_distribution(
        site, "loose", editable=tmp_path if how == "editable" else None, record=how != "without a RECORD"
    )
    if how == "changed":
        (site / "loose.py").write_text("version = 'other'\n")
    if how == "a file is gone":
        (site / "loose.py").unlink()
    make_wheel(tmp_path / "wheels", "loose")
    os.environ["PIP_FIND_LINKS"] = str(tmp_path / "wheels")
    try:
        python = venvs.ensure("loose==1.0\n")
    finally:
        del os.environ["PIP_FIND_LINKS"]
    assert run(python, "import loose; print(loose.version)") == "1.0"
    assert [path.name for path in python.parent.iterdir() if not path.name.startswith("python")] == []


@pytest.mark.slow
def test_another_version_is_not_copied_and_pip_says_which_line_it_can_not_have(site: Path, own_folder: Path):
    write_distribution(site, "a", "1.0")
    with pytest.raises(BrokenEnvironment) as caught:
        venvs.ensure("a==2.0\n")
    assert "a==2.0" in caught.value.message
    assert "ERROR" in caught.value.message
    assert "PIP_FIND_LINKS" in caught.value.mend
    assert caught.value.details["lines"] == ["a==2.0"]
    assert left_over(own_folder) == []
    assert venvs.environments() == []


@pytest.mark.parametrize("what", ["changed", "added", "removed"])
def test_one_that_was_changed_is_noticed_and_made_anew(site: Path, what: str):
    write_distribution(site, "a", files={"a/__init__.py": "x = 1\n", "a/more.py": ""})
    python = venvs.ensure("a==1.0\n")
    inner = venvs.site_of(python.parent.parent) / "a"
    if what == "changed":
        (inner / "__init__.py").write_text("x = 2\n")
    elif what == "added":
        (inner / "other.py").write_text("")
    else:
        (inner / "more.py").unlink()
    said: list[str] = []
    assert venvs.ensure("a==1.0\n", log=said.append) == python
    assert said
    assert run(python, "import a, a.more; print(a.x)") == "1"
    assert not (inner / "other.py").exists()


def test_what_python_compiles_there_is_no_change(site: Path):
    write_distribution(site, "a")
    python = venvs.ensure("a==1.0\n")
    run(python, "import a")
    assert (venvs.site_of(python.parent.parent) / "__pycache__").is_dir()
    said: list[str] = []
    venvs.ensure("a==1.0\n", log=said.append)
    assert said == []


_ENSURE = """
import sys
sys.path.insert(0, sys.argv[1])
from plusone.execution import venvs
print("ready", flush=True)
print(venvs.ensure(sys.argv[2], log=lambda text: print("said", text, flush=True)))
"""


def start(site: Path, lock: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _ENSURE, str(site), lock]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_of_several_at_once_one_makes_it_and_the_others_wait(site: Path, own_folder: Path):
    write_distribution(site, "many", files={f"many/m{n}.py": "x = 1\n" for n in range(200)})
    started = [start(site, "many==1.0\n") for _ in range(4)]
    printed = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert sum("said making" in text for text in printed) == 1
    assert len({text.splitlines()[-1] for text in printed}) == 1
    assert left_over(own_folder) == []


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_nothing_that_looks_whole(site: Path, own_folder: Path):
    write_distribution(site, "many", files={f"many/m{n}.py": f"x = {n}\n" for n in range(400)})
    moments = random.Random(7)
    for _ in range(12):
        process = start(site, "many==1.0\n")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for found in venvs.environments():
            python = own_folder / found.name / "bin" / "python"
            assert run(python, "import many.m399; print(many.m399.x)") == "399"
            venvs.remove(found.name)
    python = venvs.ensure("many==1.0\n")
    assert run(python, "import many.m399; print(many.m399.x)") == "399"
    assert left_over(own_folder) == []


def test_without_a_line_its_modules_are_gone_and_nothing_else(site: Path, own_folder: Path):
    write_distribution(site, "a", files={"space/a/__init__.py": "", "space/a/deep/__init__.py": ""})
    write_distribution(site, "b", files={"space/b.py": "x = 1\n"})
    python = venvs.ensure("a==1.0\nb==1.0\n")
    run(python, "import space.a.deep")
    with venvs.without("a==1.0\nb==1.0\n", "a") as other:
        assert run(other, "import space.b; print(space.b.x)") == "1"
        assert json.loads(run(other, _HELD)) == [["b", "1.0"]]
        ended = subprocess.run([other, "-I", "-c", "import space.a"], capture_output=True, text=True, check=False)
        assert "No module named 'space.a'" in ended.stderr
    assert not other.exists()
    assert left_over(own_folder) == []
    said: list[str] = []
    venvs.ensure("a==1.0\nb==1.0\n", log=said.append)
    assert said == []
    with pytest.raises(UsageError, match="'c'"), venvs.without("a==1.0\n", "c"):
        pass


def test_what_a_killed_process_left_of_such_a_copy_goes_with_the_next_environment(site: Path, own_folder: Path):
    write_distribution(site, "a")
    (own_folder / ".copy-x" / "environment").mkdir(parents=True)
    (own_folder / ".copy-x" / "held").touch()
    venvs.ensure("a==1.0\n")
    assert left_over(own_folder) == []


def test_they_are_listed_and_removed_and_one_in_use_stays(site: Path, own_folder: Path):
    write_distribution(site, "a")
    python = venvs.ensure("a==1.0\n")
    found = venvs.environments()
    assert [one.lock for one in found] == ["a==1.0\n"]
    assert found[0].size_bytes > 0
    assert not found[0].in_use
    for _ in range(20):  # In the middle of an exec a process has no command line yet.
        with subprocess.Popen([python, "-I", "-c", "input()"], stdin=subprocess.PIPE) as process:
            in_use, removed = venvs.environments()[0].in_use, venvs.remove(found[0].name)
            process.communicate(b"\n")
        assert in_use
        assert not removed
    assert venvs.remove(found[0].name)
    assert list(own_folder.iterdir()) == []
    for name in ("..", ".", "x", "/etc", f"{found[0].name}/bin"):
        with pytest.raises(UsageError):
            venvs.remove(name)


def test_a_lock_of_another_python_is_refused():
    with pytest.raises(BrokenEnvironment, match=r"Python 3\.7"):
        venvs.ensure("# python 3.7.1 cpython\n")


def test_a_folder_that_can_not_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PLUSONE_ENVIRONMENTS", str(tmp_path / "file"))
    with pytest.raises(BrokenEnvironment, match="can't be made"):
        venvs.ensure("")


@pytest.mark.parametrize(
    "line",
    [
        "--index-url=x",
        "a",
        "a==",
        "A==1",
        "a>=1",
        "a==1 --hash=x",
        "a==1;x",
        "-e .",
        "a @ file:///x",
        "a==1\x00",
        "../a==1",
    ],
)
def test_a_line_that_is_none_is_refused(line: str):
    with pytest.raises(UsageError, match="Line 1"):
        venvs.lines_of(line)


def test_a_distribution_stands_once():
    with pytest.raises(UsageError, match="second time"):
        venvs.lines_of("a==1\na==2\n")


@given(st.text())
def test_any_text_is_read_or_refused_and_no_option_gets_to_pip(text: str):
    try:
        found = venvs.lines_of(text)
    except UsageError:
        return
    for name, version in found.items():
        assert name[0].isalnum()
        assert f"{name}=={version}".isprintable()
        assert not set(f"{name}{version}") & set(" ;@/\\,[]")
