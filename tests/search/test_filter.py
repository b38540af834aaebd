"""MLflow's filter grammar: what is read, what is refused and where, and that it is hostile-proof."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plusone.base.errors import UsageError
from plusone.search.filter import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    Condition,
    Fields,
    Order,
    parse_filter,
    parse_order,
    write_filter,
    write_order,
)

READ = {
    "": (),
    "  \n\t ": (),
    "metrics.auc > 0.9": (Condition("metric", "auc", ">", 0.9),),
    "metric.auc>=-1e-3": (Condition("metric", "auc", ">=", -0.001),),
    "metrics.`val loss` != .5": (Condition("metric", "val loss", "!=", 0.5),),
    "params.\"a b\" = '3'": (Condition("param", "a b", "=", "3"),),
    "parameters.depth LIKE 'x%'": (Condition("param", "depth", "LIKE", "x%"),),
    "settings.depth = '3'": (Condition("param", "depth", "=", "3"),),
    'tags.`mlflow.user` ilike "A_"': (Condition("tag", "mlflow.user", "ILIKE", "A_"),),
    "tags.mlflow.user = 'ann'": (Condition("tag", "mlflow.user", "=", "ann"),),
    "tag.a-b/c:d = 'ann'": (Condition("tag", "a-b/c:d", "=", "ann"),),
    "attributes.status = 'FINISHED'": (Condition("attribute", "status", "=", "FINISHED"),),
    "attr.run_name != 'x'": (Condition("attribute", "run_name", "!=", "x"),),
    "`run name` = 'x'": (Condition("attribute", "run_name", "=", "x"),),
    "attributes.`Run name` = 'x'": (Condition("attribute", "run_name", "=", "x"),),
    "created > 1664067852747": (Condition("attribute", "start_time", ">", 1664067852747),),
    "start_time <= 1.5": (Condition("attribute", "start_time", "<=", 1.5),),
    "run_id IN ('a', \"b\",'c')": (Condition("attribute", "run_id", "IN", ("a", "b", "c")),),
    "run_id not  in('a')": (Condition("attribute", "run_id", "NOT IN", ("a",)),),
    "params.x IS NULL and tags.y is not null": (
        Condition("param", "x", "IS NULL", None),
        Condition("tag", "y", "IS NOT NULL", None),
    ),
    "datasets.name = 'a' AND dataset.context IN ('train')": (
        Condition("dataset", "name", "=", "a"),
        Condition("dataset", "context", "IN", ("train",)),
    ),
    "metrics.a > 1 and\nmetrics.b < 2 AnD status = 'x'": (
        Condition("metric", "a", ">", 1.0),
        Condition("metric", "b", "<", 2.0),
        Condition("attribute", "status", "=", "x"),
    ),
    "params.x = 'it''s \"so\"'": (Condition("param", "x", "=", 'it\'s "so"'),),
    "params.x = ''": (Condition("param", "x", "=", ""),),
    "params.x = ' and metrics.y > 1'": (Condition("param", "x", "=", " and metrics.y > 1"),),
    "params.`a``b` = '1'": (Condition("param", "a`b", "=", "1"),),
    "tags.and = 'or'": (Condition("tag", "and", "=", "or"),),
}

REFUSED = {
    # the text: the column that the error points at, and what it says
    "metrics.auc": (12, "a comparator"),
    "metrics.auc >": (14, "a number"),
    "metrics.auc > '0.9'": (15, "without quotes"),
    "metrics.auc > nan": (15, "a number"),
    "metrics.auc > 1e999": (15, "64 bits"),
    "metrics.auc > 1_000": (15, "a number"),
    "metrics.auc > --1": (15, "a number"),
    "metrics.auc LIKE 'x'": (13, "=, !=, >, >=, <, <="),
    "metrics.auc IS NULL": (13, "=, !=, >, >=, <, <="),
    "params.depth = 3": (16, "text in single or double quotes"),
    "params.depth = three": (16, "text in single or double quotes"),
    "params.depth > '3'": (14, "=, !=, LIKE, ILIKE, IN, NOT IN, IS NULL, IS NOT NULL"),
    "params.depth = 'three": (16, "never closed"),
    "params.`depth = 'three'": (8, "never closed"),
    "params.depth = `3`": (16, "text in single or double quotes"),
    "status IS NULL": (8, "=, !=, LIKE, ILIKE, IN, NOT IN"),
    "start_time LIKE '1%'": (12, "=, !=, >"),
    "start_time > '1'": (14, "without quotes"),
    "colour = 'red'": (1, "run_name"),
    "attributes.colour = 'red'": (1, "run_name"),
    "colours.x = 'red'": (1, "metrics.NAME, params.NAME, tags.NAME"),
    "datasets.size = '1'": (1, "datasets.digest"),
    "metrics. > 1": (10, "a name right behind 'metrics.'"),
    "metrics. `x` > 1": (10, "a name right behind 'metrics.'"),
    "metrics.'x' > 1": (9, "a name right behind 'metrics.'"),
    "metrics.`` > 1": (1, "one character or more"),
    "metrics.x`y` > 1": (10, "in quotes as a whole"),
    "metrics.a > 1 or metrics.b > 1": (15, "there is no OR"),
    "(metrics.a > 1)": (1, "metrics.NAME"),
    "metrics.a > 1 and": (18, "metrics.NAME"),
    "metrics.a > 1 and and metrics.b > 1": (19, "metrics.NAME"),
    "metrics.a > 1, metrics.b > 1": (14, "AND or the end"),
    "metrics.a > 1; DROP TABLE run": (14, "means nothing here"),
    "metrics.a > 1 -- x": (15, "AND or the end"),
    "metrics.a ! 1": (11, "means nothing here"),
    "metrics.a == 1": (12, "a number"),
    "metrics.a <> 1": (12, "a number"),
    "params.x in 'a'": (13, "in parentheses"),
    "params.x in ()": (14, "text in single or double quotes"),
    "params.x in ('a' 'b')": (18, "',' or ')'"),
    "params.x in ('a',": (18, "text in single or double quotes"),
    "params.x in (1)": (14, "text in single or double quotes"),
    "params.x not like 'a'": (14, "IN behind NOT"),
    "params.x is 'a'": (13, "NULL or NOT NULL"),
    "'x' = 'x'": (1, "metrics.NAME"),
    "1 = 1": (1, "metrics.NAME"),
    "params.x LIKE '" + "%" * 4001 + "'": (15, "at most 4000 characters"),
    " and ".join(["params.x = '1'"] * 101): (100 * 19 + 15, "at most 100 conditions"),
}


@pytest.mark.parametrize("text", READ)
def test_filters_are_read(text: str):
    assert parse_filter(text) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_wrong_is_refused_with_its_place(text: str):
    column, expected = REFUSED[text]
    with pytest.raises(UsageError) as raised:
        parse_filter(text)
    message = raised.value.message
    assert raised.value.details["column"] == column, message
    assert f"at column {column}: " in message
    assert expected in message
    _, shown, arrow = message.split("\n")
    place = arrow.index("^")
    assert shown[place : place + 1] == text[column - 1 : column]


@pytest.mark.parametrize("text", ["a\0b", "tags.x = '\ud800'", "x" * 100_001])
def test_what_is_no_text_is_refused(text: str):
    with pytest.raises(UsageError, match=r"NUL|Unicode|100001 characters") as raised:
        parse_filter(text)
    str(raised.value).encode()


def test_an_attribute_that_is_a_number_is_read_exactly():
    assert parse_filter("start_time = 12345678901234567891")[0].value == 12345678901234567891


NOUNS = [RUNS, EXPERIMENTS, REGISTERED_MODELS, MODEL_VERSIONS, LOGGED_MODELS]


@pytest.mark.parametrize("fields", NOUNS, ids=lambda fields: fields.noun)
def test_every_noun_has_its_own_fields(fields: Fields):
    for name, holds in fields.attributes.items():
        value = "1" if holds == "number" else "'x'"
        assert parse_filter(f"{name} = {value}", fields=fields)[0].key == name
        assert parse_order([name], fields=fields) == (Order("attribute", name, False),)
    for alias, name in fields.aliases.items():
        assert parse_order([f"`{alias}` desc"], fields=fields) == (Order("attribute", name, True),)
    assert parse_filter("tags.x = '1'", fields=fields)
    with pytest.raises(UsageError, match=f"an attribute of {fields.noun}"):
        parse_filter("nothing = '1'", fields=fields)


def test_a_noun_without_metrics_refuses_them():
    with pytest.raises(UsageError, match=r"expected tags.NAME or an attribute of experiments \(name"):
        parse_filter("metrics.x > 1", fields=EXPERIMENTS)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("metrics.auc DESC", Order("metric", "auc", True)),
        ("metrics.auc desc", Order("metric", "auc", True)),
        ("metrics.`a b`", Order("metric", "a b", False)),
        ("params.x ASC", Order("param", "x", False)),
        ("tags.x", Order("tag", "x", False)),
        ("attributes.start_time DESC", Order("attribute", "start_time", True)),
        ("Created", Order("attribute", "start_time", False)),
    ],
)
def test_orders_are_read(text: str, order: Order):
    assert parse_order([text]) == (order,)


@pytest.mark.parametrize(
    ("text", "column"),
    [("", 1), ("metrics.auc UP", 13), ("metrics.auc DESC x", 18), ("colour", 1), ("DESC", 1), ("datasets.name", 14)],
)
def test_orders_that_are_none_are_refused(text: str, column: int):
    with pytest.raises(UsageError, match=f"The order can't be read at column {column}: expected"):
        parse_order([text])


def test_too_many_orders_are_refused():
    with pytest.raises(UsageError, match="9 keys: expected at most 8"):
        parse_order(["run_id"] * 9)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
KEY = TEXT.filter(bool)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = st.sampled_from(["=", "!=", ">", ">=", "<", "<="])
TEXTS = st.one_of(
    st.tuples(st.sampled_from(["=", "!=", "LIKE", "ILIKE"]), TEXT),
    st.tuples(st.sampled_from(["IN", "NOT IN"]), st.lists(TEXT, min_size=1, max_size=3).map(tuple)),
)
NULL = st.tuples(st.sampled_from(["IS NULL", "IS NOT NULL"]), st.none())
CONDITIONS = st.lists(
    st.one_of(
        st.builds(lambda key, pair: Condition("metric", key, *pair), KEY, st.tuples(NUMBER, FLOAT)),
        st.builds(
            lambda kind, key, pair: Condition(kind, key, *pair), st.sampled_from(["param", "tag"]), KEY, TEXTS | NULL
        ),
        st.builds(
            lambda key, pair: Condition("attribute", key, *pair), st.sampled_from(["run_id", "status", "model"]), TEXTS
        ),
        st.builds(
            lambda key, pair: Condition("attribute", key, *pair),
            st.sampled_from(["start_time", "end_time"]),
            st.tuples(NUMBER, st.integers(-(10**30), 10**30) | FLOAT),
        ),
        st.builds(
            lambda key, pair: Condition("dataset", key, *pair), st.sampled_from(["name", "digest", "context"]), TEXTS
        ),
    ),
    max_size=5,
).map(tuple)


@given(CONDITIONS)
def test_what_is_written_is_read_as_the_same(conditions: tuple[Condition, ...]):
    assert parse_filter(write_filter(conditions)) == conditions


@given(
    st.lists(
        st.builds(Order, st.sampled_from(["metric", "param", "tag"]), KEY, st.booleans())
        | st.builds(Order, st.just("attribute"), st.sampled_from(list(RUNS.attributes)), st.booleans()),
        max_size=4,
    ).map(tuple)
)
def test_an_order_that_is_written_is_read_as_the_same(orders: tuple[Order, ...]):
    assert parse_order(write_order(orders)) == orders


WORDS = [
    "metrics.",
    "params.",
    "tags.",
    "a",
    "and",
    "or",
    "in",
    "not",
    "is",
    "null",
    "like",
    "status",
    "start_time",
    "1",
]
PIECES = st.lists(st.sampled_from([*WORDS, *"`'\"=<>!(),.-;%é \n\u2028"]), max_size=14).map("".join)


@given(PIECES | st.text(max_size=40))
@example("metrics.a > ²")
@example("metrics.a > \u0661")
@example("metrics.a > infinity")
def test_any_text_is_a_filter_or_a_clear_error(text: str):
    try:
        conditions = parse_filter(text)
    except UsageError as error:
        str(error).encode()
    else:
        assert parse_filter(write_filter(conditions)) == conditions
