"""Every kind of record goes to a row and comes back equal, whatever its fields hold."""

from __future__ import annotations

import math
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base import records, registered
from plusone.base.errors import UsageError
from plusone.base.records import Decision, MetricPoint, Record, Release, Run
from plusone.store.rows import from_row, to_row

KINDS = [
    kind
    for kind in (*vars(records).values(), *vars(registered).values())
    # These are never rows of their own: they lie in the JSON of a run or of a logged model, where NaN is text.
    if isinstance(kind, type)
    and issubclass(kind, Record)
    and kind not in (Record, records.Latest, registered.ModelMetric)
]
TEXT = st.text() | st.sampled_from(["null", "true", "1", "1.5", "nan", "{}", "[]", '"', ""])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | NUMBERS | TEXT,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXT, part, max_size=3),
    max_leaves=5,
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for what a field of this type may hold."""
    info = msgspec.inspect.type_info(hint)
    return _values(info)


def _values(info: Any) -> st.SearchStrategy[Any]:
    match info:
        case msgspec.inspect.StrType():
            return TEXT
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.IntType():
            return st.integers(-(2**63), 2**63 - 1)
        case msgspec.inspect.FloatType():
            return NUMBERS
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.LiteralType():
            return st.sampled_from(info.values)
        case msgspec.inspect.UnionType():
            return st.one_of(*(_values(part) for part in info.types))
        case msgspec.inspect.DictType():
            return st.dictionaries(TEXT, _values(info.value_type), max_size=3)
        case msgspec.inspect.VarTupleType():
            return st.lists(_values(info.item_type), max_size=2).map(tuple)
        case msgspec.inspect.StructType():
            return whole(info.cls)
        case _:
            return JSON


def whole(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: values(hints[name]) for name in kind.__struct_fields__})


def test_all_the_nouns_are_tried() -> None:
    assert len(KINDS) > 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_any_record_comes_back_equal(kind: type[Record]) -> None:
    @settings(max_examples=25)
    @given(whole(kind))
    def check(record: Record) -> None:
        row = to_row(record)
        assert all(value is None or isinstance(value, (str, int, float)) for value in row.values())
        assert from_row(kind, row) == record

    check()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_or_without_end_is_kept(value: float) -> None:
    found = from_row(MetricPoint, to_row(MetricPoint(key="k", step=0, value=value, at=0.0)))
    assert found.value == value or (math.isnan(found.value) and math.isnan(value))


@pytest.mark.parametrize(
    "change", [{"name": "\ud800"}, {"settings": {"a": "\udcff"}}, {"settings": {"\ud800": 1}}, {"error": "x\ud800"}]
)
def test_a_lone_surrogate_is_refused_by_the_name_of_its_field(change: dict[str, Any]) -> None:
    run = msgspec.structs.replace(Run(id="r", name="n", status="done", started_at="t"), **change)
    with pytest.raises(UsageError, match=f"field '{next(iter(change))}' of a Run"):
        to_row(run)


def test_an_integer_of_more_than_64_bits_is_refused_as_a_column_and_kept_in_json() -> None:
    with pytest.raises(UsageError, match="field 'step'"):
        to_row(MetricPoint(key="k", step=2**63, value=0.0, at=0.0))
    run = Run(id="r", name="n", status="done", started_at="t", settings={"big": 2**100})
    assert from_row(Run, to_row(run)) == run


def test_columns_that_a_record_does_not_have_are_left_out() -> None:
    texts = dict.fromkeys(("id", "model", "digest", "by", "reason", "at"), "x")
    row = {**texts, "release": 1, "before": None, "after": "live", "override": 1, "evidence": "{}", "sequence": 7}
    assert from_row(Decision, row).override is True


def test_a_release_whose_metric_was_nan_can_be_read_again() -> None:
    made = Release(model="m", number=1, digest="d", package="p", run_id="r", fingerprint="f", metrics={"loss": None})
    assert from_row(Release, to_row(made)) == made
