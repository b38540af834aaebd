"""Changes of a column of texts, such as people make them: typos, capitals, blanks, full stops, short forms, names.

After CheckList: Ribeiro, Wu, Guestrin & Singh (2020), "Beyond accuracy: behavioral testing of NLP models with
CheckList", ACL. The lists of words are English ones; give others where there is an argument for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np

from ..base.errors import UsageError
from .arguments import chosen, share_of, text
from .arguments import words as known_words
from .change import Change, each

__all__ = ["added", "blanks", "case", "contractions", "names", "numbers", "punctuation", "replaced", "typos"]

_APOSTROPHES = ("'", "\u2019")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHORT = {
    "are not": "aren't", "cannot": "can't", "could not": "couldn't", "did not": "didn't", "does not": "doesn't",
    "do not": "don't", "had not": "hadn't", "has not": "hasn't", "have not": "haven't", "he is": "he's",
    "how is": "how's", "i am": "i'm", "i have": "i've", "i will": "i'll", "is not": "isn't", "it is": "it's",
    "it will": "it'll", "let us": "let's", "should not": "shouldn't", "she is": "she's", "that is": "that's",
    "there is": "there's", "they are": "they're", "they have": "they've", "they will": "they'll", "was not": "wasn't",
    "we are": "we're", "we have": "we've", "we will": "we'll", "were not": "weren't", "what is": "what's",
    "where is": "where's", "who is": "who's", "will not": "won't", "would not": "wouldn't", "you are": "you're",
    "you have": "you've", "you will": "you'll",
}  # fmt: skip
_NAMES = (
    "Alice", "Amir", "Ana", "Anna", "Ben", "Carlos", "Chen", "Clara", "David", "Elena", "Emma", "Fatima", "George",
    "Hana", "Ivan", "James", "Jane", "John", "Jose", "Julia", "Kofi", "Laura", "Linda", "Lucas", "Maria", "Mark",
    "Mary", "Michael", "Mohammed", "Nina", "Olga", "Omar", "Paul", "Peter", "Priya", "Robert", "Sara", "Susan",
    "Thomas", "Yuki",
)  # fmt: skip


def typos(column: str, *, share: float = 0.05, seed: int = 0) -> Change:
    """Mistype a share of the letters of each text, one at least: swapped, left out, doubled, or the key beside it."""
    part = share_of("typos", "share", share)

    def change(text: str, generator: np.random.Generator) -> str:
        places = [place for place, letter in enumerate(text) if letter.isalpha()]
        if not places:
            return text
        count = min(len(places), max(1, round(part * len(places))))
        letters = list(text)
        for place in sorted(generator.choice(places, count, replace=False), reverse=True):
            _mistype(letters, int(place), generator)
        return "".join(letters)

    return Change("typos", column, _texts(change), {"share": share, "seed": seed}, seed=seed)


def case(
    column: str, *, to: Literal["upper", "lower", "title", "swapped", "random"] = "upper", seed: int = 0
) -> Change:
    """Write each text in capitals, small letters, Each Word Big, or each letter's case swapped or left to chance."""

    def random(text: str, generator: np.random.Generator) -> str:
        return "".join(
            a.upper() if up else a.lower() for a, up in zip(text, generator.random(len(text)) < 0.5, strict=True)
        )

    ways: dict[str, Callable[[str, Any], str]] = {
        "upper": lambda text, _: text.upper(),
        "lower": lambda text, _: text.lower(),
        "title": lambda text, _: text.title(),
        "swapped": lambda text, _: text.swapcase(),
        "random": random,
    }
    return Change(
        "case", column, _texts(ways[chosen("case", "to", to, ways)]), {"to": to, "seed": seed or None}, seed=seed
    )


def blanks(column: str, *, share: float = 0.1, seed: int = 0) -> Change:
    """Double a share of the blanks of each text, and put one before and one after it."""
    part = share_of("blanks", "share", share)

    def change(text: str, generator: np.random.Generator) -> str:
        doubled = "".join(a * 2 if a == " " and generator.random() < part else a for a in text)
        return f" {doubled} "

    return Change("blanks", column, _texts(change), {"share": share, "seed": seed}, seed=seed)


def punctuation(column: str, *, how: Literal["end", "none", "strip"] = "strip") -> Change:
    """Take the marks off the end of each text (`strip`), put a full stop there (`end`), or remove all (`none`)."""
    ways: dict[str, Callable[[str, Any], str]] = {
        "strip": lambda text, _: text.rstrip(" .,;:!?"),
        "end": lambda text, _: text.rstrip(" .,;:!?") + ".",
        "none": lambda text, _: re.sub(r"[^\w\s]", "", text),
    }
    return Change("punctuation", column, _texts(ways[chosen("punctuation", "how", how, ways)]), {"how": how})


def contractions(column: str, *, to: Literal["short", "long"] = "short") -> Change:
    """Write `do not` as `don't` and its like (`short`), or the other way round (`long`), in English texts."""
    words = {
        "short": _SHORT,
        "long": {short.replace("'", mark): long for long, short in _SHORT.items() for mark in _APOSTROPHES},
    }
    chosen("contractions", "to", to, words)
    swap = _words(words[to])
    return Change("contractions", column, _texts(lambda text, _: swap(text)), {"to": to})


def names(column: str, *, known: Iterable[str] = _NAMES, to: Iterable[str] | None = None, seed: int = 0) -> Change:
    """Put another first name for each that is `known`, the same one throughout a text.

    Args:
        known: the names that are looked for, as they are written; default: 40 common ones of several languages.
        to: those that are put in their place; default: the same.
    """
    old = known_words("names", "known", known)
    new = old if to is None else known_words("names", "to", to)
    pattern = _pattern(old)

    def change(text: str, generator: np.random.Generator) -> str:
        found = list(dict.fromkeys(pattern.findall(text)))
        free = [name for name in new if name not in found] or list(new)
        drawn = generator.choice(len(free), len(found), replace=len(found) > len(free)).tolist()
        others = dict(zip(found, (free[place] for place in drawn), strict=True))
        return pattern.sub(lambda match: others[match[0]], text)

    shown = {"known": None if known is _NAMES else old, "to": None if to is None else new, "seed": seed}
    return Change("names", column, _texts(change), shown, seed=seed)


def numbers(column: str, *, by: float = 0.2, seed: int = 0) -> Change:
    """Put another whole number for each in a text: up to the share `by` smaller or greater, and 1 at least."""
    share_of("numbers", "by", by)

    def change(text: str, generator: np.random.Generator) -> str:
        def other(match: re.Match[str]) -> str:
            value = int(match[0])
            most = max(1, round(min(value, 10**15) * by))
            step = int(generator.integers(1, most + 1)) * (1 if value < most or generator.random() < 0.5 else -1)
            return str(value + step)

        return re.sub(r"(?<![\w.])[0-9]{1,18}(?![\w.]*\w)", other, text)

    return Change("numbers", column, _texts(change), {"by": by, "seed": seed}, seed=seed)


def replaced(column: str, words: Mapping[str, str]) -> Change:
    """Put other words for some, wherever they stand as words: `{"good": "excellent"}`. A first capital is kept."""
    known_words("replaced", "words", words)
    swap = _words(dict(words))
    return Change("replaced", column, _texts(lambda text, _: swap(text)), {"words": dict(words)})


def added(column: str, *, before: str = "", after: str = "") -> Change:
    """Put a text before each, or after it: a greeting, a signature, an address."""
    if not text("added", "before", before) + text("added", "after", after):
        raise UsageError(
            f"added: before = {before!r}, after = {after!r}: expected a text for one of them.",
            mend=f"added({column!r}, before='Hello! ')",
        )
    shown = {"before": before or None, "after": after or None}
    return Change("added", column, _texts(lambda one, _: f"{before}{one}{after}"), shown)


def _texts(change: Callable[[str, np.random.Generator], str]) -> Any:
    return each(change, kind=str, what="texts")


def _pattern(words: Iterable[str], *, fold: bool = False) -> re.Pattern[str]:
    """Return what finds the words, the longest first, where no letter stands beside them."""
    longest = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", re.IGNORECASE if fold else 0)


def _words(words: dict[str, str]) -> Callable[[str], str]:
    pattern = _pattern(words, fold=True)
    folded = {key.casefold(): value for key, value in words.items()}

    def one(match: re.Match[str]) -> str:
        # Some letters fold to others than the pattern's (the Turkish dotted I): what is not known stays.
        new = folded.get(match[0].casefold(), match[0])
        return new[:1].upper() + new[1:] if match[0][:1].isupper() else new

    return lambda text: pattern.sub(one, text)


def _mistype(letters: list[str], place: int, generator: np.random.Generator) -> None:
    way = int(generator.integers(4))
    letter = letters[place]
    beside = _beside(letter)
    if way == 0 and place + 1 < len(letters) and letters[place + 1] != letter:
        letters[place], letters[place + 1] = letters[place + 1], letter
    elif way == 1 and len(letters) > 1:
        letters[place] = ""
    elif way == 2 and beside:
        letters[place] = beside[int(generator.integers(len(beside)))]
    else:
        letters[place] = letter * 2


def _beside(letter: str) -> str:
    """Return the keys left and right of a letter on a QWERTY keyboard."""
    small = letter.lower()
    row = next((row for row in _ROWS if small in row), "")
    if not row:
        return ""
    place = row.index(small)
    found = row[max(0, place - 1) : place] + row[place + 1 : place + 2]
    return found.upper() if letter.isupper() else found
