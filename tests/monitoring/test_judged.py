"""Labels beside answers: each prediction once, by its first label, and nothing that is neither right nor wrong."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plusone.base.records import Output
from plusone.monitoring.judged import FARTHEST, NONE_OFF, Judged, bin_of, judge_labels
from plusone.predictions.collecting import collect
from plusone.predictions.layout import ARROW, JSON, predictions_folder
from plusone.predictions.log import PredictionLog
from plusone.store import Store, open_store
from tests.predictions.written import send_labels

NEVER = "9999"
BEGAN = 1.7e9
SINCE = "2023-11-14T22:13:20.000000Z"
OUTPUT = Output(name="y", kind="classes", classes=("no", "yes"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "store")) as opened:
        yield opened


def _log(store: Store, release: int, *answers: tuple[str, Any], kind: str = JSON, at: float = BEGAN + 10) -> None:
    log = PredictionLog(predictions_folder(store.folder), max_bytes=1 << 30)
    entries = [(one, kind, 1, b"{}", None if rows is None else _answer(rows)) for one, rows in answers]
    log.log("m", release, f"digest{release}", entries, at)
    log.close()
    collect(store, store.folder)


def _answer(rows: Any) -> bytes:
    return rows if isinstance(rows, bytes) else msgspec.json.encode({"predictions": rows})


def _label(store: Store, *labels: tuple[str, str]) -> None:
    send_labels(store.folder, *labels)
    collect(store, store.folder)


def _judge(store: Store, place: tuple[str, str] = (SINCE, ""), until: str = NEVER) -> Judged:
    return judge_labels(store, "m", {1: OUTPUT, 2: OUTPUT}, since=SINCE, place=place, until=until)


def _yes(*ids: str) -> list[tuple[str, Any]]:
    return [(one, [{"label": "yes"}]) for one in ids]


def test_answers_are_right_or_wrong_by_release(store: Store):
    _log(store, 1, *_yes("a", "b", "c"))
    _log(store, 2, *_yes("d", "e"), ("f", [{"label": True}]), ("g", [{"label": 3}]))
    _label(store, ("a", '"yes"'), ("b", '"no"'), ("d", '"no"'), ("f", "true"), ("g", "3"), ("nobody", '"no"'))
    found = _judge(store)
    assert (found.labelled, found.wrong) == ({1: 2, 2: 3}, {1: 1, 2: 1})


def test_each_label_is_looked_at_once_and_a_correction_changes_nothing(store: Store):
    _log(store, 1, *_yes("a", "b"))
    _label(store, ("a", '"yes"'))
    first = _judge(store)
    assert first.labelled == {1: 1, 2: 0}
    assert _judge(store, first.place) == Judged({}, {}, {}, first.place)
    _label(store, ("a", '"no"'), ("b", '"no"'))
    second = _judge(store, first.place)
    assert (second.labelled, second.wrong) == ({1: 1, 2: 0}, {1: 1, 2: 0})
    assert _judge(store, second.place).labelled == {}


def test_rows_of_a_prediction_have_labels_of_their_own(store: Store):
    _log(store, 2, ("a", [{"label": "yes"}, {"label": "no"}, {"label": "no"}]), *_yes("b:7"))
    _label(store, ("a:0", '"yes"'), ("a:2", '"yes"'), ("a:9", '"yes"'), ("a:x", '"yes"'), ("b:7", '"yes"'))
    found = _judge(store)
    assert (found.labelled, found.wrong) == ({1: 0, 2: 3}, {1: 0, 2: 1})


def test_what_can_not_be_judged_is_passed_over(store: Store):
    _log(store, 2, ("a", [0.5]), ("b", None), ("c", b"{"), ("d", b"[]"), ("e", [{"other": 1}]), ("f", b"\xff"))
    _log(store, 2, ("g", b"ARROW1"), kind=ARROW)
    _log(store, 3, *_yes("h"))
    _log(store, 2, *_yes("old"), at=BEGAN - 1000)
    _label(store, *((one, '"yes"') for one in ("a", "b", "c", "d", "e", "f", "g", "h", "old")))
    found = _judge(store)
    assert (found.labelled, found.off) == ({1: 0, 2: 0}, {1: {}, 2: {}})


def test_vectors_and_rankings_lie_more_or_less_far_from_their_labels(store: Store):
    ranked = [[{"item": item, "score": 0.5} for item in items] for items in ((5, 6, 7), (6, 7, 5), (), (1, 2, 3))]
    _log(store, 2, ("a", [[1.0, 2.0], [3.0, 10.0], [None, 1.0]]), ("b", ranked))
    labels = ("[1.0,2.0]", "[1.0,2.0]", "[1.0,2.0]"), ("[5]", "[5,8]", "[5]", "[]")
    _label(
        store,
        *((f"{one}:{row}", label) for one, rows in zip("ab", labels, strict=True) for row, label in enumerate(rows)),
    )
    found = _judge(store)
    assert found.labelled == {1: 0, 2: 0}
    # Off by 2 and by 8: the geometric mean is 4. The third place is log2(3) doublings.
    assert found.off == {1: {}, 2: {str(NONE_OFF): 2, "16": 1, "12": 1, str(FARTHEST): 3}}


def test_labels_of_several_targets_are_right_when_all_are_and_others_are_passed_over(store: Store):
    said = [{"label": {"late": "yes", "gate": "B"}}] * 3 + [{"label": {"late": None, "gate": "B"}}] * 1
    _log(store, 2, ("a", [*said, *said, {"label": "yes"}]))
    right, wrong = '{"gate":"B","late":"yes"}', '{"gate":"B","late":"no"}'
    others = ['"yes"', '{"gate":"B"}', '{"gate":"B","late":"yes","rain":1}', "[1.0]", right]
    labels = [right, right, wrong, right, *others]
    _label(store, *((f"a:{row}", label) for row, label in enumerate(labels)))
    found = _judge(store)
    assert (found.labelled, found.wrong) == ({1: 0, 2: 4}, {1: 0, 2: 2})


def test_labels_of_another_kind_of_model_are_passed_over(store: Store):
    _log(store, 1, ("a", [[1.0, 2.0], [1.0], 3.0, {"label": "yes"}, []]), ("b", [[{"item": "x", "score": 1.0}]]))
    rows = ['["x","y"]', "[1.0,2.0]", "[3.0]", '["yes"]', "3.0"]
    _label(store, *((f"a:{row}", label) for row, label in enumerate(rows)), ("b", "1.0"))
    found = _judge(store)
    assert (found.labelled, found.off) == ({1: 0, 2: 0}, {1: {}, 2: {}})


def test_labels_that_came_just_now_wait_for_their_predictions(store: Store):
    _label(store, ("a", '"yes"'))
    assert _judge(store, until=SINCE) == Judged({}, {}, {}, (SINCE, ""))
    _log(store, 2, *_yes("a"), at=time.time())
    assert _judge(store).labelled == {1: 0, 2: 1}


def test_numbers_are_told_by_how_far_off_they_are(store: Store):
    _log(store, 1, ("a", [3.0, 100.05, None, 1.0]), ("b", [0.0]))
    _log(store, 2, ("c", [True]), ("d", ["x"]))
    rows = [("a:0", "1.0"), ("a:1", "100.0"), ("a:2", "1.0"), ("a:3", '"yes"'), ("b", "0"), ("c", "1"), ("d", "1")]
    _label(store, *rows)
    found = _judge(store)
    assert found.off == {1: {"8": 1, str(NONE_OFF): 2, str(FARTHEST): 1}, 2: {}}
    assert (found.labelled, found.wrong) == ({1: 0, 2: 0}, {1: 0, 2: 0})


@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        (3.0, 1.0, 8),  # off by 2, 8 eighths of a doubling
        (-1.0, 1.0, 8),
        (2.0, 1.0, 0),
        (1.5, 1.0, -8),
        (1.0, 1.0, NONE_OFF),
        (1000.9, 1000, NONE_OFF),  # within a thousandth
        (1001.1, 1000, 1),  # off by 1.1: 8 * log2(1.1) = 1.1
        (0.0, 0.0, NONE_OFF),
        (1e-300, 0.0, NONE_OFF + 1),
        (1e300, 0.0, FARTHEST - 1),
        (1e308, -1e308, FARTHEST),  # further than floats go
        (None, 1.0, FARTHEST),
        (1.0, [1.0], None),
        ((3.0, 9.0), [1.0, 1.0], 16),  # off by 2 and 8: their geometric mean is 4, two doublings
        ((3.0, 9000.0), [1.0, 1000.0], 55),  # 2 and 8,000: another unit of one moves all bins alike
        ((1.0, 2.0), [1.0, 2.0], NONE_OFF),
        ((1.0, 4.0), [1.0, 2.0], -36),  # 0.001 and 2: 8 * (log2(0.001) + 1) / 2 = -35.9
        ((0.0, 0.0), [0.0, 0.0], NONE_OFF),
        ((math.nan, 1.0), [1.0, 1.0], FARTHEST),
        ((None, 1.0), [1.0, 1.0], FARTHEST),
        ((1.0,), [1.0, 2.0], None),
        ((), [], None),
        ((1.0,), 1.0, None),
        ((1.0,), ["x"], None),
        ([5, 6], [5], NONE_OFF),
        ([6, 5], [5, 9], 8),  # the second place is one doubling
        ([7, 6, 5], [5], 12),  # floor(8 * log2(3)) = floor(12.68)
        ([7, 6], [5], FARTHEST),
        ([], [5], FARTHEST),
        ([7], [], FARTHEST),
        ([7], 7, None),
    ],
)
def test_distances_have_bins(answer: Any, truth: Any, expected: int | None):
    assert bin_of(answer, truth) == expected
