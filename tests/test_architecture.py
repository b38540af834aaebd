"""The bounds of the house: floors, sizes, what an import may load, where SQL lives, how far a call travels.

import-linter holds the floors (`make check`); here is what it can't say.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import graphlib
import json
import re
import sqlite3
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import grimp
import pytest

import plusone
from plusone.recording import active
from plusone.recording.recorder import Recorder
from plusone.release.making import Request
from plusone.store import open_store
from plusone.tracking.runs import list_metrics, start_run

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "plusone"
TESTS = ROOT / "tests"

FILE_LINES = 500
FUNCTION_LINES = 60
ROOM_LINES = 2000
MODULES_AT_IMPORT = 150
HEAVY = ("numpy", "pandas", "polars", "pyarrow", "sqlite3", "granian", "onnx", "onnxruntime", "sklearn", "scipy")

# Files that a new project starts with: they are the user's code, not ours.
TEMPLATES = "template"
# Tests that guard a whole and not one module: the architecture, the documents, the doors, the journeys, the contracts.
WHOLE = {"contracts", "docs", "doors", "journeys", "matrix"}


@functools.cache
def sources() -> tuple[Path, ...]:
    """Every Python file of the package, without the project templates."""
    return tuple(sorted(file for file in SRC.rglob("*.py") if TEMPLATES not in file.relative_to(SRC).parts))


@functools.cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), str(file))


def where(file: Path, line: int = 0) -> str:
    path = file.relative_to(ROOT).as_posix()
    return f"{path}:{line}" if line else path


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree(file)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def tracked_files() -> list[Path]:
    """Every file that git keeps or would keep; deleted ones left out."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


# ---------------------------------------------------------------------------------------------- imports


def test_no_import_cycle():
    graph = grimp.build_graph("plusone", cache_dir=None)
    # `import plusone` only resolves names, past the floors: what it points at is for users, and no room may use it.
    users = [
        f"{module}: {detail['line_contents']}"
        for module in graph.find_modules_that_directly_import("plusone") - {"plusone"}
        for detail in graph.get_import_details(importer=module, imported="plusone")
        if not re.fullmatch(r"from \.+ import __version__", detail["line_contents"])
    ]
    assert not users, f"rooms import each other, not the public names: {users}"
    graph.remove_module("plusone")
    needs = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        pytest.fail("import cycle: " + " -> ".join(error.args[1]))


def test_no_room_imports_another_by_text():
    # grimp sees imports inside functions too; by text they are past its eyes, so they stay inside of their own room.
    found: list[str] = []
    for file in sources():
        room = file.relative_to(SRC).parts[0]
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("__import__", "import_module")):
                names = [str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant)]
                found += [
                    f"{where(file, node.lineno)} {name}"
                    for name in names
                    if name.startswith("plusone.") and not f"{name}.".startswith(f"plusone.{room}.")
                ]
    assert not found, f"our own modules imported by text, past the floors: {found}"


def loaded_by(*arguments: str) -> list[str]:
    """The modules in sys.modules after a fresh Python ran with these arguments."""
    process = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    lines = [line for line in process.stderr.splitlines() if line.startswith("import time:")]
    return [line.rpartition("|")[2].strip() for line in lines[1:]]


def test_import_plusone_is_light():
    program = "import sys; before = len(sys.modules); import plusone, json; print(json.dumps([before, *sys.modules]))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    _, *modules = json.loads(out.stdout)
    assert len(modules) < MODULES_AT_IMPORT, f"import plusone leaves {len(modules)} modules loaded: {modules}"
    heavy = sorted({name.partition(".")[0] for name in modules} & set(HEAVY))
    assert not heavy, f"import plusone loads {heavy}"


def test_help_loads_nothing_heavy():
    modules = loaded_by("-m", "plusone.cli.main", "--help")
    heavy = sorted({name.partition(".")[0] for name in modules} & {*HEAVY, "pytest"})
    assert "plusone.cli" in modules
    assert not heavy, f"plusone --help loads {heavy}"


def test_a_worker_loads_no_store():
    # Law 3: serving never waits for the store. What a worker never loads it can't wait for.
    program = "import sys, json, plusone.serving.worker; print(json.dumps(list(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    modules = json.loads(out.stdout)
    loaded = [name for name in modules if name.startswith("plusone.store") or name in {"sqlite3", "pandas", "sklearn"}]
    assert not loaded, f"a serving worker loads {loaded}"


# ---------------------------------------------------------------------------------------------- sizes


def test_no_file_is_too_long():
    lines = {where(file): len(file.read_text("utf-8").splitlines()) for file in sources()}
    long = {name: count for name, count in lines.items() if count > FILE_LINES}
    assert not long, f"over {FILE_LINES} lines: {long}"


def test_no_function_is_too_long():
    long = {
        where(file, node.lineno): f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for file in sources()
        for node in functions(file)
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES
    }
    assert not long, f"over {FUNCTION_LINES} lines: {long}"


def test_no_room_is_too_big():
    rooms: dict[str, int] = {}
    for file in sources():
        room = file.relative_to(SRC).parts[0]
        rooms[room] = rooms.get(room, 0) + len(file.read_text("utf-8").splitlines())
    big = {room: count for room, count in rooms.items() if count > ROOM_LINES}
    assert not big, f"over {ROOM_LINES} lines: split it or delete something: {big}"


# ---------------------------------------------------------------------------------------------- text


Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Documented]]:
    """Every public function and class, and the public methods of public classes."""
    for node in body:
        if not isinstance(node, DOCUMENTED) or node.name.startswith(("_", "pytest_")):  # pytest documents its own hooks
            continue
        decorators = {ast.unparse(item) for item in node.decorator_list}
        if decorators & {"overload", "typing.overload"} or any(item.endswith(".setter") for item in decorators):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{prefix}{node.name}.")


def test_every_module_and_public_name_has_a_docstring():
    missing = [where(file) for file in sources() if not ast.get_docstring(tree(file))]
    missing += [
        f"{where(file, node.lineno)} {name}"
        for file in sources()
        for name, node in public(tree(file).body)
        if not ast.get_docstring(node)
    ]
    assert not missing, f"without a docstring: {missing}"


FORBIDDEN_CALLS = {"eval", "exec", "torch.load", "yaml.load", "joblib.load", "numpy.load", "os.system", "os.popen"}
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}


def dangers(file: Path) -> Iterator[str]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS:
                yield f"{where(file, node.lineno)} {name}("
            for keyword in node.keywords:
                true = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
                if keyword.arg in {"shell", "allow_pickle"} and true:
                    yield f"{where(file, node.lineno)} {keyword.arg}=True"
        elif isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names} & FORBIDDEN_IMPORTS
            yield from (f"{where(file, node.lineno)} import {name}" for name in names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            name = (node.module or "").partition(".")[0]
            if name in FORBIDDEN_IMPORTS:
                yield f"{where(file, node.lineno)} from {name} import"


def test_nothing_is_unpickled_evaluated_or_given_to_a_shell():
    found = [danger for file in sources() for danger in dangers(file)]
    assert not found, found


SILENCERS = re.compile(r"#\s*(noqa|type:\s*ignore|pyright:\s*ignore|nosec|pragma: no cover)")
WITH_REASON = re.compile(
    r"#\s*(noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*|(type|pyright): ?ignore\[[\w, -]+\])\s+(#\s*|-\s*)?`?[A-Za-z]"
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def test_no_check_is_silenced_without_a_reason_and_nothing_is_left_for_later():
    found: list[str] = []
    for file in (*sources(), *sorted(TESTS.rglob("*.py"))):
        with file.open("rb") as stream:
            comments = [token for token in tokenize.tokenize(stream.readline) if token.type == tokenize.COMMENT]
        for token in comments:
            silent = SILENCERS.search(token.string) and not WITH_REASON.search(token.string)
            if silent or UNFINISHED.search(token.string):
                found.append(f"{where(file, token.start[0])} {token.string}")
    assert not found, f"say why, behind the code in brackets: {found}"


# ---------------------------------------------------------------------------------------------- SQL and the gate

SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+TABLE|PRAGMA\s+\w+)\b",
    re.DOTALL,
)


@functools.cache
def texts(file: Path) -> tuple[ast.Constant, ...]:
    """Every piece of text in the code that is not a docstring."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree(file))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return tuple(
        node
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    )


def test_sql_is_only_in_the_store():
    found = [
        where(file, node.lineno)
        for file in sources()
        if file.relative_to(SRC).parts[0] != "store"
        for node in texts(file)
        if SQL.search(str(node.value))
    ]
    found += [where(file) for file in SRC.rglob("*.sql") if file.relative_to(SRC).parts[:2] != ("store", "sql")]
    assert not found, f"SQL outside of store/: {found}"


def named_queries() -> dict[str, str]:
    """The text of every query in store/sql, by name."""
    found: dict[str, str] = {}
    for file in sorted((SRC / "store" / "sql").glob("*.sql")):
        parts = re.split(r"^-- name: (\w+)[!^]?\s*$", file.read_text("utf-8"), flags=re.MULTILINE)
        found.update(zip(parts[1::2], parts[2::2], strict=True))
    return found


def users_of_query(query: str) -> list[str]:
    """Every function that holds the query's name, as `release/gate.py: open_gate`."""
    found: list[str] = []
    for file in sources():
        for node in texts(file):
            if node.value != query:
                continue
            around = [item for item in functions(file) if item.lineno <= node.lineno <= (item.end_lineno or 0)]
            name = max(around, key=lambda item: item.lineno).name if around else "(module)"
            found.append(f"{file.relative_to(SRC).as_posix()}: {name}")
    return found


def test_a_route_is_written_by_one_function_the_gate():
    # Law 1: no release takes traffic unless its checks passed. One function enforces it, whatever the door.
    writers = [name for name, text in named_queries().items() if re.search(r"\b(INTO|UPDATE|FROM)\s+route\b", text)]
    changing = [name for name in writers if re.search(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b", named_queries()[name])]
    assert len(changing) == 1, f"one query writes routes; found {changing}"
    assert not re.search(r"\b(UPDATE|DELETE|REPLACE)\b", named_queries()[changing[0]]), "routes are only ever added"
    users = users_of_query(changing[0])
    assert len(users) == 1, f"{changing[0]} must be used in one place: {users}"
    assert users[0].startswith("release/gate.py: "), users


def test_every_named_query_is_used():
    unused = [name for name in named_queries() if not users_of_query(name)]
    assert not unused, f"queries that nothing runs: {unused}"


# ---------------------------------------------------------------------------------------------- how far a call travels

METRIC_FILES = 4
RELEASE_FILES = 6


class Trace:
    """While it is open: which of our files are on the stack at each call of a driver, by what the driver was asked.

    `base/` is not counted: it knows no way to anywhere.
    """

    def __init__(self) -> None:
        self.files: dict[str, set[str]] = {}

    def __enter__(self) -> Trace:
        sys.setprofile(self.look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def look(self, frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call":
            return
        if getattr(function, "__name__", "") == "pack_into":
            asked = "copy into the journal"
        elif isinstance(getattr(function, "__self__", None), sqlite3.Connection) and function.__name__ == "execute":
            asked = str(frame.f_locals.get("query", ""))
        else:
            return
        self.files.setdefault(asked, set()).update(self.ours(frame))

    def ours(self, frame: FrameType | None) -> Iterator[str]:
        while frame is not None:
            file = Path(frame.f_code.co_filename)
            if file.is_relative_to(SRC) and file.relative_to(SRC).parts[0] != "base":
                yield file.relative_to(SRC).as_posix()
            frame = frame.f_back

    def crossed(self, *asked: str) -> list[str]:
        """The files crossed on the way to these requests of the driver, each of which must have been made."""
        missing = set(asked) - self.files.keys()
        assert not missing, f"the driver was not asked for {missing}, only for {sorted(self.files)}"
        return sorted(set().union(*(self.files[name] for name in asked)))


def test_a_metric_crosses_few_files(tmp_path: Path):
    with contextlib.closing(open_store(tmp_path)) as store:
        run = start_run(store, name="trace")
        recorder = Recorder(store, run.record.id)
        active.start(recorder)
        with Trace() as trace:
            plusone.log(loss=0.5)
            active.stop()
            recorder.close()
        run.finish("done")
        assert [point.value for point in list_metrics(store, run.record.id)] == [0.5]
    crossed = trace.crossed("copy into the journal", "series_chunk_add", "journal_position_set", "run_metric_set")
    assert len(crossed) <= METRIC_FILES, crossed


PIPELINE = """
import numpy as np, pandas as pd, plusone
from sklearn.linear_model import LogisticRegression

@plusone.step
def points():
    x = np.linspace(-1.0, 1.0, 200)
    return pd.DataFrame({"x": x, "positive": x > 0})

@plusone.model("sign", target="positive")
def train(points):
    return LogisticRegression().fit(points[["x"]], points["positive"])
"""
CHECKS = """
def test_points(points):
    assert len(points) == 200

def test_sign(model):
    assert model.predict([{"x": 0.9}])[0]
"""


@pytest.mark.slow
def test_recording_a_release_crosses_few_files(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    (tmp_path / "pipeline.py").write_text(PIPELINE, "utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_sign.py").write_text(CHECKS, "utf-8")
    printed: list[str] = []
    with plusone.App(tmp_path) as app, Trace() as trace:
        made, _ = app.make_release(Request(), on_event=lambda event: printed.append(str(event)))
    assert made.outcome == "live", "\n".join(printed)
    crossed = trace.crossed("release_add", "session_add", "check_add", "decision_add", "route_add")
    assert len(crossed) <= RELEASE_FILES, crossed


# ---------------------------------------------------------------------------------------------- tests and files


def test_every_test_file_mirrors_a_module():
    lost: list[str] = []
    for file in sorted(TESTS.rglob("test_*.py")):
        path = file.relative_to(TESTS)
        if len(path.parts) == 1 or path.parts[0] in WHOLE:
            continue
        targets = [root / path.parent / path.name.removeprefix("test_") for root in (SRC, ROOT / "examples")]
        if not any(target.exists() or target.with_suffix("").is_dir() for target in targets):
            lost.append(path.as_posix())
    assert not lost, f"no module in src/plusone of that name: {lost}"


# Written in pieces, so that this file does not find itself.
HOSTS = ("pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "deb." + "debian.org")
PLACES = ("/wo" + "rk/", "/ro" + "ot/", "/tm" + "p/w", "file:" + "///opt", "/opt/" + "pypi", "/home/" + "runner")
TEXT_BYTES = 1 << 20


def test_no_file_names_an_index_host_or_a_path_of_one_machine():
    found: list[str] = []
    for file in tracked_files():
        data = file.read_bytes()
        if len(data) > TEXT_BYTES or b"\0" in data:
            continue
        text = data.decode("utf-8", "replace")
        found += [f"{where(file)}: {word}" for word in (*HOSTS, *PLACES) if word in text]
    assert not found, found


def test_a_public_check_is_the_function_whatever_was_imported_before():
    code = (
        "import importlib, pkgutil, types, plusone.check as check\n"
        "for one in pkgutil.iter_modules(check.__path__): importlib.import_module(f'plusone.check.{one.name}')\n"
        "hidden = [name for name in check.__all__ if isinstance(getattr(check, name), types.ModuleType)]\n"
        "assert hidden == ['perturb'], hidden"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
