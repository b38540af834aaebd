"""Words for what a model answers."""

from __future__ import annotations

from ..base.records import Output

__all__ = ["what_is_answered"]

_WORDS = {"number": "a number", "vector": "numbers", "ranking": "rankings", "labels": "labels of several targets"}


def what_is_answered(output: Output) -> str:
    """Return what a model answers as sentences have it: 'classes', 'a number', 'numbers', 'rankings' or 'labels of
    several targets'."""
    return _WORDS.get(output.kind, output.kind)
