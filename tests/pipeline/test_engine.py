"""Steps in real worker processes: run, taken over, forced, made again, and failing in every way."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.base.errors import Unavailable
from plusone.tracking.runs import list_steps, recover_runs
from tests.pipeline.driver import Failed, Project

CHAIN = """
from pathlib import Path

@plusone.step(version=lambda: Path("version.txt").read_text())
def source(*, until="x"):
    print("source runs")
    return [1, 2, 3, until]

@plusone.step(outputs=("small", "large"))
def split(source, *, at=1):
    return source[:at], {"rest": source[at:]}

@plusone.step
def counted(large):
    return len(large["rest"])
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path / "project")
    (made.root / "version.txt").write_text("1")
    yield made
    made.store.close()


def statuses(project: Project, **more) -> str:
    """Return the statuses of source, split and counted, as letters: d for done, c for cached."""
    found = project.run(**more)
    return "".join(found[name][0] for name in ("source", "split", "counted") if name in found)


@pytest.mark.slow
def test_steps_run_once_and_are_taken_over_until_something_changes(project: Project) -> None:
    project.write(CHAIN)
    assert statuses(project, until="counted") == "ddd"
    assert project.values() == {"source": [1, 2, 3, "x"], "small": [1], "large": {"rest": [2, 3, "x"]}, "counted": 3}
    assert statuses(project, until="counted") == "ccc"
    assert project.lines.count("source runs") == 1
    assert statuses(project, until="source") == "c"

    (project.root / "version.txt").write_text("2")
    assert statuses(project, until="counted") == "dcc", "the source ran again and made the same"
    assert statuses(project, until="counted", force=["split"]) == "cdc"
    assert statuses(project, until="counted", settings={"at": "2"}) == "cdd"
    assert project.values()["counted"] == 2
    assert statuses(project, until="counted", settings={"split.at": 1}) == "ccc", "an older result is found as well"

    project.write(CHAIN.replace('len(large["rest"])', 'len(large["rest"]) + 1'))
    assert statuses(project, until="counted") == "ccd"
    project.write(CHAIN.replace("until, ", "until,").replace("def counted", "# words\ndef counted"))
    assert statuses(project, until="counted") == "ccc"


def test_a_lost_blob_is_made_again_and_a_broken_one_when_forced(project: Project) -> None:
    project.write(CHAIN)
    project.run(until="counted")
    blob = project.dataset(last_outputs(project, "split")["large"]).blob
    path = project.store.blobs.path(blob)
    path.unlink()
    assert statuses(project, until="counted") == "cdc"
    path.chmod(0o644)
    path.write_bytes(b"X" + path.read_bytes()[1:])
    with pytest.raises(Failed, match=r"BrokenArtifact: .*was changed"):
        project.run(until="counted", force=["counted"])
    assert statuses(project, until="counted", force=["split", "counted"]) == "cdd"


def last_outputs(project: Project, step: str) -> dict[str, str]:
    newest = project.store.db.all("run_list", model=None, before=None, count=1)[0]["id"]
    return next(one.outputs for one in list_steps(project.store, newest) if one.step == step)


def test_a_source_without_a_version_always_runs(project: Project) -> None:
    project.write("@plusone.step\ndef source():\n    return 1\n@plusone.step\ndef after(source):\n    return source\n")
    assert project.run(until="after") == {"source": "done", "after": "done"}
    assert project.run(until="after") == {"source": "done", "after": "cached"}


def test_a_killed_worker_resumes_behind_its_last_finished_step(project: Project) -> None:
    die = "import os\n    if not Path('go').exists():\n        os.kill(os.getpid(), 9)\n    return len"
    project.write(CHAIN.replace("return len", die))
    with pytest.raises(Unavailable, match="SIGKILL"):
        project.run(until="counted")
    (project.root / "go").write_text("")
    assert statuses(project, until="counted") == "ccd"
    assert recover_runs(project.store) == []


def test_what_a_step_does_to_globals_settings_and_inputs_reaches_no_other(project: Project) -> None:
    text = """
    CACHE = {}

    @plusone.step(version=lambda: 1)
    def first(*, words=["a"]):
        CACHE["seen"] = len(CACHE) + 1
        words.append("b")
        return words

    @plusone.step
    def second(first, *, words=["a"]):
        first.append("c")
        return [first, words, list(CACHE)]

    @plusone.step
    def third(first, second):
        return first
    """
    project.write(text)
    assert project.run(until="third") == {"first": "done", "second": "done", "third": "done"}
    assert project.values() == {"first": ["a", "b"], "second": [["a", "b", "c"], ["a"], ["seen"]], "third": ["a", "b"]}
    assert project.run(until="third") == dict.fromkeys(("first", "second", "third"), "cached")
    run = project.store.db.all("run_list", model=None, before=None, count=1)[0]["id"]
    assert [step.settings for step in list_steps(project.store, run)] == [{"words": ["a"]}, {"words": ["a"]}, {}]


def test_a_module_outside_of_the_pipelines_folder_is_the_projects_code_too(project: Project) -> None:
    project.pipeline = "flows/pipeline.py"
    text = """
    import sys
    sys.path.insert(0, ".")
    import helpers

    @plusone.step(version=lambda: 1)
    def a():
        return helpers.f()
    """
    project.write(text, "flows/pipeline.py")
    for text, status in (("1", "done"), ("1", "cached"), ("1 + 1", "done")):
        project.write(f"def f():\n    return {text}\n", "helpers.py")
        assert project.run(until="a") == {"a": status}


BAD_TEXT = """class E(Exception):
        def __str__(self): return self.nothing
    raise E"""

FAILING = {
    "raises": ("raise ValueError('bad')", r"StepFailed: Step 'raises' raised ValueError: bad \(at .*pipeline.py:\d+\)"),
    "raises_far_away": ("import json; json.loads('{')", r"JSONDecodeError: .*pipeline.py:\d+"),
    "exits": ("import sys; sys.exit(5)", "raised SystemExit: 5"),
    "quits": ("raise GeneratorExit", "raised GeneratorExit"),
    "surrogate": ("raise ValueError('\\udcff')", r"ValueError: \\udcff"),
    "bad_text": (BAD_TEXT, "can't be read: AttributeError"),
    "deep": ("deep()", "raised RecursionError"),
    "group": ("raise ExceptionGroup('all', [ValueError('one')])", "ExceptionGroup: all"),
    "unsafe": ("return {1, 2}", r"UnsafeValue: .*pipeline.py:\d+: step 'unsafe', output 'unsafe': .*builtins.set"),
    "nan": ("return [float('nan')]", r"output 'nan': The value\[0\] is nan"),
    "circle": ("x = []; x.append(x); return x", "nested over 200 deep, or in itself"),
    "folder": ("import pathlib; return pathlib.Path('.')", "is a folder"),
}

TWO_OUTPUTS = {
    "one": ("(1,)", "a tuple of 1"),
    "three": ("(1, 2, 3)", "a tuple of 3"),
    "listed": ("[1, 2]", "a list"),
    "text": ("'xy'", "a str"),
    "nothing": ("None", "a NoneType"),
    "named": ("{'x': 1, 'y': 2}", "a dict"),
}


def test_each_way_to_fail_is_an_error_and_the_worker_lives_on(project: Project) -> None:
    steps = [f"@plusone.step\ndef {name}():\n    {body}\n" for name, (body, _) in FAILING.items()]
    steps += [
        f"@plusone.step(outputs=('{name}_x', '{name}_y'))\ndef {name}():\n    return {value}\n"
        for name, (value, _) in TWO_OUTPUTS.items()
    ]
    project.write("\n".join([*steps, "@plusone.step\ndef good():\n    return 1\n"]))
    with project.begin() as (child, run):
        project.plan(child, run, until="good")
        for name, (_, message) in FAILING.items():
            with pytest.raises(Failed, match=message):
                project.ask(child, do="steps", steps=[name])
        for name, (_, got) in TWO_OUTPUTS.items():
            with pytest.raises(Failed, match=f"PipelineError: .*returned {got}: expected a tuple of 2"):
                project.ask(child, do="steps", steps=[name])
        with pytest.raises(Failed) as listed:
            project.ask(child, do="steps", steps=["listed"])
        assert listed.value.mend == "return tuple(...), or listed_x, listed_y"
        assert project.ask(child, do="steps", steps=["good"])["outputs"]["good"]["kind"] == "json"
    assert [step.step for step in list_steps(project.store, run.record.id)] == ["good"]


def test_a_step_that_ends_the_process_is_said(project: Project) -> None:
    project.write("import os\n@plusone.step\ndef a():\n    os._exit(9)\n")
    with pytest.raises(Unavailable, match="exit code 9"):
        project.run(until="a")
    project.write("import os\n@plusone.step\ndef a():\n    os.kill(os.getpid(), 11)\n")
    with pytest.raises(Unavailable, match=signal.SIGSEGV.name):
        project.run(until="a")


def test_one_output_in_a_tuple_is_taken_as_it_is(project: Project) -> None:
    project.write("@plusone.step(outputs=('x',))\ndef a():\n    return [1, 2]\n")
    assert project.run(until="a") == {"a": "done"}
    assert project.values() == {"x": [1, 2]}


@pytest.mark.slow
def test_version_gets_the_settings_and_its_failure_is_the_steps(project: Project) -> None:
    text = """
    import os
    def newest(*, until):
        return until if until != "bad" else os.stat("/no/such/file")

    @plusone.step(version=newest)
    def a(*, until="x", other=1):
        return until
    """
    project.write(text)
    assert project.run(until="a") == {"a": "done"}
    assert project.run(until="a", settings={"until": "y"}) == {"a": "done"}
    assert project.run(until="a") == {"a": "cached"}
    with pytest.raises(Failed, match=r"StepFailed: Step 'a' version= raised FileNotFoundError"):
        project.run(until="a", settings={"until": "bad"})
    with project.begin() as (child, run):
        project.write("@plusone.step(version=lambda: object())\ndef a():\n    return 1\n")
        project.plan(child, run, until="a")
        with pytest.raises(Failed, match=r"StepFailed: Step 'a' version= raised TypeError"):
            project.ask(child, do="steps", steps=["a"])


def test_what_can_not_be_planned_is_said_before_anything_runs(project: Project) -> None:
    project.write(CHAIN)
    with project.begin() as (child, run):
        for more, message in (
            ({"until": "nothing"}, "NotFound: The project has no step 'nothing'"),
            ({"until": "split", "force": ["nothing"]}, "NotFound: .*'nothing'"),
            ({"until": "split", "settings": {"nothing": 1}}, "UsageError: --set nothing"),
            ({"model": "m"}, "NotFound: The project has no model 'm'"),
            ({}, "PipelineError: The pipeline has no model"),
            ({"until": "split", "reserved": ["small"]}, "PipelineError: .*makes 'small'"),
        ):
            with pytest.raises(Failed, match=message):
                project.plan(child, run, **more)
    assert "source runs" not in project.lines


@pytest.mark.slow
def test_a_named_index_is_no_feature_and_metrics_and_prints_are_kept(project: Project) -> None:
    text = """
    import pandas as pd

    @plusone.step(version=lambda: 1)
    def table():
        return pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": [0, 1, 0, 1]}, index=pd.Index([7, 8, 9, 10], name="id"))

    @plusone.model("m", target="y")
    def train(table):
        from sklearn.linear_model import LogisticRegression
        plusone.log(rows=len(table), best=float("nan"))
        print("trains on", list(table.columns))
        return LogisticRegression().fit(table[["x"]], table["y"])
    """
    project.write(text)
    for cached in (False, True):
        with project.begin() as (child, run):
            plan = project.plan(child, run)
            assert (plan["model"], plan["trainer"], plan["steps"]) == ("m", "train", ["table"])
            project.ask(child, do="steps", steps=plan["steps"])
            reply = project.ask(child, do="train", model="m")
            assert reply["cached"] is cached
    assert project.lines.count("trains on ['x', 'y']") == 1
    manifest = project.store.blobs.get(reply["package"])
    assert b'"name":"x"' in manifest
    assert b'"name":"id"' not in manifest


def test_a_model_whose_data_do_not_fit_is_an_error_with_what_there_is(project: Project) -> None:
    text = """
    import pandas as pd

    @plusone.step
    def numbers():
        return [1]

    @plusone.step
    def table():
        return pd.DataFrame({"x": [1], "y": [1]})

    @plusone.model("of-a-list", target="y")
    def train_list(numbers): ...

    @plusone.model("of-no-target", target="z")
    def train_target(table): ...

    @plusone.model("of-no-feature", target="y", features=["x", "w"])
    def train_feature(table): ...
    """
    project.write(text)
    with project.begin() as (child, run):
        project.plan(child, run, until="table")
        project.ask(child, do="steps", steps=["numbers", "table"])
        for model, message in (
            ("of-a-list", "is of kind 'json': the training data must be a table"),
            ("of-no-target", r"has no column 'z' \(its target\)\. It has: x, y"),
            ("of-no-feature", r"features \['w'\] are not in"),
        ):
            with pytest.raises(Failed, match=message):
                project.ask(child, do="train", model=model)
