"""Cases of texts: read, asked, and judged one by one by the interval of their own pass rate."""

from __future__ import annotations

import difflib
import inspect
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

from ..base.errors import UsageError
from ..measuring import figures
from ..measuring.concluding import Judgement
from ..signatures.words import what_is_answered
from ..statistics.proportions import clopper_pearson
from .cases import read_cases
from .shares import check_shares, fewest_to_show
from .tries import Grade, Try, ask_all

__all__ = ["Asking", "Cases", "Found", "run", "texts_of", "verdict"]


class Asking(TypedDict, total=False):
    """How the cases of a check of texts are asked, and what is held against their bound: see `contains`."""

    input: str
    repeats: int
    rate: float
    at_least: float
    threads: int
    timeout_s: float | None
    confidence: float
    inconclusive: Literal["closes", "allowed"]
    progress: Callable[[int, int], object]


REPEATS, RATE = 20, 0.8
_MOST_REPEATS = 100_000
_SHOWN = 3
_TEXT = 300


class Found(NamedTuple):
    """What came of a check: its message, its outcome, what was measured, and what to do when it is inconclusive."""

    message: str
    outcome: Judgement
    measured: dict[str, Any]
    more: str


class Cases:
    """The cases: what is asked, what each is called, and what it expects.

    Attributes:
        rows: what the judge sees: a text, or a row as a dict.
        asked: what is asked: the rows, or their column `input`.
        names: what each is called.

    Raises:
        UsageError: when they are no list of texts and no table, or there are none.
    """

    def __init__(self, cases: Any, column: str, asking: Asking) -> None:
        self._column = column
        if isinstance(cases, (str, Path)) or not _is_list(cases):
            cases = read_cases(cases, {column: "string"} if column else {}).to_pylist()
        self.rows: list[Any] = list(cases)
        if not self.rows:
            raise UsageError(
                "There are no cases: expected at least one.",
                mend="give a list of texts or dicts, or a table with a row for each case",
            )
        odd = next(
            (one for one in self.rows if not isinstance(one, (str, dict)) or type(one) is not type(self.rows[0])), None
        )
        if odd is not None:
            raise UsageError(
                f"A case is {str(odd)[:80]!r}: expected a text for each, or a dict for each.",
                mend="['a text', 'another'], or [{'text': '...', 'expected': '...'}]",
            )
        self.names = _names(self.rows)
        self.asked: list[Any] = self.rows
        field = asking.get("input")
        if field is not None:
            self.asked = [self._cell(place, field, "input") for place in range(len(self.rows))]

    def expected(self, given: Any, read: Callable[[str, Any], Any]) -> list[Any]:
        """Return what each case expects: what was given for all, or what `read(name, cell)` makes of its column."""
        if given is not None:
            return [given] * len(self.rows)
        cells = (self._cell(place, self._column, "column") for place in range(len(self.rows)))
        return [read(f"{self.names[place]}: {self._column}", cell) for place, cell in enumerate(cells)]

    def _cell(self, place: int, name: str, what: str) -> Any:
        row = self.rows[place]
        if not isinstance(row, dict):
            raise UsageError(
                f"{what} = {name!r} is a column of a table, and the cases are texts.",
                mend="give what is expected of all of them, or a list of dicts",
            )
        if row.get(name) is None:
            raise UsageError(
                f"{self.names[place]} has no {name!r}. It has: {', '.join(map(str, row)) or 'nothing'}.",
                mend=f"add it, or name another column: {what}='...'",
            )
        return row[name]


def texts_of(name: str, value: Any) -> tuple[str, ...]:
    """Return one text or several as a tuple."""
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if not found or not all(isinstance(one, str) and one for one in found):
        raise UsageError(
            f"{name} = {str(value)[:80]!r}: expected a text, or a list of them, none of them empty.",
            mend=f"{name}='...'",
        )
    return found


def run(
    check: str,
    ask: Any,
    cases: Cases,
    grade: Callable[[int, str], Grade],
    asking: Asking,
    *,
    measured: dict[str, Any] | None = None,
) -> Found:
    """Ask the cases, judge each by its own tries, and return what was found.

    Raises:
        UsageError: as `plusone.check.contains` says.
    """
    rate, confidence, least = asking.get("rate", RATE), asking.get("confidence", 0.95), asking.get("at_least", 1.0)
    check_shares(rate=rate, confidence=confidence, at_least=least)
    known = Asking.__annotations__
    if unknown := [name for name in asking if name not in known]:
        raise UsageError(
            f"There is no argument {unknown[0]!r}. There are: {', '.join(sorted(known))}.",
            mend=f"{difflib.get_close_matches(unknown[0], known, 1, 0.0)[0]}=...",
        )
    if (progress := asking.get("progress")) is not None and not callable(progress):
        raise UsageError(
            f"progress = {str(progress)[:80]!r}: expected a function of two numbers: done, and in all.",
            mend="progress=print",
        )
    asked, repeats = _asker(ask, cases, asking.get("repeats"))
    _check_repeats(repeats, rate, confidence)
    tries = asked(repeats, grade, asking)
    found = [
        _case(name, one, rate=rate, confidence=confidence, cases=len(cases.names))
        for name, one in zip(cases.names, tries, strict=True)
    ]
    return _found(check, found, least, rate, confidence, measured or {})


# ------------------------------------------------------------------------------------------------ asking


def _asker(ask: Any, cases: Cases, repeats: Any) -> tuple[Callable[[int, Any, Asking], list[list[Try]]], int]:
    """Return what gives the tries of each case, and how often each is asked."""
    if hasattr(ask, "predict") and hasattr(ask, "signature"):
        return _function(_of_model(ask), cases), 1 if repeats is None else repeats
    if callable(ask):
        if inspect.iscoroutinefunction(ask) or inspect.iscoroutinefunction(type(ask).__call__):
            name = getattr(ask, "__name__", "ask")
            raise UsageError(
                f"{name} is async, and an answer that nobody waits for is none.",
                mend=f"lambda case: asyncio.run({name}(case)), with threads=8 to ask several at once",
            )
        return _function(ask, cases), REPEATS if repeats is None else repeats
    if not isinstance(ask, (list, tuple)):
        raise UsageError(
            f"ask = {str(ask)[:80]!r}: expected a function, a model, or a list of answers.",
            mend="give a function that takes a case and returns a text",
        )
    if len(ask) != len(cases.rows):
        raise UsageError(
            f"ask has {len(ask):,} answers, and there are {len(cases.rows):,} cases: expected one for each.",
            mend="give as many answers as there are cases, in their order",
        )
    given = [list(one) if isinstance(one, (list, tuple)) else [one] for one in ask]
    counts = {len(one) for one in given}
    if len(counts) != 1 or 0 in counts or repeats not in (None, *counts):
        raise UsageError(
            f"The cases have {', '.join(map(str, sorted(counts)))} answers each: expected as many of each.",
            mend="ask each case as often as all others, and leave repeats= out",
        )

    def tell(_: int, grade: Any, asking: Asking) -> list[list[Try]]:
        found = [ask_all(lambda answer: answer, one, _at(grade, place), repeats=1) for place, one in enumerate(given)]
        return [[one for (one,) in tries] for tries in found]

    return tell, counts.pop()


def _at(grade: Callable[[int, str], Grade], place: int) -> Callable[[int, str], Grade]:
    return lambda _, answer: grade(place, answer)


def _function(ask: Callable[[Any], Any], cases: Cases) -> Callable[[int, Any, Asking], list[list[Try]]]:
    def tell(repeats: int, grade: Any, asking: Asking) -> list[list[Try]]:
        return ask_all(
            ask,
            cases.asked,
            grade,
            repeats=repeats,
            threads=asking.get("threads", 1),
            timeout_s=asking.get("timeout_s"),
            progress=asking.get("progress"),
        )

    return tell


def _of_model(model: Any) -> Callable[[Any], str]:
    output = model.signature.output
    if output.kind != "classes" or not all(isinstance(one, str) for one in output.classes):
        raise UsageError(
            f"The model answers {what_is_answered(output)}, and no texts.",
            mend="use plusone.check.minimum(model, cases)",
        )
    fields = [field.name for field in model.signature.fields]

    def ask(case: Any) -> str:
        return str(model.predict([case if isinstance(case, dict) else {fields[0]: case}])[0])

    return ask


def _check_repeats(repeats: Any, rate: float, confidence: float) -> None:
    """Refuse to begin what could not pass: so many tries leave too wide an interval even if all are good."""
    if isinstance(repeats, bool) or not isinstance(repeats, int) or not 1 <= repeats <= _MOST_REPEATS:
        raise UsageError(
            f"repeats = {repeats!r}: expected a whole number, 1 to {_MOST_REPEATS:,}.", mend=f"repeats={REPEATS}"
        )
    fewest = fewest_to_show(rate, confidence)
    if 1 < repeats < fewest:
        raise UsageError(
            f"repeats = {repeats} can't show a rate of {rate:g}: even if all are good the interval reaches down to "
            f"{clopper_pearson(repeats, repeats, confidence)[0]:.3f}.",
            mend=f"repeats={fewest}, or repeats=1 when the answers are always the same",
        )


# ------------------------------------------------------------------------------------------------ judging


def verdict(passed: int, tries: int, rate: float, confidence: float, cases: int) -> tuple[float, float, Judgement]:
    """Return the exact interval of a case's pass rate, and what it means.

    A case passes by its own interval: the check passes only if all do, so that a case below the rate gets through with
    probability (1 - confidence) / 2 at most, however many there are (an intersection-union test: Berger (1982),
    Technometrics 24(4)). It fails by an interval whose confidence is divided by the number of cases: that any case at
    or above the rate is called failed has at most the same probability (Bonferroni).
    """
    low, high = clopper_pearson(passed, tries, confidence)
    if tries == 1:
        return low, high, "passed" if passed else "failed"
    if low >= rate:
        return low, high, "passed"
    _, top = clopper_pearson(passed, tries, 1 - (1 - confidence) / cases)
    return low, high, "failed" if top < rate else "inconclusive"


def _case(name: str, tries: Sequence[Try], *, rate: float, confidence: float, cases: int) -> dict[str, Any]:
    passed = sum(one.passed for one in tries)
    low, high, outcome = verdict(passed, len(tries), rate, confidence, cases)
    found: dict[str, Any] = {"case": name, "outcome": outcome, "passed": passed, "tries": len(tries), "low": low}
    found |= {"high": high, "seconds": round(sum(one.seconds for one in tries) / len(tries), 6)}
    scores = [one.score for one in tries if one.score is not None]
    if scores:
        found["score"] = sum(scores) / len(scores)
    wrong = {(one.why, one.answer): one for one in tries if not one.passed}
    found["wrong"] = [{"why": _clip(why), "answer": _clip(answer)} for why, answer in list(wrong)[:_SHOWN]]
    return found


def _found(
    check: str, found: list[dict[str, Any]], least: float, rate: float, confidence: float, more: dict[str, Any]
) -> Found:
    counts = {outcome: [one for one in found if one["outcome"] == outcome] for outcome in _WORST}
    failed, unclear = len(counts["failed"]), len(counts["inconclusive"])
    allowed = math.floor((1 - least) * len(found) + 1e-9)
    outcome: Judgement = "failed" if failed > allowed else "inconclusive" if failed + unclear > allowed else "passed"
    tries = found[0]["tries"]
    text = f"{check}: {len(counts['passed'])} of {len(found):,} cases pass"
    text += f", {failed} fail, {unclear} are inconclusive ({tries} tries each, rate {rate:g})" if tries > 1 else ""
    if allowed:
        text += f"; {allowed} need not"
    text += "".join(_line(one) for one in (*counts["failed"], *counts["inconclusive"]))
    measured: dict[str, Any] = {"check": check, "rows": len(found), "passed": len(counts["passed"]), "failed": failed}
    measured |= {"inconclusive": unclear, "tries": tries, "rate": rate, "at_least": least, "confidence": confidence}
    measured |= more
    found = sorted(found, key=lambda one: (_WORST.index(one["outcome"]), one["passed"]))
    measured["cases"] = found[: figures.MOST_POINTS]
    measured["figure"] = figures.bars(
        f"Pass rate by case: {check}",
        [one["case"] for one in found],
        [one["passed"] / one["tries"] for one in found],
        low=[one["low"] for one in found],
        high=[one["high"] for one in found],
        limit=rate if tries > 1 else None,
    )
    return Found(text, outcome, measured, _advice(counts["inconclusive"], rate, confidence, len(found)))


_WORST = ("failed", "inconclusive", "passed")


def _line(case: dict[str, Any]) -> str:
    what = f"{case['passed']} of {case['tries']} good" if case["tries"] > 1 else "not good"
    if case["outcome"] == "inconclusive":
        what += f", interval {case['low']:.3f} to {case['high']:.3f}"
    wrong = f": {case['wrong'][0]['why']}" if case["wrong"] else ""
    answer = f", in {case['wrong'][0]['answer']!r}" if case["wrong"] and case["wrong"][0]["answer"] else ""
    return f"\n  {case['case']}: {what}{wrong}{answer}"


def _advice(unclear: Iterable[dict[str, Any]], rate: float, confidence: float, cases: int) -> str:
    """Return how many repeats would tell, if the cases go on as they did."""
    needed = [_enough(one["passed"] / one["tries"], rate, confidence, one["tries"], cases) for one in unclear]
    if not needed:
        return ""
    if 0 in needed:
        return "At these rates no number of repeats would tell: make the answers better, or ask for a lower rate."
    return f"At these rates repeats={max(needed)} would tell."


def _enough(share: float, rate: float, confidence: float, tries: int, cases: int) -> int:
    """Return the repeats at which a case that goes on so is above the rate or below it; 0 where it is too near."""
    for _ in range(40):
        tries = math.ceil(tries * 1.2) + 1
        passed = {math.floor(share * tries), math.ceil(share * tries)}
        if all(verdict(one, tries, rate, confidence, cases)[2] != "inconclusive" for one in passed):
            return tries
        if tries > _MOST_REPEATS:
            break
    return 0


# ------------------------------------------------------------------------------------------------ reading


def _is_list(cases: Any) -> bool:
    return isinstance(cases, (list, tuple)) and not isinstance(cases, str)


def _names(rows: list[Any]) -> list[str]:
    found: list[str] = []
    for place, row in enumerate(rows, 1):
        name = row if isinstance(row, str) else row.get("case")
        line = " ".join(str(name).split()) if name is not None else f"case {place}"
        found.append(line if len(line) <= 60 else f"{line[:58]} …")
    counts = Counter(found)
    return [f"{name} ({place})" if counts[name] > 1 else name for place, name in enumerate(found, 1)]


def _clip(text: str) -> str:
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return plain if len(plain) <= _TEXT else f"{plain[: _TEXT - 2]} …"
