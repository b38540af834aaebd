"""What a signature says, and the error for each one that says something impossible."""

from __future__ import annotations

import datetime as dt
import functools
import time
from collections.abc import Callable
from typing import Any

import pytest

import plusone
from plusone.base.errors import PipelineError, UsageError
from plusone.pipeline import engine
from plusone.pipeline.declare import REQUIRED, collecting


def test_inputs_settings_and_outputs_are_read_from_the_signature() -> None:
    with collecting() as found:

        @plusone.step(outputs=("train_set", "holdout"))
        def split(flights: Any, weather: Any, /, *, share: float = 0.2, seed: int) -> Any:
            return flights, weather, share, seed

        @plusone.model("flight-delays", target="late", features=["a", "b"], tolerance=1e-3)
        def train(train_set: Any) -> Any:
            return train_set

    first, second = found
    assert (first.name, first.inputs, first.outputs) == ("split", ("flights", "weather"), ("train_set", "holdout"))
    assert first.settings == {"share": 0.2, "seed": REQUIRED}
    assert (second.inputs, second.outputs) == (("train_set",), ())
    assert second.model
    assert (second.model.name, second.model.target, second.model.features) == ("flight-delays", "late", ("a", "b"))
    assert split(1, 2, share=3, seed=4) == (1, 2, 3, 4), "the function is returned unchanged"
    assert first.where.startswith(f"{__file__}:")


def test_8_bits_are_tried_when_asked_for_and_train_anew_when_that_changes() -> None:
    said: dict[str, dict[str, Any]] = {"no": {}, "yes": {"quantise": True}, "near": {"quantise_tolerance": 0.01}}
    said["yes, near"] = said["yes"] | said["near"]
    found: dict[str, float | None] = {}
    declared: dict[str, Any] = {}
    for name, more in said.items():
        with collecting() as specs:

            @plusone.model("digits", target="digit", **more)
            def train(train_set: Any) -> Any:
                return train_set

        assert specs[0].model
        found[name] = specs[0].model.quantise
        declared[name] = engine._declared(specs[0].model)
    assert found == {"no": None, "yes": 0.1, "near": None, "yes, near": 0.01}
    assert declared["no"] == declared["near"] == ["digits", "digit", None, 1e-5]
    assert declared["yes"] != declared["yes, near"] != declared["no"]


def test_outside_of_collecting_a_declaration_is_checked_and_collected_nowhere() -> None:
    @plusone.step
    def alone() -> int:
        return 1

    assert alone() == 1


def test_a_decorated_function_keeps_its_signature() -> None:
    def noisy(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner(*words: Any, **more: Any) -> Any:
            return function(*words, **more)

        return inner

    with collecting() as found:

        @plusone.step
        @noisy
        def cleaned(raw: Any, *, strict: bool = True) -> Any:
            return raw, strict

    assert (found[0].inputs, found[0].settings) == (("raw",), {"strict": True})


def hostile(function: Any) -> Any:
    """Return the function as someone calls it who reads no types."""
    return function


def _positional_default(raw, size=3): ...
def _star(*raws): ...
def _star_star(raw, **more): ...
def _object_setting(*, when=dt.date(2020, 1, 1)): ...
def _nan_setting(*, x=float("nan")): ...
def _infinite_setting(*, x=(1.0, float("inf"))): ...
def _surrogate_setting(*, x="\ud800"): ...
def _key_setting(*, x=({1: 2},)): ...
def _source(): ...
def _with_input(raw): ...
async def _async(): ...
def _yields():
    yield 1


_circle: list[Any] = []
_circle.append(_circle)


def _circular_setting(*, x=_circle): ...


class _Class:
    def __call__(self) -> int:
        return 1


WRONG_STEPS: dict[str, tuple[Callable[[], Any], str]] = {
    "positional default": (lambda: plusone.step(_positional_default), r"'size' is positional.*\n.*\*, size=3"),
    "star": (lambda: plusone.step(_star), r"takes \*raws"),
    "double star": (lambda: plusone.step(_star_star), r"takes \*more"),
    "object": (lambda: plusone.step(_object_setting), "when=.*of type date"),
    "nan": (lambda: plusone.step(_nan_setting), "finite number"),
    "infinity": (lambda: plusone.step(_infinite_setting), "finite number"),
    "surrogate": (lambda: plusone.step(_surrogate_setting), "setting x="),
    "key": (lambda: plusone.step(_key_setting), "setting x="),
    "circle": (lambda: plusone.step(_circular_setting), "setting x="),
    "lambda": (lambda: plusone.step(lambda: 1), "written with `def`"),
    "class": (lambda: plusone.step(_Class), "written with `def`"),
    "callable": (lambda: plusone.step(_Class()), "written with `def`"),
    "builtin": (lambda: plusone.step(len), "written with `def`"),
    "partial": (lambda: plusone.step(functools.partial(_source)), "written with `def`"),
    "no function": (lambda: hostile(plusone.step)("flights"), "written with `def`"),
    "async": (lambda: plusone.step(_async), "async or yields"),
    "generator": (lambda: plusone.step(_yields), "async or yields"),
    "no outputs": (lambda: plusone.step(outputs=())(_source), r"outputs=\[\]"),
    "outputs twice": (lambda: plusone.step(outputs=("a", "a"))(_source), "different names"),
    "output no name": (lambda: plusone.step(outputs=("a", "b c"))(_source), "different names"),
    "output keyword": (lambda: plusone.step(outputs=("a", "class"))(_source), "different names"),
    "version of no source": (lambda: plusone.step(version=lambda: 1)(_with_input), "only a source"),
    "version no function": (lambda: hostile(plusone.step)(version=3)(_source), r"version=3"),
    "version with inputs": (lambda: plusone.step(version=lambda path: 1)(_source), "nothing but settings"),
    "version of unknown setting": (lambda: plusone.step(version=_nan_needs)(_source), "nothing but settings"),
}  # fmt: skip


def _nan_needs(*, until: str) -> str:
    return until


@pytest.mark.parametrize("name", WRONG_STEPS)
def test_each_wrong_step_has_its_error(name: str) -> None:
    declare, message = WRONG_STEPS[name]
    with pytest.raises(PipelineError, match=message):
        declare()


WRONG_MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "features as text": ({"features": "abc"}, "list of them"),
    "no features": ({"features": []}, "at least one column"),
    "target in features": ({"features": ["a", "y"]}, "not the target"),
    "feature twice": ({"features": ["a", "a"]}, "each once"),
    "feature no text": ({"features": [1]}, "column name"),
    "target no text": ({"target": 5}, "column name"),
    "target twice": ({"target": ("y", "y")}, "several different ones"),
    "no target of several": ({"target": ()}, "several different ones"),
    "one of several no text": ({"target": ["y", 5]}, "column name"),
    "one of several in features": ({"target": ("y", "a"), "features": ["a"]}, "not the target 'y', 'a'"),
    "negative tolerance": ({"tolerance": -1.0}, "tolerance=-1.0"),
    "nan tolerance": ({"tolerance": float("nan")}, "tolerance=nan"),
    "infinite tolerance": ({"tolerance": float("inf")}, "tolerance=inf"),
    "no distance for 8 bits": ({"quantise": True, "quantise_tolerance": 0.0}, "quantise_tolerance=0.0"),
    "all distances for 8 bits": ({"quantise_tolerance": 1.5}, "quantise_tolerance=1.5"),
    "nan for 8 bits": ({"quantise_tolerance": float("nan")}, "quantise_tolerance=nan"),
}


@pytest.mark.parametrize("name", WRONG_MODELS)
def test_each_wrong_model_has_its_error(name: str) -> None:
    change, message = WRONG_MODELS[name]
    with pytest.raises(PipelineError, match=message):
        hostile(plusone.model)("m", **({"target": "y"} | change))(_with_input)


@pytest.mark.parametrize("name", ["", "Flights", "a b", "a/b", "..", "-a", "a" * 64, "é"])
def test_a_model_needs_a_name_that_fits_an_address(name: str) -> None:
    with pytest.raises(UsageError, match="can't name a model"):
        plusone.model(name, target="y")


@pytest.mark.parametrize(
    ("target", "kept", "targets"),
    [("y", "y", ("y",)), (["y"], "y", ("y",)), (["y", "z"], ("y", "z"), ("y", "z")), (None, None, ())],
)
def test_a_model_answers_one_target_several_or_none(target: Any, kept: Any, targets: tuple[str, ...]) -> None:
    with collecting() as found:
        plusone.model("m", target=target)(_with_input)
    assert found[0].model is not None
    assert (found[0].model.target, found[0].model.targets) == (kept, targets)


def test_a_model_needs_training_data() -> None:
    with pytest.raises(PipelineError, match="has no inputs"):
        plusone.model("m", target="y")(_source)


def test_version_may_be_any_function_that_can_be_called_with_the_settings() -> None:
    with collecting() as found:
        for version in (time.time, lambda: 1, lambda *, until: until, functools.partial(int, "5"), lambda a=1, **b: a):

            @plusone.step(version=version)
            def source(*, until: str = "now") -> str:
                return until

    assert len(found) == 5
