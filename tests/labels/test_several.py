"""A label for each of several targets, taken apart."""

from __future__ import annotations

from plusone.base.records import Output
from plusone.labels.several import parts_of, share_names, singles

OUTPUT = Output(
    name="late,gate",
    kind="labels",
    classes=("no", "yes", 1, 2, 3),
    probabilities=True,
    names=("late", "gate"),
    width=2,
    sizes=(2, 3),
)


def test_each_target_has_its_part_of_the_classes() -> None:
    assert list(parts_of((2, 3, 1))) == [(0, 2), (2, 5), (5, 6)]
    assert singles(OUTPUT) == (
        Output(name="late", kind="classes", classes=("no", "yes"), probabilities=True),
        Output(name="gate", kind="classes", classes=(1, 2, 3), probabilities=True),
    )


def test_no_two_tensors_have_one_name() -> None:
    assert share_names(OUTPUT) == ("late_probabilities", "gate_probabilities")
    names = ("a", "a_probabilities", "a_probabilities_")
    output = Output(name="a", kind="labels", classes=(0, 0, 0), names=names, width=3, sizes=(1, 1, 1))
    found = share_names(output)
    assert len({*names, *found}) == 6
