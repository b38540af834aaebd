from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from plusone import check
from plusone.base.errors import InvalidInput, PlusoneError, UsageError
from plusone.behaving.shares import Share
from plusone.measuring.outcomes import CheckFailed, Inconclusive, recording
from plusone.predictor import Predictor
from tests.check import kinds

perturb = check.perturb
PEOPLE = [{"user": place} for place in range(40)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    root = tmp_path_factory.mktemp("packages")
    makers: Any = (kinds.late, kinds.minutes, kinds.two_numbers, kinds.topic, kinds.films)
    return {make.__name__: make(root / make.__name__) for make in makers}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, dict[str, Any]]:
    return kinds.digits(tmp_path_factory.mktemp("pictures") / "digits")


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return kinds.flights()


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


# ------------------------------------------------------------------------------------------------ minimum


@pytest.mark.slow
def test_cases_of_a_label(models: dict[str, Predictor]):
    cases = pd.DataFrame(
        {
            "text": [
                "Cell nuclei of a breast mass, seen in an image",
                "Petal width in cm, of flowers",
                "The mean of the cell nuclei in the image",
            ],
            "expected": [True, False, False],
            "case": ["nuclei", "flowers", "wrong on purpose"],
            "because": [None, None, "to see it fail"],
        }
    )
    check.minimum(models["topic"], cases.head(2))
    outcome, one = measure(check.minimum, models["topic"], cases)
    assert outcome == "CheckFailed"
    assert (one["rows"], one["passed"], one["failed"]) == (3, 2, ["wrong on purpose"])
    assert one["cases"][0]["because"] == "to see it fail"
    for part in ("2 of 3 cases", "wrong on purpose: answered True (", "expected False (to see it fail)"):
        assert part in one["message"]
    check.minimum(models["topic"], cases, at_least=0.6)
    check.minimum(models["topic"], cases.head(2), probability=0.55)
    outcome, one = measure(check.minimum, models["topic"], cases.head(2), probability=0.999)
    assert (outcome, one["figure"]["limit"], one["failed"]) == ("CheckFailed", 0.999, ["nuclei", "flowers"])
    check.minimum(models["topic"], cases.assign(probability=[0.5, None, 0.0]), probability=0.5)


def test_the_target_says_what_is_expected_where_nothing_else_does(models: dict[str, Predictor], flights: pd.DataFrame):
    outcome, one = measure(check.minimum, models["late"], flights)
    right = (models["late"].predict(flights) == flights["late"]).sum()
    assert (outcome, one["passed"], len(one["failed"])) == ("CheckFailed", right, len(flights) - right)
    assert all(name in one["message"] for name in one["failed"])
    check.minimum(models["late"], flights, at_least=right / len(flights))


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "rows"])
def test_cases_of_a_number_in_any_table(models: dict[str, Predictor], kind: str):
    rows = [{"hour": 6, "distance": 500, "expected": -3.0}, {"hour": 21, "distance": 500, "expected": 20.0}]
    table = pa.Table.from_pylist(rows)
    data = {"pandas": table.to_pandas(), "polars": pl.from_arrow(table), "pyarrow": table, "rows": rows}[kind]
    answers = models["minutes"].predict(rows)
    apart = np.abs(answers - [-3, 20])
    check.minimum(models["minutes"], data, tolerance=float(apart.max()) + 0.01)
    outcome, one = measure(check.minimum, models["minutes"], data, tolerance=float(apart.min()) + 0.01)
    assert (outcome, one["passed"]) == ("CheckFailed", 1)
    check.minimum(models["minutes"], data, relative=float((apart / [3, 20]).max()) + 0.01)


def test_cases_of_a_vector_and_of_a_ranking(models: dict[str, Predictor]):
    vector = models["two_numbers"].predict([{"hour": 6, "distance": 500}])[0]
    cases: dict[str, Any] = {"hour": 6, "distance": 500, "delay": vector[0], "km": vector[1]}
    check.minimum(models["two_numbers"], [cases], tolerance=0.001)
    check.minimum(models["two_numbers"], [{**cases, "expected": vector.tolist()}], tolerance=0.001)
    with pytest.raises(CheckFailed, match="0 of 1 cases"):
        check.minimum(models["two_numbers"], [{**cases, "km": 1.0}], tolerance=0.1)
    best = models["films"].predict(PEOPLE[:2])
    ranked = [{"user": place, "expected": best[place].tolist()} for place in range(2)]
    check.minimum(models["films"], ranked)
    check.minimum(models["films"], [{"user": 1, "expected": best[1][0]}], first=1)
    with pytest.raises(CheckFailed, match="among the first 1"):
        check.minimum(models["films"], [{"user": 1, "expected": best[1][1]}], first=1)


@pytest.mark.slow
def test_pictures_are_cases_too(pictures: tuple[Predictor, dict[str, Any]]):
    model, held = pictures
    right = int((model.predict(held) == held["digit"]).sum())
    assert measure(check.minimum, model, held, at_least=0.8)[1]["passed"] == right


CSV = '''case,text,expected,because
nuclei,"Cell nuclei of a breast mass, seen in an image",true,
flowers,"Petal width, of ""flowers""",false,plants are not ill
'''


def caller(folder: Path) -> Any:
    """Return a function that calls `minimum` from a file in a folder."""
    file = folder / "called_from.py"
    file.write_text("import plusone\n\n\ndef run(model, cases):\n    plusone.check.minimum(model, cases)\n")
    spec = importlib.util.spec_from_file_location("called_from", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run


def test_a_csv_file_beside_the_tests(models: dict[str, Predictor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n")
    (tmp_path / "tests").mkdir()
    file = tmp_path / "tests" / "cases.csv"
    file.write_text(CSV)
    monkeypatch.chdir(tmp_path)
    check.minimum(models["topic"], "tests/cases.csv")
    check.minimum(models["topic"], file)
    # Called from a file, it is found beside that, whatever the working folder is.
    monkeypatch.chdir("/")
    caller(tmp_path / "tests")(models["topic"], "cases.csv")
    caller(tmp_path / "tests")(models["topic"], "tests/cases.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "can't be read as CSV"),
        ("case,text,expected\n", "has 0 rows"),
        ("case,text\na,b\n", "no column 'expected' that says what is expected. Their columns: case, text"),
        ("text,expected\na,maybe\n", "can't be read as CSV.*maybe"),
        ("text,expected\na,\n", "case 1 does not say what is expected"),
        ("text,expected\na,true,3\n", "can't be read as CSV"),
        ("text,text,expected\na,b,true\n", "two columns named 'text'"),
        (b"text,expected\n\xff\xfe,true\n", "can't be read as CSV"),
    ],
)
def test_a_file_that_is_no_table_of_cases_is_refused(
    models: dict[str, Predictor], tmp_path: Path, content: Any, message: str
):
    file = tmp_path / "cases.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with recording() as measured, pytest.raises(PlusoneError, match=message):
        check.minimum(models["topic"], file)
    assert measured == []


def test_a_file_that_is_not_there_or_not_of_the_project_is_refused(
    models: dict[str, Predictor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(UsageError, match=r"There is no file 'nothing.csv'. Looked in"):
        check.minimum(models["topic"], "nothing.csv")
    with pytest.raises(UsageError, match=r"no path of a file|There is no file"):
        check.minimum(models["topic"], "a\0b")
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[tool.plusone]\n")
    (tmp_path / "cases.csv").write_text(CSV)
    with pytest.raises(UsageError, match="lies outside of the project"):
        caller(project)(models["topic"], "../cases.csv")


@pytest.mark.parametrize(
    ("model", "cases", "options", "message"),
    [
        ("topic", [{"text": "a", "expected": "yes"}], {}, "expects 'yes', which the model can't answer"),
        ("topic", [{"text": "a", "expected": 1}], {}, "expects '1', which the model can't answer"),
        ("topic", [{"text": "a", "expected": True}], {"tolerance": 1}, "tolerance = 1 does not fit"),
        ("topic", [{"text": "a", "expected": True}], {"probability": 2}, "probability = 2: expected 0 to 1"),
        ("topic", [{"text": "a", "expected": True}], {"probability": "x"}, "probability = 'x'"),
        ("topic", [{"text": "a", "expected": True}], {"at_least": 0}, "at_least = 0"),
        ("topic", [{"text": "a", "expected": True}], {"first": 1}, "first = 1 is about rankings"),
        ("topic", [{"text": "a", "expected": True, "probability": 3.0}], {}, "case 1: probability is 3.0"),
        ("topic", [], {}, "has 0 rows"),
        ("topic", 7, {}, "can't be read as a table"),
        ("topic", None, {}, "can't be read as a table"),
        ("topic", [{"text": "a", "answer": True}], {}, "no column 'expected'"),
        ("topic", [{"wrong": "a", "expected": True}], {}, "text"),
        ("minutes", [{"hour": 1, "distance": 2, "expected": 3}], {}, "near enough"),
        ("minutes", [{"hour": 1, "distance": 2, "expected": "x"}], {"tolerance": 1}, "expects 'x': expected 1 finite"),
        ("minutes", [{"hour": 1, "distance": 2, "expected": 3}], {"tolerance": -1}, "tolerance = -1"),
        ("two_numbers", [{"hour": 1, "distance": 2, "expected": [1.0]}], {"tolerance": 1}, "expected 2 finite numbers"),
        ("films", [{"user": 1, "expected": "Heat"}], {}, "expects 'Heat', which the model can't answer"),
        ("films", [{"user": 1, "expected": ["Elf"]}], {"first": 4}, "first = 4: expected a number of items, 1 to 3"),
    ],
)
def test_cases_and_arguments_that_do_not_fit_are_refused(
    models: dict[str, Predictor], model: str, cases: Any, options: dict[str, Any], message: str
):
    with recording() as measured, pytest.raises(PlusoneError, match=message):
        check.minimum(models[model], cases, **options)
    assert measured == []


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2)
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(["topic", "minutes", "films", "two_numbers"]),
    st.lists(
        st.dictionaries(st.sampled_from(["text", "hour", "distance", "user", "expected", "case", "tolerance"]), CELLS),
        max_size=3,
    ),
)
def test_any_table_is_judged_or_refused(models: dict[str, Predictor], model: str, rows: list[dict[str, Any]]):
    options: dict[str, Any] = {"tolerance": 1.0} if model in ("minutes", "two_numbers") else {}
    try:
        measure(check.minimum, models[model], rows, **options)
    except PlusoneError:
        return


# ------------------------------------------------------------------------------------------------ invariant


def test_what_must_not_matter(models: dict[str, Predictor], flights: pd.DataFrame):
    outcome, one = measure(check.invariant, models["late"], flights, perturb.irrelevant())
    assert (outcome, one["rows"], one["changed"]) == ("passed", len(flights), 0)
    # Letters are folded before words are counted, so no capital can matter.
    outcome, one = measure(
        check.invariant, models["topic"], kinds.sentences(), perturb.case("text"), at_most=0, tolerance=1e-9
    )
    assert outcome == "passed"
    assert one["figure"]["kind"] == "matrix"


def test_what_matters_is_counted_and_shown(pictures: tuple[Predictor, dict[str, Any]]):
    model, held = pictures
    outcome, one = measure(check.invariant, model, held, perturb.flip("image"), at_most=0.05)
    flipped = {"image": held["image"][:, :, ::-1]}
    changed = int((model.predict({"image": held["image"]}) != model.predict(flipped)).sum())
    assert (outcome, one["changed"], one["rows"]) == ("CheckFailed", changed, len(held["digit"]))
    expected = stats.binomtest(changed, one["rows"]).proportion_ci(0.95, method="exact")
    assert (one["low"], one["high"]) == pytest.approx((expected.low, expected.high))
    assert len(one["examples"]) == 10
    assert one["examples"][0]["answer_before"]["label"] != one["examples"][0]["answer_after"]["label"]
    assert "image changed" in one["message"]
    assert np.sum(one["figure"]["values"]) == one["rows"]


def test_the_rows_that_nothing_happened_to_do_not_count(models: dict[str, Predictor]):
    rows = [{"text": "no digit here"}, {"text": "with 12 of them"}, {"text": "none"}]
    _, one = measure(check.invariant, models["topic"], rows, perturb.numbers("text"), at_most=0)
    assert one["rows"] == 1
    with pytest.raises(UsageError, match="left all of the 1 rows as they were"):
        check.invariant(models["topic"], rows[:1], perturb.numbers("text"), at_most=0)


def test_few_rows_are_inconclusive_and_say_how_many_would_do(models: dict[str, Predictor]):
    few = kinds.sentences().head(30)
    with pytest.raises(Inconclusive, match="72 tell it when none is against it"):
        check.invariant(models["topic"], few, perturb.case("text"), at_most=0.05)
    check.invariant(models["topic"], few, perturb.case("text"), at_most=0.05, inconclusive="allowed")
    check.invariant(models["topic"], kinds.sentences().head(72), perturb.case("text"), at_most=0.05)


def test_a_tolerance_is_in_the_unit_of_the_answer(models: dict[str, Predictor], flights: pd.DataFrame):
    change = perturb.add("hour", 1)
    step = float(np.diff(models["minutes"].predict([{"hour": h, "distance": 1} for h in (0, 1)]))[0])
    check.invariant(models["minutes"], flights, change, at_most=0, tolerance=step + 1e-6)
    with pytest.raises(CheckFailed, match=r"1,871 of 1,871 answers, 100\.00%"):
        check.invariant(models["minutes"], flights, change, at_most=0, tolerance=step - 1e-6)
    with pytest.raises(CheckFailed):
        check.invariant(models["two_numbers"], flights, change, at_most=0.1)
    with pytest.raises(CheckFailed):
        check.invariant(models["late"], flights, change, at_most=0.5, tolerance=1e-9)


def test_rankings_change_by_their_items(models: dict[str, Predictor]):
    def another(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"user": (row["user"] + 1) % 40} for row in rows]

    before, after = models["films"].predict(PEOPLE), models["films"].predict(another(PEOPLE))
    other = sum(set(a) != set(b) for a, b in zip(before, after, strict=True))
    _, one = measure(check.invariant, models["films"], PEOPLE, another, at_most=0.99)
    assert (one["changed"], one["change"]) == (other, "another")
    _, one = measure(check.invariant, models["films"], PEOPLE, another, at_most=0.99, first=1)
    assert one["changed"] == sum(a[0] != b[0] for a, b in zip(before, after, strict=True))
    _, one = measure(check.invariant, models["films"], PEOPLE, another, at_most=0.99, tolerance=0.99)
    assert one["changed"] == 0


def test_a_change_that_writes_into_its_table_does_no_harm(models: dict[str, Predictor], flights: pd.DataFrame):
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame["hour"] = 23
        return frame

    before = copy.deepcopy(flights)
    _, one = measure(check.invariant, models["minutes"], flights, spoil, at_most=0.5, tolerance=1)
    assert one["changed"] > 1000
    pd.testing.assert_frame_equal(flights, before)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ("typos", {}, "change = typos: expected a function"),
        (None, {}, "change = None"),
        (lambda frame: frame.head(3), {}, "was given 1,871 rows and returned 3"),
        (lambda frame: None, {}, "returned can't be read as a table"),
        (lambda frame: frame.nothing, {}, "the change could not change the rows: AttributeError"),
        (lambda frame: frame, {}, "left all of the 1,871 rows"),
        (perturb.typos("nothing"), {}, "no column 'nothing'"),
        (perturb.irrelevant(), {"at_most": 1}, "at_most = 1"),
        (perturb.irrelevant(), {"at_most": "x"}, "at_most = 'x'"),
        (perturb.irrelevant(), {"tolerance": -1}, "tolerance = -1"),
        (perturb.irrelevant(), {"tolerance": ""}, "tolerance = ''"),
        (perturb.irrelevant(), {"confidence": 2}, "confidence = 2"),
        (perturb.irrelevant(), {"first": 2}, "first = 2 is about rankings"),
        (perturb.irrelevant(), {"inconclusive": "maybe"}, "inconclusive = 'maybe'"),
    ],
)
def test_changes_and_arguments_that_do_not_fit_are_refused(
    models: dict[str, Predictor], flights: pd.DataFrame, change: Any, options: dict[str, Any], message: str
):
    with pytest.raises(UsageError, match=message):
        measure(check.invariant, models["late"], flights, change, **{"at_most": 0.1, **options})


def test_rows_that_the_model_refuses_are_said_to_be_so(models: dict[str, Predictor], flights: pd.DataFrame):
    with pytest.raises(InvalidInput, match="hour"):
        check.invariant(models["late"], flights, perturb.missing("hour"), at_most=0.5)
    with pytest.raises(InvalidInput, match="no rows"):
        check.invariant(models["late"], flights.head(0), perturb.irrelevant(), at_most=0.5)


# ------------------------------------------------------------------------------------------------ directional


def test_the_way_that_answers_go(models: dict[str, Predictor], flights: pd.DataFrame):
    later = perturb.add("hour", 2)
    check.directional(models["minutes"], flights, later, "up")
    check.directional(models["late"], flights, later, "up")
    check.directional(models["late"], flights, later, "down", of=False)
    check.directional(models["late"], flights, later, "not down")
    step = float(np.diff(models["minutes"].predict([{"hour": h, "distance": 1} for h in (0, 2)]))[0])
    check.directional(models["minutes"], flights, later, "up", by=step - 1e-6)
    check.directional(models["minutes"], flights, later, "not up", by=step + 1e-6)
    for expect, by in (("up", step + 1e-6), ("not up", 0.0), ("down", 0.0)):
        with pytest.raises(CheckFailed):
            check.directional(models["minutes"], flights, later, expect, by=by)  # pyright: ignore[reportArgumentType]  all are
    outcome, one = measure(
        check.directional, models["two_numbers"], flights, perturb.add("distance", 100), "up", of="km", by=100
    )
    assert (outcome, one["of"], one["right"]) == ("passed", "'km'", len(flights))


def test_a_share_that_goes_that_way(models: dict[str, Predictor], flights: pd.DataFrame):
    def mixed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(hour=frame["hour"] + np.where(np.arange(len(frame)) % 10 == 0, -1, 1))

    _, one = measure(check.directional, models["minutes"], flights, mixed, "up", at_least=0.85)
    rows = len(flights)
    assert one["right"] == sum(place % 10 != 0 for place in range(rows))
    expected = stats.binomtest(one["right"], rows).proportion_ci(0.95, method="exact")
    assert (one["low"], one["high"]) == pytest.approx((expected.low, expected.high))
    with pytest.raises(Inconclusive):
        check.directional(models["minutes"], flights, mixed, "up", at_least=0.9)
    with pytest.raises(CheckFailed) as failed:
        check.directional(models["minutes"], flights, mixed, "up", at_least=0.95)
    assert "hour" in str(failed.value)
    assert "->" in str(failed.value)


def test_a_number_that_moves_by_the_same_everywhere_has_a_figure(models: dict[str, Predictor], flights: pd.DataFrame):
    with recording() as measured:
        check.directional(models["minutes"], flights, perturb.add("hour", 1), "up")
        check.invariant(models["minutes"], flights, perturb.add("hour", 1), at_most=0, tolerance=1e6)
    assert [one["figure"]["series"][0]["shares"] for one in measured] == [[1.0], [1.0]]


def test_a_change_of_what_the_model_does_not_ask_for_tests_nothing(models: dict[str, Predictor], flights: pd.DataFrame):
    noted = flights.assign(note="a flight")
    for run in (
        lambda: check.invariant(models["late"], noted, perturb.typos("note"), at_most=0.05),
        lambda: check.directional(models["late"], noted, perturb.typos("note"), "not up", by=0.1),
    ):
        with pytest.raises(UsageError, match=r"changed note alone, which the model does not ask for.*Its fields: "):
            run()
    # A column more is what a caller may send: it must do no harm.
    check.invariant(models["late"], flights, perturb.irrelevant("note"), at_most=0.05)


def test_an_item_goes_towards_the_first_place(models: dict[str, Predictor]):
    def another(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"user": (row["user"] + 1) % 40} for row in rows]

    def place(rows: Any) -> list[int]:
        listed = [row.tolist() for row in models["films"].predict(rows)]
        return [row.index("Dune") if "Dune" in row else 3 for row in listed]

    _, one = measure(check.directional, models["films"], PEOPLE, another, "up", of="Dune", at_least=0.01)
    assert one["right"] == sum(b < a for a, b in zip(place(PEOPLE), place(another(PEOPLE)), strict=True))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("late", {"expect": "sideways"}, "expect = 'sideways': expected one of 'up'"),
        ("late", {"of": "late"}, "of = 'late': expected what is to go up or down, one of False, True"),
        ("late", {"of": 1}, "of = 1"),
        ("late", {"by": -1}, "by = -1"),
        ("late", {"by": None}, "by = None"),
        ("late", {"at_least": 0}, "at_least = 0"),
        ("minutes", {"of": "km"}, "of = 'km': the model answers one number"),
        ("two_numbers", {}, "of = None: expected what is to go up or down, one of 'delay', 'km'"),
    ],
)
def test_ways_that_do_not_fit_are_refused(
    models: dict[str, Predictor], flights: pd.DataFrame, model: str, options: dict[str, Any], message: str
):
    with pytest.raises(UsageError, match=message):
        measure(check.directional, models[model], flights, perturb.add("hour", 1), **{"expect": "up", **options})


# ------------------------------------------------------------------------------------------------ error rates


@pytest.mark.parametrize("bound", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("rows", [20, 100, 400])
def test_at_the_bound_it_passes_and_fails_no_more_often_than_it_says(bound: float, rows: int):
    """The chance of each outcome when the true share is exactly the bound, summed over all that can happen."""
    chances = stats.binom.pmf(np.arange(rows + 1), rows, bound)
    outcomes = [Share(count, rows, bound, 0.95).outcome for count in range(rows + 1)]
    for outcome in ("passed", "failed"):
        assert sum(chance for chance, one in zip(chances, outcomes, strict=True) if one == outcome) <= 0.025


def test_the_rows_it_asks_for_are_the_fewest_that_do():
    for bound in (0.01, 0.05, 0.3):
        fewest = Share(0, 10, bound, 0.95).fewest
        assert Share(0, fewest, bound, 0.95).outcome == "passed"
        assert Share(0, fewest - 1, bound, 0.95).outcome == "inconclusive"
