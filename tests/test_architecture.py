"""The bounds of the house: floors, sizes, what an import may load, where SQL lives, how far a call travels.

import-linter holds the floors (`make check`); here is what it can't say.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "plusone"
TESTS = ROOT / "tests"

FILE_LINES = 500
FUNCTION_LINES = 60
ROOM_LINES = 2000
MODULES_AT_IMPORT = 150
HEAVY = ("numpy", "pandas", "polars", "pyarrow", "sqlite3", "granian", "onnx", "onnxruntime", "sklearn", "scipy")

# Files that a new project starts with: they are the user's code, not ours.
TEMPLATES = "templates"
# Tests that guard a whole and not one module: the architecture, the documents, the doors, the journeys, the contracts.
WHOLE = {"contracts", "docs", "doors", "journeys"}


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
    # `import plusone` only resolves names: what it points at is for type checkers, and no room may use it.
    users = sorted(graph.find_modules_that_directly_import("plusone") - {"plusone"})
    assert not users, f"rooms import each other, not the public names: {users} import `plusone` itself"
    graph.remove_module("plusone")
    needs = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        pytest.fail("import cycle: " + " -> ".join(error.args[1]))


def test_no_import_inside_a_function_hides_one_of_our_own_from_the_floors():
    # grimp sees imports inside functions too; dynamic ones it can't see, so they stay where names are looked up.
    allowed = {"__init__.py", "base/plugins.py"}
    found = [
        where(file, node.lineno)
        for file in sources()
        if file.relative_to(SRC).as_posix() not in allowed
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"__import__", "importlib.import_module", "import_module"}
        and any(isinstance(part, ast.Constant) and "plusone" in str(part.value) for part in ast.walk(node))
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


def texts(file: Path) -> Iterator[ast.Constant]:
    """Every piece of text in the code that is not a docstring."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree(file))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node


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


# ---------------------------------------------------------------------------------------------- tests and files


def test_every_test_file_mirrors_a_module():
    lost: list[str] = []
    for file in sorted(TESTS.rglob("test_*.py")):
        path = file.relative_to(TESTS)
        if len(path.parts) == 1 or path.parts[0] in WHOLE:
            continue
        target = SRC / path.parent / path.name.removeprefix("test_")
        if not target.exists() and not target.with_suffix("").is_dir():
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
