"""The fingerprint changes with everything that can change what a step does, and with nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plusone.pipeline.fingerprint import code_digest
from plusone.pipeline.graph import Graph
from tests.pipeline.conftest import Load

PROJECT = {
    "pipeline.py": '''
"""A pipeline."""
import functools
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import plusone

import helpers
import spaces.inner
from helpers import twice as doubled

LIMIT = 10
WORDS = {"a", "b", "c"}
NESTED = {"k": [1, (2, 3)]}
PATTERN = re.compile("a+")
WEIGHTS = np.array([1.0, 2.0])
HERE = Path(__file__).parent / "data.csv"


@dataclass
class Options:
    rate: float = 0.1
    names: list = field(default_factory=lambda: ["x"])

    def scaled(self):
        return self.rate * 2

    @property
    def half(self):
        return self.rate / 2

    @cached_property
    def third(self):
        return self.rate / 3

    @staticmethod
    def fixed():
        return 4

    @classmethod
    def made(cls):
        return cls(5)


class Child(Options):
    def own(self):
        return 6


class Colour(Enum):
    RED = "red"


OPTIONS = Options(rate=0.7)
COLOUR = Colour.RED
POWER = partial(pow, 2)


def in_table(x):
    return x + 100


TABLE = {"in": in_table}


def logged(function):
    @functools.wraps(function)
    def inner(*words):
        """Say it."""
        return function(*words), "logged"
    return inner


@functools.lru_cache(maxsize=None)
def cached(x):
    return x + 200


@contextmanager
def managed():
    yield 300


@logged
def decorated(x):
    return x + 400


def closing(amount):
    def add(x):
        return x + amount
    return add


ADD = closing(500)


def with_default(x, by=600, *, to=700):
    return x + by + to


def itself(x):
    return itself(x - 1) if x else other_self(x)


def other_self(x):
    return itself(x)


def tried(x):
    try:
        first(x)
        second(x)
    except ValueError:
        return None


def first(x): ...
def second(x): ...


def importing(x):
    import late
    from package.deep import dig
    from package import sibling
    return late.run(x), dig(x), sibling


@plusone.step
def source(*, setting=1):
    total = 0
    for word in WORDS:
        # a comment
        total = LIMIT + len(word)
    if total in {1, 2, 3}:
        return None
    x = [n * 3 for n in range(LIMIT)]
    y = (lambda z: z + 4)(5)
    helpers.shown(total), doubled(2), spaces.inner.far(x), Child().own(), OPTIONS.scaled(), COLOUR, POWER(3)
    TABLE["in"](1), cached(1), decorated(1), ADD(1), with_default(1), itself(2), tried(3), importing(y)
    with managed() as z:
        return [total, PATTERN, WEIGHTS, NESTED, str(HERE), z]


@plusone.step
def apart():
    return 1
''',
    "helpers.py": """
import deeper


def shown(x):
    return deeper.down(x)


def twice(x):
    return x * 2
""",
    "deeper.py": "STEP = 2\n\n\ndef down(x):\n    return x - STEP\n",
    "spaces/inner.py": "def far(x):\n    return x, 'far'\n",
    "late.py": "import later\n\n\ndef run(x):\n    return later.run(x)\n",
    "later.py": "def run(x):\n    'Doc.'\n    return x + 1  # why\n",
    "package/__init__.py": "SIZE = 1\n",
    "package/deep.py": "from . import beside\nfrom .beside import under\n\n\ndef dig(x):\n    return under(x)\n",
    "package/beside.py": "def under(x):\n    return x + 2\n",
    "package/sibling.py": "VALUE = 3\n",
    "unused.py": "VALUE = 1\n",
}

CHANGES = {
    "its own code": ("pipeline.py", "total = 0", "total = 5"),
    "an operator": ("pipeline.py", "LIMIT + len(word)", "LIMIT - len(word)"),
    "a comparison with a set": ("pipeline.py", "in {1, 2, 3}", "in {1, 2, 4}"),
    "a comprehension": ("pipeline.py", "n * 3", "n * 4"),
    "a lambda": ("pipeline.py", "z + 4", "z + 5"),
    "a setting's default": ("pipeline.py", "setting=1", "setting=2"),
    "a constant": ("pipeline.py", "LIMIT = 10", "LIMIT = 11"),
    "a constant's type": ("pipeline.py", "LIMIT = 10", "LIMIT = 10.0"),
    "a set": ("pipeline.py", '"b", "c"}', '"b", "d"}'),
    "a nested constant": ("pipeline.py", "(2, 3)", "(2, 4)"),
    "a pattern": ("pipeline.py", '"a+"', '"a*"'),
    "an array": ("pipeline.py", "[1.0, 2.0]", "[1.0, 2.5]"),
    "a path": ("pipeline.py", '"data.csv"', '"date.csv"'),
    "a method": ("pipeline.py", "self.rate * 2", "self.rate * 3"),
    "a property": ("pipeline.py", "self.rate / 2", "self.rate / 4"),
    "a cached property": ("pipeline.py", "self.rate / 3", "self.rate / 5"),
    "a static method": ("pipeline.py", "return 4", "return 5"),
    "a class method": ("pipeline.py", "cls(5)", "cls(6)"),
    "a default of a class": ("pipeline.py", "rate: float = 0.1", "rate: float = 0.2"),
    "a factory of a class": ("pipeline.py", '["x"]', '["y"]'),
    "a subclass": ("pipeline.py", "return 6", "return 7"),
    "an instance": ("pipeline.py", "Options(rate=0.7)", "Options(rate=0.8)"),
    "an enum": ("pipeline.py", 'RED = "red"', 'RED = "rot"'),
    "a partial": ("pipeline.py", "partial(pow, 2)", "partial(pow, 3)"),
    "a function in a table": ("pipeline.py", "x + 100", "x + 101"),
    "a cached function": ("pipeline.py", "x + 200", "x + 201"),
    "a context manager": ("pipeline.py", "yield 300", "yield 301"),
    "a decorated function": ("pipeline.py", "x + 400", "x + 401"),
    "a decorator": ("pipeline.py", '"logged"', '"locked"'),
    "a closure's value": ("pipeline.py", "closing(500)", "closing(501)"),
    "a closure's code": ("pipeline.py", "x + amount", "x - amount"),
    "a default": ("pipeline.py", "by=600", "by=601"),
    "a keyword default": ("pipeline.py", "to=700", "to=701"),
    "recursion": ("pipeline.py", "itself(x - 1)", "itself(x - 2)"),
    "what is tried": (
        "pipeline.py",
        "    try:\n        first(x)\n        second(x)",
        "    first(x)\n    try:\n        second(x)",
    ),
    "a called module": ("helpers.py", "deeper.down(x)", "deeper.down(x + 1)"),
    "a function under another name": ("helpers.py", "x * 2", "x * 3"),
    "a module two away": ("deeper.py", "x - STEP", "x + STEP"),
    "a constant two away": ("deeper.py", "STEP = 2", "STEP = 3"),
    "a module without __init__": ("spaces/inner.py", "'far'", "'near'"),
    "a module imported inside": ("late.py", "later.run(x)", "later.run(-x)"),
    "what that one imports": ("later.py", "x + 1", "x + 2"),
    "a package imported inside": ("package/__init__.py", "SIZE = 1", "SIZE = 2"),
    "its module": ("package/deep.py", "under(x)\n", "under(x), 1\n"),
    "what that imports with a dot": ("package/beside.py", "x + 2", "x + 3"),
    "a module imported from a package": ("package/sibling.py", "VALUE = 3", "VALUE = 4"),
}

SAME = {
    "comments": ("pipeline.py", "        # a comment\n", "        # another comment\n        # and one more\n"),
    "formatting": (
        "pipeline.py",
        "total = LIMIT + len(word)",
        "total = (\n            LIMIT\n            + len( word ))",
    ),
    "moved lines": ("pipeline.py", '"""A pipeline."""', '"""A pipeline of many words.\n\n\n\n"""\n\n\n'),
    "a new docstring": ("pipeline.py", "    total = 0", '    """It has one now."""\n    total = 0'),
    "a docstring of a method": (
        "pipeline.py",
        "        return self.rate * 2",
        "        'Doc.'\n        return self.rate * 2",
    ),
    "a docstring of a class": ("pipeline.py", "class Child(Options):", "class Child(Options):\n    'Doc.'\n"),
    "a docstring inside": ("pipeline.py", '"""Say it."""', '"""Say it otherwise."""'),
    "a docstring where None is returned": ("pipeline.py", "def tried(x):", "def tried(x):\n    'Doc.'\n"),
    "annotations": ("pipeline.py", "def decorated(x):", "def decorated(x: int) -> int:"),
    "a comment of a module imported inside": ("later.py", "# why", "# because"),
    "a docstring of a module imported inside": ("later.py", "'Doc.'", "'Words.'"),
    "the layout of a module imported inside": ("late.py", "\n\n\ndef", "\ndef"),
    "what is not called": ("pipeline.py", "    return 1\n", "    return 2\n"),
    "a module that is not imported": ("unused.py", "VALUE = 1", "VALUE = 2"),
    "the order of definitions": (
        "pipeline.py",
        "def first(x): ...\ndef second(x): ...\n",
        "def second(x): ...\n\n\ndef first(x): ...\n",
    ),
    "the order of imports": (
        "pipeline.py",
        "import helpers\nimport spaces.inner",
        "import spaces.inner\nimport helpers",
    ),
}


def digest(graph: Graph, step: str = "source") -> str:
    function = graph.steps[step].function
    return code_digest(function, Path(function.__code__.co_filename).parent)


_unchanged: dict[str, str] = {}


def unchanged(load: Load) -> str:
    if not _unchanged:
        _unchanged["digest"] = digest(load(PROJECT))
    return _unchanged["digest"]


def changed(file: str, old: str, new: str) -> dict[str, str]:
    assert PROJECT[file].count(old) >= 1, f"{old!r} is not in {file}"
    return PROJECT | {file: PROJECT[file].replace(old, new)}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_it_changes_with(load: Load, name: str) -> None:
    assert digest(load(changed(*CHANGES[name]))) != unchanged(load)


@pytest.mark.parametrize("name", SAME)
def test_it_does_not_change_with(load: Load, name: str) -> None:
    assert digest(load(changed(*SAME[name]))) == unchanged(load), "nor with the folder that the project lies in"


def test_a_change_reaches_only_the_steps_that_it_concerns(load: Load) -> None:
    before = digest(load(PROJECT), "apart")
    assert digest(load(changed("pipeline.py", "LIMIT = 10", "LIMIT = 11")), "apart") == before
    assert digest(load(changed("pipeline.py", "    return 1\n", "    return 2\n")), "apart") != before


_ELSEWHERE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    __import__(name)
from plusone.pipeline.fingerprint import code_digest
from plusone.pipeline.graph import load_graph
graph = load_graph(Path(sys.argv[1]) / "pipeline.py")
print(json.dumps({name: code_digest(spec.function, Path(sys.argv[1])) for name, spec in graph.steps.items()}))
"""


def test_it_is_the_same_in_another_process_with_another_seed_and_other_imports_before(load: Load) -> None:
    graph = load(PROJECT)
    root = Path(graph.steps["source"].function.__code__.co_filename).parent
    here = {name: digest(graph, name) for name in graph.steps}
    for seed, words in (("1", ["late", "package.deep"]), ("2", []), ("3", ["deeper", "spaces"])):
        done = subprocess.run([sys.executable, "-c", _ELSEWHERE, str(root), *words], check=True, capture_output=True,
                              text=True, env={**os.environ, "PYTHONHASHSEED": seed})  # fmt: skip
        assert json.loads(done.stdout) == here, "the second of them read compiled files, the first wrote them"


def test_what_lies_in_an_environment_inside_of_the_project_is_not_its_code(load: Load) -> None:
    text = """
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parent / "venv/lib/site-packages"))
    import library_of_others
    import plusone

    @plusone.step
    def a():
        return library_of_others.f()
    """
    files = {"pipeline.py": text}
    place = "venv/lib/site-packages/library_of_others.py"
    before = digest(load(files | {place: "def f():\n    return 1\n"}), "a")
    assert digest(load(files | {place: "def f():\n    return 2\n"}), "a") == before


HOSTILE = {
    "a list that holds itself": "x = []\nx.append(x)",
    "a dict that holds itself": "x = {}\nx['x'] = {'y': x}",
    "an instance that holds itself": "class A: ...\nx = A()\nx.me = x",
    "slots": "class A:\n    __slots__ = ('a', 'unset')\nx = A()\nx.a = 1",
    "an object that raises on every question": (
        "class A:\n    def __getattr__(self, name): raise RuntimeError(name)\n"
        "    def __eq__(self, other): raise RuntimeError\n    __hash__ = None\nx = A()"
    ),
    "a lock": "import threading\nx = threading.Lock()",
    "a numpy function": "import numpy\nx = numpy.add",
    "a numpy generator": "import numpy\nx = numpy.random.default_rng(0)",
    "a module of extension code": "import _struct as x",
    "a bound method": "class A:\n    def m(self): ...\nx = A().m",
    "a generator": "x = (n for n in ())",
    "a closure that is not filled": "def f():\n    def g(): return late\n    return g\n    late = 1\nx = f()",
    "a lone surrogate": "x = '\\ud800'",
    "a huge integer": "x = 10 ** 3000",
    "a metaclass": "class M(type): ...\nclass A(metaclass=M): ...\nx = A",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_any_global_has_a_stable_fingerprint(load: Load, name: str) -> None:
    text = f"import plusone\n{HOSTILE[name]}\n@plusone.step\ndef a():\n    return x\n"
    assert digest(load(text), "a") == digest(load(text), "a")
