"""Plain Python models, as a project has them."""

from __future__ import annotations

from typing import Any


def count_what_is_there(frame: Any) -> Any:
    """Return, for each row, how many of its fields are there and say something."""
    return frame.notna().sum(axis=1).astype("float64") + 0.25


class MoreThanUsual:
    """Says whether a row's first field is more than the usual one, by order of its text or number."""

    def fit(self, frame: Any) -> MoreThanUsual:
        """Remember the usual value."""
        self.usual = sorted(value for value in frame.iloc[:, 0].tolist() if value == value)[len(frame) // 3]
        return self

    def predict(self, frame: Any) -> Any:
        """Return True and False."""
        return frame.iloc[:, 0] > self.usual
