from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plusone import check
from plusone.base.errors import PlusoneError, UsageError
from plusone.behaving.asking import verdict
from plusone.measuring.outcomes import CheckFailed, Inconclusive, recording
from tests.check import kinds


def measure(run: Any, *arguments: Any, **options: Any) -> tuple[str, dict[str, Any]]:
    """Return the outcome of a check and what it recorded, which must be JSON."""
    with recording() as measured:
        try:
            run(*arguments, **options)
            outcome = "passed"
        except (CheckFailed, Inconclusive) as error:
            outcome = type(error).__name__
        except UsageError:
            assert measured == []
            raise
    (one,) = json.loads(json.dumps(measured, allow_nan=False))
    return outcome, one


class Chain:
    """Answers as often well as the case says, by a sequence of its own for each."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}

    def __call__(self, case: str) -> str:
        good, of = map(int, case.split()[-1].split("/"))
        place = self.asked[case] = self.asked.get(case, 0) + 1
        return "It is Paris." if (place - 1) % of < good else "Who knows?"


# ------------------------------------------------------------------------------------------------ case by case


def test_a_case_that_always_fails_can_not_hide_in_an_average():
    """99 % of all answers are right, and yet one case never is."""
    cases = [*(f"city {place}: 1/1" for place in range(99)), "the one: 0/1"]
    outcome, one = measure(check.contains, Chain(), cases, text="Paris")
    assert (outcome, one["passed"], one["failed"], one["inconclusive"]) == ("CheckFailed", 99, 1, 0)
    assert one["cases"][0]["case"] == "the one: 0/1"
    assert "the one: 0/1: 0 of 20 good: does not contain 'Paris', in 'Who knows?'" in one["message"]
    assert (one["figure"]["limit"], len(one["figure"]["low"])) == (0.8, 100)


def test_a_flaky_case_is_inconclusive_and_says_how_many_repeats_would_tell():
    with pytest.raises(Inconclusive, match=r"flaky: 9/10: 18 of 20 good, interval 0\.683 to 0\.988"):
        check.contains(Chain(), ["good: 1/1", "flaky: 9/10"], text="Paris")
    outcome, one = measure(check.contains, Chain(), ["flaky: 9/10"], text="Paris", inconclusive="allowed")
    assert (outcome, one["outcome"], one["allowed"]) == ("passed", "inconclusive", True)
    with pytest.raises(Inconclusive) as found:
        check.contains(Chain(), ["flaky: 9/10"], text="Paris")
    repeats = int(str(found.value).rpartition("repeats=")[2].partition(" ")[0])
    check.contains(Chain(), ["flaky: 9/10"], text="Paris", repeats=repeats)
    with pytest.raises(Inconclusive, match="no number of repeats would tell"):
        check.contains(Chain(), ["at the bound: 4/5"], text="Paris")


def test_the_interval_of_a_case_is_scipys():
    _, one = measure(check.contains, Chain(), ["a: 3/4", "b: 1/1"], text="Paris", repeats=40)
    case = one["cases"][0]
    expected = stats.binomtest(30, 40).proportion_ci(0.95, method="exact")
    assert (case["passed"], case["low"], case["high"]) == (
        30,
        pytest.approx(expected.low),
        pytest.approx(expected.high),
    )


def test_a_share_of_the_cases_may_fail():
    cases = ["a: 1/1", "b: 1/1", "c: 1/1", "d: 0/1"]
    with pytest.raises(CheckFailed):
        check.contains(Chain(), cases, text="Paris")
    check.contains(Chain(), cases, text="Paris", at_least=0.75)
    with pytest.raises(CheckFailed):
        check.contains(Chain(), [*cases, "e: 0/1"], text="Paris", at_least=0.75)
    with pytest.raises(Inconclusive):
        check.contains(Chain(), [*cases, "e: 9/10"], text="Paris", at_least=0.75)


def test_once_is_judged_as_it_is():
    check.contains(Chain(), ["a: 1/1"], text="Paris", repeats=1)
    outcome, one = measure(check.contains, Chain(), ["a: 1/1", "b: 0/1"], text="Paris", repeats=1)
    assert (outcome, one["figure"]["limit"], one["tries"]) == ("CheckFailed", None, 1)
    assert "\n  b: 0/1: not good: does not contain 'Paris', in 'Who knows?'" in one["message"]


def test_so_few_repeats_that_nothing_could_pass_are_refused():
    with pytest.raises(UsageError, match=r"down to 0\.794.\n  to mend it: repeats=17, or repeats=1") as refused:
        check.contains(Chain(), ["a: 1/1"], text="Paris", repeats=16)
    assert "repeats = 16 can't show a rate of 0.8" in str(refused.value)
    check.contains(Chain(), ["a: 1/1"], text="Paris", repeats=17)


@pytest.mark.parametrize("rate", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("tries", [20, 100])
@pytest.mark.parametrize("cases", [1, 10, 200])
def test_at_the_bound_cases_pass_and_fail_no_more_often_than_is_said(rate: float, tries: int, cases: int):
    """Summed over all that can happen: one case at the bound passes, any of many at the bound fails."""
    chances = stats.binom.pmf(np.arange(tries + 1), tries, rate)
    outcomes = [verdict(passed, tries, rate, 0.95, cases)[2] for passed in range(tries + 1)]
    passes, fails = (
        sum(chance for chance, one in zip(chances, outcomes, strict=True) if one == outcome)
        for outcome in ("passed", "failed")
    )
    assert passes <= 0.025
    assert 1 - (1 - fails) ** cases <= 0.025
    assert outcomes[0] == "failed"


# ------------------------------------------------------------------------------------------------ what is asked


ROWS = [
    {"case": "France", "q": "Capital of France?", "expected": "Paris"},
    {"case": None, "q": "Of Peru?", "expected": "Lima"},
]


def capital(case: Any) -> str:
    question = case if isinstance(case, str) else case["q"]
    return "Paris" if "France" in question else "Lima"


@pytest.mark.parametrize("kind", ["rows", "pandas", "polars", "pyarrow", "csv"])
def test_cases_in_any_table(kind: str, tmp_path: Path):
    file = tmp_path / "cases.csv"
    file.write_text('case,q,expected\nFrance,"Capital of France?",Paris\n,Of Peru?,Lima\n')
    forms: dict[str, Any] = {
        "rows": ROWS, "pandas": pd.DataFrame(ROWS), "polars": pl.DataFrame(ROWS), "pyarrow": pa.Table.from_pylist(ROWS),
        "csv": file,
    }  # fmt: skip
    for options in ({}, {"input": "q"}):
        outcome, one = measure(check.contains, capital, forms[kind], **options)
        assert outcome == "passed"
        assert sorted(case["case"] for case in one["cases"]) == ["France", "case 2"]
    outcome, one = measure(check.matches, lambda _: "Paris", forms[kind], repeats=1)
    assert (outcome, one["failed"]) == ("CheckFailed", 1)


def test_answers_that_were_given():
    check.contains(["Paris it is", "Lima"], ROWS)
    _, one = measure(check.contains, [["Paris"] * 25, ["Lima"] * 24 + ["Quito"]], ROWS, inconclusive="allowed")
    assert [(case["tries"], case["passed"]) for case in one["cases"]] == [(25, 24), (25, 25)]
    wrong: Any = "a bar"
    with pytest.raises(UsageError, match="progress = 'a bar': expected a function"):
        check.contains(lambda case: "a", ["x"], text="a", progress=wrong)

    async def chain(case: str) -> str:
        return case

    with pytest.raises(UsageError, match=r"chain is async, .*\n.*asyncio.run\(chain\(case\)\)"):
        check.contains(chain, ["x"], text="x")
    with pytest.raises(UsageError, match="bound = 80: nothing is more alike than 1"):
        check.similar(["x"], ["x"], by="chrf", bound=80, text="x")
    with pytest.raises(UsageError, match="ask has 1 answers, and there are 2 cases"):
        check.contains(["Paris"], ROWS)
    with pytest.raises(UsageError, match="1, 2 answers each: expected as many of each"):
        check.contains([["Paris"], ["Lima", "Lima"]], ROWS)
    with pytest.raises(UsageError, match="as many of each"):
        check.contains(["Paris", "Lima"], ROWS, repeats=5)


def test_a_model_whose_labels_are_texts(tmp_path: Path):
    from sklearn.linear_model import LogisticRegression

    frame = kinds.flights().assign(origin_said=lambda one: one["origin"].str.lower())
    model = kinds.pack(
        tmp_path / "m", LogisticRegression(max_iter=300).fit(frame[["hour", "distance"]], frame["origin_said"]),
        frame, "origin_said", ["hour", "distance"],
    )  # fmt: skip
    label = model.predict([{"hour": 9, "distance": 500}])[0]
    outcome, one = measure(check.matches, model, [{"hour": 9, "distance": 500}], pattern=label, whole=True)
    assert (outcome, one["tries"]) == ("passed", 1)
    with pytest.raises(UsageError, match=r"answers classes, and no texts.\n.*minimum"):
        check.contains(kinds.topic(tmp_path / "t"), [{"text": "a"}], text="x")


# ------------------------------------------------------------------------------------------------ what is held against


def judged(run: Any, answer: str, **options: Any) -> bool:
    outcome, _ = measure(run, [answer], ["the case"], **options)
    return outcome == "passed"


@pytest.mark.parametrize(
    ("answer", "options", "good"),
    [
        ("It is Paris.", {"text": "Paris"}, True),
        ("It is paris.", {"text": "Paris"}, False),
        ("It is paris.", {"text": "Paris", "ignore_case": True}, True),
        ("red and green", {"text": ["red", "green"]}, True),
        ("red and green", {"text": ["red", "blue"]}, False),
        ("As a language model", {"text": "As", "absent": "language model"}, False),
        ("As you like", {"text": "As", "absent": ["language model", "sorry"]}, True),
    ],
)
def test_contains(answer: str, options: dict[str, Any], good: bool):
    assert judged(check.contains, answer, **options) == good


def test_matches():
    assert judged(check.matches, "costs 41.50 EUR", pattern=r"\d+\.\d\d EUR")
    assert not judged(check.matches, "costs 41.50 EUR", pattern=r"\d+\.\d\d EUR", whole=True)
    with pytest.raises(UsageError, match="no regular expression"):
        judged(check.matches, "a", pattern="(")
    with pytest.raises(UsageError, match=r"case 2: expected = '.' is no regular expression"):
        check.matches(capital, [{"expected": "a"}, {"expected": "("}])


class Bill(msgspec.Struct):
    total: float
    currency: str = "EUR"


SCHEMA = {
    "type": "object",
    "properties": {"total": {"$ref": "#/$defs/amount"}},
    "required": ["total"],
    "$defs": {"amount": {"type": "number", "minimum": 0}},
}


@pytest.mark.parametrize(
    ("answer", "options", "good"),
    [
        ('{"total": 1}', {}, True),
        ("{'total': 1}", {}, False),
        ("", {}, False),
        ("NaN", {}, False),
        ('{"total": 1} and so on', {}, False),
        ("[" * 100_000, {}, False),
        ("\ud800", {}, False),
        ('{"total": 1}', {"schema": Bill}, True),
        ('{"total": "1"}', {"schema": Bill}, False),
        ('{"total": 1}', {"schema": SCHEMA}, True),
        ('{"total": -1}', {"schema": SCHEMA}, False),
        ("{}", {"schema": SCHEMA}, False),
        ("[1, 2]", {"schema": list[int]}, True),
        ("```json\n[1, 2]\n```", {"schema": list[int]}, False),
        ("```json\n[1, 2]\n```", {"schema": list[int], "fenced": True}, True),
        ("[1, 2]", {"schema": list[int], "fenced": True}, True),
        ("[1]", {"schema": {"$ref": "http://127.0.0.1:1/elsewhere"}}, False),
    ],
)
def test_valid_json(answer: str, options: dict[str, Any], good: bool):
    assert judged(check.valid_json, answer, **options) == good


def test_what_is_wrong_with_json_is_said():
    _, one = measure(check.valid_json, ['{"total": -1}'], ["bill"], schema=SCHEMA)
    assert "does not fit the schema at $.total: -1 is less than the minimum of 0" in one["message"]
    for schema in ({"type": "thing"}, {"properties": 3}, 7, "int"):
        with pytest.raises(UsageError, match="schema"):
            check.valid_json(["1"], ["a"], schema=schema)


def test_without_jsonschema_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(UsageError, match=r"pip install 'plusone\[text\]'"):
        check.valid_json(["1"], ["a"], schema={})


def test_similar():
    assert judged(check.similar, "It is Paris.", by="rouge_l", bound=0.7, text="it is paris")
    outcome, one = measure(check.similar, ["Rome"], ["city"], by="chrf", bound=0.7, text=["Paris", "Lima"])
    assert (outcome, one["by"], one["cases"][0]["score"]) == ("CheckFailed", "chrf", 0.0625)
    assert "chrf 0.062 is below 0.7" in one["message"]

    def embed(text: str) -> Any:
        return np.array([text.count("a"), text.count("b"), 1.0])

    assert judged(check.similar, "aab", by=embed, bound=0.99, text="baa")
    assert not judged(check.similar, "aab", by=embed, bound=0.99, text="bbb")
    assert not judged(check.similar, "a", by=lambda text: [float("nan")], bound=0.1, text="a")
    for by in ("bleu", None, 3):
        with pytest.raises(UsageError, match="expected one of 'chrf', 'rouge_l', 'token_f1', or a function"):
            check.similar(["a"], ["a"], by=by, bound=0.5, text="a")  # pyright: ignore[reportArgumentType]  hostile


def test_judge():
    assert judged(check.judge, "kind words", judge=lambda case, answer: case == "the case" and "kind" in answer)
    assert judged(check.judge, "a", judge=lambda case, answer: np.bool_(True))
    outcome, one = measure(
        check.judge, ["a", "b"], ["x", "y"], lambda _, answer: 4 if answer == "a" else 3, scale=5, bound=4
    )
    assert (outcome, [case["score"] for case in one["cases"]]) == ("CheckFailed", [3.0, 4.0])
    assert "the judge gives it 3 of 5" in one["message"]
    for said in (None, "yes", 4, 6.5):
        _, one = measure(check.judge, ["a"], ["x"], lambda _, answer, said=said: said)
        assert "could not be judged" in one["message"]
    _, one = measure(check.judge, ["a"], ["x"], lambda _, answer: 9, scale=5, bound=4)
    assert "expected a score from 1 to 5" in one["message"]


@pytest.mark.parametrize(
    "options",
    [{"scale": 5}, {"bound": 3}, {"scale": 1, "bound": 1}, {"scale": 5, "bound": 9}, {"scale": "5", "bound": 3}],
)
def test_a_scale_that_is_none_is_refused(options: dict[str, Any]):
    with pytest.raises(UsageError, match="scale = "):
        measure(check.judge, ["a"], ["x"], lambda _, answer: True, **options)


# ------------------------------------------------------------------------------------------------ hostile


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((None, ["a"]), {"text": "x"}, "ask = 'None': expected a function"),
        (("Paris", ["a"]), {"text": "x"}, "ask = 'Paris': expected a function"),
        ((capital, []), {"text": "x"}, "There are no cases"),
        ((capital, "nothing.csv"), {"text": "x"}, "There is no file"),
        ((capital, 7), {"text": "x"}, "can't be read as a table"),
        ((capital, ["a", 7]), {"text": "x"}, "A case is '7'"),
        ((capital, ["a", {"q": "b"}]), {"text": "x"}, "expected a text for each, or a dict for each"),
        ((capital, ["a"]), {}, "column = 'expected' is a column of a table, and the cases are texts"),
        ((capital, [{"q": "a"}]), {}, "case 1 has no 'expected'. It has: q"),
        ((capital, [{"q": "a", "expected": ""}]), {}, "case 1: expected = ''"),
        ((capital, ROWS), {"input": "nothing"}, "France has no 'nothing'"),
        ((capital, ["a"]), {"text": ""}, "text = ''"),
        ((capital, ["a"]), {"text": 7}, "text = '7'"),
        ((capital, ["a"]), {"text": "x", "absent": [3]}, "absent"),
        ((capital, ["a"]), {"text": "x", "repeats": 0}, "repeats = 0"),
        ((capital, ["a"]), {"text": "x", "repeats": 2.5}, "repeats = 2.5"),
        ((capital, ["a"]), {"text": "x", "rate": 1}, "rate = 1"),
        ((capital, ["a"]), {"text": "x", "rate": "high"}, "rate = 'high'"),
        ((capital, ["a"]), {"text": "x", "confidence": 1}, "confidence = 1"),
        ((capital, ["a"]), {"text": "x", "at_least": 0}, "at_least = 0"),
        ((capital, ["a"]), {"text": "x", "threads": -1}, "threads = -1"),
        ((capital, ["a"]), {"text": "x", "inconclusive": "ok"}, "inconclusive = 'ok'"),
        ((capital, ["a"]), {"text": "x", "time_out": 3}, "There is no argument 'time_out'"),
    ],
)
def test_what_can_not_be_asked_is_refused(arguments: Any, options: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        measure(check.contains, *arguments, **options)


ANSWERS = st.one_of(st.text(max_size=20), st.none(), st.integers(), st.binary(max_size=3), st.just("\ud800"))


@given(st.lists(ANSWERS, min_size=1, max_size=4), st.text(min_size=1, max_size=5))
def test_whatever_is_answered_there_is_a_verdict(answers: list[Any], text: str):
    cases = [f"case {place}" for place in range(len(answers))]
    for run, options in (
        (check.contains, {"text": text}),
        (check.valid_json, {"schema": SCHEMA}),
        (check.similar, {"by": "chrf", "bound": 0.5, "text": text}),
        (check.judge, {"judge": lambda case, answer: answer}),
    ):
        try:
            outcome, one = measure(run, lambda case: answers[cases.index(case)], cases, repeats=1, **options)
        except PlusoneError:
            continue
        assert outcome in ("passed", "CheckFailed")
        assert one["rows"] == len(answers)


def test_threads_give_the_same_verdict():
    generator = random.Random(0)
    good = {f"case {place}": generator.random() < 0.7 for place in range(40)}

    def ask(case: str) -> str:
        return "Paris" if good[case] else "Rome"

    found = [
        measure(check.contains, ask, list(good), text="Paris", **way)[1]
        for way in ({}, {"threads": 8, "timeout_s": 60})
    ]
    assert [{**case, "seconds": 0} for case in found[0]["cases"]] == [
        {**case, "seconds": 0} for case in found[1]["cases"]
    ]


def test_they_are_found_lazily_and_load_no_numpy():
    code = (
        "import plusone, sys; from plusone import check; check.contains(lambda case: 'a', ['b'], text='a');"
        "assert not {'numpy', 'pyarrow', 'pytest', 'jsonschema'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_repeats_that_are_advised_tell_for_all_cases_together():
    """A case below the rate is failed by an interval of all cases: what one alone would need is too few for many."""
    cases = [*(f"good {place}: 1/1" for place in range(199)), "low: 6/10"]
    with pytest.raises(Inconclusive) as found:
        check.contains(Chain(), cases, text="Paris")
    repeats = int(str(found.value).rpartition("repeats=")[2].partition(" ")[0])
    with pytest.raises(CheckFailed, match="low: 6/10"):
        check.contains(Chain(), cases, text="Paris", repeats=repeats)
