"""Labels of several targets, as models answer them, to arrays of one form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plusone.native import several
from plusone.native.several import join_probabilities, labels_to_codes

CLASSES = [["no", "yes"], [1, 2, 3]]


def test_labels_are_codes_among_those_of_all_targets() -> None:
    found = labels_to_codes([["yes", 1], ["no", 3]], 2, CLASSES)
    assert found.tolist() == [[1, 2], [0, 4]]
    assert found.dtype == np.int64
    # What scikit-learn makes of labels of two kinds: numbers in one array with text.
    assert labels_to_codes(np.array([["yes", "1"], ["no", "3"]]), 2, CLASSES).tolist() == [[1, 2], [0, 4]]
    assert labels_to_codes(np.array([[1.0, 0.0]]), 1, [[0, 1], [False, True]]).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([["maybe", 1]], "'maybe', which is none of the labels of target 0"),
        ([["no", 4]], "'4', which is none of the labels of target 1"),
        (np.array([["no", 4]], dtype=object), "4, which is none of the labels of target 1"),
        (["no"], r"an array of the shape \(1,\) to 1 rows"),
        ([["no"]], r"an array of the shape \(1, 1\) to 1 rows"),
        ([["no", 1], ["no", 1]], r"an array of the shape \(2, 2\) to 1 rows"),
    ],
)
def test_what_is_no_label_of_its_target_is_refused(answers: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        labels_to_codes(answers, 1, CLASSES)


def test_probabilities_of_each_target_stand_side_by_side() -> None:
    lists = [[[0.25, 0.75]], np.array([[0.5, 0.25, 0.25]])]
    assert join_probabilities(lists, 1, [2, 3]).tolist() == [[0.25, 0.75, 0.5, 0.25, 0.25]]
    second = np.array([[0.75, 0.5]])
    assert join_probabilities(second, 1, [2, 2]).tolist() == [[0.25, 0.75, 0.5, 0.5]]
    for answers, sizes in ((lists, [3, 2]), (lists[:1], [2, 3]), (second, [2, 3]), (second, [2, 2, 2])):
        with pytest.raises(ValueError, match="the model answered probabilities of the shape"):
            join_probabilities(answers, 1, sizes)


def test_a_process_without_plusone_can_read_it() -> None:
    """By its path, as `child.py` does: numpy is all that it needs."""
    code = f"import runpy, sys; runpy.run_path({str(Path(several.__file__))!r}); assert 'plusone' not in sys.modules"
    assert subprocess.run([sys.executable, "-I", "-c", code], check=False).returncode == 0
