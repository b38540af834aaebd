"""Texts that something answers: a prompt, a chain, an HTTP call, a model. Case by case, each asked again and again.

What answers is any function that takes a case and returns a text. The same case may be answered well today and badly
tomorrow, so each is asked `repeats` times and judged by the interval of its own pass rate: no average over the cases
hides one that always fails, and one that sometimes fails is inconclusive. docs/decisions/0038 says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Unpack

from ..base.errors import UsageError
from ..behaving.asking import Asking, Cases, run, texts_of
from ..behaving.schemas import measure_of, reader, verdict_of
from ..behaving.tries import Grade
from ..measuring.concluding import check_arguments, conclude
from ..measuring.outcomes import is_outcome

__all__ = ["contains", "judge", "matches", "similar", "valid_json"]

__tracebackhide__ = is_outcome

Ask = Any
"""A function `case -> text`, a Predictor whose labels are texts, or the answers that were given."""


def contains(
    ask: Ask,
    cases: Any,
    *,
    text: str | Sequence[str] | None = None,
    absent: str | Sequence[str] = (),
    column: str = "expected",
    ignore_case: bool = False,
    **asking: Unpack[Asking],
) -> None:
    """Pass when the answers to each case contain a text, or all of several, and none of those that must be absent.

    Each case is asked `repeats` times. Its pass rate has the exact interval of Clopper & Pearson (1934). Wholly at or
    above `rate`: the case passed. Wholly below, with a confidence that is divided by the number of cases (Bonferroni):
    it failed. Else it is inconclusive. With `repeats=1` the one answer decides, and nothing is said about others.

    By hand: 20 of 20 leave the lower end 0.025^(1/20) = 0.832: enough for a rate of 0.8, and 19 of 20 (0.751) are not.

    Args:
        ask: a function that takes a case and returns a text; what it raises is a try that failed. Or a model whose
            labels are texts, or a list of given answers: a text for each case, or a list of texts, its tries.
        cases: a list of texts, or a table whose rows are the cases, as dicts: a CSV file (put it into the tests folder:
            it is kept with the release), a list of dicts, any dataframe. Its column `case` names them.
        text: what each answer must contain; default: what the case says in `column`, a text or a list.
        absent: what no answer may contain.
        input: the column whose value is given to `ask`; default: the whole row.
        repeats: how often each case is asked: default 20 of a function, 1 of a model and of answers without lists.
        rate: the pass rate that each case must be shown to have: default 0.8, below 1.
        at_least: the share of the cases that must pass; default: 1, all of them.
        threads: how many answers are waited for at the same time; default: 1.
        timeout_s: after which an answer is a try that failed; default: none. It can't be ended: its thread goes on.
        confidence: of each case's interval; default: 0.95.
        inconclusive: 'closes' or 'allowed', as elsewhere.
        progress: called with how many tries are done, and how many there will be.

    Raises:
        CheckFailed: too many cases fail; each is named, with answers that were wrong.
        Inconclusive: too many may fail, and `inconclusive` is 'closes'.
        UsageError: the cases or an argument can't be used, or so few repeats can't show the rate.
    """

    table = Cases(cases, column, asking)
    wanted = table.expected(texts_of("text", text) if text is not None else None, texts_of)
    never = texts_of("absent", absent) if absent else ()

    def fold(one: str) -> str:
        return one.casefold() if ignore_case else one

    def grade(place: int, answer: str) -> Grade:
        folded = fold(answer)
        missing = [one for one in wanted[place] if fold(one) not in folded]
        present = [one for one in never if fold(one) in folded]
        if missing:
            return Grade(False, f"does not contain {missing[0]!r}")
        return Grade(False, f"contains {present[0]!r}") if present else Grade(True)

    _run("contains", ask, table, grade, asking)


def matches(
    ask: Ask,
    cases: Any,
    *,
    pattern: str | None = None,
    column: str = "expected",
    whole: bool = False,
    **asking: Unpack[Asking],
) -> None:
    """Pass when the answers to each case match a regular expression (of `re`): somewhere, or as a `whole`.

    Args:
        pattern: default: what the case says in `column`. One that takes very long on a text holds the test up: no
            thread that is in it can be ended.

    Other arguments, outcomes and errors are those of `contains`.
    """

    def compiled(name: str, value: Any) -> re.Pattern[str]:
        try:
            return re.compile(value)
        except (re.error, TypeError, OverflowError, RecursionError) as error:
            shown = f"{name} = {str(value)[:80]!r}"
            raise UsageError(f"{shown} is no regular expression: {error}.", mend=r"pattern=r'\d+ EUR'") from error

    table = Cases(cases, column, asking)
    wanted = table.expected(compiled("pattern", pattern) if pattern is not None else None, compiled)

    def grade(place: int, answer: str) -> Grade:
        found = wanted[place].fullmatch(answer) if whole else wanted[place].search(answer)
        return Grade(True) if found else Grade(False, f"does not match {wanted[place].pattern!r}")

    _run("matches", ask, table, grade, asking)


def valid_json(ask: Ask, cases: Any, *, schema: Any = None, fenced: bool = False, **asking: Unpack[Asking]) -> None:
    """Pass when the answers to each case are JSON, and fit a schema.

    Args:
        schema: a JSON Schema, as a dict (needs `pip install 'plusone[text]'`), or a type: a `msgspec.Struct`, a
            dataclass, a TypedDict, `list[int]`, whatever msgspec decodes. Default: any JSON.
        fenced: take what stands in a fence of Markdown (three backticks), too.

    Other arguments, outcomes and errors are those of `contains`.
    """

    read = reader(schema)

    def grade(place: int, answer: str) -> Grade:
        found = _FENCE.fullmatch(answer.strip()) if fenced else None
        why = read(found[1] if found else answer)
        return Grade(not why, why)

    _run("valid_json", ask, Cases(cases, "", asking), grade, asking)


def similar(
    ask: Ask,
    cases: Any,
    *,
    by: str | Callable[[str], Sequence[float]],
    bound: float,
    text: str | Sequence[str] | None = None,
    column: str = "expected",
    **asking: Unpack[Asking],
) -> None:
    """Pass when the answers to each case are at least so similar to a text, or to the most similar of several.

    Args:
        by: `token_f1` (the words that both have), `rouge_l` (in their order), `chrf` (runs of 1 to 6 letters), each
            from 0 to 1: see `plusone.statistics.similarity`. Or a function that turns a text into a vector, whose
            cosine is taken, -1 to 1.
        bound: how similar is similar enough.
        text: default: what the case says in `column`, a text or a list.

    Other arguments, outcomes and errors are those of `contains`.
    """

    check_arguments("closes", bound=bound)
    if bound > 1:
        raise UsageError(
            f"bound = {bound:g}: nothing is more alike than 1, so that nothing could pass.", mend="bound=0.8"
        )
    table = Cases(cases, column, asking)
    wanted = table.expected(texts_of("text", text) if text is not None else None, texts_of)
    alike, name = measure_of(by)

    def grade(place: int, answer: str) -> Grade:
        score = max(alike(answer, one) for one in wanted[place])
        why = "" if score >= bound else f"{name} {score:.3f} is below {bound:g}"
        return Grade(score >= bound, why, score)

    _run("similar", ask, table, grade, asking, measured={"by": name, "bound": bound})


def judge(
    ask: Ask,
    cases: Any,
    judge: Callable[[Any, str], Any],
    *,
    scale: int | None = None,
    bound: float | None = None,
    **asking: Unpack[Asking],
) -> None:
    """Pass when a judge says that the answers to each case are good.

    Args:
        judge: takes the case and the answer; returns whether it is good, or with `scale` a score from 1 to `scale`. It
            is called where `ask` is, within its time-out. What it raises is a try that failed: no verdict, no pass.
        scale: the best score, 2 or more.
        bound: the score from which an answer is good.

    A judge that is a model errs, too, and no repetition shows it: hold its verdicts against those of people first.

    Other arguments, outcomes and errors are those of `contains`.
    """

    read = verdict_of(judge, scale, bound)
    table = Cases(cases, "", asking)

    def grade(place: int, answer: str) -> Grade:
        return read(judge(table.rows[place], answer))

    named = {"judge": getattr(judge, "__qualname__", type(judge).__name__), "scale": scale, "bound": bound}
    _run("judge", ask, table, grade, asking, measured=named)


def _run(
    check: str, ask: Any, cases: Cases, grade: Any, asking: Asking, measured: dict[str, Any] | None = None
) -> None:
    inconclusive = asking.get("inconclusive", "closes")
    check_arguments(inconclusive)
    found = run(check, ask, cases, grade, asking, measured=measured)
    conclude(found.message, found.outcome, found.measured, inconclusive=inconclusive, more=found.more)


_FENCE = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)
