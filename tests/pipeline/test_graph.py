"""Steps fitted together, and every fault found before anything runs."""

from __future__ import annotations

import pytest

from plusone.base.errors import NotFound, PipelineError
from tests.pipeline.conftest import Load

TWO_MODELS = """
import plusone
@plusone.model("b-model", target="y")
def train_b(b_set, extra): ...
@plusone.step
def b_set(raw): ...
@plusone.step
def of_a(a_holdout): ...
@plusone.step
def alone(): ...
@plusone.step
def extra(): ...
@plusone.model("a-model", target="y")
def train_a(a_set): ...
@plusone.step(outputs=("a_set", "a_holdout"))
def split_a(raw): ...
@plusone.step
def raw(): ...
"""


def test_each_step_comes_after_what_it_needs(load: Load) -> None:
    graph = load(TWO_MODELS)
    order = list(graph.steps)
    for name, spec in graph.steps.items():
        assert all(order.index(graph.makers[needed].name) < order.index(name) for needed in spec.inputs)
    assert set(graph.models) == {"a-model", "b-model"}


def test_what_is_wanted_for_a_model_leaves_out_what_only_others_need(load: Load) -> None:
    graph = load(TWO_MODELS)
    a, b = graph.pick_model("a-model"), graph.pick_model("b-model")
    assert {spec.name for spec in graph.wanted(a)} == {"raw", "split_a", "of_a", "alone"}
    assert {spec.name for spec in graph.wanted(b)} == {"raw", "b_set", "extra", "alone"}
    assert {spec.name for spec in graph.wanted(None)} == set(graph.steps) - {"train_a", "train_b"}
    assert {spec.name for spec in graph.wanted(None, "of_a")} == {"raw", "split_a", "of_a"}
    both = load(TWO_MODELS + "@plusone.step\ndef compared(a_set, b_set): ...\n")
    assert {spec.name for spec in both.wanted(both.pick_model("b-model"))} >= {"compared", "split_a", "b_set"}
    assert [spec.name for spec in graph.wanted(a, "raw")] == ["raw"]
    whole = [graph.wanted(a), graph.wanted(b), graph.wanted(None)]
    for wanted in (*whole, *(both.wanted(both.pick_model(name)) for name in both.models)):
        made = {output for spec in wanted for output in spec.outputs}
        assert all(needed in made for spec in wanted for needed in spec.inputs), "a wanted step lacks its input"


def test_models_are_picked_by_name_or_alone(load: Load) -> None:
    graph = load(TWO_MODELS)
    with pytest.raises(PipelineError, match=r"several models: b-model, a-model|several models: a-model, b-model"):
        graph.pick_model(None)
    with pytest.raises(NotFound, match="no model 'c'"):
        graph.pick_model("c")
    with pytest.raises(NotFound, match="no step 'nothing'"):
        graph.wanted(None, "nothing")
    with pytest.raises(PipelineError, match="has no model"):
        load("import plusone\n@plusone.step\ndef a(): ...").pick_model(None)
    one = load("import plusone\n@plusone.step\ndef a(): ...\n@plusone.model('m', target='y')\ndef t(a): ...")
    assert one.pick_model(None).name == "t"


S = "import plusone\n@plusone.step\n"
WRONG = {
    "empty": ("", "has no step"),
    "only a model": (
        "import plusone\n@plusone.model('m', target='y')\ndef train(a): ...",
        "takes 'a', which no step makes",
    ),
    "itself": (S + "def a(a): ...", "in a circle: a -> a"),
    "circle": (S + "def a(b): ...\n@plusone.step\ndef b(c): ...\n@plusone.step\ndef c(a): ...", "in a circle: "),
    "unknown input": (S + "def a(nothing): ...", "takes 'nothing', which no step makes. Step outputs: a"),
    "takes a model": (
        S + "def a(): ...\n@plusone.model('m', target='y')\ndef t(a): ...\n@plusone.step\ndef b(t): ...",
        "'t', which",
    ),
    "one name twice": (S + "def a(): ...\n@plusone.step\ndef a(): ...", r"Two steps are named 'a': .*:2 and .*:4"),
    "one output twice": (S + "def a(): ...\n@plusone.step(outputs=('x', 'a'))\ndef b(): ...", "Two steps make 'a'"),
    "one model twice": (
        S + "def a(): ...\n" + "".join(f"@plusone.model('m', target='y')\ndef {name}(a): ...\n" for name in "tu"),
        "Two functions train model 'm'",
    ),
    "reserved": (S + "def tmp_path(): ...", "fixture of pytest or plusone"),
    "reserved output": ("import plusone\n@plusone.step(outputs=('x', 'model'))\ndef a(): ...", "makes 'model'"),
    "syntax": ("def (", "can't be imported: SyntaxError"),
    "raises": ("def f():\n  1 / 0\nf()", r"ZeroDivisionError: division by zero \(at .*pipeline.py:2\)"),
    "exits": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "missing import": ("import no_such_module_at_all", "ModuleNotFoundError"),
    "method": ("import plusone\nclass A:\n  @plusone.step\n  def a(self): ...", "takes 'self'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_fault_has_its_error_before_anything_runs(load: Load, name: str) -> None:
    text, message = WRONG[name]
    with pytest.raises(PipelineError, match=message):
        load(text, reserved=("tmp_path", "model"))


def test_a_pipeline_that_is_missing_or_takes_the_name_of_a_module_is_an_error(load: Load, tmp_path) -> None:
    from plusone.pipeline.graph import load_graph

    with pytest.raises(PipelineError, match="There is no pipeline"):
        load_graph(tmp_path / "none.py")
    (tmp_path / "json.py").write_text("import plusone")
    with pytest.raises(PipelineError, match="name of a module"):
        load_graph(tmp_path / "json.py")


def test_steps_of_an_imported_module_are_the_projects_too(load: Load) -> None:
    graph = load(
        {
            "pipeline.py": "import plusone\nimport sources\n@plusone.step\ndef b(a): ...",
            "sources.py": "import plusone\n@plusone.step\ndef a(): ...",
        }
    )
    assert list(graph.steps) == ["a", "b"]


def test_what_a_model_learned_from_leaves_out_what_a_split_kept_from_it(load: Load) -> None:
    graph = load(TWO_MODELS)
    assert graph.upstream(graph.models["a-model"]) == ["a_set", "raw"]
    assert graph.sources(graph.models["a-model"]) == ["raw"]
    assert graph.upstream(graph.models["b-model"]) == ["b_set", "extra", "raw"]
    assert graph.sources(graph.models["b-model"]) == ["extra", "raw"]
