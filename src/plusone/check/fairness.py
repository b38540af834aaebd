"""Whether a classifier says yes to all groups alike.

Which kind of alike is the right one, and which groups count, is for people to say: the kinds exclude each other in
general (Kleinberg, Mullainathan & Raghavan 2017, "Inherent trade-offs in the fair determination of risk scores").
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from ..base.errors import UsageError
from ..measuring.concluding import OnInconclusive, check_arguments, check_range, conclude
from ..measuring.outcomes import is_outcome
from ..signatures.words import what_is_answered

if TYPE_CHECKING:
    from ..predictor import Predictor

__all__ = ["fair"]

__tracebackhide__ = is_outcome

_KINDS = ("demographic_parity", "equal_opportunity", "accuracy")
_MOST = 20


def fair(
    model: Predictor,
    data: Any,
    group: str,
    *,
    kind: Literal["demographic_parity", "equal_opportunity", "accuracy"] = "demographic_parity",
    at_most: float = 0.1,
    positive: Any = None,
    min_rows: int = 30,
    confidence: float = 0.95,
    inconclusive: OnInconclusive = "closes",
) -> None:
    """Pass when a rate is shown to differ by at most `at_most` between all groups.

    The rates are: `demographic_parity` how often the positive label is answered; `equal_opportunity` how often it is
    answered where it is the truth (Hardt, Price & Srebro 2016, "Equality of opportunity in supervised learning");
    `accuracy` how often the answer is right. Each pair of groups has an interval of its difference (Newcombe 1998). All
    within -at_most to at_most: passed. One wholly outside, at a confidence that is shared between the pairs
    (Bonferroni): failed. Else inconclusive.

    Equal rates do not make equal errors, and no check sees a group that has no column.

    Args:
        group: a column of `data`: a category, a quarter of numbers or times, and missing values make a group each.
        at_most: a difference of rates, 0 to 1.
        positive: the label that counts as yes; default: of two classes the second. `accuracy` needs none.
        min_rows: groups with fewer rows to count on are left out and named.

    Raises:
        CheckFailed: two groups are shown to differ by more.
        Inconclusive: the data can't tell, and `inconclusive` is 'closes'.
        UsageError: the model answers no classes, or the data or an argument can't be used.
    """
    _check(model, kind, at_most, min_rows, confidence, inconclusive)
    from ..measuring.rows import Rows, choose
    from ..measuring.slicing import sliced

    output = model.signature.output
    yes = 0 if kind == "accuracy" and positive is None else _place(output.classes, positive)
    rows = Rows(data, output, choose(output, "accuracy"))
    said = rows.answer(model, "the model")
    hits = said == (rows.truth if kind == "accuracy" else yes)
    counted = rows.truth == yes if kind == "equal_opportunity" else rows.truth == rows.truth
    groups = sliced(rows.table, group)
    rates = {
        label: (int(hits[part].sum()), int(part.sum()))
        for label, part in ((label, counted & groups.rows(at)) for at, label in enumerate(groups.labels))
    }
    left_out = [label for label, (_, many) in rates.items() if many < min_rows]
    kept = {label: pair for label, pair in rates.items() if pair[1] >= min_rows}
    if not 2 <= len(kept) <= _MOST:
        raise UsageError(
            f"{group!r} has {len(kept)} groups of {min_rows} rows or more to count on: expected 2 to {_MOST}.",
            mend="more rows, a smaller min_rows, or a column with fewer values",
        )
    _conclude(kind, group, kept, left_out, rows.count, at_most, confidence, inconclusive)


def _conclude(
    kind: str, group: str, kept: dict[str, tuple[int, int]], left_out: list[str], count: int, at_most: float,
    confidence: float, inconclusive: OnInconclusive,
) -> None:  # fmt: skip
    from ..measuring.figures import bars
    from ..statistics.proportions import newcombe, wilson

    pairs = list(combinations(kept, 2))
    shared = 1 - (1 - confidence) / len(pairs)
    ends = {pair: newcombe(kept[pair[0]], kept[pair[1]], shared) for pair in pairs}
    bad = [pair for pair, (low, high) in ends.items() if low > at_most or high < -at_most]
    alone = [newcombe(kept[first], kept[second], confidence) for first, second in pairs]
    clear = all(low >= -at_most and high <= at_most for low, high in alone)
    worst = max(bad or pairs, key=lambda pair: abs(_apart(kept, pair)))
    low, high = ends[worst]
    text = (
        f"{kind.replace('_', ' ')}: {_rate(kept, worst[0])} and {_rate(kept, worst[1])} are {_apart(kept, worst):+.4g} "
        f"apart ({low:+.4g} to {high:+.4g}; {confidence * 100:g}% for all {len(pairs)} pairs together); allowed is "
        f"{at_most:g}" + (f". Too few rows: {', '.join(left_out[:5])}" if left_out else "")
    )
    single = {label: wilson(*pair, 1 - (1 - confidence) / len(kept)) for label, pair in kept.items()}
    measured: dict[str, Any] = {"check": "fair", "kind": kind, "group": group, "at_most": at_most, "rows": count}
    measured |= {"difference": abs(_apart(kept, worst)), "low": low, "high": high, "left_out": left_out[:_MOST]}
    measured["rates"] = {label: hits / many for label, (hits, many) in kept.items()}
    measured["figure"] = bars(
        f"{kind} by {group}", list(kept), [hits / many for hits, many in kept.values()],
        low=[one for one, _ in single.values()], high=[one for _, one in single.values()],
    )  # fmt: skip
    outcome = "failed" if bad else "passed" if clear else "inconclusive"
    conclude(text, outcome, measured, inconclusive=inconclusive, more="More rows would tell.")


def _apart(rates: dict[str, tuple[int, int]], pair: tuple[str, str]) -> float:
    (hits, rows), (others, rest) = rates[pair[0]], rates[pair[1]]
    return hits / rows - others / rest


def _rate(rates: dict[str, tuple[int, int]], label: str) -> str:
    hits, rows = rates[label]
    return f"{label} ({hits / rows:.4g} of {rows:,})"


def _check(
    model: Predictor, kind: str, at_most: Any, min_rows: Any, confidence: Any, inconclusive: OnInconclusive
) -> None:
    check_arguments(inconclusive, model=model, at_most=at_most, min_rows=min_rows, confidence=confidence)
    check_range(kind in _KINDS, f"one of {', '.join(_KINDS)}", kind=(kind, _KINDS[0]))
    check_range(
        0 <= at_most < 1 and 0 < confidence < 1 and min_rows >= 1,
        "numbers between 0 and 1, and 1 or more",
        at_most=(at_most, 0.2),
        confidence=(confidence, 0.95),
        min_rows=(min_rows, 50),
    )
    if model.signature.output.kind != "classes":
        raise UsageError(
            f"The model answers {what_is_answered(model.signature.output)}: fair compares how often groups get a "
            "label.",
            mend="use slices(model, data, by=[GROUP], margin=...) to compare its errors",
        )


def _place(classes: tuple[Any, ...], positive: Any) -> int:
    if positive is None and len(classes) == 2:
        return 1
    if positive not in classes:
        raise UsageError(
            f"positive = {positive!r}: expected one of the classes {', '.join(map(repr, classes))}.",
            mend=f"positive={classes[-1]!r}",
        )
    return classes.index(positive)
