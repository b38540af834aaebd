"""The 28 tests: what each asks, which records speak for it, and what would bring more.

Breck et al. (2017), tables I to IV, in their order. A test without a finder has no record that could show it: a person
notes it, or names a check of the project that does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..base.scored import PointEvidence, ScoreSectionName
from . import finders
from .evidence import Case

__all__ = ["RUBRIC", "SECTIONS", "Found", "RubricTest", "Step"]

SECTIONS: tuple[ScoreSectionName, ...] = ("data", "model", "infrastructure", "monitoring")
Found = tuple[float, PointEvidence]
"""How much a piece of evidence is worth, 0.5 or 1, and what it is."""


class Step(NamedTuple):
    """Something that would bring a test to so many points."""

    to: float
    effort: int
    """From 1 (a line of a test, a command) to 5 (days)."""
    text: str


class RubricTest(NamedTuple):
    """One of the 28."""

    section: ScoreSectionName
    number: int
    name: str
    steps: tuple[Step, ...]
    find: Callable[[Case], Iterator[Found]] = finders.nothing

    @property
    def id(self) -> str:
        """`data-1`."""
        return f"{self.section}-{self.number}"


def _by_hand(what: str, effort: int = 3) -> Step:
    return Step(0.5, effort, f"{what}, and note it: plusone score record {{id}} --note '...'")


def _by_check(what: str, effort: int = 4) -> Step:
    return Step(1, effort, f"{what}, and say which test it is: plusone score record {{id}} --check TEST --note '...'")


def _by_test(line: str, effort: int = 1) -> Step:
    return Step(1, effort, line)


_DATA = (
    ("What is expected of each column is written down and held against new data", (
        _by_test("leave plusone's own checks on ([tool.plusone.checks] built_in) and release a second time", 1),
        _by_test("write the expectations down as tests: plusone data expect STEP", 2)), finders.expectations),
    ("Every feature is known to help", (
        Step(0.5, 1, "have a step whose output the model does not learn from: plusone::features shuffles its fields"),
        _by_test("leave out the fields that plusone::features warns of, or find why they do not help", 2),
        _by_hand("train without each feature in turn and look at what is lost")), finders.useful),
    ("No feature costs more than it brings: in time, memory, and things to depend on", (
        _by_hand("list what each feature costs (latency, sources that may break) beside what it brings", 2),
        _by_check("write a test that holds the cost of features to a bound")), finders.nothing),
    ("Features keep the rules set for them: which sources and which people's data may be used", (
        _by_hand("go through the features with whoever sets the rules", 2),
        _by_check("write a test on the columns of train_set that knows the rules", 2)), finders.nothing),
    ("Private data is guarded all along the pipeline", (
        _by_hand("go through who may read the store, the logs and the predictions"),
        _by_check("write a test that no column holds what identifies a person", 2)), finders.nothing),
    ("A new feature can reach production quickly", (
        _by_hand("look up how long the newest feature took from its idea to live", 1),
        _by_check("write a test that adds a column to a small project and releases it")), finders.new_feature),
    ("The code that makes features is tested", (
        Step(0.5, 1, "write a test on the output of a step: def test_it(STEP): ..."),
        _by_check("test every step that makes a feature", 3)), finders.tests_on_data),
)  # fmt: skip
_MODEL = (
    ("What makes the model is reviewed and in version control", (
        Step(0.5, 1, "commit everything before plusone release: a release of a clean tree names its commit"),
        Step(1, 2, "let a second person sign the release: plusone sign MODEL@n --key FILE")), finders.reviewed),
    ("The metric that is tested goes with what the model is for", (
        Step(0.5, 3, "roll out step by step and send labels: the judge then compares releases by what came true"),
        _by_hand("compare the metric of some releases with the effect that they had"),
        _by_check("write a test that holds labels of live predictions against the metric on the holdout")),
        finders.labels_judged),
    ("Settings of the training are tuned", (
        _by_test("try two other values of each setting: plusone release --set NAME=VALUE, or plusone.run", 2),
        _by_hand("search the settings elsewhere")), finders.tuned),
    ("It is known what an old model costs", (
        Step(0.5, 1, "plusone.check.no_worse(model, live, holdout, ...): the live release is asked about new data"),
        _by_test("add a bound on the age of the data: plusone.check.fresh", 1)), finders.staleness),
    ("A simpler model is not as good", (
        _by_test("plusone.check.simpler_is_not_better(model, train_set, holdout, ...)", 1),
        _by_hand("train a linear model or a table of averages and compare", 2)), finders.simpler),
    ("It is good enough on every slice of the data that matters", (
        _by_test("plusone.check.slices(model, holdout, by=[...])", 1),), finders.slices),
    ("It treats groups of people alike", (
        _by_test("plusone.check.fair(model, holdout, group)", 1),
        _by_hand("look at its answers for groups, or find that none are touched", 2)), finders.fair),
)  # fmt: skip
_INFRASTRUCTURE = (
    ("Training again gives the same model", (
        _by_test("train once more with nothing changed: plusone release --again --force STEP_OF_THE_MODEL", 1),),
        finders.reproducible),
    ("What specifies the model is unit tested", (
        _by_test("plusone.check.minimum, invariant or directional on small cases; or the built-in checks", 1),),
        finders.unit_tested),
    ("The whole pipeline is tested together", (
        _by_test("one plusone release with a test on the data and one on the model", 1),), finders.integrated),
    ("Quality is proven before it serves", (
        _by_test("plusone.check.at_least(model, holdout, metric=..., value=...)", 1),), finders.quality),
    ("One answer can be followed step by step", (
        _by_hand("follow one prediction through the model by hand: plusone predictions show ID", 2),
        _by_check("write a test that computes one known answer from its parts", 3)), finders.nothing),
    ("A release meets a little real traffic before all of it", (
        _by_test("[tool.plusone] rollout = [\"shadow 10m\", \"5% 10m\"], and release", 1),), finders.canary),
    ("The release before comes back quickly and safely", (
        Step(0.5, 1, "practise it: plusone rollback MODEL, then plusone promote MODEL@n"),
        Step(1, 3, "let a rollout take a bad release back by itself, once, in a drill")), finders.rollback),
)  # fmt: skip
_MONITORING = (
    ("Somebody hears of it when what the model depends on changes", (
        _by_hand("subscribe to the changes of each source", 2),
        _by_check("write a test that the sources are those that were agreed on", 3)), finders.nothing),
    ("What is true of the training data stays true of requests", (
        Step(0.5, 3, "log predictions and let replay compare them with the candidate's data"),
        _by_hand("hold some days of logged requests against the profile: plusone predictions export MODEL")),
        finders.requests_checked),
    ("A feature has the same value in training and in serving", (
        Step(0.5, 1, "release with what prepares the fields inside of the model: it is then proven equal"),
        _by_test("log predictions and keep the built-in replay checks on: real requests are answered again", 2)),
        finders.same_features),
    ("The model does not get too old", (
        Step(0.5, 1, "plusone.check.fresh(...): a bound on the age of the data at each release"),
        _by_check("run a check of the live release's age by a timer", 3)), finders.age),
    ("No NaN and no infinity is answered", (
        Step(0.5, 1, "plusone.check.stable(model, holdout), or a rollout whose judge counts answers that can't be"),
        _by_check("watch answers that can't be in production, all the time", 4)), finders.numbers),
    ("Training, answers and memory do not get slower or bigger", (
        Step(0.5, 1, "plusone.check.fast(model, live, holdout), or a rollout whose judge compares times"),
        _by_check("watch latency and memory in production, all the time", 4)), finders.speed),
    ("Answers in production are as good as they were", (
        Step(0.5, 3, "send labels for logged predictions: plusone label MODEL FILE, or POST /v1/labels"),
        _by_hand("label some logged predictions by hand and count"),
        _by_check("watch quality by labels in production, all the time", 4)), finders.quality_served),
)  # fmt: skip


def _named(steps: tuple[Step, ...], test: str) -> tuple[Step, ...]:
    return tuple(step._replace(text=step.text.replace("{id}", test)) for step in steps)


RUBRIC: tuple[RubricTest, ...] = tuple(
    RubricTest(section, number, name, _named(steps, f"{section}-{number}"), find)
    for section, tests in zip(SECTIONS, (_DATA, _MODEL, _INFRASTRUCTURE, _MONITORING), strict=True)
    for number, (name, steps, find) in enumerate(tests, 1)
)  # fmt: skip
"""All 28, in the order of the paper."""
