"""Names, values and times as MLflow limits and writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.records import Code, Run
from plusone.mlflow_wire.endpoint import MlflowError
from plusone.mlflow_wire.wire import check_key, check_value, offset_of, run_json, tags_of, text_of
from plusone.search.search import milliseconds


@pytest.mark.parametrize("key", ["a", "a/b", "a b", "a:b", "a.b-c_d", "ä", "日本", "a" * 250])
def test_a_name_that_mlflow_takes(key: str):
    assert check_key(key, "key") == key


@pytest.mark.parametrize("key", ["", ".", "..", "/a", "a/", "a//b", "a/../b", "a\n", "a=b", "a\0", "a" * 251, "😀"])
def test_a_name_that_mlflow_refuses(key: str):
    with pytest.raises(MlflowError, match="'key'"):
        check_key(key, "key")


def test_a_value_that_is_too_long_is_cut_or_refused():
    assert check_value("abc", "value", 2, cut=True) == "ab"
    with pytest.raises(MlflowError, match="maximum length of 2"):
        check_value("abc", "value", 2)
    with pytest.raises(MlflowError, match="NUL"):
        check_value("a\0", "value", 5, cut=True)


@given(st.integers(0, 253_402_300_799_999))
def test_a_time_comes_back_to_the_millisecond(ms: int):
    assert milliseconds(text_of(ms)) == ms


@given(st.one_of(st.integers(max_value=-1), st.integers(min_value=253_402_300_800_000)))
def test_a_time_that_no_calendar_has(ms: int):
    with pytest.raises(MlflowError):
        text_of(ms)


@pytest.mark.parametrize("token", ["-1", "x", "1.0", " 1", "9" * 19])
def test_a_page_token_that_no_answer_held(token: str):
    with pytest.raises(MlflowError):
        offset_of(token)


def test_a_run_of_a_release_has_the_tags_that_clients_look_for():
    run = Run(
        id="r",
        name="train",
        status="done",
        started_at="2026-01-01T00:00:00.000000Z",
        model="flights",
        by="ann",
        code=Code(commit="abc"),
        tags={"mlflow.user": "bob"},
    )
    assert tags_of(run) == {
        "mlflow.runName": "train",
        "mlflow.user": "bob",
        "mlflow.source.type": "PROJECT",
        "mlflow.source.name": "flights",
        "mlflow.source.git.commit": "abc",
    }
    written = run_json(run)
    assert written["info"]["status"] == "FINISHED"
    assert written["outputs"] == {"model_outputs": []}
