"""How alike two texts are, 0 to 1: by words, by their order, by letters, by vectors. The standard library alone.

Words are what Unicode calls word characters, without regard to case; other marks count for nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["SIMILARITIES", "chrf", "cosine", "rouge_l", "token_f1"]

_LONGEST_GRAM = 6


def token_f1(answer: str, reference: str) -> float:
    """Return the F1 of the words that both have, each as often as both have it: Rajpurkar et al. (2016), SQuAD, EMNLP.

    Articles count here, as other words do. Two texts without a word are alike.

    By hand: `the red car` and `a red car, red`: 2 words in common, precision 2/3, recall 2/4: 4/7 = 0.571.
    """
    ours, theirs = _words(answer), _words(reference)
    common = sum((Counter(ours) & Counter(theirs)).values())
    return _f(common, len(ours), len(theirs), 1.0)


def rouge_l(answer: str, reference: str) -> float:
    """Return the F1 of the longest common subsequence of words: ROUGE-L, Lin (2004), ACL workshop on summarization.

    By hand: `police kill the gunman` and `police killed the gunman`: police, the, gunman are 3 of 4 and of 4: 0.75.
    """
    ours, theirs = _words(answer), _words(reference)
    return _f(_longest_common(ours, theirs), len(ours), len(theirs), 1.0)


def chrf(answer: str, reference: str) -> float:
    """Return chrF2, which compares runs of 1 to 6 letters: Popović (2015), WMT, with beta = 2: recall counts double.

    Precision and recall are means over the lengths that both texts have; white space is left out, case is not.

    By hand: `ab` and `ac`: of 1 letter 1 of 2, of 2 letters 0 of 1; precision and recall are 1/4, and so is chrF.
    """
    ours, theirs = ("".join(text.split()) for text in (answer, reference))
    precisions: list[float] = []
    recalls: list[float] = []
    for length in range(1, _LONGEST_GRAM + 1):
        a, b = _grams(ours, length), _grams(theirs, length)
        if not a or not b:
            break
        common = sum((a & b).values())
        precisions.append(common / a.total())
        recalls.append(common / b.total())
    if not precisions:
        return float(ours == theirs)
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the cosine of the angle between two vectors, -1 to 1; 0 where one has no length.

    By hand: (1, 1) and (1, 0): 1 / sqrt(2) = 0.707.

    Raises:
        ValueError: when they are of different lengths, or a number in them is not finite.
    """
    ours, theirs = _unit(a), _unit(b)
    return max(-1.0, min(1.0, math.fsum(x * y for x, y in zip(ours, theirs, strict=True))))


def _unit(vector: Sequence[float]) -> list[float]:
    """Return a vector of the same direction and the length 1: products of very large numbers would be infinite."""
    largest = max(map(abs, vector), default=0.0)
    if not all(map(math.isfinite, vector)):
        raise ValueError(f"a vector holds {next(x for x in vector if not math.isfinite(x))}: expected finite numbers")
    if largest == 0:
        return list(vector)
    scaled = [x / largest for x in vector]
    length = math.sqrt(math.fsum(x * x for x in scaled))
    return [x / length for x in scaled]


SIMILARITIES = {"chrf": chrf, "rouge_l": rouge_l, "token_f1": token_f1}
"""Those that need two texts and nothing else, by name."""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _grams(text: str, length: int) -> Counter[str]:
    return Counter(text[place : place + length] for place in range(len(text) - length + 1))


def _f(common: int, ours: int, theirs: int, beta: float) -> float:
    if not ours or not theirs:
        return float(ours == theirs)
    precision, recall = common / ours, common / theirs
    weight = beta * beta
    return (1 + weight) * precision * recall / (weight * precision + recall) if common else 0.0


def _longest_common(a: list[str], b: list[str]) -> int:
    """Return the length of the longest common subsequence, by the bits of one whole number: Hyyrö (2004), AWOCA."""
    places: dict[str, int] = {}
    for place, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(a)) - 1
    open_ = every
    for word in b:
        match = open_ & places.get(word, 0)
        open_ = ((open_ + match) | (open_ - match)) & every
    return len(a) - open_.bit_count()
