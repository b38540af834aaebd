"""Predictions and labels on every backend: once in the store, found again, and freed when they are old."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from plusone.base.records import Output
from plusone.lineage.collecting import collect as free
from plusone.lineage.collecting import plan
from plusone.monitoring.requests import newest_requests
from plusone.predictions.collecting import Collected, collect
from plusone.predictions.exporting import Exported, export_predictions
from plusone.predictions.late import take_labels
from plusone.predictions.reading import get_prediction, list_predictions
from plusone.store import Store
from tests.predictions.written import labels_kept, log_predictions, predictions_kept, send_labels

NUMBER = Output(name="y", kind="number")
HOSTILE = ["'; --", "%", "_", "\\", "a:1", "\U0001f600", "z" * 200]


def test_what_workers_wrote_is_found_in_the_store(store: Store, open_again: Callable[[], Store], tmp_path: Path):
    for number in range(3):
        log_predictions(tmp_path, [f"{number}{one}" for one in HOSTILE], at=1e9 + 100 * number)
        send_labels(tmp_path, *((f"{number}{one}", "1.0") for one in HOSTILE), (f"{number}%", "2.0"))
        assert collect(store, tmp_path) == Collected(predictions=7, labels=8, segments=2)
    other = open_again()
    assert collect(other, tmp_path) == Collected()
    assert predictions_kept(other) == sorted(f"{number}{one}" for number in range(3) for one in HOSTILE)
    assert labels_kept(other)["1%"] == ["1.0", "2.0"]
    page = list_predictions(other, "m", count=20, labelled=True)
    assert page.predictions[0].id == "2" + HOSTILE[-1]
    assert [one.id for one in list_predictions(other, "m", page=page.next_page).predictions] == ["0" + HOSTILE[0]]
    for one in HOSTILE:
        assert [label.value for label in get_prediction(other, f"0{one}").labels] == (
            [1.0, 2.0] if one == "%" else [1.0]
        )
    assert export_predictions(other, "m", tmp_path / "x.parquet") == Exported(predictions=21, labelled=21)


def test_labels_are_idempotent_and_corrections_are_kept(store: Store):
    for value in (1, 1.0, 2, 2, 1):
        assert take_labels(store, "m", [{"id": "a", "label": value}, {"id": "b", "label": 0}], NUMBER).accepted == 2
    assert labels_kept(store) == {"a": ["1.0", "2.0", "1.0"], "b": ["0.0"]}
    assert store.db.select("SELECT name FROM taken_segment", {}) == []


def test_old_predictions_are_freed_with_their_blobs_and_their_labels_stay(store: Store, tmp_path: Path):
    dice = random.Random(1)
    for number in range(3):
        log_predictions(tmp_path, [f"old{number}"], request=dice.randbytes(900_000), at=1e9)
    log_predictions(tmp_path, ["new"], request=dice.randbytes(900_000), at=4e9, release=2)
    send_labels(tmp_path, ("old1", "1.0"))
    collect(store, tmp_path)
    blobs = len(list(store.blobs.list()))
    assert blobs >= 2
    assert plan(store, predictions_s=1e10 / 10, grace_s=-3600.0).predictions == 0
    planned = plan(store, grace_s=-3600.0)
    freed = free(store, grace_s=-3600.0)
    assert planned == freed
    assert (freed.predictions, freed.kinds["predictions"].count) == (3, blobs - 1), "the new one has a blob of its own"
    assert predictions_kept(store) == ["new"]
    assert labels_kept(store) == {"old1": ["1.0"]}
    assert free(store, grace_s=-3600.0).count == 0
    assert get_prediction(store, "new").release == 2


def test_the_newest_requests_come_with_their_labels_from_every_backend(store: Store, tmp_path: Path):
    for number in range(4):
        log_predictions(tmp_path, [f"{number}{one}" for one in HOSTILE], at=1e9 + 100 * number, release=number % 2 + 1)
        collect(store, tmp_path)
    take_labels(store, "m", [{"id": f"3{HOSTILE[0]}", "label": 4}, {"id": f"2{HOSTILE[1]}:1", "label": 5}], NUMBER)
    found = newest_requests(store, "m", 10)
    assert found["id"].to_pylist() == [*(f"2{one}" for one in HOSTILE[-3:]), *(f"3{one}" for one in HOSTILE)]
    assert found["labels"].to_pylist()[3] == [{"row": 0, "value": "4.0"}]
    assert set(found["release"].to_pylist()) == {1, 2}
    whole = newest_requests(store, "m", 100)
    assert whole.num_rows == 28
    assert dict(zip(whole["id"].to_pylist(), whole["labels"].to_pylist(), strict=True))[f"2{HOSTILE[1]}"] == [
        {"row": 1, "value": "5.0"}
    ]
