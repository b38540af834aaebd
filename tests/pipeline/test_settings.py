"""What `--set` may say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import PlusoneError, UsageError
from plusone.base.ids import canonical_json
from plusone.pipeline.declare import collecting, step
from plusone.pipeline.graph import Graph
from plusone.pipeline.settings import parse_assignments, settings_for


def graph() -> Graph:
    with collecting() as specs:

        @step
        def a(*, share: float = 0.2, count: int = 3, name: str = "x", flag: bool = False, rest: Any = None) -> None: ...

        @step
        def b(a: Any, *, share: float = 0.5, parts: list[int] = [1], pair: tuple[int, ...] = (1, 2)) -> None: ...  # noqa: B006  as users write it

        @step
        def c(*, table: dict[str, int] = {"k": 1}) -> None: ...  # noqa: B006  as users write it

    return Graph(specs)


def test_defaults_are_taken_and_a_tuple_stays_one() -> None:
    found = settings_for(graph(), {})
    assert found["a"] == {"share": 0.2, "count": 3, "name": "x", "flag": False, "rest": None}
    assert found["b"]["pair"] == (1, 2)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("share", "1", {"a": 1.0, "b": 1.0}),
        ("a.share", " 0.25 ", {"a": 0.25, "b": 0.5}),
        ("count", "-7", {"a": -7}),
        ("name", "12", {"a": "12"}),
        ("name", "null", {"a": "null"}),
        ("name", " é ", {"a": " é "}),
        ("flag", "True", {"a": True}),
        ("flag", "false", {"a": False}),
        ("rest", "plain words", {"a": "plain words"}),
        ("rest", "[1, 2.5, null]", {"a": [1, 2.5, None]}),
        ("rest", "None", {"a": "None"}),
        ("rest", "[1e999]", {"a": "[1e999]"}),
        ("rest", "[" * 10_000, {"a": "[" * 10_000}),
        ("parts", "[]", {"b": []}),
        ("pair", "[3, 4, 5]", {"b": (3, 4, 5)}),
        ("table", '{"a": 1}', {"c": {"a": 1}}),
        ("share", 1, {"a": 1.0, "b": 1.0}),
        ("pair", [7], {"b": (7,)}),
        ("rest", {"x": [1]}, {"a": {"x": [1]}}),
    ],
)
def test_a_value_is_read_as_what_the_default_is(key: str, value: Any, expected: dict[str, Any]) -> None:
    found = settings_for(graph(), {key: value})
    short = key.rpartition(".")[2]
    assert {name: found[name][short] for name in expected} == expected
    assert all(type(found[name][short]) is type(one) for name, one in expected.items())


def test_the_step_that_is_named_wins_over_all_of_them() -> None:
    for assignments in ({"share": "0.1", "b.share": "0.9"}, {"b.share": "0.9", "share": "0.1"}):
        found = settings_for(graph(), assignments)
        assert (found["a"]["share"], found["b"]["share"]) == (0.1, 0.9)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("count", "1.5"), ("count", "true"), ("count", "three"), ("count", ""), ("share", "nan"), ("share", "inf"),
        ("share", "1e999"), ("share", "true"), ("share", "x"), ("flag", "1"), ("flag", "yes"), ("parts", "1"),
        ("parts", '{"a": 1}'), ("table", "[1]"), ("rest", "\ud800"), ("name", "\ud800"),
        ("count", 1.5), ("count", True), ("count", [1]), ("name", 5), ("name", None), ("share", float("nan")),
        ("share", 10**400), ("rest", float("inf")), ("rest", object()), ("rest", {1: 2}),
        ("flag", 0), ("parts", "[" + "[" * 50 + "]" * 50 + "]"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(key: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"--set {key}="):
        settings_for(graph(), {key: value})


@pytest.mark.parametrize("key", ["nothing", "a.nothing", "d.share", "", ".", "a.", ".share.x", "A.share", "c.share"])
def test_a_key_that_no_step_has_is_refused_and_names_those_there_are(key: str) -> None:
    with pytest.raises(UsageError, match=r"no step has that setting\. Settings: count, flag"):
        settings_for(graph(), {key: "1"})


def test_a_setting_without_default_must_be_given() -> None:
    with collecting() as specs:

        @step
        def a(*, until: str) -> None: ...

    with pytest.raises(UsageError, match=r"'until' without a default.*\n.*--set until=VALUE"):
        settings_for(Graph(specs), {})
    assert settings_for(Graph(specs), {"until": "5"})["a"]["until"] == 5


@given(
    st.dictionaries(
        st.sampled_from(["share", "count", "name", "flag", "rest", "parts", "pair", "table"]), st.text(), max_size=3
    )
)
def test_any_text_is_read_or_refused_and_what_is_read_can_be_recorded(assignments: dict[str, str]) -> None:
    try:
        found = settings_for(graph(), assignments)
    except PlusoneError:
        return
    canonical_json(found)


def test_assignments_are_split_at_the_first_equals_sign() -> None:
    assert parse_assignments(["a=1", " b = x=y ", "c="]) == {"a": "1", "b": " x=y ", "c": ""}
    for wrong in (["a"], ["=1"], [" =1"], ["a=1", "a=2"]):
        with pytest.raises(UsageError):
            parse_assignments(wrong)
