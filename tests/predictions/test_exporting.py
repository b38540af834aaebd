"""A file has every prediction of the model once, with its labels."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from plusone.base.errors import UsageError
from plusone.predictions.collecting import collect
from plusone.predictions.exporting import SCHEMA, Exported, export_predictions
from plusone.store import Store
from tests.predictions.written import log_predictions, send_labels

T = 1_700_000_000.0


def test_every_prediction_is_in_the_file_with_its_labels(serving: Path, store: Store, tmp_path: Path):
    for number in range(4):
        log_predictions(serving, [f"{number}{place:02d}" for place in range(10)], release=number + 1, at=T + number)
        collect(store, serving)
    log_predictions(serving, ["other"], model="n")
    send_labels(serving, ("000", "1.0"), ("101:3", "2.0"), ("101", "5.0"), ("999", "3.0"))
    collect(store, serving)
    seen: list[tuple[int, int]] = []
    to = tmp_path / "deep" / "out.parquet"
    done = export_predictions(store, "m", to, on_progress=lambda done, total: seen.append((done, total)))
    assert done == Exported(predictions=40, labelled=2)
    assert seen[-1] == (40, 40)
    table = pq.read_table(to)
    assert table.schema.equals(SCHEMA)
    rows = {row["id"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows == 40
    assert (rows["000"]["label"], rows["000"]["release"], rows["000"]["model"]) == ("1.0", 1, "m")
    assert rows["000"]["request"] == b'{"rows":[{"x":1.0}]}'
    assert rows["101"]["label"] == "5.0"
    assert [(one["row"], one["value"]) for one in rows["101"]["labels"]] == [(0, "5.0"), (3, "2.0")]
    assert (rows["200"]["label"], rows["200"]["labels"]) == (None, None)


def test_a_release_and_a_span_of_time_alone(serving: Path, store: Store, tmp_path: Path):
    log_predictions(serving, ["a", "b", "c"], at=T)
    log_predictions(serving, ["d"], at=T, release=2)
    collect(store, serving)
    to = tmp_path / "out.parquet"
    found = export_predictions(store, "m", to, since="2023-11-14T22:13:21Z", until="2023-11-14T22:13:22Z")
    assert found.predictions == 1
    assert pq.read_table(to)["id"].to_pylist() == ["b"]
    assert export_predictions(store, "m", to, release=2).predictions == 1
    assert pq.read_table(to)["id"].to_pylist() == ["d"]
    assert export_predictions(store, "n", to).predictions == 0
    assert pq.read_table(to).num_rows == 0


def test_what_can_not_be_written_is_refused_and_leaves_nothing(store: Store, tmp_path: Path):
    with pytest.raises(UsageError, match=r"\.parquet"):
        export_predictions(store, "m", tmp_path / "out.csv")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="can't be written"):
        export_predictions(store, "m", tmp_path / "file" / "out.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "store"]
