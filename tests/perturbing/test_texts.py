from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.check import perturb

TEXT = "Please do not send John the 12 invoices of Maria again, it is late."


def one(change: Any, text: str = TEXT) -> str:
    return change({"text": text})["text"]


def test_typos_change_few_letters_and_no_digits():
    changed = one(perturb.typos("text", share=0.05))
    assert changed != TEXT
    assert SequenceMatcher(None, TEXT, changed).ratio() > 0.9
    assert "12" in changed
    assert one(perturb.typos("text"), "12 34!") == "12 34!"


@given(st.text(max_size=60), st.floats(0.01, 1), st.integers(0, 5))
def test_any_text_can_be_mistyped(text: str, share: float, seed: int):
    changed = one(perturb.typos("text", share=share, seed=seed), text)
    others = [sorted(letter for letter in one if not letter.isalpha()) for one in (text, changed)]
    assert others[0] == others[1]
    assert len(changed) <= 2 * len(text)


@pytest.mark.parametrize(
    ("change", "text", "expected"),
    [
        (perturb.case("text", to="upper"), "Abc", "ABC"),
        (perturb.case("text", to="lower"), "Abc", "abc"),
        (perturb.case("text", to="title"), "abc def", "Abc Def"),
        (perturb.case("text", to="swapped"), "Abc", "aBC"),
        (perturb.blanks("text", share=1), "a b", " a  b "),
        (perturb.punctuation("text", how="strip"), "Why?!", "Why"),
        (perturb.punctuation("text", how="end"), "Why?!", "Why."),
        (perturb.punctuation("text", how="none"), "Well, why?", "Well why"),
        (perturb.contractions("text"), "I do not; It is. Do not!", "I don't; It's. Don't!"),
        (perturb.contractions("text", to="long"), "Don't say it\u2019s late", "Do not say it is late"),
        (perturb.contractions("text"), "undo nothing", "undo nothing"),
        (
            perturb.replaced("text", {"good": "bad", "very good": "awful"}),
            "Good. A very good goodie",
            "Bad. A awful goodie",
        ),
        (perturb.replaced("text", {"a+b": "c"}), "a+b", "c"),
        (perturb.added("text", before="Dear all, ", after="!"), "hello", "Dear all, hello!"),
    ],
)
def test_by_hand(change: Any, text: str, expected: str):
    assert one(change, text) == expected


def test_a_name_is_the_same_throughout_a_text_and_another_than_before():
    change = perturb.names("text", known=["John", "Maria"], to=["Kofi", "Yuki"])
    changed = one(change, "John and Maria; John again; Johnson")
    first, second = changed.split(";")[0].split(" and ")
    assert {first, second} == {"Kofi", "Yuki"}
    assert changed == f"{first} and {second}; {first} again; Johnson"
    assert "John" not in one(perturb.names("text"), "John wrote")


def test_a_number_becomes_another_one_nearby():
    for seed in range(20):
        changed = one(perturb.numbers("text", by=0.2, seed=seed), "room 100, version 1.5, x7, year 0")
        found = int(changed.split(",")[0].removeprefix("room "))
        assert 80 <= found <= 120
        assert found != 100
        assert changed.split(",", 1)[1] == " version 1.5, x7, year 1"


@given(st.text(max_size=40))
def test_any_text_is_taken_by_every_change(text: str):
    for change in (
        perturb.case("text", to="random"), perturb.blanks("text"), perturb.contractions("text"), perturb.names("text"),
        perturb.numbers("text"), perturb.punctuation("text"), perturb.replaced("text", {"i": "j", "ß": "ss"}),
    ):  # fmt: skip
        assert isinstance(one(change, text), str)
