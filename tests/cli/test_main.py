"""The command line as a program: help, exit codes, JSON, pipes, and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from plusone.cli import main as cli
from plusone.cli.main import COMMANDS
from tests.doors.story import write_story
from tests.journeys.projects import environment

PLUSONE = str(Path(sys.executable).with_name("plusone"))
HEAVY = (
    "numpy",
    "pandas",
    "pyarrow",
    "sqlite3",
    "granian",
    "onnxruntime",
    "sklearn",
    "rich",
    "pytest",
    "asyncio",
    "http",
)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cli") / "p"
    write_story(root)
    return root


class Ended:
    """How a command ended: its exit code and what it printed."""

    def __init__(self, code: Any, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def plusone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Run a command in this process, in a folder."""

    def call(folder: Path, *words: str) -> Ended:
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit) as ended:
            cli.main(list(words))
        printed = capsys.readouterr()
        return Ended(ended.value.code, printed.out, printed.err)

    return call


def _commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(cli.cli)
    for name in COMMANDS:
        command = cli.cli.get_command(context, name)
        assert command is not None
        found.append((name,))
        found += [(name, inner) for inner in getattr(command, "commands", {})]
    return found


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_every_command_has_help_with_an_example_that_names_it(plusone: Any, tmp_path: Path, words: tuple[str, ...]):
    ended = plusone(tmp_path, *words, "--help")
    assert ended.code == 0
    assert "Example" in ended.out
    assert "plusone " + " ".join(words) in ended.out.partition("Example")[2]


def test_help_lists_the_commands_in_the_words_of_the_commands(plusone: Any, tmp_path: Path):
    ended = plusone(tmp_path, "--help")
    context = click.Context(cli.cli)
    for name, (_, line) in COMMANDS.items():
        assert line in ended.out
        command = cli.cli.get_command(context, name)
        assert command is not None
        assert (command.help or "").split("\n")[0].startswith(line.split(".")[0].split(":")[0][:20])


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["status", "--help"]])
def test_asking_for_help_loads_nothing_heavy(tmp_path: Path, words: list[str]):
    script = f"import sys; from plusone.cli.main import main\ntry: main({words!r})\n"
    script += "finally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    heavy = HEAVY if words[0].startswith("--") else ("numpy", "pandas", "pyarrow", "onnxruntime", "sklearn", "granian")
    assert not loaded & set(heavy)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["status"], 2, "not in a plusone project"),
        (["release"], 2, "not in a plusone project"),
        (["up"], 2, "not in a plusone project"),
        (["--project", "nowhere", "status"], 2, "nowhere"),
        (["bogus"], 2, "bogus"),
        (["status", "--bogus"], 2, "--bogus"),
        (["runs", "show"], 2, "RUN_ID"),
        (["promote", "m@1", "--wait", "-1"], 2, "--wait"),
        (["completion", "tcsh"], 2, "tcsh"),
    ],
)
def test_a_mistake_outside_of_a_project_has_exit_code_2_and_says_what(
    plusone: Any, tmp_path: Path, words: list[str], code: int, says: str
):
    ended = plusone(tmp_path, *words)
    assert ended.code == code
    assert says in ended.err
    assert ended.out == ""
    if "project" in says:
        assert "plusone new NAME" in ended.err, "how to mend it"


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["status", "--bogus"],
        ["bogus"],
        ["checks"],
        ["promote", "flights@99"],
        ["promote", "flights@4"],
        ["diff", "1"],
        ["runs", "show", "zzz"],
        ["runs", "log", "zzz"],
        ["reject", "flights@3", "--reason", "x"],
        ["release", "--set", "=1"],
        ["promote", "flights@4", "--override"],
    ],
)
def test_json_is_one_value_on_the_output_even_when_it_is_an_error(
    plusone: Any, story: Path, tmp_path: Path, words: list[str]
):
    ended = plusone(story if words != ["status"] else tmp_path, *words, "--json")
    body = json.loads(ended.out)
    assert set(body) == {"error"}
    assert body["error"]["message"]
    assert ended.code in (1, 2)
    assert (ended.code == 1) == (body["error"]["code"] == "gate_closed")


def test_without_a_store_looking_is_an_answer_and_moving_is_a_mistake(plusone: Any, tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    for words in (["runs"], ["decisions"], ["checks", "m@1"], ["promote", "m@1"], ["rollback"]):
        ended = plusone(tmp_path, *words)
        assert ended.code != 0
        assert "plusone release" in ended.err
    assert not (tmp_path / ".plusone").exists()
    ended = plusone(tmp_path, "status")
    assert ended.code == 0
    assert "no release yet" in ended.out


@pytest.mark.parametrize(
    "text", ["[tool.plusone", "[tool.plusone]\nbogus = 1", "[tool.plusone.serve]\nport = 0", "\udcff"]
)
def test_a_project_file_that_is_wrong_is_the_callers_mistake(plusone: Any, tmp_path: Path, text: str):
    (tmp_path / "pyproject.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    ended = plusone(tmp_path, "status")
    assert ended.code == 2
    assert "pyproject.toml" in ended.err


def test_a_store_that_is_damaged_is_ours_and_says_what_to_do(plusone: Any, tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    (tmp_path / ".plusone").mkdir()
    (tmp_path / ".plusone" / "plusone.db").write_bytes(b"not a database at all, and long enough to be one" * 100)
    ended = plusone(tmp_path, "status")
    assert ended.code == 3
    assert "backup" in ended.err


def test_a_fault_of_ours_has_exit_code_3_and_never_1(plusone: Any, tmp_path: Path, story: Path):
    ended = plusone(story, "diff", "flights@1", "flights@2")
    assert ended.code == 0
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    (tmp_path / ".plusone").write_text("a file where the folder should be", "utf-8")
    ended = plusone(tmp_path, "status", "--json")
    assert ended.code == 3
    assert json.loads(ended.out)["error"]["code"] in ("store", "internal")


@pytest.mark.parametrize(
    "words",
    [["status"], ["show", "flights@4"], ["decisions"], ["runs"], ["checks", "flights@4"], ["diff", "flights@1", "5"]],
)
def test_what_people_read_has_the_facts_and_no_escape_codes_in_a_pipe(plusone: Any, story: Path, words: list[str]):
    ended = plusone(story, *words)
    assert ended.code == (1 if words[0] == "checks" else 0), "its gate is closed"
    assert "\x1b" not in ended.out + ended.err
    assert "flights" in ended.out or words[0] == "checks"
    assert all(line == line.rstrip() for line in ended.out.splitlines())


def test_a_reader_that_leaves_ends_it_quietly_and_not_with_the_gates_exit_code(story: Path):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [PLUSONE, "decisions", "--json"],
        cwd=story,
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment(),
        check=False,
    )
    os.close(write)
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.slow
def test_arguments_that_are_no_unicode_are_the_callers_mistake(story: Path):
    for words in ([b"status", b"\xff"], [b"reject", b"ships@1", b"--reason", b"\xff"], [b"runs", b"show", b"\xff"]):
        done = subprocess.run(
            [PLUSONE.encode(), *words, b"--json"], cwd=story, capture_output=True, env=environment(), check=False
        )
        assert done.returncode == 2, done.stderr
        assert json.loads(done.stdout)["error"]["code"] in ("usage", "not_found")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_names_the_command(plusone: Any, tmp_path: Path, shell: str):
    ended = plusone(tmp_path, "completion", shell)
    assert ended.code == 0
    assert "_PLUSONE_COMPLETE" in ended.out


def test_completion_knows_the_commands(tmp_path: Path):
    variables = environment(_PLUSONE_COMPLETE="bash_complete", COMP_WORDS="plusone rollb", COMP_CWORD="1")
    done = subprocess.run([PLUSONE], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "plain,rollback"
