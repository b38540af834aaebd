"""Whether probabilities are what they say: of what gets 0.3, 30 % should be so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.errors import UsageError
from ..measuring.concluding import OnInconclusive, check_arguments, check_range, conclude
from ..measuring.outcomes import is_outcome
from ..signatures.words import what_is_answered

if TYPE_CHECKING:
    from ..predictor import Predictor

__all__ = ["calibrated"]

__tracebackhide__ = is_outcome


def calibrated(
    model: Predictor,
    data: Any,
    *,
    at_most: float = 0.05,
    confidence: float = 0.95,
    seed: int = 0,
    inconclusive: OnInconclusive = "closes",
) -> None:
    """Pass when the calibration error of `model` is shown to be at most `at_most`.

    It is the root mean squared distance between what was said and what was so, over ten bins of the rows, less what
    chance makes of it (Kumar, Liang & Ma 2019; Bröcker 2012; see `statistics.calibration`). Of two classes it is that
    of the second one's probability, of more that of the likeliest (Guo et al. 2017). The interval wholly at or below
    `at_most`: passed; wholly above: failed; else inconclusive.

    It can't see what averages out within a bin, nor whether a slice is off: see `slices` with the metric brier.

    Args:
        at_most: 0 to 1, in the unit of a probability: 0.05 is five points of a hundred.

    Raises:
        CheckFailed: the probabilities are shown to be off by more.
        Inconclusive: the data can't tell, and `inconclusive` is 'closes'.
        UsageError: the model has no probabilities, or the data or an argument can't be used.
    """
    check_arguments(inconclusive, model=model, at_most=at_most, confidence=confidence)
    check_range(0 <= at_most < 1, "a number from 0 to below 1", at_most=(at_most, 0.05))
    check_range(0 < confidence < 1, "a number between 0 and 1", confidence=(confidence, 0.95))
    output = model.signature.output
    if output.kind != "classes" or not output.probabilities:
        answers = "labels only" if output.kind == "classes" else f"{what_is_answered(output)}, and no probabilities"
        answers += " of one target" if output.kind == "labels" else ""
        raise UsageError(
            f"The model answers {answers}: there is nothing to calibrate.", mend="use at_least or no_worse"
        )
    from ..measuring.figures import lines
    from ..measuring.pictures import calibration_points
    from ..measuring.rows import Rows, choose
    from ..statistics.calibration import calibration_error

    rows = Rows(data, output, choose(output, "brier"))
    said, seen = calibration_points(rows.truth, rows.answer(model, "the model"))
    found = calibration_error(said, seen, confidence=confidence, seed=seed)
    outcome = "passed" if found.high <= at_most else "failed" if found.low > at_most else "inconclusive"
    bins = found.bins
    place = int(abs(bins.seen - bins.said).argmax())
    text = (
        f"the calibration error is {found.value:.4g} ({confidence * 100:g}% interval {found.low:.4g} to "
        f"{found.high:.4g}, {rows.count:,} rows); allowed is {at_most:g}. Furthest off: of {int(bins.rows[place]):,} "
        f"rows that said {bins.said[place]:.3g} on average {bins.seen[place]:.3g} were so"
    )
    measured: dict[str, Any] = {"check": "calibrated", "error": found.value, "low": found.low, "high": found.high}
    measured |= {"at_most": at_most, "rows": rows.count, "confidence": confidence}
    measured["figure"] = lines(
        "calibration", {"candidate": (bins.said.tolist(), bins.seen.tolist())},
        x="said probability", y="share that was so", diagonal=True,
    )  # fmt: skip
    conclude(text, outcome, measured, inconclusive=inconclusive, more="More rows would tell.")
