"""Whether two models rank alike: the same items in the same order but for ties, with scores that are close.

This module knows arrays of codes and scores. It knows no model and no graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["compare_rankings"]


def compare_rankings(
    expected: tuple[Any, Any], found: tuple[Any, Any], tolerance: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int]:
    """Return, by row, the largest difference of scores and whether the rankings differ; and in how many rows ties do.

    A score may be off by `tolerance`, absolute or relative, whichever is larger. Another item may stand at a place only
    where its score is within twice of that, once for each of the two: of those that `expected` has, or of its last one
    for an item that fell behind the end there. A ranking that names an item twice differs, and so does one that ends
    earlier or later.

    Args:
        expected: codes (rows, width), -1 for none, and scores (rows, width), NaN for none.
        found: likewise.
    """
    codes, scores = (np.asarray(part) for part in expected)
    codes2, scores2 = (np.asarray(part) for part in found)
    rows = len(codes)
    if codes.shape != codes2.shape or scores.shape != scores2.shape:
        return np.full(rows, np.inf), np.ones(rows, dtype=bool), 0
    allowed = tolerance * np.maximum(1.0, np.nan_to_num(np.abs(scores.astype(np.float64))))
    gaps = _gaps(scores, scores2)
    bad = (gaps > allowed).any(axis=1)
    other = (codes != codes2).any(axis=1) & ~bad
    for row in np.flatnonzero(other).tolist():
        bad[row] = not _tied(codes[row], scores[row], codes2[row], allowed[row])
    return gaps.max(axis=1, initial=0.0), bad, int((other & ~bad).sum())


def _gaps(left: Any, right: Any) -> Any:
    """Return the absolute differences; two NaNs are 0 apart, and one alone is infinitely far."""
    left, right = left.astype(np.float64), right.astype(np.float64)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        gaps = np.abs(left - right)
    return np.where(same, 0.0, np.where(np.isnan(gaps), np.inf, gaps))


def _tied(codes: Any, scores: Any, found: Any, allowed: Any) -> bool:
    """Say whether each item that stands elsewhere is tied with what should be there."""
    listed = found[found >= 0].tolist()
    if len(set(listed)) < len(listed) or ((found < 0) != (codes < 0)).any():
        return False
    places = {code: place for place, code in enumerate(codes.tolist()) if code >= 0}
    last = len(listed) - 1
    for place in np.flatnonzero(codes != found).tolist():
        its = places.get(int(found[place]), last)
        # Infinite scores are tied with their like alone: their difference is no number.
        if scores[its] != scores[place] and not abs(scores[its] - scores[place]) <= 2 * allowed[place]:
            return False
    return True
