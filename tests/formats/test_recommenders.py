"""Recommenders: what they recommend, by hand; what they refuse; and their graphs, which recommend the same."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import plusone
from plusone.base.errors import Incompatible, InvalidInput, UsageError
from plusone.base.records import Field
from plusone.formats import open_model
from plusone.formats.ranks import Histories, rows_at_once
from plusone.graphs.layout import Columns, plan_blocks
from plusone.graphs.runner import AT_ONCE, OnnxRunner
from plusone.predictor import Predictor

Package = Callable[..., Predictor]
Recommender: Any = plusone.Recommender

USERS, ITEMS = [10, 20, 30], ["a", "b", "c", "d"]
SEEN = np.array([[1, 0, 0, 1], [0, 2, 0, 0], [0, 0, 0, 0]])
MINE, THEIRS = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([[4, 1], [3, 2], [2, 3], [1, 4.0]])
NEAR = np.array([[0, 0.5, 0, 0], [0.5, 0, 0.25, 0], [0, 0.25, 0, 0], [0, 0.25, 0.5, 0]])


def factors(**more: Any) -> Any:
    return Recommender(USERS, ITEMS, MINE, THEIRS, SEEN, **{"k": 3, **more})


def neighbours(**more: Any) -> Any:
    return Recommender.of_neighbours(USERS, ITEMS, csr_matrix(NEAR), csr_matrix(SEEN), **{"k": 3, **more})


def test_a_factorisation_by_hand() -> None:
    made = factors()
    assert made.recommend(10) == [("b", 3.0), ("c", 2.0)]  # a (4) and d (1) were seen
    assert made.recommend(20) == [("d", 4.0), ("c", 3.0), ("a", 1.0)]
    assert made.recommend(30) == [("a", 5.0), ("b", 5.0), ("c", 5.0)]  # a tie: in the order of the items
    assert made.recommend(99) == [("a", 1.0), ("b", 1.0), ("d", 1.0)]  # how many saw each
    assert made.predict(pd.DataFrame({"user": [10, 99]})).tolist() == [["b", "c", None], ["a", "b", "d"]]


def test_neighbours_by_hand() -> None:
    made = neighbours()
    assert made.recommend(10) == [("b", 0.75), ("c", 0.5)]  # b: 0.5 of a and 0.25 of d; c: 0.5 of d
    assert made.recommend(20) == [("a", 1.0), ("c", 0.5)]  # twice what b says
    assert made.recommend(30) == made.recommend(99)  # who has seen nothing is answered as one who is not known
    assert neighbours(popularity=[1, 2, 3, 4]).recommend(99) == [("d", 4.0), ("c", 3.0), ("b", 2.0)]


@pytest.mark.parametrize("make", [factors, neighbours])
def test_unknown_users_are_refused_if_so_wanted(make: Callable[..., Any], package: Package) -> None:
    made = make(unknown="refuse")
    with pytest.raises(InvalidInput, match="99"):
        made.recommend(99)
    assert len(make(unknown="refuse").recommend(10)) == 2
    predictor = package(made, pd.DataFrame({"user": USERS, "item": ITEMS[:3]}), target="item")
    with pytest.raises(InvalidInput, match="one of 10, 20, 30"):
        predictor.predict([{"user": 99}])


IDS: dict[str, Callable[[int], Any]] = {"int": lambda n: 7 * n - 100, "text": "u{}".format, "large": (2**60).__add__}


@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("form", ["float64", "float32", "neighbours"])
def test_the_graph_recommends_the_same(ids: str, form: str, package: Package) -> None:
    generator = np.random.default_rng(3)
    users = [IDS[ids](place) for place in range(60)]
    items = [IDS["text" if ids == "int" else "int"](place) for place in range(40)]
    seen = csr_matrix((generator.random((60, 40)) < generator.random((60, 1))) * generator.random((60, 40)))
    if form == "neighbours":
        near = generator.random((40, 40)) * (generator.random((40, 40)) < 0.1)
        made = Recommender.of_neighbours(users, items, near, seen, k=12)
    else:
        both = [generator.normal(size=(count, 5)).astype(form) for count in (60, 40)]
        made = Recommender(users, items, *both, seen, k=12)
    some = generator.integers(0, 60, 300)
    data = pd.DataFrame({"user": [users[place] for place in some], "item": [items[place % 40] for place in some]})
    predictor = package(made, data, target="item")
    proof = predictor.package.proof
    assert proof["precision"] == ("float32" if form == "float32" else "float64")
    assert proof["rows"] >= 2 * len(set(some.tolist()))  # of the training data, and of the same table as proof
    assert proof["max_difference"] < 1e-5
    asked = pd.DataFrame({"user": [*users, IDS[ids](1000)]})
    items_found, scores = predictor.rank(asked)
    expected = made.predict(asked)
    for row, place in enumerate(range(60)):
        there = [item for item in items_found[row] if item is not None]
        assert not {items.index(item) for item in there} & set(seen[place].indices)
        assert len(set(there)) == len(there)
        assert (np.diff(scores[row][: len(there)]) <= 0).all()
    assert (items_found == expected).mean() > 0.99
    assert items_found[-1].tolist() == expected[-1].tolist()


@settings(max_examples=30, deadline=None)
@example(101131, 4, 4, 3, False)  # items that are tied where the ranking ends
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6), st.integers(1, 8), st.booleans())
def test_any_small_recommender_and_its_graph_are_alike(seed: int, users: int, items: int, k: int, near: bool) -> None:
    generator = np.random.default_rng(seed)
    seen = generator.integers(0, 3, (users, items))
    names = [f"u{place}" for place in range(users)]
    if near:
        made = Recommender.of_neighbours(names, range(items), generator.integers(-1, 3, (items, items)), seen, k=k)
    else:
        both = [generator.integers(-2, 3, (count, 2)) for count in (users, items)]
        made = Recommender(names, range(items), *both, seen, k=k)
    field = Field(name="user", dtype="string", nullable=True)
    blocks = plan_blocks([field])
    opened = open_model(made, [])
    (compiled,) = opened.compile([field], blocks)
    runner = OnnxRunner(compiled.graph, compiled.output, made.items)
    asked = [*names, "nobody", "nobody"]
    answer = runner.run(Columns(len(asked), {"strings": np.array(asked, dtype=object).reshape(-1, 1)}))
    codes, scores = made.rank(asked)
    np.testing.assert_array_equal(answer.scores, scores)
    np.testing.assert_array_equal(answer.codes, codes)


def test_rows_are_run_in_parts_that_fit() -> None:
    seen = Histories.read(None, 10_000, 10_000)
    assert 32e6 / 2 < rows_at_once(10_000, seen, None) * 3 * 10_001 * 8 <= 32e6
    made = factors()
    field = Field(name="user", dtype="int64", minimum=10, maximum=30)
    (compiled,) = open_model(made, []).compile([field], plan_blocks([field]))
    import onnx

    proto = onnx.load_from_string(compiled.graph)
    (at_once,) = [one for one in proto.metadata_props if one.key == AT_ONCE]
    rows = np.array([10.0, 20.0, 99.0, 30.0, 10.0]).reshape(-1, 1)
    whole = OnnxRunner(compiled.graph, "ranking", made.items).run(Columns(5, {"numbers": rows}))
    at_once.value = "2"
    parts = OnnxRunner(proto.SerializeToString(), "ranking", made.items).run(Columns(5, {"numbers": rows}))
    np.testing.assert_array_equal(parts.codes, whole.codes)
    np.testing.assert_array_equal(parts.scores, whole.scores)
    assert parts.rows == 5


@pytest.mark.slow
def test_ten_thousand_users_and_items_need_bounded_memory(package: Package) -> None:
    import resource

    generator = np.random.default_rng(0)
    both = [generator.normal(size=(10_000, 32)).astype(np.float32) for _ in range(2)]
    rows, columns = generator.integers(0, 10_000, (2, 1_000_000))
    seen = csr_matrix((np.ones(1_000_000), (rows, columns)), shape=(10_000, 10_000))
    made = Recommender(range(10_000), range(10_000), *both, seen)
    data = pd.DataFrame({"user": rows, "item": columns})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    predictor = package(made, data, target="item", proof=[])
    assert predictor.package.proof["rows"] == 10_000
    assert predictor.predict(pd.DataFrame({"user": range(10_000)})).shape == (10_000, 10)
    # A whole matrix of scores would be 400 MB in one of the two, and 800 in 64 bits.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 350 * 1024


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"users": []}, "no users"), ({"users": [1, "2", 3]}, "types int, str"), ({"users": [1, 1, 2]}, "1 twice"),
        ({"users": [1, 2, 2**63]}, "64 bits"), ({"items": ["a", "b", "c", "\ud800"]}, "expected integers"),
        ({"users": [True, False, True]}, "types bool"), ({"items": [1.5, 2.0, 3.0, 4.0]}, "types float"),
        ({"user_factors": MINE[:2]}, r"\(2, 2\): expected \(3, factors\)"),
        ({"item_factors": THEIRS[:, :1]}, "2 columns, item_factors 1"),
        ({"item_factors": THEIRS * np.nan}, "not finite, in row 0"), ({"user_factors": MINE[:, :0]}, "expected"),
        ({"seen": SEEN.T}, r"\(4, 3\): expected \(3, 4\)"), ({"seen": SEEN + np.inf}, "not finite"),
        ({"seen": [1, 2]}, "expected"), ({"k": 0}, "k is 0"), ({"k": True}, "k is True"), ({"k": 10**9}, "1,000"),
        ({"unknown": "ignore"}, "'popular' or 'refuse'"), ({"popularity": [1, 2]}, "for each item"),
        ({"popularity": [1, 2, 3, np.nan]}, "for each item"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_refused(change: dict[str, Any], said: str) -> None:
    parts: dict[str, Any] = {
        "users": USERS, "items": ITEMS, "user_factors": MINE, "item_factors": THEIRS, "seen": SEEN,
    }  # fmt: skip
    with np.errstate(invalid="ignore"), pytest.raises(UsageError, match=said):
        Recommender(**{**parts, **change})


def test_more_neighbours_than_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plusone.formats.ranks._MOST_NEIGHBOURS", 7)
    with pytest.raises(UsageError, match="has 2 neighbours, and there are 4 items: expected at most 1"):
        neighbours()


def test_a_field_of_another_kind_is_refused(package: Package) -> None:
    with pytest.raises(Incompatible, match="'user' holds string, and the users of the recommender are int64"):
        package(factors(), pd.DataFrame({"user": ["10", "20"], "item": ["a", "b"]}), target="item")
    with pytest.raises(UsageError, match="fitted on 1 columns, not on the 2"):
        package(factors(), pd.DataFrame({"user": [10], "age": [3], "item": ["a"]}), target="item")


def test_large_ids_that_floats_mix_up_are_refused(package: Package) -> None:
    users = [2**60, 2**60 + 1, 2**60 + 2]
    data = pd.DataFrame({"user": users, "item": ITEMS[:3]})
    with pytest.raises(Incompatible, match=r"2\*\*53 or more"):
        package(Recommender(users, ITEMS, MINE, THEIRS, SEEN, unknown="refuse"), data, target="item")
    predictor = package(Recommender(users, ITEMS, MINE, THEIRS, SEEN), data, target="item")
    assert predictor.predict([{"user": 2**60}])[0].tolist() == ["b", "c", None, None]
    assert predictor.predict([{"user": 2**60 + 1}])[0].tolist()[0] == "d"


def test_an_object_of_implicit_alone_is_refused_with_the_way() -> None:
    fitted = type("ALS", (), {"__module__": "implicit.cpu.als", "user_factors": MINE, "item_factors": THEIRS})()
    with pytest.raises(Incompatible) as caught:
        open_model(fitted, [])
    assert "plusone.Recommender.of(" in (caught.value.mend or "")
    assert Recommender.of(fitted, USERS, ITEMS, SEEN, k=3).recommend(10) == factors().recommend(10)
    near = type("Near", (), {"similarity": csr_matrix(NEAR)})()
    assert Recommender.of(near, USERS, ITEMS, SEEN).recommend(10) == neighbours().recommend(10)
    with pytest.raises(UsageError, match="neither factors nor similarities"):
        Recommender.of(object(), USERS, ITEMS, SEEN)


@pytest.mark.parametrize(
    "name", ["als.AlternatingLeastSquares", "bpr.BayesianPersonalizedRanking", "CosineRecommender"]
)
def test_what_implicit_recommends_is_what_we_do(name: str) -> None:
    pytest.importorskip("implicit", reason="not run: implicit is not installed (pip install 'plusone[recommenders]')")
    import importlib

    module, _, kind = f"nearest_neighbours.{name}".rpartition(".") if "." not in name else name.rpartition(".")
    generator = np.random.default_rng(0)
    seen = csr_matrix((generator.random((50, 30)) < 0.2).astype(np.float64))
    settings = {"K": 8} if kind == "CosineRecommender" else {"factors": 4, "random_state": 0, "use_gpu": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = getattr(importlib.import_module(f"implicit.{module}"), kind)(**settings)
        model.fit(seen, show_progress=False)
    made = Recommender.of(model, range(50), range(30), seen, k=5)
    for user in range(50):
        theirs, said = model.recommend(user, seen[user], N=5)
        there = [
            (item, score) for item, score in zip(theirs.tolist(), said.tolist(), strict=True) if item >= 0 and score
        ]
        ours = made.recommend(user)
        assert [score for _, score in ours] == pytest.approx([score for _, score in there], abs=1e-5)


def test_a_request_says_the_user_and_nothing_else(package: Package) -> None:
    predictor = package(factors(), pd.DataFrame({"user": USERS, "item": ITEMS[:3]}), target="item")
    answer = predictor.run(predictor.decode(b'{"rows": [{"user": 10}]}'))
    assert predictor.encode(answer) == [b'[{"item":"b","score":3.0},{"item":"c","score":2.0}]']
    for body in (b'{"rows": [{"user": null}]}', b'{"rows": [{"user": "10"}]}', b'{"rows": [{"user": 1.5}]}', b"{}"):
        with pytest.raises(InvalidInput):
            predictor.decode(body)


def _served(made: Any, package: Package, *users: int) -> list[list[tuple[Any, float]]]:
    """Return what the packaged recommender answers to a request for these users."""
    predictor = package(made, pd.DataFrame({"user": USERS, "item": ITEMS[:3]}), target="item")
    found = predictor.predictions(
        predictor.run(predictor.decode(json.dumps({"rows": [{"user": u} for u in users]}).encode()))
    )
    return [[(one["item"], one["score"]) for one in row] for row in found]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            factors,
            [
                [("b", 3.0), ("c", 2.0)],
                [("d", 4.0), ("c", 3.0), ("a", 1.0)],
                [("a", 5.0), ("b", 5.0), ("c", 5.0), ("d", 5.0)],
                [("a", 1.0), ("b", 1.0), ("d", 1.0), ("c", 0.0)],
            ],
        ),
        (
            neighbours,
            [
                [("b", 0.75), ("c", 0.5)],
                [("a", 1.0), ("c", 0.5)],
                [("a", 1.0), ("b", 1.0), ("d", 1.0)],
                [("a", 1.0), ("b", 1.0), ("d", 1.0)],
            ],
        ),
    ],
)
def test_more_than_there_are_items_are_all_that_are_left(make: Any, expected: Any, package: Package) -> None:
    """`k` beyond the items, ties in the order of the items, what was seen left out, 99 who is not known: as served."""
    made = make(k=9)
    assert made.k == len(ITEMS)
    assert _served(made, package, 10, 20, 30, 99) == expected
    assert [made.recommend(user) for user in (10, 20, 30, 99)] == expected


def test_a_tie_at_the_end_of_the_ranking_is_the_first_of_the_items(package: Package) -> None:
    for k in (1, 2, 3):
        assert _served(factors(k=k), package, 30) == [[(item, 5.0) for item in ITEMS[:k]]]


@pytest.mark.parametrize("near", [False, True], ids=["factors", "neighbours"])
def test_who_has_seen_everything_is_recommended_nothing(near: bool, package: Package) -> None:
    seen = np.vstack([np.ones(4), SEEN[1:]])
    if near:
        made = Recommender.of_neighbours(USERS, ITEMS, csr_matrix(NEAR), csr_matrix(seen), k=3)
    else:
        made = Recommender(USERS, ITEMS, MINE, THEIRS, seen, k=3)
    assert made.recommend(10) == []
    nothing, something = _served(made, package, 10, 20)
    assert nothing == []
    assert something
    # A single item, for a single user.
    one = Recommender([10], ["a"], [[1.0]], [[2.0]], [[0.0]], k=5)
    assert one.recommend(10) == [("a", 2.0)]
    predictor = package(one, pd.DataFrame({"user": [10, 10], "item": ["a", "a"]}), target="item")
    assert predictor.predict([{"user": 10}, {"user": 11}]).tolist() == [["a"], ["a"]]


def test_scores_that_overflow_are_refused_when_they_are_packaged(package: Package) -> None:
    """An infinite score is no score to a server: whoever trained it learns of it, not a caller."""
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(Incompatible, match="rows of training data differ"),
    ):
        _served(Recommender(USERS, ITEMS, MINE * 1e200, THEIRS * 1e200, SEEN, k=3), package, 10)
