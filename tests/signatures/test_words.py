from __future__ import annotations

from plusone.base.records import Output
from plusone.signatures.words import what_is_answered


def test_each_kind_of_answer_has_its_words():
    kinds = ("classes", "number", "vector", "ranking")
    said = [what_is_answered(Output(name="y", kind=kind)) for kind in kinds]
    assert said == ["classes", "a number", "numbers", "rankings"]
