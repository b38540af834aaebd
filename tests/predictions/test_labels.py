"""A label that was taken is kept, whatever happens to the process; one that can't be kept is an error."""

from __future__ import annotations

import random
import resource
from pathlib import Path

import pytest

from plusone.base.errors import StoreError
from plusone.journal import claim, list_segments
from plusone.predictions.labels import LabelLog
from tests.nursery import Nursery
from tests.predictions.killing import WRITES, kill_a_writer
from tests.predictions.written import labels_in, until


def test_labels_are_in_the_folder_when_append_returns(tmp_path: Path) -> None:
    log = LabelLog(tmp_path)
    log.append("m", [("a", "true", None), ("b", "false", "2026-01-01T00:00:00.000000Z")])
    assert labels_in(tmp_path) == [("m", "a", "true"), ("m", "b", "false")]
    log.append("n", [("c", "1.5", None)])
    log.close()
    log.close()
    assert labels_in(tmp_path) == [("m", "a", "true"), ("m", "b", "false"), ("n", "c", "1.5")]
    assert log.accepted == 3


@pytest.mark.slow
def test_a_segment_can_be_claimed_a_moment_later_while_the_worker_lives(tmp_path: Path) -> None:
    log = LabelLog(tmp_path)

    def claimed() -> bool:
        for path in list_segments(tmp_path):
            with claim(path) as ours:
                if ours:
                    path.unlink()
                    return True
        return False

    for one in ("a", "b"):
        log.append("m", [(one, "1", None)])
        until(claimed)
    log.close()


def test_one_that_can_not_be_written_is_an_error_and_none_of_the_request_is_kept(tmp_path: Path) -> None:
    log = LabelLog(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StoreError, match="no room"):
            log.append("m", [("a", "1", None)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.accepted == 0
    log.append("m", [("b", "1", None)])
    log.close()
    assert labels_in(tmp_path) == [("m", "b", "1")]
    with pytest.raises(StoreError, match="stopping"):
        log.append("m", [("c", "1", None)])


def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    dice = random.Random(1)
    with Nursery([WRITES]) as nursery:
        for number in range(5):
            acknowledged = kill_a_writer(nursery, tmp_path / str(number), "w", dice)
            assert acknowledged <= {one for _, one, _ in labels_in(tmp_path / str(number))}
